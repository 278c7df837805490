"""Networks of the user's own, named as "module:function"."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_utils import models, records
from fer_utils.data import FaceDataset, load
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import loop, run, setup

SMALL = """
import keras

def small(n_classes, size, *, width=4):
    image = keras.Input((size, size, 1))
    x = keras.layers.Conv2D(width, 3, strides=4, activation={activation!r})(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(n_classes)(x))

def probabilities(n_classes, size):
    image = keras.Input((size, size, 1))
    x = keras.layers.Flatten()(image)
    return keras.Model(image, keras.layers.Dense(n_classes, activation="softmax")(x))

def by_operation(n_classes, size):
    image = keras.Input((size, size, 1))
    return keras.Model(image, keras.ops.softmax(keras.layers.Dense(n_classes)(keras.layers.Flatten()(image))))

def frozen(n_classes, size):
    image = keras.Input((size, size, 1))
    body = keras.Sequential([keras.layers.Conv2D(4, 3, strides=8), keras.layers.Flatten(), keras.layers.Dropout(0.5)])
    body.trainable = False
    return keras.Model(image, keras.layers.Dense(n_classes)(body(image)))

def frozen_in_a_wrapper(n_classes, size):
    image = keras.Input((size, size, 1))
    body = keras.Sequential([keras.layers.Conv2D(4, 3, strides=8), keras.layers.Flatten(), keras.layers.Dropout(0.5)])
    body.trainable = False
    strips = keras.layers.TimeDistributed(body)(keras.layers.Reshape((2, size // 2, size, 1))(image))
    return keras.Model(image, keras.layers.Dense(n_classes)(keras.layers.Flatten()(strips)))

def of_nine(n_classes, size):
    image = keras.Input((size, size, 1))
    return keras.Model(image, keras.layers.Dense(9)(keras.layers.Flatten()(image)))

def in_a_row(n_classes, size):
    layers = keras.layers
    return keras.Sequential([keras.Input((size, size, 1)), layers.Conv2D(4, 3, strides=4), layers.Flatten(),
                             layers.Dense(n_classes)])

def without_input(n_classes, size):
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(n_classes)])

def nothing(n_classes, size):
    return None

number = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "my_networks.py"
    path.write_text(SMALL.format(activation="relu"))
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    forget()


@pytest.fixture
def faces() -> FaceDataset:
    return load("synthetic", n_subjects=5, n_frames=1)


def forget() -> None:
    sys.modules.pop("my_networks", None)


CONFIG = RunConfig(
    "my_networks:small", "synthetic", (Phase(3, 0.01),), model_options={"width": 3},
    dataset_options={"n_subjects": 5, "n_frames": 1}, keep=("last",),
)  # fmt: skip


def test_it_trains_under_the_same_protocol_and_is_on_record(module: Path, tmp_path: Path) -> None:
    record = run(CONFIG, store=tmp_path / "runs")
    model = models.build("my_networks:small", width=3)
    assert records.verify(record) == [] and record.config == CONFIG
    assert record.run["parameters"] == model.count_params() == 3 * 9 + 3 + 3 * 7 + 7
    assert record.run["graph"] == models.graph_hash(model)
    assert ":" not in record.id and run(CONFIG, store=tmp_path / "runs") == record


def test_a_sequential_network_is_taken_as_its_graph(module: Path, tmp_path: Path) -> None:
    model = models.build("my_networks:in_a_row")
    assert not isinstance(model, keras.Sequential) and len(model.layers) == 4
    record = run(replace(CONFIG, model="my_networks:in_a_row", model_options={}), store=tmp_path / "runs")
    assert records.verify(record) == [] and record.run["parameters"] == model.count_params()


FROZEN = replace(CONFIG, model="my_networks:frozen", model_options={})


@pytest.mark.parametrize(("name", "place"), [("frozen", 1), ("frozen_in_a_wrapper", 2)])
def test_layers_that_their_author_froze_stay_frozen(module: Path, faces: FaceDataset, name: str, place: int) -> None:
    made = setup.prepare(replace(FROZEN, model=f"my_networks:{name}"), faces)
    before = [w.copy() for w in made.model.layers[place].get_weights()]
    for trainable in ("head", "all"):
        setup.compile_for(made, replace(FROZEN.phases[0], trainable=trainable))
        assert len(made.model.trainable_variables) == 2, "the head's kernel and bias"
    made.model.fit(setup.batches(made, FROZEN.phases[0], 0), verbose=0)
    for one, other in zip(before, made.model.layers[place].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_dropout_inside_of_a_layer_starts_each_epoch_from_the_seed(module: Path, faces: FaceDataset) -> None:
    model = setup.prepare(FROZEN, faces).model
    dropout = model.layers[1].layers[-1].seed_generator.state

    def state(epoch: int) -> list[int]:
        setup.reseed_dropout(model, 0, epoch)
        return keras.ops.convert_to_numpy(dropout).tolist()

    first, second = state(0), state(1)
    model(np.zeros((1, 48, 48, 1), np.float32), training=True)  # the generator moves on
    assert first != second and state(1) == second


def test_a_changed_network_is_neither_loaded_nor_resumed(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: loop.Training, bar: object) -> None:
        if self.state.epoch == 2:
            raise KeyboardInterrupt
        epoch(self, bar)

    epoch = loop.Training.epoch
    record = run(CONFIG, store=tmp_path / "done")
    monkeypatch.setattr(loop.Training, "epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, store=tmp_path / "begun", checkpoint_seconds=0)
    monkeypatch.setattr(loop.Training, "epoch", epoch)
    module.write_text(SMALL.format(activation="elu"))
    forget()
    with pytest.raises(ValueError, match=rf"not the one of the record {record.id}"):
        run(CONFIG, store=tmp_path / "done")
    with pytest.raises(ValueError, match=r"not the one of .*checkpoint\.npz"):
        run(CONFIG, store=tmp_path / "begun")
    module.write_text(SMALL.format(activation="relu"))
    forget()
    assert run(CONFIG, store=tmp_path / "begun").run["graph"] == record.run["graph"]


def test_without_its_code_the_record_still_shows(module: Path, tmp_path: Path) -> None:
    record = run(CONFIG, store=tmp_path / "runs")
    module.unlink()
    forget()
    assert run(CONFIG, store=tmp_path / "runs") == record


@pytest.mark.parametrize(
    "name, message",
    [
        ("os:system", "Python's or an installed package's"),
        ("subprocess:run", "Python's or an installed package's"),
        ("builtins:exec", "Python's or an installed package's"),
        ("keras:Sequential", "Python's or an installed package's"),
        ("my_networks:absent", "no function 'absent'"),
        ("my_networks:number", "no function 'number'"),
        ("my_networks:nothing", "returned NoneType"),
        ("my_networks:without_input", "Begin it with keras.Input"),
        ("my_networks:of_nine", r"\(48, 48, 1\) to \(9,\)"),
        ("my_networks:probabilities", "ends in probabilities"),
        ("my_networks:by_operation", "ends in probabilities"),
    ],
)
def test_what_the_study_cannot_train_is_refused(module: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.build(name)


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="importable module 'no_such_networks'; there is none"):
        models.build("no_such_networks:small")


def test_the_hash_follows_the_graph_and_not_names_or_weights() -> None:
    def network(width: int, skip: bool) -> keras.Model:
        image = keras.Input((8, 8, 1))
        x = keras.layers.Conv2D(width, 3, padding="same")(image)
        y = keras.layers.Conv2D(width, 3, padding="same")(x)
        return keras.Model(image, keras.layers.Add()([x, y] if skip else [y, y]))

    first = models.graph_hash(network(2, True))
    assert first == models.graph_hash(network(2, True))
    assert len({first, models.graph_hash(network(3, True)), models.graph_hash(network(2, False))}) == 3
