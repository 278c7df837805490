"""What a training decides from its history, without any network."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import decisions

BASE = {"model": "tiny", "dataset": "synthetic"}


def history(losses: list[float], accuracies: list[float] | None = None) -> list[dict[str, Any]]:
    accuracies = accuracies or [0.5] * len(losses)
    return [{"val_loss": loss, "val_accuracy": a} for loss, a in zip(losses, accuracies, strict=True)]


def test_an_epoch_stands_in_its_phase() -> None:
    phases = (Phase(3, 1.0), Phase(2, 0.5), Phase(1, 0.1))
    config = RunConfig(**BASE, phases=phases)
    found = [decisions.place(config, epoch) for epoch in range(6)]
    assert [(p.index, p.first) for p in found] == [(0, 0)] * 3 + [(1, 3)] * 2 + [(2, 5)]
    assert [p.phase for p in found] == [phases[0]] * 3 + [phases[1]] * 2 + [phases[2]]
    with pytest.raises(IndexError):
        decisions.place(config, 6)


@pytest.mark.parametrize(
    "losses, rate",
    [
        ([], 1.0),
        ([3, 2, 2], 1.0),  # one epoch without a lower loss
        ([3, 2, 2, 2.5], 0.1),  # two
        ([3, 2, 2, 2.5, 1.9, 2, 2, 2], 0.01),  # and one more after the second plateau
        ([3, 2, 2, 2.5, 2, 2], 0.01),  # a plateau starts the count anew
    ],
)
def test_the_rate_falls_with_each_plateau(losses: list[float], rate: float) -> None:
    config = RunConfig(**BASE, phases=(Phase(10, 1.0),), plateau_patience=2, plateau_factor=0.1)
    assert decisions.learning_rate(config, history(losses)) == pytest.approx(rate)


def test_a_new_phase_forgets_plateaus_and_waits() -> None:
    config = RunConfig(**BASE, phases=(Phase(3, 1.0), Phase(4, 0.5)), plateau_patience=2, early_stopping=3)
    assert decisions.learning_rate(config, history([1, 2, 3])) == 0.5
    assert not decisions.stops(config, history([1, 2, 3, 2.5, 2.6]))
    assert decisions.stops(config, history([1, 2, 3, 2.5, 2.6, 2.6, 2.6]))


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0]), max_size=12), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_early_stopping_is_a_run_of_epochs_without_a_new_low(losses: list[float], patience: int) -> None:
    config = RunConfig(**BASE, phases=(Phase(20, 1.0),), early_stopping=patience)
    since_low = len(losses) - 1 - losses.index(min(losses)) if losses else 0
    assert decisions.stops(config, history(losses)) == (since_low >= patience)


def test_kept_are_ends_of_phases_and_the_earliest_best_epoch_of_each_part() -> None:
    keep = ("best_validation", "best_train", "last", "block_1", "block_2")
    config = RunConfig(**BASE, phases=(Phase(2, 1.0), Phase(2, 1.0)), keep=keep)
    rows = history([1.0] * 3, [0.2, 0.6, 0.6])
    for row, accuracy in zip(rows, (0.9, 0.8, 0.95), strict=True):
        row["train_accuracy"] = accuracy
    assert decisions.kept_epochs(config, rows[:1]) == {"best_validation": 1, "best_train": 1}
    assert decisions.kept_epochs(config, rows) == {"block_1": 2, "best_validation": 2, "best_train": 3}
    assert decisions.kept_epochs(config, []) == {}
