"""The audit's numbers: every accuracy the five reports print, beside its re-run as reported and the sound one.

Nothing measured is written here: what no record holds is "not measured". Statements that contradict each other,
arithmetic or the data stand in `fer_utils.report.audit.contradictions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fer_utils import study
from fer_utils.analysis.prices import confirmations
from fer_utils.evaluation import intervals
from fer_utils.records import Record
from fer_utils.report import headlines
from fer_utils.report.audit import claims
from fer_utils.report.audit.claims import Claim
from fer_utils.study.pooling import complete, right_answers
from fer_utils.study.protocols import recipe

NOT_MEASURED = "not measured"


def numbers(store: Path | None = None) -> pd.DataFrame:
    """One row per printed accuracy: reported, re-run as reported, sound, verdict.

    A re-run is scored on the images that the claim speaks of, the sound protocol always on test images.

    Args:
        store: folder of run records; default those of the project.
    """
    rows = []
    for claim in claims.CLAIMS:
        as_reported, sound = (_groups(claim, protocol, store) for protocol in ("reported", "sound"))
        rows.append(
            {
                "report": claim.report,
                "network, data": f"{claim.model}, {_DATA[claim.dataset]}",
                "claim": claim.what,
                "reported": claim.printed,
                "re-run as reported": "; ".join(_measured(claim, g, _part(claim)) for g in as_reported) or NOT_MEASURED,
                "sound": "; ".join(_measured(claim, group, "test") for group in sound) or NOT_MEASURED,
                "verdict": _verdict(claim, as_reported, sound),
            }
        )
    return pd.DataFrame(rows).set_index("report")


def counted(table: pd.DataFrame) -> dict[str, int]:
    """How many verdicts of `numbers` say what, where the report's own settings and budget were trained.

    Args:
        table: of `numbers`.

    Returns:
        `printed`, all accuracies; `re-run`, those re-run as reported, and `inside`, those of them inside the re-run's
        interval; `sound`, those with a sound number, and `above`, those of them above its interval.
    """
    parts = table["verdict"].str.split("; ").explode()
    parts = parts[~parts.str.contains(f"reduced budget|modified|{NOT_MEASURED}")]
    rerun, sound = (parts[parts.str.contains(name)] for name in ("re-run", "sound"))
    return {
        "printed": len(table),
        "re-run": len(rerun),
        "inside": int(rerun.str.contains("inside").sum()),
        "sound": len(sound),
        "above": int(sound.str.contains("above").sum()),
    }


_DATA = {"fer2013": "FER2013", "ckplus": "CK+48"}


def _groups(claim: Claim, protocol: str, store: Path | None) -> list[list[Record]]:
    """Records that answer for a claim: the report's own settings first, the longest trained, then those in float32."""
    changes = {"loss": claim.loss} | ({"augmentation": "none"} if claim.augmented is False else {})
    templates = headlines.described(claim, protocol, **changes)
    found = study.on_record(claim.model, claim.dataset, protocol, store=store)
    found = [record for record in found if any(confirmations.follows(record.config, one) for one in templates)
             and record.config.split.max_train is None]  # fmt: skip
    folds = "5-fold" in claim.what
    if protocol == "reported":
        found = [r for r in found if (r.config.split.kind == "kfold") == folds]
    elif _part(claim) == "training":
        found = []

    def order(group: list[Record]) -> tuple[bool, int, bool]:
        config = group[0].config
        return bool(headlines.modified(config)), -config.epochs, bool(config.precision_note)

    return sorted(complete(found), key=order)


def _part(claim: Claim) -> str:
    """Which accuracy a claim speaks of: `"training"` (while training), `"monitored"`, `"validation"` or `"test"`."""
    if claim.what.startswith("training"):
        return "training"
    if claim.what.startswith("validation"):
        return "monitored" if recipe(claim.model, claim.dataset).scored == "train" else "validation"
    return "test"


def _accuracy(group: Sequence[Record], part: str, kept: str | None = None) -> tuple[float, float, float]:
    """Estimate and interval as fractions; NaN where the images are not on record.

    Args:
        group: runs.
        part: of `_part`.
        kept: the epoch; None for that which the protocol keeps. The history's numbers are those of the last epoch.
    """
    if column := {"training": "accuracy", "monitored": "val_accuracy"}.get(part):
        found, _ = headlines.on_training(group, "last", column)
        return found.estimate, found.low, found.high
    if not all(part in record.run["metrics"] for record in group):
        return np.nan, np.nan, np.nan
    found = intervals.of_answers(right_answers(group, kept or group[0].kept[0], part=part))
    return found.estimate, found.low, found.high


def _measured(claim: Claim, group: Sequence[Record], part: str) -> str:
    """Accuracy, interval and what one must know of a group of records; the last epoch too where another was kept."""
    value, low, high = (100 * x for x in _accuracy(group, part))
    if np.isnan(value):
        return NOT_MEASURED
    config, remarks = group[0].config, []
    budget = sum(recipe(config.model, config.dataset).epochs)
    if config.epochs < budget:
        remarks.append(f"{config.epochs} of {budget} epochs")
    if config.precision_note:
        remarks.append(config.precision_note.removeprefix(", "))
    if change := headlines.modified(config):
        remarks.append(f"modified: {change}")
    if part in ("validation", "test") and group[0].kept[0] != "last" and "last" in group[0].kept:
        remarks.append(f"last epoch {100 * _accuracy(group, part, 'last')[0]:.1f}")
    if part != "test":
        remarks.append("on validation images" if part == "validation" else "on training images")
    return f"{value:.1f} [{low:.1f}, {high:.1f}]" + (f" ({', '.join(remarks)})" if remarks else "")


def _verdict(claim: Claim, as_reported: list[list[Record]], sound: list[list[Record]]) -> str:
    """What follows: whether the claim lies in the re-run's interval, and how far it is above the sound number.

    The report's own settings and the longest training answer; modified ones only where there are no others. No score
    decides.
    """
    parts = []
    for groups, name, part in ((as_reported, "re-run", _part(claim)), (sound, "sound", "test")):
        found = [(group, *_accuracy(group, part)) for group in groups]
        found = [line for line in found if not np.isnan(line[1])]
        if not found:
            continue
        group, value, low, high = found[0]
        gap = claim.percent - 100 * value
        inside = 100 * low <= claim.percent <= 100 * high
        side = "above" if gap > 0 else "below"
        parts.append(f"{name}: claim inside its interval" if inside else f"claim {abs(gap):.1f} points {side} {name}")
        remarks = ["modified"] if headlines.modified(group[0].config) else []
        remarks += ["reduced budget"] if group[0].config.epochs < sum(recipe(claim.model, claim.dataset).epochs) else []
        parts[-1] += f" ({', '.join(remarks)})" if remarks else ""
    return "; ".join(parts) or NOT_MEASURED
