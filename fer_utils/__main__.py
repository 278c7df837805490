"""The study on the command line: `python -m fer_utils --help`."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_utils import commands_live, commands_own
from fer_utils.files import writing
from fer_utils.files.paths import is_checkout, reports_root

if TYPE_CHECKING:
    from fer_utils.records import Record

ANYWHERE = ("predict", "evaluate", "crop")
"""Commands that need no checkout and none of the study's libraries."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = argparse.ArgumentParser(prog=_called(), description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command", dest="name")
    _add_data(commands)
    commands_own.add_crop(commands)
    commands_own.add_train(commands)
    _add_runs(commands)
    _add_rerun(commands)
    _add_tune(commands)
    _add_queue(commands)
    _add_execute(commands)
    _add_tables(commands)
    commands_live.add_predict(commands)
    commands_live.add_evaluate(commands)
    _add_export(commands)
    options = parser.parse_args(arguments)
    try:
        _check_place(options.name)
        return options.command(options)
    except Exception as error:
        if (sentence := _sentence(error)) is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        return 2


def console() -> int:
    """What the script `fer-study` runs."""
    sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    return main()


def _called() -> str:
    return "fer-study" if Path(sys.argv[0]).stem == "fer-study" else "python -m fer_utils"


def _check_place(command: str) -> None:
    """Refuse, outside a checkout of the project, what works on the study's own files.

    Raises:
        ValueError: as said.
    """
    if command not in ANYWHERE and not is_checkout():
        raise ValueError(
            f"`{command}` works on the study's own records and notebooks and needs a checkout of the project; this is "
            f"an installed package, which has {', '.join(ANYWHERE)} alone. Clone the project and run `make` there."
        )


def _sentence(error: Exception) -> str | None:
    """What a user is told instead of a traceback; None for what is the program's own fault."""
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("fer_utils"):
        return f"The package {error.name} is missing. Run `make`, or: python -m pip install -e '.[study,tensorflow]'."
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, OSError):
        return str(writing.as_explained(error) or error)
    in_cell = getattr(error, "ename", "")  # papermill's; the traceback stands in the notebook's copy
    if in_cell in ("ConnectionError", "StorageError", "StudyError", "UnsharedError"):
        return f"in cell {error.exec_count}: {error.evalue}"
    return None


def _add_data(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("data", help="say which datasets are here, check them, and how to get the others")
    parser.add_argument("root", nargs="?", type=Path, help="folder to look in (default: $FER_DATA, else data/)")
    parser.add_argument("--fetch", metavar="NAME", help="download fer2013 or ckplus through kagglehub")
    parser.add_argument("--own", action="store_true", help="audit pictures of your own: root has a folder per class")
    commands_own.add_patterns(parser)
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


def _add_tune(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("tune", help="search hyper-parameters, or go on with a search that was killed")
    parser.add_argument("model", help="iitk2023_model2, psg2025 or tiny")
    parser.add_argument("dataset", help="fer2013, ckplus or synthetic")
    parser.add_argument("--method", default="hyperband", help="hyperband (default), bayesian or random")
    parser.add_argument("--epochs", type=int, default=10, help="of the longest trial (default: 10)")
    parser.add_argument("--factor", type=int, default=3, help="of Hyperband: one in so many goes on (default: 3)")
    parser.add_argument("--trials", type=int, help="of a bayesian or random search (default: at Hyperband's cost)")
    parser.add_argument("--folds", type=int, default=5, help="folds of CK+48, the first of which is used")
    parser.add_argument("--momentum", type=float, default=0.9, help="batch_norm_momentum of the network (default: 0.9)")
    parser.add_argument("--subjects", type=int, help="number of synthetic people")
    parser.add_argument("--root", type=Path, help="where the dataset lies")
    parser.set_defaults(command=_tune)


def _add_queue(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("queue", help="the full study's trainings, most valuable first, on any machine")
    parser.add_argument("--run", action="store_true", help="train what is missing")
    parser.add_argument("--probe", action="store_true", help="measure how fast each network trains here, and keep it")
    parser.add_argument("--items", nargs="+", default=(), metavar="ITEM", help="only these (default: all)")
    parser.add_argument("--workers", type=int, help="trainings side by side (default: as many as pay, measured)")
    parser.add_argument("--minutes", type=float, help="stop after so long; what is under way goes on at the next call")
    parser.add_argument("--float32", action="store_true", help="also what the study trains in bfloat16")
    parser.add_argument("--steps", type=int, default=6, help="timed steps of each network (default: 6)")
    parser.add_argument("--root", type=Path, help="where the datasets lie")
    parser.set_defaults(command=_queue)


def _add_execute(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("execute", help="execute a notebook under a profile")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("output", type=Path, help="the executed copy; written only when every cell has run")
    parser.add_argument("--profile", type=Path, required=True, help="e.g. notebooks/profiles/quick.yaml")
    parser.set_defaults(command=_execute)


def _add_tables(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("tables", help="write README.md's and reports/README.md's tables, and the figure")
    parser.set_defaults(command=_tables)


def _add_export(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("export", help="write a finished run's network as one ONNX file for the live demo")
    parser.add_argument("id", help="a run's id, as `runs` lists it; or synthetic: train the one on drawn faces")
    parser.add_argument("--out", type=Path, help="the file (default: the one that ships with the package)")
    parser.add_argument("--kept", help="which kept epoch (default: the run's first)")
    parser.add_argument("--float32", action="store_true", help="store weights as float32 instead of float16")
    parser.set_defaults(command=_export)


def _data(options: argparse.Namespace) -> int:
    from fer_utils.data import data_root, fetch

    if options.own:
        return commands_own.audit(options)
    root = data_root(options.root)
    if options.fetch:
        print(fetch.fetch(options.fetch, root))
    text, code = fetch.report(root)
    print(text)
    return code


def _runs(options: argparse.Namespace) -> int:
    from fer_utils import records, study

    found = records.find_all(options.store, ("run.json", "history.csv", "predictions.npz"))
    lists = [record for record in found if _readable(record)]
    if options.test:
        lists = [record for record in lists if record.config.score_test]
        found = [record for record in found if record in lists or not _readable(record)]
    if not found:
        print(f"No finished runs in {options.store}.")
        return 0
    if lists:
        print(study.listing(lists).to_string(index=False))
    problems = {record.id: records.verify(record) for record in found}
    for name, sentences in problems.items():
        for sentence in sentences:
            print(f"DOES NOT HOLD: {name}: {sentence}")
    broken = sum(bool(sentences) for sentences in problems.values())
    scored = sum(record.config.score_test for record in lists)
    print(f"{len(found)} runs, {scored} scored a test set; {len(found) - broken} verified, {broken} do not hold.")
    return 1 if broken else 0


def _readable(record: Record) -> bool:
    """Whether its configuration can be read; what is wrong otherwise, `records.verify` says."""
    try:
        return bool(record.config)
    except (ValueError, FileNotFoundError):
        return False


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


def _tune(options: argparse.Namespace) -> int:
    from fer_utils.study import tuning

    plan = tuning.plan(
        options.model, options.dataset, options.method, max_epochs=options.epochs, trials=options.trials,
        factor=options.factor, n_folds=options.folds, model_options={"batch_norm_momentum": options.momentum},
        dataset_options={"n_subjects": options.subjects} if options.subjects else {},
    )  # fmt: skip
    if found := tuning.search(plan, root=options.root):
        print(tuning.trials(found).drop(columns=["run", "parent"]).to_string(index=False))
        print(f"{found.path}")
    return 0


def _queue(options: argparse.Namespace) -> int:
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the trainings' processes need the memory
    from fer_utils.study import queue, speed_probe

    found = queue.chosen(options.items)
    found = [queue.in_float32(item) for item in found] if options.float32 else found
    if options.run or options.probe:
        speed_probe.run(found, options.steps)
    found = queue.ordered(found, speed_probe.speeds())
    print(queue.table(found, speed_probe.speeds()).to_string(), flush=True)
    if not options.run:
        return 0
    from fer_utils.analysis import keepsakes
    from fer_utils.live import bench

    workers = options.workers or speed_probe.paying(found, options.steps)
    then, cores = (keepsakes.AFTERWARDS, bench.AFTERWARDS), speed_probe.shares(workers)
    state = queue.run(found, workers, options.minutes, options.root, cores=cores, then=then)
    counted = state.str.partition(":")[0].value_counts()
    print(counted.to_string(header=False) if len(state) else "Everything is on record.")
    return 1 if state.str.startswith("failed").any() else 0


def _execute(options: argparse.Namespace) -> int:
    from fer_utils.study.notebooks import execute

    execute(options.notebook, options.output, options.profile)
    return 0


def _tables(options: argparse.Namespace) -> int:
    from fer_utils.files.paths import project_root
    from fer_utils.report import one_page, pages, records_index

    written = pages.blocks(project_root() / "reports/runs")
    for page, names in pages.PAGES.items():
        changed = pages.update(project_root() / page, {name: written[name] for name in names})
        print(f"{page}: {'updated' if changed else 'up to date'}")
    print(f"reports/{one_page.PICTURE}: {'updated' if one_page.draw(records_index.read()) else 'up to date'}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from fer_utils import training
    from fer_utils.live import export
    from fer_utils.training import weights

    synthetic = options.id == "synthetic"
    record = training.run(export.synthetic_run()) if synthetic else weights.finished_run(options.id)
    path = export.export(record, options.out, options.kept, half=not options.float32)
    print(f"{path}: {path.stat().st_size:,} bytes, {export.describe(record, options.kept)}")
    return 0


if __name__ == "__main__":
    sys.exit(console())
