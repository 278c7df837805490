"""The log of a search: what each change of a recipe gained over the first trial, what it cost, and what it taught."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from fer_utils import models
from fer_utils.evaluation import statistics
from fer_utils.records import Record
from fer_utils.study import pooling

LEVEL = 0.05
"""Adjusted p-values up to this one tell two trials apart."""


def log(trials: Mapping[str, Record], kept: str = "last") -> pd.DataFrame:
    """One row per trial: its accuracy on validation images, and the paired difference to the first trial.

    McNemar's tests are adjusted for their number (Holm), because the best of many changes looks good by chance.

    Args:
        trials: what was changed to a finished run; the first is the one that nothing was changed in. All share their
            validation images.
        kept: the epoch. The last one, unlike the best, was not chosen by its score on these images.

    Returns:
        Indexed by change: `"validation %"`, `"points [95 %]"` (validation images drawn again), `"p, Holm"`, `"what it
        taught"`, `"million multiply-adds"` of one 48 x 48 image, and `"minutes"` of training.

    Raises:
        ValueError: no trial, or trials with different validation images.
    """
    splits = {record.run["split"]["hash"] for record in trials.values()}
    if len(splits) != 1:
        counted = f"got {len(trials)} trials on {len(splits)} splits"
        raise ValueError(f"Trials are compared on the same validation images; {counted}. Leave some out.")
    right = {change: pooling.pool([record], "validation", kept).correct for change, record in trials.items()}
    (first, baseline), *others = right.items()
    gaps = {change: statistics.paired_bootstrap_difference(correct, baseline) for change, correct in others}
    tests = statistics.holm([statistics.mcnemar(correct, baseline).p for _, correct in others])
    adjusted = dict(zip(gaps, tests, strict=True))
    rows = {first: {"validation %": f"{100 * baseline.mean():.1f}", "points [95 %]": "", "p, Holm": "",
                    "what it taught": "what the others are compared with"}}  # fmt: skip
    for change, gap in gaps.items():
        rows[change] = {
            "validation %": f"{100 * right[change].mean():.1f}", "points [95 %]": gap.points(),
            "p, Holm": f"{adjusted[change]:.2g}", "what it taught": _lesson(gap.estimate, adjusted[change]),
        }  # fmt: skip
    for change, record in trials.items():
        network = models.build(record.config.model, n_classes=len(record.class_names), **record.config.network_options)
        rows[change]["million multiply-adds"] = f"{models.multiply_adds(network) / 1e6:,.0f}"
        rows[change]["minutes"] = f"{record.run['seconds'] / 60:.0f}"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("change")


def _lesson(gap: float, p: float) -> str:
    if p > LEVEL:
        return "not told apart on these images"
    return "this training scores higher" if gap > 0 else "this training scores lower"
