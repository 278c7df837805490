"""Attention blocks: how much each place, or each channel, of a feature map should count."""

from typing import Any

import keras

from fer_utils.models.common import Layers, require_choice

KINDS: tuple[str, ...] = ("none", "spatial", "se", "cbam")
RATIO = 16  # reduction ratio r of SE and CBAM, 16 in both papers


@keras.saving.register_keras_serializable(package="fer_utils")
class ChannelMeanMax(keras.layers.Layer):
    """Mean and maximum over the channels: (batch, h, w, c) to (batch, h, w, 2)."""

    def call(self, inputs: Any) -> Any:
        """Returns the two maps, mean first."""
        mean = keras.ops.mean(inputs, axis=-1, keepdims=True)
        largest = keras.ops.max(inputs, axis=-1, keepdims=True)
        return keras.ops.concatenate([mean, largest], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the two maps."""
        return (*input_shape[:-1], 2)


def attend(make: Layers, x: keras.KerasTensor, kind: str, name: str = "attention") -> keras.KerasTensor:
    """Applies one attention block; the shape (batch, h, w, c) stays.

    Args:
        make: The network's layer maker.
        x: Feature map (batch, h, w, c).
        kind: "none"; "spatial" (psg2025: 1x1 convolution to one map, sigmoid, product); "se"
            (squeeze-and-excitation, Hu et al. 2018); "cbam" (Woo et al. 2018: channels, then places).
        name: Beginning of the layers' names.

    Raises:
        ValueError: If `kind` is not one of `KINDS`.
    """
    require_choice("attention", kind, KINDS)
    blocks = {"spatial": _spatial, "se": _squeeze_excitation, "cbam": _cbam}
    return x if kind == "none" else blocks[kind](make, x, name)


def _spatial(make: Layers, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """1x1 convolution -> one map (batch, h, w, 1), sigmoid -> product."""
    gate = make.conv(x, 1, 1, f"{name}_gate", activation="sigmoid")
    return keras.layers.Multiply(name=name)([x, gate])


def _squeeze_excitation(make: Layers, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Means of the channels -> c/16, ReLU -> c, sigmoid -> product."""
    channels = x.shape[-1]
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    gate = make.dense(gate, max(channels // RATIO, 1), f"{name}_squeeze")
    gate = make.dense(gate, channels, f"{name}_gate", activation="sigmoid")
    return keras.layers.Multiply(name=name)([x, gate])


def _cbam(make: Layers, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Channels: one shared MLP on means and on maxima, summed; places: 7x7 on channel mean and maximum."""
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    largest = keras.layers.GlobalMaxPooling2D(keepdims=True, name=f"{name}_max")(x)
    squeeze = make.dense_layer(max(x.shape[-1] // RATIO, 1), f"{name}_squeeze")
    excite = make.dense_layer(x.shape[-1], f"{name}_excite", activation=None)
    gate = keras.layers.Add(name=f"{name}_channel_sum")([excite(squeeze(mean)), excite(squeeze(largest))])
    gate = keras.layers.Activation("sigmoid", name=f"{name}_channel_gate")(gate)
    x = keras.layers.Multiply(name=f"{name}_channels")([x, gate])
    maps = ChannelMeanMax(name=f"{name}_mean_max")(x)
    gate = make.conv(maps, 1, 7, f"{name}_gate", activation="sigmoid", bias=False)
    return keras.layers.Multiply(name=name)([x, gate])
