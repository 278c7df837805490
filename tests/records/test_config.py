"""A run's configuration: what it refuses, how it is stored, and what its key depends on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_utils.data.splits import SplitSpec
from fer_utils.records import config as config_module
from fer_utils.records.config import Phase, RunConfig

BASE = RunConfig("tiny", "synthetic", (Phase(2, 1e-3),))
PSG = RunConfig(
    "psg2025", "ckplus", (Phase(20, 1e-3), Phase(6, 1e-4), Phase(4, 1e-5)),
    split=SplitSpec("random", test_size=0.2, seed=123), augmentation="psg2025", monitor="test",
    keep=("last", "block_1", "block_2", "best_test"), score_test=True, model_options={"attention": "se"},
    report="psg2025", protocol="reported",
)  # fmt: skip
CHANGES: dict[str, Any] = {
    "model": "compact",
    "dataset": "ckplus",
    "phases": (Phase(2, 1e-3), Phase(1, 1e-4)),
    "split": SplitSpec(seed=1),
    "model_options": {"dropout": 0.1},
    "dataset_options": {"n_subjects": 4},
    "loss": "l2_svm",
    "margin": 0.5,
    "label_smoothing": 0.1,
    "head_l2": 0.01,
    "augmentation": "light",
    "augmentation_strength": 0.5,
    "augmentation_rare": "light",
    "mixup": 0.2,
    "cutmix": 1.0,
    "optimizer": "sgd",
    "momentum": 0.8,
    "weight_decay": 1e-4,
    "batch_size": 32,
    "class_weights": "balanced",
    "sampling": "oversample",
    "monitor": "train",
    "plateau_patience": 3,
    "plateau_factor": 0.5,
    "early_stopping": 5,
    "keep": ("last",),
    "score_test": True,
    "start_from": "fer2013-compact-usage-s0-0123456789-abcdef:last",
    "teachers": ("fer2013-compact-usage-s0-0123456789-abcdef",),
    "teaching": 0.5,
    "seed": 1,
    "weight_averaging": 0.999,
    "precision": "mixed_bfloat16",
}


def changed(name: str) -> RunConfig:
    """`BASE` with one field changed; a strength needs a policy that it scales."""
    needed: dict[str, Any] = {"augmentation": "psg2025"} if name == "augmentation_strength" else {}
    if name in ("teachers", "teaching"):  # one needs the other
        needed = {"teachers": ("one",), "teaching": 1.0}
    return dataclasses.replace(BASE, **needed | {name: CHANGES[name]})


@pytest.mark.parametrize("config", [BASE, PSG, *map(changed, CHANGES)])
def test_round_trip_through_json(config: RunConfig) -> None:
    back = RunConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert back == config and back.key == config.key


def test_every_field_but_the_labels_changes_the_key() -> None:
    fields = {field.name for field in dataclasses.fields(RunConfig)}
    assert fields == set(CHANGES) | {"report", "protocol"}, "a new field needs a line in CHANGES"
    keys = [BASE.key, dataclasses.replace(BASE, augmentation="psg2025").key, *(changed(name).key for name in CHANGES)]
    assert len(set(keys)) == len(keys) and all(len(key) == 10 for key in keys)
    assert dataclasses.replace(BASE, report="psg2025", protocol="reported").key == BASE.key


@pytest.mark.parametrize(
    "change", [{"schedule": "constant"}, {"warmup_epochs": 1.0}, {"size": 64}, {"trainable": "head"}, {"epochs": 3}]
)
def test_every_field_of_a_phase_changes_the_key(change: dict[str, Any]) -> None:
    phase = Phase(2, 1e-3, "cosine")
    one, other = (dataclasses.replace(BASE, phases=(p,)) for p in (phase, dataclasses.replace(phase, **change)))
    assert one.key != other.key


def test_a_cosine_may_end_above_zero_and_nothing_else_may() -> None:
    keys = {dataclasses.replace(BASE, phases=(Phase(2, 1e-3, "cosine", final_rate=f),)).key for f in (0.0, 1e-4)}
    assert len(keys) == 2
    for schedule, rate in (("cosine", 2e-3), ("cosine", -1e-3), ("constant", 1e-4)):
        with pytest.raises(ValueError, match="final_rate ends a cosine"):
            Phase(2, 1e-3, schedule, final_rate=rate)


def test_fields_at_their_default_do_not_enter_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a field added tomorrow leaves the records of today valid."""
    spelled_out = RunConfig(
        "tiny", "synthetic", (Phase(2, 1e-3, "constant", 0.0, None, "all"),), split=SplitSpec("usage", 0.2),
        model_options={}, loss="cross_entropy", margin=1.0, keep=("best_validation", "last"), seed=0,
    )  # fmt: skip
    assert spelled_out.key == BASE.key

    @dataclasses.dataclass(frozen=True)
    class Tomorrow(RunConfig):
        mixup: float = 0.0

    assert Tomorrow("tiny", "synthetic", (Phase(2, 1e-3),)).key == BASE.key
    assert Tomorrow("tiny", "synthetic", (Phase(2, 1e-3),), mixup=0.2).key != BASE.key
    monkeypatch.setattr(config_module, "RECIPE_VERSION", config_module.RECIPE_VERSION + 1)
    assert spelled_out.key != PINNED["base"]


def test_how_a_number_is_spelt_makes_no_other_configuration() -> None:
    whole, decimal = (dataclasses.replace(BASE, phases=(Phase(2, rate),), margin=rate) for rate in (1, 1.0))
    assert whole == decimal and hash(whole) == hash(decimal) and whole.trains_as(decimal)
    assert whole.key != decimal.key, "keys on disk are of the spelling"
    assert whole.trains_as(dataclasses.replace(decimal, report="psg2025", protocol="reported"))
    assert not whole.trains_as(dataclasses.replace(decimal, seed=1))


def test_configurations_can_stand_in_a_set() -> None:
    assert {BASE, PSG, dataclasses.replace(PSG)} == {PSG, BASE}
    other = dataclasses.replace(PSG, model_options={"attention": "cbam"})
    assert len({PSG, other}) == 2, "equal hashes, unequal configurations"


PINNED = {"base": "ee5cbda920", "psg": "9359c5205a"}


def test_keys_are_stable() -> None:
    """Committed records are found by these: if this fails, they no longer are."""
    assert {"base": BASE.key, "psg": PSG.key} == PINNED


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"phases": ()}, "at least one Phase"),
        ({"optimizer": "rmsprop"}, "optimizer is one of adam, sgd; got 'rmsprop'"),
        ({"class_weights": "auto"}, "class_weights is one of none, balanced; got 'auto'"),
        ({"sampling": "smote"}, "sampling is one of natural, oversample"),
        ({"monitor": "private"}, "monitor is one of train, validation, test; got 'private'"),
        ({"keep": ()}, "keeps at least one epoch's predictions"),
        ({"keep": ("best",)}, "keep is one of last, best_train, .* got 'best'"),
        ({"keep": ("block_2",)}, "got 'block_2'"),
        ({"keep": ("best_test",)}, "score_test=False. Declare the run final"),
        ({"monitor": "test"}, "score_test=False"),
        ({"mixup": -0.1}, "mixup is a number of at least 0; got -0.1"),
        ({"label_smoothing": 1.5}, "label_smoothing is a number of at least 0 and below 1; got 1.5"),
        ({"cutmix": float("nan")}, "cutmix is a number of at least 0; got nan"),
        ({"weight_decay": -1.0}, "weight_decay is a number of at least 0"),
        ({"batch_size": 0}, "batch_size is a whole number, 1 or more; got 0"),
        ({"batch_size": 2.5}, "batch_size is a whole number, 1 or more; got 2.5"),
        ({"plateau_patience": 0}, "plateau_patience is a whole number, 1 or more; got 0"),
        ({"early_stopping": -1}, "early_stopping is a whole number, 1 or more; got -1"),
        ({"plateau_factor": 1.0}, r"plateau_factor is in \(0, 1\); got 1.0"),
        ({"cutmix": 1.0, "loss": "l2_svm"}, "mixed or taught are shares .* loss cross_entropy; got 'l2_svm'"),
        ({"teachers": ("a",), "teaching": 0.5, "loss": "l2_svm"}, "mixed or taught are shares"),
        ({"teachers": ("a", "b")}, "got 0.0 with teachers: 2. Name both, or neither"),
        ({"teaching": 0.5}, "got 0.5 with teachers: 0"),
        ({"teachers": ("a",), "teaching": 1.5}, r"in \(0, 1\], .*got 1.5 with teachers: 1"),
        ({"weight_averaging": 1.0}, r"weight_averaging is in \[0, 1\); got 1.0"),
    ],
)
def test_refusals(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(BASE, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "whole number of epochs, 1 or more"),
        ({"epochs": 2.5}, "whole number of epochs, 1 or more"),
        ({"learning_rate": 0.0}, "a rate above 0"),
        ({"warmup_epochs": 1.0, "schedule": "cosine"}, "ends within its epochs"),
        ({"warmup_epochs": 0.5}, "A warm-up begins a cosine"),
        ({"size": 0}, "size is a side in pixels"),
        ({"schedule": "step"}, "schedule is one of constant, cosine; got 'step'"),
        ({"trainable": "body"}, "trainable is one of all, head; got 'body'"),
    ],
)
def test_phases_refuse(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Phase(**{"epochs": 1, "learning_rate": 1e-3, **fields})


def test_a_configuration_from_numpys_numbers_lists_and_paths_is_the_same() -> None:
    plain = dataclasses.replace(BASE, seed=1, model_options={"width": 0.5, "weights": "a/b.h5", "filters": [4, 8]})
    other = RunConfig(**{
        **{f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)}, "seed": np.int64(1),
        "phases": [Phase(np.int32(p.epochs), p.learning_rate, p.schedule) for p in plain.phases],
        "keep": list(plain.keep), "model_options": {
            "width": np.float64(0.5), "weights": Path("a/b.h5"), "filters": (4, np.int64(8))},
    })  # fmt: skip
    assert other == plain and other.key == plain.key and hash(other) == hash(plain)
    assert RunConfig.from_dict(other.to_dict()) == other


def test_unknown_fields_are_named() -> None:
    with pytest.raises(ValueError, match=r"got also .*rotation"):
        RunConfig.from_dict({**BASE.to_dict(), "rotation": 0.2})


def test_what_was_chosen_on_the_test_set() -> None:
    assert PSG.chosen_on_test == ("best_test",) and PSG.epochs == 30
    steered = dataclasses.replace(PSG, plateau_patience=5)
    assert steered.chosen_on_test == steered.keep, "a schedule driven by the test set taints every epoch"
    stopped = dataclasses.replace(PSG, keep=("last",), early_stopping=3)
    assert stopped.chosen_on_test == ("last",)
    assert dataclasses.replace(BASE, plateau_patience=5, score_test=True).chosen_on_test == ()
