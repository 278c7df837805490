"""psg2025's attention on record: read from records as they come, and said with care."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fer_utils import models
from fer_utils.analysis import attention


def gates(choosing: int) -> attention.Gates:
    """Of the nine places as many as said are open for one of seven expressions alone, the others for all."""
    run = SimpleNamespace(config=SimpleNamespace(epochs=30, model_options={"batch_norm_momentum": 0.9}))
    maps = np.ones((7, 3, 3))
    maps.reshape(7, 9)[1:, :choosing] = 0
    return attention.Gates(maps, tuple("abcdefg"), 10, 0.4, 0.1, run)


def test_the_reading_counts_the_places_that_depend_on_the_expression() -> None:
    said = attention.reading([gates(3)])
    assert "In the trained network" in said and "(CK+48, 30 of 300 epochs, modified: batch norm momentum 0.9)" in said
    assert "6 of the 9 places let all expressions through alike; at the other 3 the mean gate depends" in said
    said = attention.reading([gates(3), gates(0), gates(5)])
    assert "In each of the 3 networks trained alike whose gates are" in said and "4 to 9 of the 9 places" in said
    assert "at the other 0 to 5 the mean gate depends on the expression (it differs by more than 0.1)" in said


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
    rows = {"attention": kinds, "epochs": 100, "network": "unmodified", "accuracy": 80.0, "images": 93, "seeds": 1}
    assert said in attention.worth(pd.DataFrame(rows))
    apart = pd.DataFrame(rows | {"epochs": [100, 20][: len(kinds)]})
    assert "not measured" in attention.worth(apart)


def test_kinds_trained_alike_stand_beside_each_other_with_the_reports_own() -> None:
    rows = {"attention": ["none", "spatial", "se"], "epochs": 100, "network": "unmodified",
            "accuracy": [78.0, 80.6, 79.5], "images": 93, "seeds": 1}  # fmt: skip
    said = attention.side_by_side(pd.DataFrame(rows))
    shares = "none 78.0, spatial 80.6, se 79.5 % of 93 validation images"
    assert said == f"after a first block of 100 epochs, unmodified: {shares}, 1 seed"
    assert attention.side_by_side(pd.DataFrame(rows | {"epochs": [100, 20, 30]})) == ""
