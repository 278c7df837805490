"""Faster forms of Keras's layers, equal up to rounding, for training by TensorFlow on a CPU.

There, Keras's batch normalisation takes half of a step in bfloat16, as a dozen operations that each pass over all
maps, and oneDNN's gradient of a convolution's kernel takes longer than products of matrices where the kernel is 1x1 or
the maps are small.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import keras

from fer_utils.training import backend

PLACES = {"float32": 1 / 16, "bfloat16": 1}
"""On maps with at most so many places for each channel (before or behind, where there are fewer) the gradient of a 3x3
kernel is faster as products of matrices: up to 3 times in float32 and 15 times in bfloat16, on a Xeon with AMX."""


def quicken(model: keras.Model) -> None:
    """Let batch normalisations and convolutions of a network compute in their faster forms.

    Where XLA compiles the step, or another backend than TensorFlow trains, nothing changes.

    Args:
        model: changed in place; its configuration and its weights stay what they are.
    """
    if backend.jit_compile() is not False:
        return
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and not (layer.renorm or layer.synchronized):
            layer.call = MethodType(_normalize, layer)
        elif getattr(layer, "data_format", None) != "channels_last":
            continue
        elif isinstance(layer, keras.layers.SeparableConv2D):
            layer.call = MethodType(_separate, layer)
        elif isinstance(layer, keras.layers.Conv2D) and tuple(layer.kernel_size) == (1, 1) and layer.groups == 1:
            layer.convolution_op = MethodType(_multiply, layer)
        elif isinstance(layer, keras.layers.Conv2D) and _is_common(layer):
            layer.convolution_op = MethodType(_convolve, layer)


def _normalize(
    layer: keras.layers.BatchNormalization, inputs: Any, training: bool | None = None, mask: Any = None
) -> Any:
    """`BatchNormalization.call`, as one operation where a training step normalises images."""
    over_channels = len(inputs.shape) == 4 and layer.axis in (-1, 3)
    fits = over_channels and layer.compute_dtype in ("float32", "bfloat16") and mask is None
    if not (training and layer.trainable and fits):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    shape = inputs.shape[-1:]
    scale = layer.gamma if layer.scale else keras.ops.ones(shape)
    shift = layer.beta if layer.center else keras.ops.zeros(shape)
    outputs, mean, variance = backend.normalize(inputs, scale, shift, layer.epsilon)
    for average, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        average.assign(average * layer.momentum + value * (1 - layer.momentum))
    return outputs


def _separate(layer: keras.layers.SeparableConv2D, inputs: Any) -> Any:
    """`SeparableConv2D.call`, its second half a product of matrices."""
    maps = keras.ops.depthwise_conv(
        inputs, layer.depthwise_kernel, layer.strides, layer.padding, layer.data_format, layer.dilation_rate
    )
    outputs = _product(maps, layer.pointwise_kernel)
    outputs = keras.ops.add(outputs, layer.bias) if layer.use_bias else outputs
    return outputs if layer.activation is None else layer.activation(outputs)


def _multiply(layer: keras.layers.Conv2D, inputs: Any, kernel: Any) -> Any:
    """`Conv2D.convolution_op` of a 1x1 kernel; with a stride it sees every second (or later) pixel alone."""
    rows, columns = layer.strides
    return _product(inputs[:, ::rows, ::columns] if (rows, columns) != (1, 1) else inputs, kernel)


def _is_common(layer: keras.layers.Conv2D) -> bool:
    """Whether a kernel is 3x3 and sees neighbours in all channels."""
    return tuple(layer.kernel_size) == (3, 3) and tuple(layer.dilation_rate) == (1, 1) and layer.groups == 1


def _convolve(layer: keras.layers.Conv2D, inputs: Any, kernel: Any) -> Any:
    """`Conv2D.convolution_op`, with another gradient of its kernel where the maps are small."""
    rows, columns = layer.compute_output_shape(inputs.shape)[1:3]
    most = PLACES.get(layer.compute_dtype, 0) * min(kernel.shape[2:])
    if rows is None or columns is None or rows * columns > most:
        return type(layer).convolution_op(layer, inputs, kernel)
    values = (keras.ops.convert_to_tensor(value) for value in (inputs, kernel))
    return backend.convolve(*values, tuple(layer.strides), layer.padding)


def _product(maps: Any, kernel: Any) -> Any:
    """The 1x1 convolution of (n, h, w, c) with a kernel (1, 1, c, k): a product of matrices, (n, h, w, k)."""
    *_, n_in, n_out = kernel.shape
    flat = keras.ops.matmul(keras.ops.reshape(maps, (-1, n_in)), keras.ops.reshape(kernel, (n_in, n_out)))
    return keras.ops.reshape(flat, (*keras.ops.shape(maps)[:3], n_out))
