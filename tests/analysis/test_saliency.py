"""Maps of where a score comes from: hand-computed cases, one by one as in batches, and what shuffling does to them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import stats

from fer_utils import models, plots
from fer_utils.analysis import saliency
from fer_utils.data import augmentation, synthetic
from fer_utils.training import backend
from fer_utils.training.scoring import predict_logits


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return synthetic.faces(2, n_frames=1).images


@pytest.fixture(scope="module")
def tiny() -> keras.Model:
    return models.build("tiny", seed=3)


def by_hand() -> keras.Model:
    """Two channels of 2x2 means of the image, times (1, -2); class 0 is 3 a - b, class 1 is -a + 4 b of their means."""
    image = keras.Input((48, 48, 1))
    x = keras.layers.AveragePooling2D(24)(image)
    x = keras.layers.Conv2D(2, 1, name="map", kernel_initializer=lambda *a, **k: np.array([[[[1.0, -2.0]]]]))(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    head = keras.layers.Dense(2, kernel_initializer=lambda *a, **k: np.array([[3.0, -1.0], [-1.0, 4.0]]))
    return keras.Model(image, head(x))


def quadrants() -> np.ndarray:
    """An image whose four quarters are 0, 51, 102 and 255: 0, 0.2, 0.4 and 1."""
    return np.kron(np.array([[0, 51], [102, 255]], np.uint8), np.ones((24, 24), np.uint8))[None]


# --- gradients -------------------------------------------------------------------------------------------------


def test_gradient_of_a_known_function() -> None:
    at = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    np.testing.assert_allclose(backend.gradient(lambda x: x**2 + 3 * x, at), 2 * at + 3, rtol=1e-6)
    np.testing.assert_allclose(backend.gradient(lambda x: keras.ops.max(x, axis=1), at), [[1, 0], [0, 1]])


def test_gradient_of_what_does_not_depend_is_zero() -> None:
    found = backend.gradient(lambda x: keras.ops.ones((2,)), np.ones((3,), np.float32))
    np.testing.assert_array_equal(found, np.zeros(3))


def test_loss_and_gradients_of_a_known_function() -> None:
    """(w x + b)² in w and b, and 0 for a variable that plays no part."""
    w, b, other = (keras.Variable(np.float32(value)) for value in (2.0, -1.0, 5.0))
    loss, found = backend.loss_and_gradients(lambda: (w * 3.0 + b) ** 2, [w, b, other])
    assert loss == pytest.approx(25.0)
    np.testing.assert_allclose(found, [2 * 5 * 3, 2 * 5, 0])
    assert float(w) == 2.0, "nothing is changed"


# --- Grad-CAM --------------------------------------------------------------------------------------------------


def test_grad_cam_by_hand() -> None:
    """The channels' weights are the head's over four places: (3, -1) / 4 for class 0, (-1, 4) / 4 for class 1."""
    grey = np.array([[0, 0.2], [0.4, 1]])
    model, image = by_hand(), quadrants()
    class_0 = (3 * grey - 1 * -2 * grey) / 4
    class_1 = (-1 * grey + 4 * -2 * grey) / 4
    assert (class_1 <= 0).all()
    found = saliency.grad_cam(model, np.repeat(image, 2, axis=0), np.array([0, 1]), "map")
    np.testing.assert_allclose(found, [class_0, np.zeros((2, 2))], atol=1e-5)
    signed = saliency.grad_cam(model, image, np.array([1]), "map", rectified=False)
    np.testing.assert_allclose(signed[0], class_1, atol=1e-5)


@pytest.mark.parametrize("name", ["tiny", "compact"])
def test_a_batch_gives_what_single_images_give(name: str, images: np.ndarray) -> None:
    model, classes = models.build(name), np.arange(len(images)) % 7
    together = saliency.grad_cam(model, images, classes, rectified=False)
    alone = [saliency.grad_cam(model, images[i : i + 1], classes[i : i + 1], rectified=False)[0] for i in (0, 5, 13)]
    np.testing.assert_allclose(together[[0, 5, 13]], alone, atol=1e-4 * np.abs(together).max())


def test_more_images_than_a_batch(tiny: keras.Model, images: np.ndarray) -> None:
    many, classes = np.tile(images, (5, 1, 1)), np.arange(70) % 7
    maps = saliency.grad_cam(tiny, many, classes)
    assert maps.shape == (70, 12, 12) and maps.dtype == np.float32
    np.testing.assert_allclose(maps[69], saliency.grad_cam(tiny, many[69:], classes[69:])[0], atol=1e-5)


def test_gradients_also_flow_past_the_layer_through_shortcuts(images: np.ndarray) -> None:
    """The last convolution of compact has a shortcut beside it: finite differences must see the same slope."""
    model = models.build("compact", seed=1)
    assert saliency.last_convolution(model) == "stage4_block1_conv2"
    before, after = saliency._opened(model, "stage4_block1_conv2")
    pixels = augmentation.prepare(images[:1])
    features = keras.ops.convert_to_numpy(before(pixels))
    whole = keras.ops.convert_to_numpy(after([keras.ops.convert_to_tensor(array) for array in (pixels, features)]))
    np.testing.assert_allclose(whole, predict_logits(model, images[:1]), atol=1e-4)
    score = saliency._score(after, pixels, np.array([2]))
    slope = backend.gradient(score, features)
    direction = np.random.default_rng(0).normal(size=features.shape).astype(np.float32)
    values = [float(keras.ops.sum(score(keras.ops.convert_to_tensor(features + t * direction)))) for t in (-1e-3, 1e-3)]
    assert (values[1] - values[0]) / 2e-3 == pytest.approx(float((slope * direction).sum()), rel=0.05, abs=1e-3)


def test_the_layer_is_chosen_by_name(tiny: keras.Model, images: np.ndarray) -> None:
    assert saliency.last_convolution(tiny) == "block3_conv1"
    assert saliency.grad_cam(tiny, images, np.zeros(14, int), "block2_relu1").shape == (14, 12, 12)
    with pytest.raises(ValueError, match=r"got 'nowhere'.*logits"):
        saliency.grad_cam(tiny, images, np.zeros(14, int), "nowhere")
    with pytest.raises(ValueError, match="height and width"):
        saliency.grad_cam(tiny, images, np.zeros(14, int), "flatten")


def test_an_attention_gate_is_not_the_last_convolution() -> None:
    image = keras.Input((8, 8, 1))
    features = keras.layers.SeparableConv2D(4, 3, name="features")(image)
    gate = keras.layers.Conv2D(1, 1, activation="sigmoid", name="gate")(features)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(keras.layers.Multiply()([features, gate])))
    assert saliency.last_convolution(model) == "features"
    with pytest.raises(ValueError, match="no convolution"):
        saliency.last_convolution(keras.Model(image, keras.layers.Flatten()(image)))


@pytest.mark.parametrize("classes", [[0], [0] * 13 + [7], [-1] + [0] * 13])
def test_one_class_per_image(tiny: keras.Model, images: np.ndarray, classes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"One class in 0\.\.6"):
        saliency.grad_cam(tiny, images, np.array(classes))


# --- attention, occlusion --------------------------------------------------------------------------------------


def test_attention_maps_are_the_gates() -> None:
    image = keras.Input((4, 4, 1))
    gate = keras.layers.Conv2D(1, 1, activation="sigmoid", name="attention_gate")(image)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(keras.layers.Multiply()([image, gate])))
    model.get_layer("attention_gate").set_weights([np.full((1, 1, 1, 1), 2.0), np.array([-1.0])])
    pixels = np.arange(0, 160, 10, dtype=np.uint8).reshape(1, 4, 4)
    expected = 1 / (1 + np.exp(1 - pixels / 127.5))
    np.testing.assert_allclose(saliency.attention_maps(model, pixels), expected, atol=1e-5)
    with pytest.raises(ValueError, match="one channel"):
        saliency.attention_maps(models.build("tiny"), np.zeros((1, 48, 48), np.uint8), "block1_relu1")


def test_occlusion_of_a_linear_network_by_hand() -> None:
    """Class 0 scores (3 + 2) times the mean grey; covering a quarter with the mean takes its part's excess away."""
    drops = saliency.occlusion(by_hand(), quadrants(), np.array([0]), patch=24, stride=24)
    grey = np.array([[0, 51], [102, 255]])
    expected = 5 * (grey - round(grey.mean())) / 255 / 4
    np.testing.assert_allclose(drops[0], expected, atol=1e-5)


def test_occlusion_visits_every_place_and_leaves_the_images_alone(tiny: keras.Model, images: np.ndarray) -> None:
    before = images.copy()
    drops = saliency.occlusion(tiny, images[:3], np.zeros(3, int), patch=16, stride=16)
    assert drops.shape == (3, 3, 3) and (images == before).all() and np.abs(drops).max() > 0
    for patch, stride in ((0, 1), (49, 1), (4, 0)):
        with pytest.raises(ValueError, match=r"1\.\.48 pixels"):
            saliency.occlusion(tiny, images[:1], np.zeros(1, int), patch, stride)


# --- maps ------------------------------------------------------------------------------------------------------


def test_scaled_maps_have_maximum_one_or_are_empty() -> None:
    maps = np.array([[[1.0, 4.0], [-2.0, 0.0]], [[-1.0, -2.0], [0.0, 0.0]]])
    np.testing.assert_array_equal(saliency.scaled(maps), [[[0.25, 1], [0, 0]], [[0, 0], [0, 0]]])


def test_class_means_weigh_images_alike() -> None:
    maps = np.stack([np.diag([1.0, 2.0]), np.diag([100.0, 50.0]), np.ones((2, 2))])
    means = saliency.class_means(maps, np.array([0, 0, 2]), 3)
    np.testing.assert_array_equal(means[0], [[0.75, 0], [0, 0.75]])
    assert np.isnan(means[1]).all() and (means[2] == 1).all()


def test_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 3, 4))
    b[0] = a[0] ** 3
    b[1, 0] = b[1, 1]  # ties
    expected = [stats.spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(saliency.rank_correlation(a, b), expected)
    assert saliency.rank_correlation(a, b)[0] == pytest.approx(1)


def test_rank_correlation_with_an_empty_map_is_undefined() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 3, 3))
    maps[1] = 0
    found = saliency.rank_correlation(maps, maps)
    assert found[0] == 1 and np.isnan(found[1])
    with pytest.raises(ValueError, match="place by place"):
        saliency.rank_correlation(maps, maps[:, :2])


def test_resized_keeps_constant_maps() -> None:
    assert (saliency.resized(np.full((2, 3, 3), 0.5), 48) == 0.5).all()
    assert saliency.resized(np.zeros((2, 7, 7)), 7).shape == (2, 7, 7)


# --- the sanity check ------------------------------------------------------------------------------------------


def test_shuffling_keeps_values_and_gives_them_back(tiny: keras.Model) -> None:
    before = [w.copy() for w in tiny.get_weights()]
    with saliency.shuffled(tiny, ["logits"], seed=1):
        changed = tiny.get_layer("logits").get_weights()[0]
        assert not np.array_equal(changed, before[-2])
        np.testing.assert_array_equal(np.sort(changed.ravel()), np.sort(before[-2].ravel()))
        np.testing.assert_array_equal(tiny.get_weights()[0], before[0])
    with pytest.raises(RuntimeError), saliency.shuffled(tiny):
        assert not np.array_equal(tiny.get_weights()[0], before[0])
        raise RuntimeError
    for now, then in zip(tiny.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_shuffled_weights_change_grad_cam(images: np.ndarray) -> None:
    model, classes = models.build("tiny", seed=3), np.arange(14) % 7
    found = saliency.cascade(model, lambda: saliency.grad_cam(model, images, classes, rectified=False))
    assert found.layers == ("logits", "block3_conv1", "block2_conv1", "block1_conv1")
    assert found.correlations.shape == (4, 14)
    assert abs(np.nanmean(found.correlations[-1])) < 0.6
    again = saliency.cascade(model, lambda: saliency.grad_cam(model, images, classes, rectified=False))
    np.testing.assert_array_equal(found.correlations, again.correlations)


def test_the_check_catches_maps_that_ignore_the_network(tiny: keras.Model, images: np.ndarray) -> None:
    """A map of the picture alone, such as its dark places, survives any shuffling: correlation 1."""
    found = saliency.cascade(tiny, lambda: 255.0 - images)
    np.testing.assert_allclose(found.correlations, 1)


# --- figures ---------------------------------------------------------------------------------------------------


def test_class_maps_need_a_map_per_class() -> None:
    names, counts = ["a", "b"], [3, 4]
    with pytest.raises(ValueError, match="for 2 classes"):
        plots.class_maps({"x": np.zeros((3, 2, 2))}, names, counts)
    with pytest.raises(ValueError, match="NaN alone"):
        plots.class_maps({"x": np.full((2, 2, 2), np.nan)}, names, counts)


def test_class_maps_show_only_the_means_they_are_given() -> None:
    maps = np.stack([np.diag([0.0, 1.0]), np.full((2, 2), np.nan)])
    means = np.stack([np.full((48, 48), 200.0), np.full((48, 48), np.nan)])
    figure = plots.class_maps({"x": maps, "y": np.nan_to_num(maps)}, ["a", "b"], [3, 0], means=means)
    pictures = [np.asarray(picture.get_array()) for ax in figure.axes for picture in ax.get_images()]
    assert [float(p.mean()) for p in pictures if p.shape == (48, 48)] == pytest.approx([200 / 255, 200 / 255, 0.5])
