"""Networks of Keras Applications on grey images, and trainings that start from another run's weights."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.neighbors import KNeighborsClassifier

from fer_utils import models, plots, study, training
from fer_utils.analysis import cross_dataset, features
from fer_utils.data import CKPLUS_EXPRESSIONS, EXPRESSIONS, FaceDataset, augmentation, load, splits
from fer_utils.data.splits import SplitSpec
from fer_utils.evaluation import metrics
from fer_utils.models import transfer
from fer_utils.models.common import derived_seed, initializer
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.report import pages
from fer_utils.training import loop, run, setup, weights
from fer_utils.training.scoring import predict_logits

LAST = {"resnet50": "conv5_block3_out", "vgg16": "block5_pool", "efficientnetb0": "top_activation"}
COUNTS = {
    "resnet50": 23_587_712 - 7 * 7 * 64,
    "vgg16": 14_714_688 - 3 * 3 * 64,
    "efficientnetb0": 4_049_571 - 3 * 3 * 32 - 2,
}
HEAD = {"resnet50": 2048 * 7 + 7, "vgg16": 512 * 7 + 7, "efficientnetb0": 1280 * 7 + 7}


def outputs(model: keras.Model, images: np.ndarray, *layers: str) -> list[np.ndarray]:
    part = keras.Model(model.input, [model.get_layer(layer).output for layer in layers])
    found = part(images, training=False)
    return [keras.ops.convert_to_numpy(x) for x in (found if isinstance(found, list) else [found])]


# --- the RGB networks on a grey image ---------------------------------------------------------------------------


def randomised(network: keras.Model) -> keras.Model:
    """Random biases, averages and input normalisation in place of ImageNet's: starts of 0 and 1 would hide mistakes."""
    rng = np.random.default_rng(7)
    for weight in network.weights:
        name = weight.path.rsplit("/")[-1]
        if name in ("bias", "moving_mean", "beta"):
            weight.assign(rng.normal(0.0, 0.1, weight.shape))
        if name in ("moving_variance", "variance"):
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
        if name == "mean":
            weight.assign(rng.uniform(0.2, 0.6, weight.shape))
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return network


@pytest.fixture(scope="module")
def rgb(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[keras.Model, Path]]:
    """Each RGB network and its file, in the old format, as Keras offers ImageNet's weights."""
    found = {}
    for name, family in transfer.BACKBONES.items():
        network = randomised(family.builder(include_top=False, weights=None, input_shape=(None, None, 3)))
        path = tmp_path_factory.mktemp("rgb") / f"{name}.h5"
        network.save(path)
        found[name] = (network, path)
    return found


def as_network_wants(name: str, images: np.ndarray) -> np.ndarray:
    """Grey images in three equal channels, by Keras's own preprocessing."""
    module = {"resnet50": keras.applications.resnet50, "vgg16": keras.applications.vgg16,
              "efficientnetb0": keras.applications.efficientnet}[name]  # fmt: skip
    return module.preprocess_input(np.repeat(images * 255.0, 3, axis=-1))


@pytest.mark.parametrize("name", list(transfer.BACKBONES))
def test_the_grey_network_equals_the_rgb_network_up_to_the_border(
    name: str, rgb: dict[str, tuple[keras.Model, Path]]
) -> None:
    network, path = rgb[name]
    images = np.random.default_rng(0).random((2, 40, 56, 1)).astype(np.float32)
    model = models.build("resnet_transfer", size=None, weights=path, backbone=name, seed=1)
    layers = (transfer.BACKBONES[name].first, LAST[name])
    both = zip(outputs(model, images, *layers), outputs(network, as_network_wants(name, images), *layers), strict=True)
    for layer, (ours, theirs) in zip(layers, both, strict=True):
        assert ours.shape == theirs.shape and np.abs(theirs).max() > 0.1, layer
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max(), layer


def test_imagenets_efficientnet_is_rescaled_once_more_as_keras_does(
    rgb: dict[str, tuple[keras.Model, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, images = rgb["efficientnetb0"][1], np.random.default_rng(0).random((2, 32, 32, 1)).astype(np.float32)
    monkeypatch.setattr(keras.utils, "get_file", lambda *_, **__: str(path))
    module = sys.modules[keras.applications.EfficientNetB0.__module__]
    monkeypatch.setattr(module.file_utils, "get_file", lambda *_, **__: str(path))
    theirs = keras.applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(None, None, 3))
    wanted = outputs(theirs, as_network_wants("efficientnetb0", images), "stem_conv")[0]

    model = models.build("resnet_transfer", size=32, weights="imagenet", backbone="efficientnetb0")
    ours = outputs(model, images, "stem_conv")[0]
    assert np.abs(ours - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_keras_own_file_is_known_by_its_content(rgb: dict[str, tuple[keras.Model, Path]]) -> None:
    network, path = rgb["efficientnetb0"]
    family = replace(transfer.BACKBONES["efficientnetb0"], builder=lambda **_: network)
    plain, extra = (
        transfer._first_kernel(replace(family, md5=md5), path)[1].sd
        for md5 in (family.md5, hashlib.md5(path.read_bytes()).hexdigest())
    )
    np.testing.assert_allclose(extra / plain, np.sqrt([0.229, 0.224, 0.225]))
    norm = next(layer for layer in network.layers if isinstance(layer, keras.layers.Normalization))
    np.testing.assert_allclose(plain, 255 * np.sqrt(norm.get_weights()[1]), rtol=1e-6)


@pytest.mark.parametrize("name", list(transfer.BACKBONES))
def test_shape_names_counts_and_seeded_start(name: str) -> None:
    model = models.build("resnet_transfer", size=32, backbone=name, seed=2, batch_norm_momentum=0.9)
    assert model.count_params() == COUNTS[name] + HEAD[name]
    assert model.input_shape == (None, 32, 32, 1) and model.layers[-1].name == "logits"
    assert not any(isinstance(layer, keras.Model) for layer in model.layers), "a flat graph"
    for layer in model.layers:
        if layer.name in (transfer.BACKBONES[name].first, "logits"):
            start = initializer("he_normal", derived_seed(2, layer.name))(layer.kernel.shape)
            np.testing.assert_array_equal(layer.get_weights()[0], keras.ops.convert_to_numpy(start))
        if isinstance(layer, keras.layers.BatchNormalization):
            assert layer.momentum == 0.9
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            assert layer.get_weights()[0].std() == pytest.approx(np.sqrt(2 / np.prod(layer.kernel_size)), rel=0.2)
    assert models.multiply_adds(model) > 1e6


def test_start_and_names_do_not_depend_on_what_was_built_before() -> None:
    """Keras numbers its unnamed layers, and draws what is not seeded."""
    one, other = (models.build("resnet_transfer", size=32, backbone="efficientnetb0", seed=2) for _ in range(2))
    assert [layer.name for layer in one.layers] == [layer.name for layer in other.layers]
    for first, second in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(first), keras.ops.convert_to_numpy(second))
    states = [[x.seed_generator.state for x in model.layers if hasattr(x, "seed_generator")] for model in (one, other)]
    assert len(states[0]) == 9
    for first, second in zip(*states, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(first), keras.ops.convert_to_numpy(second))


def test_save_and_load(rgb: dict[str, tuple[keras.Model, Path]], tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((2, 32, 32, 1)).astype(np.float32)
    model = models.build("resnet_transfer", size=32, weights=rgb["vgg16"][1], backbone="vgg16")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(outputs(model, images, "logits")[0], outputs(again, images, "logits")[0], atol=1e-6)


def test_weights_must_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is none at .*nowhere.h5.*Download https.*vgg16"):
        models.build("resnet_transfer", weights=tmp_path / "nowhere.h5", backbone="vgg16")
    models.build("tiny").save_weights(tmp_path / "tiny.weights.h5")
    with pytest.raises(ValueError, match=r"RGB VGG16 .*tiny.weights.h5 does not fit"):
        models.build("resnet_transfer", weights=tmp_path / "tiny.weights.h5", backbone="vgg16")


@pytest.mark.parametrize("name", list(transfer.BACKBONES))
def test_imagenet_without_network_says_what_to_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    advice = rf"Download https.*{transfer.BACKBONES[name].file} and put it into .*models"
    with pytest.raises(RuntimeError, match=advice):
        models.build("resnet_transfer", weights="imagenet", backbone=name)


def test_files_are_those_of_the_installed_keras() -> None:
    folder = Path(keras.src.applications.__file__).parent
    sources = {"resnet50": "resnet.py", "vgg16": "vgg16.py", "efficientnetb0": "efficientnet.py"}
    for name, family in transfer.BACKBONES.items():
        source = (folder / sources[name]).read_text(encoding="utf-8")
        joined = re.sub(r'"\s*"', "", source)  # long strings stand on several lines
        assert family.md5 in source and f"{family.url.rsplit('/', 1)[0]}/" in joined


def test_a_frozen_batch_normalisation_keeps_its_averages_and_uses_them() -> None:
    model = models.build("tiny", seed=1, dropout=0.0)
    images = np.random.default_rng(0).random((8, 48, 48, 1)).astype(np.float32)
    norm = model.get_layer("block1_norm1")
    before = norm.get_weights()
    for layer in model.layers[:-1]:
        layer.trainable = False
    model(images, training=True)
    frozen = keras.ops.convert_to_numpy(model(images, training=True))
    np.testing.assert_array_equal(frozen, keras.ops.convert_to_numpy(model(images, training=False)))
    for one, other in zip(before, norm.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    for layer in model.layers:
        layer.trainable = True
    model(images, training=True)
    assert not np.array_equal(before[2], norm.get_weights()[2]), "unfrozen, the averages move"


# --- starting from another run ----------------------------------------------------------------------------------

PARENT = RunConfig(
    "tiny", "synthetic", (Phase(2, 0.02),), split=SplitSpec("random", test_size=0.25, validation_size=1 / 3),
    dataset_options={"n_subjects": 4, "n_frames": 1}, batch_size=7, score_test=True, seed=3,
)  # fmt: skip
SEVEN = replace(PARENT, dataset_options={"n_subjects": 4, "n_frames": 1, "seed": 1}, seed=4)
EIGHT = replace(SEVEN, dataset_options={**SEVEN.dataset_options, "contempt": True})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def parent(store: Path) -> Record:
    return run(PARENT, store=store)


def body_and_head(model: keras.Model) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [w for layer in model.layers[:-1] for w in layer.get_weights()], model.layers[-1].get_weights()


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("config", "keeps_head"), [(SEVEN, True), (EIGHT, False)])
def test_layers_are_taken_over_and_the_head_if_the_classes_are_the_same(
    config: RunConfig, keeps_head: bool, parent: Record, store: Path
) -> None:
    names = load("synthetic", **config.dataset_options).class_names
    model, fresh = setup.build(config, len(names)), setup.build(config, len(names))
    taken = weights.start(model, replace(config, start_from=parent.id), names, store)
    (body, head), (their_body, their_head) = body_and_head(model), body_and_head(weights.rebuild(parent))
    assert same(body, their_body) and not same(body, body_and_head(fresh)[0])
    assert same(head, their_head if keeps_head else body_and_head(fresh)[1])
    assert ("logits" in taken) == keeps_head and len(taken) == 6 + keeps_head


def test_other_names_for_as_many_classes_are_other_classes(parent: Record, store: Path) -> None:
    model = setup.build(SEVEN, 7)
    renamed = [f"other {name}" for name in parent.class_names]
    assert "logits" not in weights.start(model, replace(SEVEN, start_from=parent.id), renamed, store)


def test_the_kept_epoch_can_be_chosen(parent: Record, store: Path) -> None:
    model = setup.build(SEVEN, 7)
    weights.start(model, replace(SEVEN, start_from=f"{parent.id}:last"), parent.class_names, store)
    assert same(model.get_weights(), weights.rebuild(parent, "last").get_weights())
    with pytest.raises(ValueError, match="keeps the epochs best_validation, last; asked for 'block_1'"):
        weights.start(model, replace(SEVEN, start_from=f"{parent.id}:block_1"), parent.class_names, store)


@pytest.mark.survival
def test_a_run_starts_there_and_goes_on_after_a_kill_without_its_parent(
    parent: Record, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = (Phase(1, 0.02, trainable="head"), Phase(1, 0.01))
    child = replace(EIGHT, start_from=parent.id, phases=phases, keep=("block_1", "last"))
    whole = run(child, store=store)
    bodies = [body_and_head(weights.rebuild(*which))[0] for which in ((whole, "block_1"), (parent,), (whole, "last"))]
    assert same(bodies[0], bodies[1]), "frozen layers are still the parent's, averages included"
    assert not same(bodies[2], bodies[1])
    shutil.copytree(parent.path, tmp_path / parent.id)

    def killed(self: loop.Training, bar: object) -> None:
        if self.state.epoch == 1:
            raise KeyboardInterrupt
        one_epoch(self, bar)

    one_epoch = loop.Training.epoch
    monkeypatch.setattr(loop.Training, "epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        run(child, store=tmp_path, checkpoint_seconds=0)
    monkeypatch.undo()
    shutil.rmtree(tmp_path / parent.id)
    np.testing.assert_array_equal(
        run(child, store=tmp_path).predictions("validation")[1], whole.predictions("validation")[1]
    )


def test_bad_parents_are_refused_before_any_file(parent: Record, store: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="named by its id; got 'nothing-like-it'"):
        run(replace(SEVEN, start_from="nothing-like-it"), store=tmp_path)
    with pytest.raises(ValueError, match="compact shares none with tiny of"):
        weights.start(models.build("compact"), replace(SEVEN, model="compact", start_from=parent.id), ["a"] * 7, store)
    assert list(tmp_path.iterdir()) == []


def test_missing_weights_are_named_with_their_remedy_and_a_reruns_are_found(
    parent: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_REPORTS", str(tmp_path))
    bare = tmp_path / "quick/runs" / parent.id
    shutil.copytree(parent.path, bare, ignore=shutil.ignore_patterns("weights"))
    with pytest.raises(FileNotFoundError, match=rf"python -m fer_utils rerun {parent.id}"):
        run(replace(SEVEN, start_from=parent.id))

    def trained(config: RunConfig, root: None, store: Path) -> Record:
        assert config == parent.config
        return Record(Path(shutil.copytree(parent.path, store / parent.id)))

    monkeypatch.setattr(training, "run", trained)
    again = study.with_weights(Record(bare))
    assert again.path == tmp_path / "quick/reruns/1" / parent.id
    monkeypatch.undo()
    monkeypatch.setenv("FER_REPORTS", str(tmp_path))
    assert weights.path(Record(bare)) == again.weights() and study.with_weights(Record(bare)).path == again.path
    assert weights.start(setup.build(SEVEN, 7), replace(SEVEN, start_from=parent.id), parent.class_names)


# --- rare classes -----------------------------------------------------------------------------------------------


@pytest.fixture
def uneven() -> FaceDataset:
    """Faces of which every second class has lost half of its images."""
    faces = load("synthetic", n_subjects=8, n_frames=1)
    return faces.subset(np.flatnonzero((faces.labels % 2 == 0) | (np.arange(len(faces)) % 14 < 7)))


@pytest.mark.parametrize("sampling", ["natural", "oversample"])
def test_rare_classes_have_a_policy_of_their_own(sampling: str, uneven: FaceDataset) -> None:
    config = replace(PARENT, augmentation="iitk2023", augmentation_rare="psg2025", sampling=sampling)
    train = splits.make(uneven, config.split).train
    counts = np.bincount(uneven.labels[train])
    rows = setup.sampled(uneven.labels, train, config)
    drawn = setup.draws(config, uneven.labels, train, rows, epoch=2)
    rare = (counts < counts.mean())[uneven.labels[rows]]
    assert 0 < rare.sum() < len(rows)
    for mask, name in ((rare, "psg2025"), (~rare, "iitk2023")):
        np.testing.assert_array_equal(drawn[mask], augmentation.draw(name, config.seed, 2, len(rows))[mask])
    alike = setup.draws(replace(config, augmentation_rare=""), uneven.labels, train, rows, epoch=2)
    np.testing.assert_array_equal(alike, augmentation.draw("iitk2023", config.seed, 2, len(rows)))


def test_batches_take_draws_made_already() -> None:
    faces = load("synthetic", n_subjects=1, n_frames=1)
    drawn = augmentation.draw("psg2025", 5, 1, len(faces))
    ours, named = (augmentation.Batches(faces.images, faces.labels, policy, 4, 5, 1) for policy in (drawn, "psg2025"))
    for one, other in zip(ours[0], named[0], strict=True):
        np.testing.assert_array_equal(one, other)


# --- other classifiers, other faces -----------------------------------------------------------------------------


def test_features_are_what_the_last_layer_sees(parent: Record) -> None:
    faces, model = load("synthetic", **PARENT.dataset_options), weights.rebuild(parent)
    found = features.penultimate(model, faces.images)
    kernel, bias = model.layers[-1].get_weights()
    assert found.shape == (len(faces), kernel.shape[0])
    np.testing.assert_allclose(found @ kernel + bias, predict_logits(model, faces.images), atol=1e-4)


def test_classifiers_train_on_training_images_and_are_scored_on_the_same_test_images(
    parent: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "classifiers", lambda seed: {"nearest": KNeighborsClassifier(1)})
    faces = load("synthetic", **PARENT.dataset_options)
    values, arrays = features.compare(parent, faces)
    labels, logits = parent.predictions("test")
    assert values["names"] == ["the network itself", "nearest on its features", "nearest on pixels"]
    np.testing.assert_array_equal(arrays["labels"], labels)
    np.testing.assert_array_equal(arrays["predicted"][0], logits.argmax(axis=1))
    split = splits.make(faces, PARENT.split)
    flat = faces.images.reshape(len(faces), -1) / np.float32(255)
    nearest = KNeighborsClassifier(1).fit(flat[split.train], faces.labels[split.train]).predict(flat[split.test])
    np.testing.assert_array_equal(arrays["predicted"][2], nearest)
    assert (values["n_features"], values["n_train"]) == (6 * 6 * 64, len(split.train))
    table = features.table(values, arrays)
    assert table.loc["the network itself", "accuracy in %"].startswith(f"{100 * parent.metric('accuracy'):.1f} ")
    assert table.loc["the network itself", "UAR in %"] == f"{100 * parent.metric('balanced_accuracy'):.1f}"
    assert table.loc["the network itself", "minus the network, points"] == "0.0 [0.0, 0.0]"
    with pytest.raises(ValueError, match="Only final runs score test images"):
        features.compare(SimpleNamespace(config=replace(PARENT, score_test=False), id="a-trial"), faces)


def test_the_forest_and_the_svm_are_seeded() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)), np.arange(40) % 3
    for one, other in zip(features.classifiers(3).values(), features.classifiers(3).values(), strict=True):
        np.testing.assert_array_equal(one.fit(x, y).predict(x + 0.1), other.fit(x, y).predict(x + 0.1))


def test_shared_expressions_have_one_name_in_both_datasets() -> None:
    names, fer, ck = cross_dataset.shared(EXPRESSIONS, CKPLUS_EXPRESSIONS)
    assert names == ("angry", "disgust", "fear", "happy", "sad", "surprise")
    assert [CKPLUS_EXPRESSIONS[code] for code in ck] == ["anger", "disgust", "fear", "happy", "sadness", "surprise"]
    assert [EXPRESSIONS[code] for code in fer] == list(names)
    with pytest.raises(ValueError, match="must share an expression; got a and b"):
        cross_dataset.shared(("a",), ("b",))


def test_models_look_at_another_datasets_images_of_the_shared_expressions(
    parent: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = load("synthetic", **EIGHT.dataset_options)  # contempt is code 7, which the networks do not know
    known = other.labels[other.labels < 6]
    logits = np.random.default_rng(0).normal(size=(2, len(known), 7))
    monkeypatch.setattr(cross_dataset, "predict_logits", lambda model, images: logits[model])
    networks = iter((0, 1))
    monkeypatch.setattr(cross_dataset.weights, "rebuild", lambda record: next(networks))
    renamed = replace(other, class_names=(*other.class_names[:6], "calm", "contempt"))
    values, arrays = cross_dataset.compare([parent, parent], renamed)
    assert values["names"] == list(EXPRESSIONS[:6]) and values["left_out"] == {"calm": 4, "contempt": 4}
    np.testing.assert_array_equal(arrays["labels"], known)
    for i in range(2):
        np.testing.assert_array_equal(arrays["among_shared"][i], logits[i][:, :6].argmax(axis=1))
        free = logits[i].argmax(axis=1)
        np.testing.assert_array_equal(arrays["free"][i], np.where(free == 6, -1, free))
    right = np.mean(arrays["free"] == known, axis=0)
    assert cross_dataset.away(arrays, "free").estimate == pytest.approx(right.mean())
    assert "subjects" in cross_dataset.away(arrays).method
    with pytest.raises(ValueError, match=r"an expression that both datasets name .* got none among 8 images"):
        cross_dataset.compare([parent], renamed.subset(np.flatnonzero(renamed.labels >= 6)))


def test_the_home_game_is_played_among_the_same_expressions() -> None:
    labels, logits = np.array([0, 1, 2, 2]), np.array([[1.0, 0, 9], [0, 2, 3], [0, 0, 1], [1, 0, 5]])
    pooled = study.Pooled(labels, logits, np.array([1, 2, 2, 3]), ("sad", "happy", "calm"))
    found = cross_dataset.home(pooled, ["happy", "sadness"])
    assert (found.estimate, found.n) == (1.0, 2), "calm is neither scored nor an answer"


def test_recalls_and_f1_of_a_bootstrap_are_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    labels, said = rng.choice([0, 2, 3, 5], 60), rng.integers(0, 7, 60)
    present = np.unique(labels)
    options = {"labels": present, "average": None, "zero_division": 0}
    np.testing.assert_allclose(metrics.recall_of_classes(labels, said), sk.recall_score(labels, said, **options))
    assert metrics.macro_f1(labels, said) == pytest.approx(np.mean(sk.f1_score(labels, said, **options)))


def test_figure_of_starts_names_every_start_at_its_mean() -> None:
    def history(*accuracies: float) -> pd.DataFrame:
        n = len(accuracies)
        return pd.DataFrame({"epoch": range(1, n + 1), "phase": [1] + [2] * (n - 1), "val_accuracy": accuracies})

    found = {"random": [history(0.1, 0.2, 0.3), history(0.1, 0.2, 0.5)], "pre-trained": [history(0.6, 0.7, 0.8)] * 2}
    figure = plots.starts(found, profile="quick")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["random 40.0", "pre-trained 80.0"]
    with pytest.raises(ValueError, match=r"at least one history of every start; got .'none': 0."):
        plots.starts({"none": []})


def test_the_results_table_says_what_a_training_started_from(parent: Record) -> None:
    changes = {"class_weights": "balanced", "sampling": "oversample", "augmentation_rare": "light",
               "start_from": "fer2013-compact-usage-s0-0123456789-abcdef", "augmentation": "iitk2023"}  # fmt: skip
    text = pages._variant(replace(parent.config, **changes))
    for part in ("class weights balanced", "sampling oversample", "pre-trained on FER2013", "rare classes light",
                 "augmentation iitk2023"):  # fmt: skip
        assert f"{part} (ours)" in text
