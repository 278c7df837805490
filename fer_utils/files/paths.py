"""Where the study's own files lie."""

from __future__ import annotations

import os
from pathlib import Path


def project_root() -> Path:
    """The folder that holds README.md and `fer_utils/`."""
    return Path(__file__).resolve().parents[2]


def is_checkout() -> bool:
    """Whether this is the project itself, with its records and notebooks, rather than an installed package."""
    return (project_root() / "pyproject.toml").is_file()


def reports_root() -> Path:
    """`$FER_REPORTS`, else `reports/` of the project."""
    return Path(os.environ.get("FER_REPORTS") or project_root() / "reports")


def store_for(dataset: str) -> Path:
    """Where a dataset's run records lie: committed for real data, git-ignored for drawn faces and the user's own."""
    return reports_root() / {"synthetic": "quick/runs", "folders": "own/runs"}.get(dataset, "runs")
