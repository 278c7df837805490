"""Batch normalisation as one operation: the same outputs, gradients and moving averages as Keras's own layer."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fer_utils.training import backend, normalization

ONLY_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="fused on TensorFlow alone")


def normalizing(policy: str, fused: bool, **options: object) -> keras.Model:
    """One BatchNormalization over five channels, with scale, shift and moving averages away from their start."""
    with backend.precision(policy):
        image = keras.Input((4, 6, 5))
        model = keras.Model(image, keras.layers.BatchNormalization(momentum=0.7, name="norm", **options)(image))
    generator = np.random.default_rng(3)
    model.set_weights([generator.uniform(0.5, 2.0, w.shape).astype(np.float32) for w in model.get_weights()])
    if fused:
        normalization.fuse(model)
    return model


def step(model: keras.Model, images: np.ndarray, weight: np.ndarray) -> list[np.ndarray]:
    """Outputs of a training step, gradients of a weighted sum of their sines, and the weights afterwards."""
    import tensorflow as tf

    x = tf.constant(images)

    @tf.function  # as `fit` calls it
    def differentiate() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = keras.ops.cast(model(x, training=True), "float32")
            total = tf.reduce_sum(tf.sin(outputs) * weight)
        return [outputs, *tape.gradient(total, [x, *model.trainable_variables])]

    return [np.asarray(value) for value in differentiate()] + model.get_weights()


@ONLY_TENSORFLOW
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "epsilon": 0.01}])
@pytest.mark.parametrize(("policy", "close"), [("float32", 2e-6), ("mixed_bfloat16", 2e-2)])
def test_fused_and_unfused_steps_agree(policy: str, close: float, options: dict[str, object]) -> None:
    generator = np.random.default_rng(7)
    images = generator.normal(2.0, 3.0, (3, 4, 6, 5)).astype(np.float32)
    weight = generator.normal(size=images.shape).astype(np.float32)
    plain, fused = (step(normalizing(policy, fused, **options), images, weight) for fused in (False, True))
    assert len(plain) == len(fused)
    for expected, found in zip(plain, fused, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=close, atol=close * np.abs(expected).max())


@ONLY_TENSORFLOW
def test_only_a_training_step_is_fused_and_the_network_stays_what_it_is() -> None:
    plain, fused = normalizing("float32", False), normalizing("float32", True)
    assert fused.get_config()["layers"][1]["config"] == plain.get_config()["layers"][1]["config"]
    images = np.random.default_rng(1).normal(size=(2, 4, 6, 5)).astype(np.float32)
    np.testing.assert_array_equal(fused(images, training=False), plain(images, training=False))
    fused.get_layer("norm").trainable = plain.get_layer("norm").trainable = False
    np.testing.assert_array_equal(fused(images, training=True), plain(images, training=True))
    for model in (plain, fused):
        model.get_layer("norm").trainable = True
    operations = []
    for model in (plain, fused):
        import tensorflow as tf

        graph = tf.function(lambda x, model=model: model(x, training=True)).get_concrete_function(images).graph
        operations.append({operation.type for operation in graph.get_operations()})
    assert "FusedBatchNormV3" in operations[1] - operations[0]


@ONLY_TENSORFLOW
def test_one_value_per_channel_has_no_variance() -> None:
    with backend.precision("float32"):
        image = keras.Input((1, 1, 2))
        model = keras.Model(image, keras.layers.BatchNormalization(momentum=0.5)(image))
    normalization.fuse(model)
    model(np.array([[[[3.0, -1.0]]]], np.float32), training=True)
    mean, variance = model.get_weights()[2:]
    np.testing.assert_allclose(mean, [1.5, -0.5])
    np.testing.assert_allclose(variance, [0.5, 0.5])
