"""The faster forms of layers: the same outputs, gradients and moving averages as Keras's own."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from fer_utils.training import backend, faster_layers

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="faster on TensorFlow alone")
Made = Callable[[], keras.layers.Layer]
NORM = {"momentum": 0.7, "name": "layer"}
LAYERS: dict[str, Made] = {
    "normalization": lambda: keras.layers.BatchNormalization(**NORM),
    "without a scale": lambda: keras.layers.BatchNormalization(scale=False, **NORM),
    "without a shift": lambda: keras.layers.BatchNormalization(center=False, epsilon=0.01, **NORM),
    "1x1": lambda: keras.layers.Conv2D(7, 1, name="layer"),
    "1x1 with a stride": lambda: keras.layers.Conv2D(7, 1, (2, 3), "same", activation="relu", name="layer"),
    "1x1 with a stride, valid": lambda: keras.layers.Conv2D(7, 1, (3, 2), "valid", use_bias=False, name="layer"),
    "separable": lambda: keras.layers.SeparableConv2D(7, 3, padding="same", name="layer"),
    "separable with a stride": lambda: keras.layers.SeparableConv2D(
        4, 3, 2, "valid", depth_multiplier=2, use_bias=False, activation="relu", name="layer"
    ),
}
SMALL_MAPS: dict[str, Made] = {
    "3x3": lambda: keras.layers.Conv2D(7, 3, padding="same", name="layer"),
    "3x3, valid": lambda: keras.layers.Conv2D(7, 3, activation="relu", use_bias=False, name="layer"),
    "3x3 with a stride": lambda: keras.layers.Conv2D(7, 3, 2, "same", name="layer"),
    "3x3 with strides, valid": lambda: keras.layers.Conv2D(7, 3, (1, 3), "valid", name="layer"),
}
UNCHANGED: dict[str, Made] = {
    "3x3, many places": lambda: keras.layers.Conv2D(7, 3, name="layer"),
    "3x3 with gaps": lambda: keras.layers.Conv2D(7, 3, padding="same", dilation_rate=2, name="layer"),
    "in groups": lambda: keras.layers.Conv2D(10, 1, groups=5, name="layer"),
    "depthwise": lambda: keras.layers.DepthwiseConv2D(3, name="layer"),
    "renormalized": lambda: keras.layers.BatchNormalization(renorm=True, name="layer"),
    "over rows": lambda: keras.layers.BatchNormalization(axis=1, name="layer"),
}


def network(made: Made, policy: str, quick: bool) -> keras.Model:
    """One layer over images of any size with five channels, its weights away from their start."""
    with backend.precision(policy):
        image = keras.Input((4, 6, 5) if made not in SMALL_MAPS.values() else (None, None, 5))
        model = keras.Model(image, made()(image))
    generator = np.random.default_rng(3)
    model.set_weights([generator.uniform(0.5, 2.0, w.shape).astype(np.float32) for w in model.get_weights()])
    if quick:
        faster_layers.quicken(model)
    return model


def step(model: keras.Model, images: np.ndarray, training: bool = True) -> list[np.ndarray]:
    """Outputs of a step, gradients of a weighted sum of their sines, and the weights afterwards."""
    import tensorflow as tf

    x = tf.constant(images)
    shape = model.compute_output_shape(images.shape)
    weight = np.random.default_rng(1).normal(size=shape).astype(np.float32)

    @tf.function  # as `fit` calls it
    def differentiate() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = keras.ops.cast(model(x, training=training), "float32")
            scale = tf.stop_gradient(tf.reduce_max(tf.abs(outputs)))
            total = tf.reduce_sum(tf.sin(outputs / scale) * weight)
        return [outputs, *tape.gradient(total, [x, *model.trainable_variables])]

    return [np.asarray(value) for value in differentiate()] + model.get_weights()


def operations(model: keras.Model, *side: int | None) -> set[str]:
    """Types of TensorFlow's operations in a training step, on images of that height and width."""
    import tensorflow as tf

    @tf.function
    def differentiate(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(keras.ops.cast(model(x, training=True), "float32"))
        return tape.gradient(total, model.trainable_variables)

    seen = tf.TensorSpec((2, *(side or (4, 6)), 5))
    return {operation.type for operation in differentiate.get_concrete_function(seen).graph.get_operations()}


def images(n: int = 3) -> np.ndarray:
    return np.random.default_rng(7).normal(2.0, 3.0, (n, 4, 6, 5)).astype(np.float32)


@pytest.mark.parametrize(("policy", "close"), [("float32", 2e-6), ("mixed_bfloat16", 3e-2)])
@pytest.mark.parametrize("kind", LAYERS)
def test_both_forms_agree(kind: str, policy: str, close: float) -> None:
    _agree(LAYERS[kind], policy, close)


def _agree(made: Made, policy: str, close: float) -> None:
    plain, quick = (step(network(made, policy, quick), images()) for quick in (False, True))
    assert len(plain) == len(quick) >= 3
    for expected, found in zip(plain, quick, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=close, atol=close * np.abs(expected).max())


@pytest.mark.parametrize("kind", LAYERS)
def test_the_faster_operation_is_used_and_the_configuration_stays(kind: str) -> None:
    plain, quick = network(LAYERS[kind], "float32", False), network(LAYERS[kind], "float32", True)
    new = operations(quick) - operations(plain)
    assert ("FusedBatchNormV3" if isinstance(quick.layers[-1], keras.layers.BatchNormalization) else "MatMul") in new
    assert quick.layers[-1].get_config() == plain.layers[-1].get_config()
    again = keras.Model.from_config(quick.get_config())
    assert operations(again) == operations(plain)


@pytest.fixture
def small_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of 4 x 6 pixels with 5 channels are small."""
    monkeypatch.setattr(faster_layers, "PLACES", dict.fromkeys(faster_layers.PLACES, 4 * 6 / 5))


@pytest.mark.usefixtures("small_maps")
@pytest.mark.parametrize(("policy", "close"), [("float32", 2e-6), ("mixed_bfloat16", 3e-2)])
@pytest.mark.parametrize("kind", SMALL_MAPS)
def test_both_forms_agree_on_small_maps(kind: str, policy: str, close: float) -> None:
    _agree(SMALL_MAPS[kind], policy, close)


@pytest.mark.usefixtures("small_maps")
@pytest.mark.parametrize("kind", SMALL_MAPS)
def test_the_gradient_of_a_kernel_is_a_product_on_small_maps_alone(kind: str) -> None:
    plain, quick = (network(SMALL_MAPS[kind], "float32", quick) for quick in (False, True))
    assert "Conv2DBackpropFilter" in operations(plain)
    assert "MatMul" in operations(quick) and "Conv2DBackpropFilter" not in operations(quick)
    for side in ((16, 30), (None, None)):  # too many places, and maps of a size that nobody knows
        assert operations(quick, *side) == operations(plain, *side)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("side", "strides"), [((5, 3), (1, 2)), ((3, 3), (2, 2)), ((7, 8), (3, 2)), ((4, 9), (2, 4))])
def test_what_each_place_of_a_kernel_sees(side: tuple[int, int], strides: tuple[int, int], padding: str) -> None:
    """Its gradient equals TensorFlow's on odd and even maps, whatever the stride; sums of small integers are exact."""
    import tensorflow as tf

    generator = np.random.default_rng(0)
    x, kernel = (tf.constant(generator.integers(-3, 4, s), tf.float32) for s in ((2, *side, 4), (3, 3, 4, 5)))
    found = []
    for convolve in (backend.convolve, lambda x, k, strides, padding: tf.nn.conv2d(x, k, strides, padding.upper())):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            outputs = convolve(x, kernel, strides, padding)
            total = tf.reduce_sum(outputs * tf.reshape(tf.range(float(tf.size(outputs))), outputs.shape))
        found.append([outputs, *tape.gradient(total, [x, kernel])])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("small_maps")
def test_a_layer_on_maps_of_two_sizes_changes_on_the_small_one_alone() -> None:
    layer, image = keras.layers.Conv2D(5, 3, padding="same"), keras.Input((16, 16, 5))
    small = layer(keras.layers.MaxPooling2D(4)(image))
    model = keras.Model(image, keras.ops.mean(layer(image)) + keras.ops.mean(small))
    plain = operations(model, 16, 16)
    faster_layers.quicken(model)
    assert "MatMul" not in plain and operations(model, 16, 16) >= {"MatMul", "Conv2DBackpropFilter"}


@pytest.mark.parametrize("kind", UNCHANGED)
def test_other_layers_stay_as_they_are(kind: str) -> None:
    plain, quick = (network(UNCHANGED[kind], "float32", quick) for quick in (False, True))
    assert operations(plain) == operations(quick)
    for expected, found in zip(step(plain, images()), step(quick, images()), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_normalization_that_does_not_train_is_keras_own(frozen: bool) -> None:
    plain, quick = (network(LAYERS["normalization"], "float32", quick) for quick in (False, True))
    for model in (plain, quick):
        model.get_layer("layer").trainable = not frozen
    for expected, found in zip(step(plain, images(), frozen), step(quick, images(), frozen), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_one_value_per_channel_has_no_variance() -> None:
    image = keras.Input((1, 1, 2))
    model = keras.Model(image, keras.layers.BatchNormalization(momentum=0.5)(image))
    faster_layers.quicken(model)
    model(np.array([[[[3.0, -1.0]]]], np.float32), training=True)
    mean, variance = model.get_weights()[2:]
    np.testing.assert_allclose(mean, [1.5, -0.5])
    np.testing.assert_allclose(variance, [0.5, 0.5])


@pytest.mark.usefixtures("small_maps")
@pytest.mark.parametrize("answer", [True, "auto"])
def test_where_xla_compiles_nothing_changes(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "jit_compile", lambda: answer)
    for made in (*LAYERS.values(), *SMALL_MAPS.values()):
        assert operations(network(made, "float32", True)) == operations(network(made, "float32", False))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's own gradient")
def test_a_convolution_by_a_variable_has_a_gradient_outside_of_a_training_step() -> None:
    kernel = keras.Variable(np.random.default_rng(0).random((3, 3, 4, 2), np.float32))
    at = np.random.default_rng(1).random((2, 3, 3, 4))
    found = backend.gradient(lambda x: backend.convolve(x, kernel, (1, 1), "same"), at)
    plain = backend.gradient(lambda x: keras.ops.conv(x, kernel, padding="same"), at)
    np.testing.assert_allclose(found, plain, rtol=1e-4)
