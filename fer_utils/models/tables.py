"""What a network consists of and costs, as a table and as one number."""

import math

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
