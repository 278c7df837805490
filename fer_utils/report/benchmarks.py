"""The command behind `make bench` for growth: measure, print, draw and put on record.

python -m fer_utils.report.benchmarks --sizes 1 4 16 --figure growth.png --record NAME
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_utils import plots, records
from fer_utils.files.paths import reports_root
from fer_utils.study import growth
from fer_utils.training import backend


def main() -> None:
    """Measure and print; draw and put on record if asked."""
    parser = argparse.ArgumentParser(prog="python -m fer_utils.report.benchmarks", description=growth.__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=growth.SIZES, help="times FER2013's size (1 4 16)")
    parser.add_argument("--figure", type=Path, help="draw time and memory into this file")
    parser.add_argument("--record", metavar="NAME", help="also write the measurement records workers-NAME, growth-NAME")
    parser.add_argument("--only", choices=("workers", "growth"), help="one of the two measurements")
    options = parser.parse_args()
    if options.only != "growth":
        _workers(options.record)
    if options.only != "workers":
        _growth(sorted(options.sizes), options.figure, options.record)


def _workers(name: str | None) -> None:
    found = growth.workers()
    print({key: round(value, 2) for key, value in found.items()}, flush=True)
    if name:
        _record(f"workers-{name}", found)


def _growth(sizes: list[int], figure: Path | None, name: str | None) -> None:
    table = growth.growth(sizes)
    print(table.round(2).to_string(index=False), growth.slopes(table).round(2).to_string(), sep="\n\n")
    if figure:
        figure.parent.mkdir(parents=True, exist_ok=True)
        plots.growth(table, caption=backend.device()).savefig(figure)
    if name:
        _record(f"growth-{name}", {"growth": table.round(4).to_dict("split", index=False)})


def _record(name: str, values: dict) -> None:
    records.measure(name, reports_root() / "measurements", lambda: ({"machine": backend.device()} | values, {}))


if __name__ == "__main__":
    main()
