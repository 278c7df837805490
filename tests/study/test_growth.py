"""What grows with the data, at sizes of a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_utils import data, plots
from fer_utils.data import audit
from fer_utils.study import growth


def test_the_file_reads_as_fer2013_and_every_tenth_image_is_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    growth.append(tmp_path / "fer2013.csv", 0, 60)
    growth.append(tmp_path / "fer2013.csv", 60, 100)
    faces = data.load("fer2013", tmp_path)
    assert len(faces) == 100 and faces.n_classes == 7
    found = audit.duplicates(faces)
    assert (found.groups, found.images, found.crossing_groups) == (10, 20, 1)
    assert (faces.usage == "Training").sum() == 98


def test_slopes_tell_linear_from_quadratic_and_count_copies() -> None:
    images = np.array([1000, 4000, 16000])
    rows = [
        pd.DataFrame({"step": name, "images": images, "megabytes": images / 100, "seconds": time, "grown": grown})
        for name, time, grown in (
            ("linear", images / 100, 50 + images / 100), ("quadratic", (images / 1000) ** 2, 3 * images / 100)
        )
    ]  # fmt: skip
    table = pd.concat(rows)
    found = growth.slopes(table)
    np.testing.assert_allclose(found.to_numpy(), [[1, 1], [2, 3]])
    figure = plots.growth(table, caption="A test.")
    assert [ax.get_xscale() for ax in figure.axes] == ["log", "log"]
    with pytest.raises(ValueError, match="got none"):
        plots.growth(table.iloc[:0])


def test_one_step_counts_time_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    growth.append(tmp_path / "fer2013.csv", 0, 100)
    for name in ("load", "audit", "predict"):
        found = growth.step(name, tmp_path)
        assert found["images"] == 100 and found["megabytes"] == pytest.approx(100 * 2304 / 1e6)
        assert found["seconds"] > 0 and found["grown"] >= 0
