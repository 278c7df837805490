"""The study on the command line: `python -m fer_utils --help`."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_utils.paths import reports_root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m fer_utils", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_data(commands)
    _add_runs(commands)
    _add_rerun(commands)
    _add_execute(commands)
    _add_tables(commands)
    options = parser.parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _add_data(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("data", help="say which datasets are here, check them, and how to get the others")
    parser.add_argument("root", nargs="?", type=Path, help="folder to look in (default: $FER_DATA, else data/)")
    parser.add_argument("--fetch", metavar="NAME", help="download fer2013 or ckplus through kagglehub")
    parser.set_defaults(command=_data)


def _add_runs(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("runs", help="list and verify finished runs")
    parser.add_argument("store", nargs="?", type=Path, default=reports_root() / "runs", help="folder of records")
    parser.add_argument("--test", action="store_true", help="only runs that ever scored a test set")
    parser.set_defaults(command=_runs)


def _add_rerun(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("rerun", help="train a finished run again and say whether it reproduces")
    parser.add_argument("id", help="a run's id, as `runs` lists it")
    parser.add_argument("--store", type=Path, default=reports_root() / "runs", help="folder of records")
    parser.add_argument("--root", type=Path, help="where the dataset lies")
    parser.add_argument("--out", type=Path, help="folder for the new records (default: reports/quick/reruns)")
    parser.set_defaults(command=_rerun)


def _add_execute(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("execute", help="execute a notebook under a profile")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("output", type=Path, help="the executed copy; written only when every cell has run")
    parser.add_argument("--profile", type=Path, required=True, help="e.g. notebooks/profiles/quick.yaml")
    parser.set_defaults(command=_execute)


def _add_tables(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("tables", help="write the results tables of README.md and reports/README.md")
    parser.set_defaults(command=_tables)


def _data(options: argparse.Namespace) -> int:
    from fer_utils.data import data_root, fetch

    root = data_root(options.root)
    if options.fetch:
        print(fetch.fetch(options.fetch, root))
    text, code = fetch.report(root)
    print(text)
    return code


def _runs(options: argparse.Namespace) -> int:
    from fer_utils import records, study

    found = records.find_all(options.store)
    if options.test:
        found = [record for record in found if record.config.score_test]
    if not found:
        print(f"No finished runs in {options.store}.")
        return 0
    print(study.listing(found).to_string(index=False))
    problems = {record.id: records.verify(record) for record in found}
    for name, sentences in problems.items():
        for sentence in sentences:
            print(f"DOES NOT HOLD: {name}: {sentence}")
    broken = sum(bool(sentences) for sentences in problems.values())
    scored = sum(record.config.score_test for record in found)
    print(f"{len(found)} runs, {scored} scored a test set; {len(found) - broken} verified, {broken} do not hold.")
    return 1 if broken else 0


def _rerun(options: argparse.Namespace) -> int:
    from fer_utils import records, study

    if not records.is_done(options.store / options.id):
        raise ValueError(f"A run is named by its id; {options.store} has no finished {options.id!r}. See `runs`.")
    before = records.Record(options.store / options.id)
    print(study.cost(before), flush=True)
    out = options.out or reports_root() / "quick/reruns"
    folder = next(out / str(n) for n in itertools.count(1) if not records.is_done(out / str(n) / before.id))
    print(study.rerun(before, folder, options.root))
    return 0


def _execute(options: argparse.Namespace) -> int:
    from fer_utils.execute import execute

    execute(options.notebook, options.output, options.profile)
    return 0


def _tables(options: argparse.Namespace) -> int:
    from fer_utils import records, tables
    from fer_utils.paths import project_root

    found = records.find_all(project_root() / "reports/runs")
    for path in (project_root() / "README.md", project_root() / "reports/README.md"):
        print(f"{path.relative_to(project_root())}: {'updated' if tables.update(path, found) else 'up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
