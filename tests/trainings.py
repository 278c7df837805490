"""Small trainings for tests: the faces they use, and one that is stopped and taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_utils.data import FaceDataset
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import devices, run, weights

FACES = {"n_subjects": 8, "n_frames": 1}
"""Options of `load("synthetic")`."""

CHOSEN = RunConfig(
    "tiny", "synthetic", (Phase(2, 0.01),), dataset_options=FACES, batch_size=16, keep=("best_validation", "last")
)
"""A training that keeps two epochs and does not score its test part."""


def stopped_and_taken_up(
    config: RunConfig, faces: FaceDataset, store: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> tuple[Record, int]:
    """A training that is stopped in its epoch number `at` and taken up again: its record, and the epochs begun."""
    fit, begun = devices.fit, 0

    def stopped(*arguments: Any) -> Any:
        nonlocal begun
        begun += 1
        if begun == at:
            raise KeyboardInterrupt
        return fit(*arguments)

    monkeypatch.setattr(devices, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(config, store=store, dataset=faces, checkpoint_seconds=0)
    return run(config, store=store, dataset=faces, checkpoint_seconds=0), begun


def assert_same_to_the_bit(one: Record, two: Record, *kept: str) -> None:
    """Histories, and weights and validation scores of the kept epochs."""
    histories = [record.history.drop(columns="seconds") for record in (one, two)]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    for name in kept:
        for a, b in zip(*(weights.rebuild(record, name).get_weights() for record in (one, two)), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(*(record.predictions("validation", name)[1] for record in (one, two)))
