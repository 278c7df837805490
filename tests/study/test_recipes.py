"""The stronger system's short trainings: one change each, and no look at the test images."""

from __future__ import annotations

import dataclasses

from fer_utils import models
from fer_utils.data.splits import SplitSpec
from fer_utils.study import protocols, queue, recipes


def test_each_differs_from_the_first_in_one_thing() -> None:
    first, *others = recipes.TRIALS
    network = {"model", "model_options"}
    assert not first.changes and all(len(trial.changes.keys() - network) <= 1 for trial in others)
    assert all(not trial.changes.keys() & network or trial.changes.keys() <= network for trial in others)
    for trial in others:
        fields = [f.name for f in dataclasses.fields(trial.config)]
        differing = [name for name in fields if getattr(trial.config, name) != getattr(first.config, name)]
        assert differing == list(trial.changes), trial.change
    assert len({trial.config.key for trial in recipes.TRIALS}) == len(recipes.TRIALS) >= 7


def test_they_are_short_and_read_no_test_image() -> None:
    for trial in recipes.TRIALS:
        config = trial.config
        assert not any(protocols.serves(config, name) for name in ("reported", "sound")), "it stands for no system"
        assert not config.score_test and config.monitor == "validation" and config.split == SplitSpec("usage")
        assert 10 <= config.epochs <= 20 or trial.changes.keys() == {"phases"}
        assert models.build(config.model, size=None, **config.model_options).input_shape == (None, None, None, 1)
    (full,) = protocols.compact()
    rates = [[(p.learning_rate, p.final_rate) for p in phases] for phases in (full.phases, recipes.SHORT)]
    assert rates[0] == rates[1], "the phases of the full recipe, shortened"


def test_the_queue_trains_them_in_order() -> None:
    (item,) = queue.chosen(["recipes"])
    assert list(item.configs) == [trial.config for trial in recipes.TRIALS] and not item.figure
