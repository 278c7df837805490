"""All that is on record, read once: for pages that ask it many questions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_utils import records, study
from fer_utils.files.paths import project_root
from fer_utils.records import Measurement, Record


@dataclass(frozen=True)
class Shelf:
    """Finished runs and measurements on real data.

    Attributes:
        runs: run records, by id.
        measurements: folder of measurement records.
    """

    runs: tuple[Record, ...]
    measurements: Path

    def find(
        self, model: str | None = None, dataset: str | None = None, protocol: str | None = None, **fields: Any
    ) -> list[Record]:
        """The runs that `study.on_record` finds for these arguments."""
        return study.matching(self.runs, model, dataset, protocol, **fields)

    def measured(self, pattern: str) -> Measurement | None:
        """The first finished measurement whose name fits (`*` stands for anything), or None."""
        return records.measured(pattern, self.measurements)


def read(reports: Path | None = None) -> Shelf:
    """What lies in a folder of reports.

    Args:
        reports: holds `runs` and `measurements`; default `reports/` of the project, which is committed.
    """
    reports = reports or project_root() / "reports"
    return Shelf(tuple(study.on_record(store=reports / "runs")), reports / "measurements")
