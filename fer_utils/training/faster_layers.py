"""Faster forms of Keras's layers, equal up to rounding, for training by TensorFlow on a CPU.

There, Keras's batch normalisation takes half of a step in bfloat16, as a dozen operations that each pass over all
maps, and oneDNN's gradient of a 1x1 convolution's kernel takes longer than that of the product of matrices it is.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import keras

from fer_utils.training import backend


def quicken(model: keras.Model) -> None:
    """Let batch normalisations, 1x1 and separable convolutions of a network compute in their faster forms.

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


def _product(maps: Any, kernel: Any) -> Any:
    """The 1x1 convolution of (n, h, w, c) with a kernel (1, 1, c, k): a product of matrices, (n, h, w, k)."""
    *_, n_in, n_out = kernel.shape
    flat = keras.ops.matmul(keras.ops.reshape(maps, (-1, n_in)), keras.ops.reshape(kernel, (n_in, n_out)))
    return keras.ops.reshape(flat, (*keras.ops.shape(maps)[:3], n_out))
