"""What all networks share: their settings, the checks of these, and a maker of named, seeded layers."""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import keras
import numpy as np

INITIALIZERS: Mapping[str, Any] = {
    "glorot_uniform": keras.initializers.GlorotUniform,  # Keras's default
    "he_normal": keras.initializers.HeNormal,
    "he_uniform": keras.initializers.HeUniform,
    "lecun_normal": keras.initializers.LecunNormal,  # truncated at two standard deviations
    # iitk2023: a plain Gaussian with standard deviation sqrt(1 / n)
    "gaussian_fan_in": partial(keras.initializers.VarianceScaling, 1.0, "fan_in", "untruncated_normal"),
}


@dataclass(frozen=True)
class Settings:
    """What every network is built from; `build` fills in each family's own values.

    Attributes:
        name: Name of the Keras model.
        n_classes: Number of scores, at least 2.
        size: Height and width of the image in pixels, or None for any (networks with global pooling only).
        dropout: Rate of every Dropout layer, in [0, 1).
        initializer: Key of `INITIALIZERS`, for all kernels; biases start at zero.
        head_l2: L2 penalty on the kernel of the last Dense layer, >= 0 (Keras's: head_l2 * sum of squares).
        batch_norm_momentum: Share of the old moving average kept at each step, in [0, 1).
        seed: Everything random about the network follows from it and the layers' names, >= 0.
    """

    name: str
    n_classes: int = 7
    size: int | None = 48
    dropout: float = 0.0
    initializer: str = "glorot_uniform"
    head_l2: float = 0.0
    batch_norm_momentum: float = 0.99
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks every value; raises ValueError with the rule, what came, and what to do."""
        _require_integer("n_classes", self.n_classes, 2)
        _require_integer("seed", self.seed, 0)
        if self.size is not None:
            _require_integer("size", self.size, 1)
        _require_number("dropout", self.dropout, below=1.0)
        _require_number("batch_norm_momentum", self.batch_norm_momentum, below=1.0)
        _require_number("head_l2", self.head_l2)
        require_choice("initializer", self.initializer, INITIALIZERS)


COMMON_OPTIONS: tuple[str, ...] = tuple(
    field.name for field in fields(Settings) if field.name not in ("name", "n_classes", "size")
)


def _require_integer(name: str, value: object, least: int, most: float = math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        allowed = f"of at least {least}" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{name} must be an integer {allowed}; got {value!r}. Pass such a number.")


def _require_number(name: str, value: object, below: float = math.inf) -> None:
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not (is_number and 0.0 <= value < below):
        raise ValueError(
            f"{name} must be a finite number in [0, {below:g}); got {value!r}. "
            "Pass such a number, or None for the network's own value."
        )


def require_choice(name: str, value: object, allowed: Mapping[str, Any] | tuple[str, ...]) -> None:
    """Raises ValueError unless `value` is one of the `allowed` strings."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}. Choose one of these.")


def require_depth(depth: object, least: int, most: int) -> None:
    """Raises ValueError unless `depth`, a number of blocks, is an integer from `least` to `most`."""
    _require_integer("depth", depth, least, most)


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, rounded, at least 1; a width of 1 leaves it as it is.

    Raises:
        ValueError: If `width` is not in (0, 4].
    """
    if isinstance(width, bool) or not isinstance(width, (int, float, np.integer, np.floating)) or not 0 < width <= 4:
        raise ValueError(f"width must be a number in (0, 4]; got {width!r}. 1 is the width of the report's network.")
    return max(1, round(channels * width))


def derived_seed(seed: int, name: str) -> int:
    """Seed of one layer: a pure function of the network's seed and the layer's name, in [0, 2**31).

    The name rather than the position: a layer keeps its initial values when another is added before it, so
    variants of one network (psg2025's attentions) start equal wherever they share a layer.
    """
    sequence = np.random.SeedSequence((int(seed), zlib.crc32(name.encode())))
    return int(sequence.generate_state(1)[0] >> 1)


def initializer(kind: str, seed: int) -> keras.initializers.Initializer:
    """Kernel initializer with a fixed seed (the same values at every call for the same shape).

    Args:
        kind: Key of `INITIALIZERS`.
        seed: In [0, 2**31).
    """
    return INITIALIZERS[kind](seed=seed)


class Layers:
    """Makes and applies the layers of one network: each is named, and seeded by `derived_seed`."""

    def __init__(self, settings: Settings) -> None:
        """Takes rates, initializer, momentum and seed from `settings`."""
        self.settings = settings

    def _start(self, name: str) -> keras.initializers.Initializer:
        return initializer(self.settings.initializer, derived_seed(self.settings.seed, name))

    def image(self) -> keras.KerasTensor:
        """Input: float32 in [0, 1], (batch, size, size, 1)."""
        return keras.Input((self.settings.size, self.settings.size, 1), name="image")

    def conv(
        self,
        x: keras.KerasTensor,
        filters: int,
        kernel: int,
        name: str,
        *,
        strides: int = 1,
        padding: str = "same",
        activation: str | None = None,
        bias: bool = True,
    ) -> keras.KerasTensor:
        """Convolution with a square kernel."""
        return keras.layers.Conv2D(
            filters, kernel, strides, padding, activation=activation, use_bias=bias,
            kernel_initializer=self._start(name), name=name,
        )(x)  # fmt: skip

    def separable(self, x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
        """Separable 3x3 convolution: one 3x3 filter per channel, then 1x1 across channels, with bias."""
        return keras.layers.SeparableConv2D(
            filters, 3, padding="same", name=name,
            depthwise_initializer=self._start(f"{name}/depthwise"),
            pointwise_initializer=self._start(f"{name}/pointwise"),
        )(x)  # fmt: skip

    def dense_layer(self, units: int, name: str, activation: str | None = "relu") -> keras.layers.Dense:
        """Fully connected layer over the last axis, not yet applied (for use at several places)."""
        return keras.layers.Dense(units, activation, kernel_initializer=self._start(name), name=name)

    def dense(
        self, x: keras.KerasTensor, units: int, name: str, activation: str | None = "relu"
    ) -> keras.KerasTensor:
        """Fully connected layer over the last axis."""
        return self.dense_layer(units, name, activation)(x)

    def norm(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """Batch normalisation over the last axis."""
        return keras.layers.BatchNormalization(momentum=self.settings.batch_norm_momentum, name=name)(x)

    def relu(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """ReLU as a layer of its own."""
        return keras.layers.ReLU(name=name)(x)

    def dropout(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """Dropout at the network's rate, with a seed generator of its own."""
        seed = derived_seed(self.settings.seed, name)
        return keras.layers.Dropout(self.settings.dropout, seed=seed, name=name)(x)

    def model(self, image: keras.KerasTensor, features: keras.KerasTensor) -> keras.Model:
        """Adds the head, a Dense layer `logits` without activation, to (batch, features): the model."""
        penalty = keras.regularizers.L2(self.settings.head_l2) if self.settings.head_l2 else None
        scores = keras.layers.Dense(
            self.settings.n_classes, kernel_initializer=self._start("logits"),
            kernel_regularizer=penalty, dtype="float32", name="logits",
        )(features)  # fmt: skip
        return keras.Model(image, scores, name=self.settings.name)
