"""Batch normalisation in one operation, where TensorFlow trains on a CPU and Keras's layer would take a dozen."""

from __future__ import annotations

from types import MethodType
from typing import Any

import keras

from fer_utils.training import backend


def fuse(model: keras.Model) -> None:
    """Let the network's batch normalisations train as one operation of TensorFlow each, instead of Keras's dozen.

    Values, gradients and moving averages are equal up to rounding. On a CPU a training in float32 takes 1.1 to 1.2
    times, one in bfloat16 1.1 to 1.7 times as long without. Elsewhere (XLA, other backends) nothing changes.

    Args:
        model: changed in place; its configuration and its weights stay what they are.
    """
    if backend.jit_compile() is False:
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization) and not (layer.renorm or layer.synchronized):
                layer.call = MethodType(_normalize, layer)


def _normalize(
    layer: keras.layers.BatchNormalization, inputs: Any, training: bool | None = None, mask: Any = None
) -> Any:
    """`BatchNormalization.call`, fused where a training step normalises images."""
    import tensorflow as tf

    over_channels = len(inputs.shape) == 4 and layer.axis in (-1, 3)
    fits = over_channels and layer.compute_dtype in ("float32", "bfloat16") and mask is None
    if not (training and layer.trainable and fits):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    n_channels, none = inputs.shape[-1], tf.zeros([0])
    scale = layer.gamma if layer.scale else tf.ones([n_channels])
    shift = layer.beta if layer.center else tf.zeros([n_channels])
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=scale, offset=shift, mean=none, variance=none, epsilon=layer.epsilon
    )
    n = tf.cast(tf.size(inputs) // n_channels, tf.float32)
    moments = (layer.moving_mean, mean), (layer.moving_variance, variance * (n - 1) / n)  # TensorFlow's is unbiased
    for average, value in moments:
        average.assign(average * layer.momentum + value * (1 - layer.momentum))
    return outputs
