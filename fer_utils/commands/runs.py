"""`runs`, `rerun`, `declare`, `keep`, `tables`: records; `execute`, `compare`: notebooks; `export`: a network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fer_utils.files.paths import reports_root

if TYPE_CHECKING:
    from fer_utils.records import Record


def add(commands: argparse._SubParsersAction) -> None:
    """Add this module's commands to the command line."""
    _add_runs(commands)
    _add_rerun(commands)
    _add_declare(commands)
    _add_keep(commands)
    _add_tables(commands)
    _add_execute(commands)
    _add_compare(commands)
    _add_export(commands)


def _add_runs(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("runs", help="list and verify finished runs")
    parser.add_argument("store", nargs="?", type=Path, default=reports_root() / "runs", help="folder of records")
    parser.add_argument("--scored", choices=["test"], help="only runs that ever scored test images, and which")
    parser.set_defaults(command=_runs)


def _add_rerun(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("rerun", help="train a finished run again and say whether it reproduces")
    parser.add_argument("id", help="a run's id, as `runs` lists it")
    parser.add_argument("--store", type=Path, default=reports_root() / "runs", help="folder of records")
    parser.add_argument("--root", type=Path, help="where the dataset lies")
    parser.add_argument("--out", type=Path, help="folder for the new records (default: reports/quick/reruns)")
    parser.set_defaults(command=_rerun)


def _add_declare(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("declare", help="declare a run final: score its test images, once, and record that")
    parser.add_argument("id", help="a run chosen on validation images, its weights on this machine")
    parser.add_argument("--store", type=Path, default=reports_root() / "runs", help="folder of records")
    parser.add_argument("--root", type=Path, help="where the dataset lies")
    parser.add_argument("--kept", nargs="+", help="which kept epochs (default: all that the run kept)")
    parser.set_defaults(command=_declare)


def _add_keep(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("keep", help="write a run's weights beside its record as float16, to be committed")
    parser.add_argument("id", help="a finished run, its weights on this machine")
    parser.add_argument("--store", type=Path, default=reports_root() / "runs", help="folder of records")
    parser.add_argument("--kept", help="which kept epoch (default: the run's first)")
    parser.set_defaults(command=_keep)


def _add_tables(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("tables", help="write README.md's and reports/README.md's tables, and the figure")
    parser.set_defaults(command=_tables)


def _add_execute(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("execute", help="execute a notebook under a profile")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("output", type=Path, help="the executed copy; written only when every cell has run")
    parser.add_argument("--profile", type=Path, required=True, help="e.g. notebooks/profiles/quick.yaml")
    parser.set_defaults(command=_execute)


def _add_compare(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("compare", help="whether two executions of the notebooks say the same")
    parser.add_argument("committed", type=Path, help="folder of executed copies, e.g. reports/full")
    parser.add_argument("executed", type=Path, help="folder of copies that were made now")
    parser.set_defaults(command=_compare)


def _add_export(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("export", help="write a finished run's network as one ONNX file for the live demo")
    parser.add_argument("id", help="a run's id, as `runs` lists it; or synthetic: train the one on drawn faces")
    parser.add_argument("--out", type=Path, help="the file (default: ID.onnx; for synthetic, the package's)")
    parser.add_argument("--kept", help="which kept epoch (default: the run's first)")
    parser.add_argument("--float32", action="store_true", help="store weights as float32 instead of float16")
    parser.set_defaults(command=_export)


def _runs(options: argparse.Namespace) -> int:
    from fer_utils import records, study
    from fer_utils.report import scored

    found = records.find_all(options.store, ("run.json", "history.csv", "predictions.npz"))
    lists = [record for record in found if _readable(record)]
    if options.scored:
        lists = scored.ever(lists)
        found = [record for record in found if record in lists or not _readable(record)]
    if not found:
        print(f"No finished runs in {options.store}.")
        return 0
    if lists:
        print(study.listing(lists).to_string(index=False))
    if options.scored:
        print("\n".join(scored.sentences(lists)))
    problems = {record.id: records.verify(record) for record in found}
    for name, sentences in problems.items():
        for sentence in sentences:
            print(f"DOES NOT HOLD: {name}: {sentence}")
    broken = sum(bool(sentences) for sentences in problems.values())
    final = sum(record.config.score_test for record in lists)
    print(f"{len(found)} runs, {final} scored a test set; {len(found) - broken} verified, {broken} do not hold.")
    return 1 if broken else 0


def _readable(record: Record) -> bool:
    """Whether its configuration can be read; what is wrong otherwise, `records.verify` says."""
    try:
        return bool(record.config)
    except (ValueError, FileNotFoundError):
        return False


def _named(options: argparse.Namespace) -> Record:
    """The finished run that a command names."""
    from fer_utils import records

    if not records.is_done(options.store / options.id):
        raise ValueError(f"A run is named by its id; {options.store} has no finished {options.id!r}. See `runs`.")
    return records.Record(options.store / options.id)


def _declare(options: argparse.Namespace) -> int:
    from fer_utils import study
    from fer_utils.analysis import keepsakes
    from fer_utils.training import final

    record = final.declare(_named(options), options.root, options.kept)
    print(study.listing([record]).to_string(index=False))
    for found in keepsakes.take(record, options.root):
        print(found.path)
    return 0


def _keep(options: argparse.Namespace) -> int:
    from fer_utils.training import weights

    path = weights.keep(_named(options), options.kept)
    print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


def _rerun(options: argparse.Namespace) -> int:
    from fer_utils import study

    before = _named(options)
    print(study.cost(before), flush=True)
    print(study.rerun(before, study.free_store(before, options.out), options.root))
    return 0


def _tables(options: argparse.Namespace) -> int:
    from fer_utils.files.paths import project_root
    from fer_utils.report import pages, pictures, records_index

    written = pages.blocks(project_root() / "reports/runs")
    for page, names in pages.PAGES.items():
        changed = pages.update(project_root() / page, {name: written[name] for name in names})
        print(f"{page}: {'updated' if changed else 'up to date'}")
    for name, changed in pictures.draw_all(records_index.read()).items():
        print(f"reports/{name}: {'updated' if changed else 'up to date'}")
    return 0


def _execute(options: argparse.Namespace) -> int:
    from fer_utils.study.notebooks import execute

    execute(options.notebook, options.output, options.profile)
    return 0


def _compare(options: argparse.Namespace) -> int:
    from fer_utils.study.edition import differences

    found = differences(options.committed, options.executed)
    print("\n\n".join(found) or f"{options.executed} says what {options.committed} says.")
    return 1 if found else 0


def _export(options: argparse.Namespace) -> int:
    from fer_utils import training
    from fer_utils.live.network import export
    from fer_utils.training import weights

    synthetic = options.id == "synthetic"
    record = training.run(export.synthetic_run()) if synthetic else weights.finished_run(options.id)
    out = options.out or (None if synthetic else Path(f"{record.id}.onnx"))
    path = export.export(record, out, options.kept, half=not options.float32)
    print(f"{path}: {path.stat().st_size:,} bytes, {export.describe(record, options.kept)}")
    return 0
