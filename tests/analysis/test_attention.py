"""psg2025's attention on record: read from records as they come, and said with care."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fer_utils import models
from fer_utils.analysis import attention


def gates(places: float, faces: float) -> attention.Gates:
    run = SimpleNamespace(config=SimpleNamespace(epochs=30, model_options={"batch_norm_momentum": 0.9}))
    return attention.Gates(np.zeros((7, 3, 3)), tuple("abcdefg"), 10, places, faces, run)


def test_the_reading_turns_with_the_deviations() -> None:
    fixed, choosing = gates(0.4, 0.1), gates(0.1, 0.1)
    assert "they differ 4.0 times" in attention.reading([fixed]) and "a fixed frame" in attention.reading([fixed])
    assert "depends on the face" in attention.reading([choosing])
    assert "(CK+48, 30 of 300 epochs, modified: batch norm momentum 0.9)" in attention.reading([choosing])
    said = attention.reading([fixed, choosing, fixed])
    assert "the 3 trained networks" in said and "1.0 to 4.0 times" in said
    assert "in 2 of them the block is more a fixed frame" in said and "in 1 what is let through" in said


def test_what_is_on_record_has_one_map_for_each_expression() -> None:
    measured = attention.trained_gates()
    assert len({found.run.id for found in measured}) == len(measured) >= 5, "one network for each fold of persons"
    assert len({found.trained() for found in measured}) == 1, "trained alike"
    for found in measured:
        assert found.maps.shape == (len(found.classes), 3, 3)
        assert found.maps.min() >= 0 and found.maps.max() <= 1 and found.n > 0


def test_first_blocks_are_read_at_the_end_of_the_first_phase() -> None:
    table = attention.first_blocks()
    assert set(table["attention"]) <= set(models.attention.KINDS) and (table["seeds"] >= 1).all()
    assert table["accuracy"].between(0, 100).all() and not table.duplicated(["attention", "epochs", "network"]).any()


@pytest.mark.parametrize("kinds, said", [(["spatial"], "not measured"), (["spatial", "none"], "no proof")])
def test_worth_needs_both_kinds_at_one_budget(kinds: list[str], said: str) -> None:
    rows = {"attention": kinds, "epochs": 100, "network": "as reported", "accuracy": 80.0, "images": 93, "seeds": 1}
    assert said in attention.worth(pd.DataFrame(rows))
    apart = pd.DataFrame(rows | {"epochs": [100, 20][: len(kinds)]})
    assert "not measured" in attention.worth(apart)
