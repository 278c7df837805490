"""The log of a search: numbers of made records, and lessons that no number carries are not drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_records import CONFIG, finished

from fer_utils import models
from fer_utils.data.splits import SplitSpec
from fer_utils.evaluation import statistics
from fer_utils.records import Record
from fer_utils.report import trials

FIRST = replace(CONFIG, model="compact", dataset="fer2013", split=SplitSpec("usage"), score_test=False)
RIGHT = {"as before": 0.50, "mixup": 0.60, "wider": 0.505, "no smoothing": 0.42}


def made(store: Path) -> dict[str, Record]:
    configs = [FIRST, replace(FIRST, mixup=0.2), replace(FIRST, model_options={"width": 1.4}),
               replace(FIRST, label_smoothing=0.1)]  # fmt: skip
    return {
        change: finished(store, config, (share, 0.1, 0.1), n=400)
        for (change, share), config in zip(RIGHT.items(), configs, strict=True)
    }


def test_each_change_is_compared_with_the_first_and_priced(tmp_path: Path) -> None:
    found = trials.log(made(tmp_path))
    assert list(found.index) == list(RIGHT)
    assert found["validation %"].tolist() == ["50.0", "60.0", "50.5", "42.0"]
    assert [cell.split()[0] for cell in found["points [95 %]"].tolist()[1:]] == ["+10.0", "+0.5", "-8.0"]
    lessons = ["this training scores higher", "not told apart on these images", "this training scores lower"]
    assert found["what it taught"].tolist()[1:] == lessons
    wider, mixup = (int(found.loc[change, "million multiply-adds"]) for change in ("wider", "mixup"))
    assert wider > 1.8 * mixup and mixup == round(models.multiply_adds(models.build("compact")) / 1e6)


def test_p_values_are_adjusted_for_their_number(tmp_path: Path) -> None:
    found = made(tmp_path)
    p = [statistics.mcnemar([True] * n, [False] * n).p for n in (40, 2, 32)]
    assert trials.log(found)["p, Holm"].tolist()[1:] == [f"{value:.2g}" for value in statistics.holm(p)]


def test_a_change_that_seems_to_help_alone_may_not_among_many(tmp_path: Path) -> None:
    """Six images more: p = 0.03 alone, and no lesson among three."""
    barely = finished(tmp_path, replace(FIRST, cutmix=1.0), (0.515, 0.1, 0.1), n=400)
    found = made(tmp_path)
    alone = trials.log({"as before": found["as before"], "cutmix": barely})
    among = {"as before": found["as before"], "cutmix": barely, "wider": found["wider"], "again": found["wider"]}
    assert alone.loc["cutmix", "what it taught"] == "this training scores higher"
    assert trials.log(among).loc["cutmix", "what it taught"] == "not told apart on these images"


def test_one_trial_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    (row,) = trials.log({"as before": made(tmp_path)["as before"]}).to_dict("records")
    assert row["validation %"] == "50.0" and row["points [95 %]"] == ""


def test_trials_on_different_images_are_refused(tmp_path: Path) -> None:
    found = made(tmp_path)
    found["elsewhere"] = finished(tmp_path, replace(FIRST, split=SplitSpec("random", seed=1)), (0.5, 0.1, 0.1), n=400)
    with pytest.raises(ValueError, match="same validation images; got 5 trials on 2 splits"):
        trials.log(found)
    with pytest.raises(ValueError, match="got 0 trials on 0 splits"):
        trials.log({})
