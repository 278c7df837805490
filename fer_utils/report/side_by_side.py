"""Networks of the reports, a row each: what is printed, and what is on record under both protocols."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from fer_utils.report import headlines
from fer_utils.report.audit.verdicts import NOT_MEASURED
from fer_utils.report.headlines import REPORTED, SOUND, Measured
from fer_utils.report.records_index import Shelf


def table(shelf: Shelf, systems: Sequence[str]) -> pd.DataFrame:
    """Accuracies in percent with 95 % intervals, and what one must know to judge them.

    Args:
        shelf: what is on record.
        systems: keys of reports, such as `"iitk2023"`.

    Returns:
        Text, indexed by network and data; columns: the report's printed number, the network re-run as reported and
        under the sound protocol ("not measured" where nothing is on record), and the difference of both in points,
        last epoch against last, where the same budget was trained under each.
    """
    rows = {}
    for line in headlines.lines(shelf):
        if line.system not in systems or not line.claim:
            continue
        gap = line.gap
        rows[f"{line.system}, {line.detail}", line.data] = {
            "printed": line.printed, "as reported": _cell(line.dots[REPORTED]), "sound": _cell(line.dots[SOUND]),
            "difference": gap.points() if gap else "–",
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["network", "data"])


def _cell(dot: Measured | None) -> str:
    return f"{dot.interval.percent()}; {dot.short}" if dot else NOT_MEASURED
