"""Figures of how a training goes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fer_utils import plots


def history(n: int) -> pd.DataFrame:
    return pd.DataFrame({"epoch": np.arange(1, n + 1), "accuracy": np.linspace(0, 1, n), "val_accuracy": 0.1})


def test_schedules_have_a_panel_each_and_mark_new_phases() -> None:
    figure = plots.schedules({"a": [np.full(3, 0.1), np.full(2, 0.01)], "b": [np.ones(4)]}, log=["a"])
    first, second = figure.axes
    assert [ax.get_yscale() for ax in figure.axes] == ["log", "linear"]
    assert [list(line.get_xdata()) for line in first.lines[:2]] == [[1, 2, 3], [4, 5]] and len(first.lines) == 3
    assert len(second.lines) == 1
    with pytest.raises(ValueError, match="one phase or more"):
        plots.schedules({"a": []})


def test_watched_curves_end_at_the_last_epoch_asked_for() -> None:
    figure = plots.watched_curves({"long": history(9), "short": history(4)}, references={"guessing": 0.14}, last=6)
    dashed, solid = figure.axes[0].lines[:2]
    assert dashed.get_xdata().max() == 6 and list(solid.get_ydata()) == [10.0] * 6
    assert "guessing" in [text.get_text() for text in figure.axes[0].texts]
    with pytest.raises(ValueError, match="got 0"):
        plots.watched_curves({})


def test_moving_averages_show_variances_and_accuracy() -> None:
    figure = plots.moving_averages(np.ones(3), np.full(3, 0.1), np.arange(2), np.array([0.1, 0.9]), as_kept=0.1)
    depth, age = figure.axes
    assert len(depth.lines) == 2 and list(age.lines[0].get_ydata()) == [10, 90]
