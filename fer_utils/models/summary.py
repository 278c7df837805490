"""What a network consists of and costs: as a table, as one number, and as a hash that names its graph."""

import hashlib
import json
import math
from typing import Any

import keras
import pandas as pd


def _calls(model: keras.Model) -> dict[str, int]:
    """How often the model applies each layer (more than once where weights are shared)."""
    layers = model.get_config()["layers"]
    return {layer["name"]: max(len(layer["inbound_nodes"]), 1) for layer in layers}


def summary_table(model: keras.Model) -> pd.DataFrame:
    """One row per layer, as in the reports' tables.

    Args:
        model: A flat functional model, as `build` gives.

    Returns:
        Columns `layer` (name), `type` (class), `output_shape` (tuple without the batch, None for any size)
        and `parameters` (trainable and not); their sum is `model.count_params()`.
    """
    rows = [(x.name, type(x).__name__, tuple(x.output.shape[1:]), x.count_params()) for x in model.layers]
    return pd.DataFrame(rows, columns=["layer", "type", "output_shape", "parameters"])


def _per_position(layer: keras.Layer) -> int:
    """Multiply-adds for one position of the layer's output map, all channels together."""
    if isinstance(layer, keras.layers.SeparableConv2D):
        return math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense, keras.layers.DepthwiseConv2D)):
        return math.prod(layer.kernel.shape)
    return 0


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of one image in convolutions (also separable) and dense layers; the rest is small.

    Args:
        model: A flat functional model of fixed size, as `build` gives.

    Raises:
        ValueError: If the model takes images of any size.
    """
    calls, total = _calls(model), 0
    for layer in model.layers:
        per_position = _per_position(layer)
        if per_position:
            positions = layer.output.shape[1:-1]
            if None in positions:
                raise ValueError(
                    f"Multiply-adds need a fixed image size; layer {layer.name!r} has output shape "
                    f"{layer.output.shape}. Build the network with size=48."
                )
            total += per_position * math.prod(positions) * calls[layer.name]
    return total


def cost_by_part(model: keras.Model) -> pd.DataFrame:
    """Parameters and multiply-adds of one image, summed over the layers of each part.

    Args:
        model: A flat functional model of fixed size without shared layers, as `build` gives.

    Returns:
        One row per part that has parameters, in the network's order, named by what stands before the first `_` of its
        layers' names (`block1`, `dense1`, `logits`); int64 columns `parameters` and `multiply-adds`.
    """
    rows = [
        (layer.name.split("_")[0], layer.count_params(), _per_position(layer) * math.prod(layer.output.shape[1:-1]))
        for layer in model.layers
    ]
    table = pd.DataFrame(rows, columns=["part", "parameters", "multiply-adds"]).groupby("part", sort=False).sum()
    return table[table["parameters"] > 0]


def receptive_fields(model: keras.Model) -> pd.Series:
    """Side in pixels of the square of the image that one place of the map sees, after each max pooling.

    Args:
        model: A flat functional model whose convolutions and poolings follow one another, without branches.

    Returns:
        int64, by the part of the network that the pooling ends (`block1`).
    """
    field, distance, found = 1, 1, {}
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.MaxPooling2D)):
            pooling = isinstance(layer, keras.layers.MaxPooling2D)
            width = layer.pool_size[0] if pooling else layer.kernel_size[0]
            field, distance = field + (width - 1) * distance, distance * layer.strides[0]
            if pooling:
                found[layer.name.split("_")[0]] = field
    return pd.Series(found, name="sees pixels", dtype="int64")


def graph_hash(model: keras.Model) -> str:
    """10 hexadecimal digits of a network's layers, their settings and how they are joined.

    Layers' names do not enter, for Keras numbers them through a whole session, nor do weights, precision and what is
    frozen: the same function builds the same hash.

    Args:
        model: A functional or sequential model.
    """
    positions = {layer.name: f"#{i}" for i, layer in enumerate(model.layers)}
    text = json.dumps(_anonymous(model.get_config()["layers"], positions), sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


def _anonymous(value: Any, positions: dict[str, str]) -> Any:
    """A configuration with layers' names replaced by their positions."""
    if isinstance(value, dict):
        skipped = ("dtype", "trainable", "build_config")
        return {key: _anonymous(item, positions) for key, item in value.items() if key not in skipped}
    if isinstance(value, list | tuple):
        return [_anonymous(item, positions) for item in value]
    return positions.get(value, value) if isinstance(value, str) else value
