"""Networks: the reports' parameter counts, flat graphs, seeds, options, save and load, RGB kernels."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from fer_utils import models
from fer_utils.models.attention import KINDS, attend
from fer_utils.models.common import Layers, Settings

COUNTS = {
    "cutm2024": (1_375_175, 1_375_175),
    "iitk2023_model1": (824_679, 821_799),
    "iitk2023_model2": (3_841_543, 3_837_575),
    "colab2023": (4_496_903, 4_492_935),
    "psg2025": (20_894_696, 20_844_440),
    "compact": (2_399_799, 2_395_479),
    "tiny": (39_767, 39_543),
    "strong_residual": (11_180_871, 11_171_271),
    "strong_plain": (4_693_575, 4_689_735),
}
SMALL = (
    "cutm2024", "iitk2023_model1", "iitk2023_model2", "colab2023", "compact", "tiny", "strong_residual", "strong_plain",
)  # fmt: skip


@pytest.fixture(scope="module")
def xception() -> keras.Model:
    return models.build("psg2025", seed=3)


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return np.random.default_rng(0).random((3, 48, 48, 1)).astype(np.float32)


def scores(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images, training=False))


def check_shape(model: keras.Model, name: str, size: int | None, n_classes: int) -> None:
    assert model.name == name
    assert model.input_shape == (None, size, size, 1) and model.output_shape == (None, n_classes)
    assert model.layers[-1].name == "logits" and model.layers[-1].activation is keras.activations.linear
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    layer_names = [layer.name for layer in model.layers]
    assert len(set(layer_names)) == len(layer_names)


@pytest.mark.parametrize("name", SMALL)
def test_counts_and_shapes(name: str) -> None:
    model = models.build(name)
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert (model.count_params(), trainable) == COUNTS[name]
    check_shape(model, name, 48, 7)
    check_shape(models.build(name, n_classes=8, size=40), name, 40, 8)


def test_psg2025_has_the_parameters_of_its_description(xception: keras.Model) -> None:
    trainable = sum(int(np.prod(weight.shape)) for weight in xception.trainable_weights)
    assert (xception.count_params(), trainable) == COUNTS["psg2025"]
    check_shape(xception, "psg2025", 48, 7)
    assert xception.get_layer("attention_gate").count_params() == 728 + 1
    assert xception.get_layer("attention").output.shape == (None, 3, 3, 728)
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in xception.layers) == 8
    penalty = xception.get_layer("logits").kernel_regularizer
    assert float(penalty.l2) == pytest.approx(0.01)


def test_rows_of_model_1_are_those_of_the_report() -> None:
    table = models.summary_table(models.build("iitk2023_model1"))
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == ["layer", "type", "output_shape", "parameters"]
    assert table.parameters.sum() == 824_679
    rows = table.set_index("layer")
    assert rows.loc["logits", "parameters"] == 7_175
    assert rows.parameters.sum() - 7_175 + 71_655 == 889_159  # the last row as the report prints it
    assert rows.loc["flatten", "output_shape"] == (512,)


def test_normalisation_follows_the_relu_in_the_plain_networks() -> None:
    model = models.build("colab2023")
    layer_names = [layer.name for layer in model.layers]
    assert layer_names[:6] == [
        "image", "block1_conv1", "block1_conv2", "block1_norm2", "block1_pool", "block1_dropout",
    ]  # fmt: skip
    assert model.get_layer("block1_conv2").activation is keras.activations.relu
    assert model.get_layer("block1_norm2").momentum == 0.99


def test_multiply_adds() -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(5, 3, strides=2, padding="same")(image)  # 4 x 4 x (27 x 5)
    x = keras.layers.SeparableConv2D(6, 3, padding="valid")(x)  # 2 x 2 x (9 x 5 + 5 x 6)
    dense = keras.layers.Dense(6)  # twice 6 x 6 for each of 2 x 2
    x = keras.layers.Flatten()(dense(dense(x)))
    model = keras.Model(image, keras.layers.Dense(2)(x))
    assert models.multiply_adds(model) == 16 * 135 + 4 * (45 + 30) + 2 * 4 * 36 + 48
    assert models.multiply_adds(models.build("compact")) == 99_756_224
    assert models.multiply_adds(models.build("tiny")) < 6e6
    with pytest.raises(ValueError, match="fixed image size"):
        models.multiply_adds(models.build("compact", size=None))


def test_parts_of_a_network_add_up_to_the_whole() -> None:
    model = models.build("iitk2023_model1")
    parts = models.cost_by_part(model)
    assert list(parts.index) == ["block1", "block2", "block3", "dense1", "logits"]
    assert parts["parameters"].sum() == model.count_params()
    assert parts["multiply-adds"].sum() == models.multiply_adds(model)
    assert tuple(parts.loc["logits"]) == (1024 * 7 + 7, 1024 * 7)


def test_receptive_fields_by_hand() -> None:
    """5 and 5: 9 pixels, pooling 10; then 3 and 3 at twice the distance: 18, pooling 20."""
    assert models.receptive_fields(models.build("cutm2024")).to_dict() == {"block1": 10, "block2": 20}


def test_compact_takes_any_size() -> None:
    model = models.build("compact", size=None)
    for height, width in ((32, 32), (40, 44), (63, 48)):
        assert scores(model, np.zeros((2, height, width, 1), np.float32)).shape == (2, 7)


@pytest.mark.parametrize("name", ["iitk2023_model1", "compact", "tiny"])
def test_weights_are_a_function_of_the_seed(name: str) -> None:
    first, second, other = (models.build(name, seed=seed) for seed in (5, 5, 6))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for weight, b in zip(first.weights, other.get_weights(), strict=True):
        a = keras.ops.convert_to_numpy(weight)
        assert np.array_equal(a, b) == (not weight.path.endswith("kernel")), weight.path
    seeds = [layer.seed_generator.state for layer in first.layers if isinstance(layer, keras.layers.Dropout)]
    values = {tuple(keras.ops.convert_to_numpy(state).tolist()) for state in seeds}
    assert len(values) == len(seeds) > 0


def test_start_values_of_iitk2023_are_its_gaussian() -> None:
    model = models.build("iitk2023_model2")
    kernel, bias = model.get_layer("block3_conv1").get_weights()
    deviation = np.sqrt(1.0 / (3 * 3 * 128))
    assert kernel.std() == pytest.approx(deviation, rel=0.01)
    assert np.abs(kernel).max() > 3.5 * deviation  # not truncated
    assert not bias.any()
    model = models.build("iitk2023_model2", initializer="lecun_normal")
    truncated = model.get_layer("block3_conv1").get_weights()[0]
    assert truncated.std() == pytest.approx(deviation, rel=0.01)
    assert np.abs(truncated).max() < 2.5 * deviation


def test_cutm2024_with_the_two_dense_layers_of_its_text() -> None:
    model = models.build("cutm2024", dense_layers=2)
    assert model.count_params() == COUNTS["cutm2024"][0] + 128 * 128 + 128
    assert [model.get_layer(f"dense{i}").units for i in (1, 2)] == [128, 128]


def test_common_options() -> None:
    model = models.build("compact", dropout=0.6, head_l2=0.02, batch_norm_momentum=0.8)
    assert model.get_layer("dropout").rate == 0.6
    assert model.get_layer("stem_norm").momentum == 0.8
    kernel = model.get_layer("logits").get_weights()[0]
    assert float(model.losses[0]) == pytest.approx(0.02 * float((kernel**2).sum()), rel=1e-5)
    assert models.build("tiny", dropout=None).get_layer("dropout").rate == models.options("tiny")["dropout"]
    assert models.options("psg2025")["attention"] == "spatial"
    assert models.options("cutm2024")["dropout"] == 0.4


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("vgg", {}, "must be one of cutm2024.*got 'vgg'"),
        ("tiny", {"attention": "se"}, "Options of 'tiny' must be among dropout.*got attention"),
        ("tiny", {"dropout": 1.0}, r"dropout must be a finite number in \[0, 1\); got 1.0"),
        ("tiny", {"dropout": "much"}, "dropout must be"),
        ("tiny", {"head_l2": -0.1}, "head_l2 must be"),
        ("tiny", {"head_l2": float("nan")}, "head_l2 must be"),
        ("tiny", {"batch_norm_momentum": 1.5}, "batch_norm_momentum must be"),
        ("tiny", {"seed": 1.5}, "seed must be an integer of at least 0"),
        ("tiny", {"initializer": "zeros"}, "initializer must be one of glorot_uniform.*got 'zeros'"),
        ("tiny", {"n_classes": 1}, "n_classes must be an integer of at least 2"),
        ("tiny", {"size": None}, "must be given"),
        ("tiny", {"size": 48.0}, "size must be an integer"),
        ("iitk2023_model1", {"size": 32}, "at least 36 pixels; got 32"),
        ("cutm2024", {"dense_layers": 0}, "1 to 4 dense layers; got 0"),
        ("psg2025", {"attention": "self"}, "attention must be one of none, spatial, se, cbam; got 'self'"),
        ("resnet_transfer", {"backbone": "vgg19"}, "backbone must be one of resnet50, vgg16, efficientnetb0"),
    ],
)
def test_refusals(name: str, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.build(name, **arguments)


@pytest.mark.parametrize("name", [n for n in models.names() if n not in ("psg2025", "resnet_transfer")])
def test_the_least_size_builds(name: str) -> None:
    least = models._FAMILIES[name].least_size
    assert models.build(name, size=least).output_shape == (None, 7)
    with pytest.raises(ValueError, match=f"at least {least} pixels"):
        models.build(name, size=least - 1)


def check_round_trip(model: keras.Model, images: np.ndarray, folder: Path) -> None:
    path = folder / "model.keras"
    model.save(path)
    again = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_allclose(scores(again, images), scores(model, images), rtol=1e-6, atol=1e-6)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    for ours, theirs in zip(model.layers, again.layers, strict=True):
        if isinstance(ours, keras.layers.Dropout):
            assert (ours.rate, ours.seed) == (theirs.rate, theirs.seed)


@pytest.mark.parametrize("name", SMALL)
def test_save_and_load(name: str, faces: np.ndarray, tmp_path: Path) -> None:
    check_round_trip(models.build(name), faces, tmp_path)


def test_save_and_load_psg2025(xception: keras.Model, faces: np.ndarray, tmp_path: Path) -> None:
    check_round_trip(xception, faces, tmp_path)


# Attention, on a small feature map (building Xception four times would take most of this file's seconds)


@pytest.fixture(scope="module")
def attended() -> dict[str, keras.Model]:
    def one(kind: str) -> keras.Model:
        make = Layers(Settings(f"attention_{kind}", size=6))
        image = make.image()
        x = make.conv(image, 32, 3, "conv")
        return keras.Model(image, attend(make, x, kind))

    return {kind: one(kind) for kind in KINDS}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def test_attention_gates_equal_their_formulas(attended: dict[str, keras.Model]) -> None:
    images = np.random.default_rng(1).normal(size=(2, 6, 6, 1)).astype(np.float32)
    x = scores(attended["none"], images)  # the same convolution in all: seeds go by name

    def weights(kind: str, layer: str) -> list[np.ndarray]:
        return attended[kind].get_layer(f"attention_{layer}").get_weights()

    def mlp(kind: str, out: str, v: np.ndarray) -> np.ndarray:
        (w1, b1), (w2, b2) = weights(kind, "squeeze"), weights(kind, out)
        assert w1.shape == (32, 2) and w2.shape == (2, 32)  # ratio 16
        return np.maximum(v @ w1 + b1, 0.0) @ w2 + b2

    kernel, bias = weights("spatial", "gate")
    np.testing.assert_allclose(
        scores(attended["spatial"], images), x * sigmoid(x @ kernel[0, 0] + bias), atol=1e-5
    )
    mean, largest = x.mean((1, 2), keepdims=True), x.max((1, 2), keepdims=True)
    np.testing.assert_allclose(
        scores(attended["se"], images), x * sigmoid(mlp("se", "gate", mean)), atol=1e-5
    )
    channels = x * sigmoid(mlp("cbam", "excite", mean) + mlp("cbam", "excite", largest))
    maps = np.stack([channels.mean(-1), channels.max(-1)], -1)
    (kernel,) = weights("cbam", "gate")
    padded = np.pad(maps, ((0, 0), (3, 3), (3, 3), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), (1, 2))  # (n, h, w, 2, 7, 7)
    place = np.einsum("nhwcij,ijco->nhwo", windows, kernel)
    np.testing.assert_allclose(scores(attended["cbam"], images), channels * sigmoid(place), atol=1e-5)


@pytest.mark.parametrize("kind", ["spatial", "se", "cbam"])
def test_save_and_load_attention(kind: str, attended: dict[str, keras.Model], tmp_path: Path) -> None:
    images = np.random.default_rng(2).random((2, 6, 6, 1)).astype(np.float32)
    check_round_trip(attended[kind], images, tmp_path)


def test_attention_variants_of_psg2025_share_their_start(xception: keras.Model) -> None:
    plain = models.build("psg2025", attention="none", seed=3)
    assert plain.count_params() == COUNTS["psg2025"][0] - 729
    for name in ("stem_conv1", "middle8_conv3", "exit2_conv2", "logits"):
        for a, b in zip(
            plain.get_layer(name).get_weights(), xception.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
