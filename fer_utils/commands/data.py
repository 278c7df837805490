"""`data`: which datasets are here and what is in them; `train`: a recognizer from pictures of one's own."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_utils.files.paths import reports_root


def add(commands: argparse._SubParsersAction) -> None:
    """Add this module's commands to the command line."""
    _add_data(commands)
    _add_train(commands)


def _add_data(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("data", help="say which datasets are here, check them, and how to get the others")
    parser.add_argument("root", nargs="?", type=Path, help="folder to look in (default: $FER_DATA, else data/)")
    parser.add_argument("--fetch", metavar="NAME", help="download fer2013 or ckplus through kagglehub")
    parser.add_argument("--own", action="store_true", help="audit pictures of your own: root has a folder per class")
    _add_patterns(parser)
    parser.set_defaults(command=_data)


def _add_train(commands: argparse._SubParsersAction) -> None:
    """`train FOLDER`."""
    parser = commands.add_parser("train", help="a recognizer from pictures of your own, in one folder for each class")
    parser.add_argument("folder", type=Path, help="of faces (crop whole photographs first: crop IN OUT)")
    _add_patterns(parser)
    parser.add_argument("--by-persons", action="store_true", help="divide by persons, whatever train/ and test/ say")
    parser.add_argument("--model", default="compact", help="the network (default: compact)")
    parser.add_argument("--epochs", type=int, help="how long to train (default: 40, or more for few pictures)")
    parser.add_argument("--start-from", metavar="RUN", default="", help="begin with the weights of a finished run")
    parser.add_argument("--seed", type=int, default=0, help="of split, weights and order (default: 0)")
    parser.add_argument("--out", type=Path, help="the recognizer's .onnx file (default: in reports/own/)")
    parser.set_defaults(command=_train)


def _add_patterns(parser: argparse.ArgumentParser) -> None:
    """The arguments that tell persons and videos by the names of files."""
    where = "whose first group, in the name of a picture (with a / in it: in its path), is the"
    parser.add_argument("--subjects", metavar="PATTERN", default="", help=f"regular expression {where} person")
    parser.add_argument("--sequences", metavar="PATTERN", default="", help=f"such an expression {where} video")


def _data(options: argparse.Namespace) -> int:
    from fer_utils.data import data_root
    from fer_utils.data.readers import fetch

    if options.own:
        return _audit(options)
    if _patterns(options):
        raise ValueError("--subjects and --sequences tell pictures of your own; got them without --own. Add it.")
    root = data_root(options.root)
    if options.fetch:
        print(fetch.fetch(options.fetch, root))
    text, code = fetch.report(root)
    print(text)
    return code


def _audit(options: argparse.Namespace) -> int:
    """`data FOLDER --own`: what is read of it, and what the audit finds."""
    from fer_utils.data import load
    from fer_utils.data.readers import own
    from fer_utils.study import own_pictures

    dataset = load("folders", options.root, **_patterns(options))
    print("\n".join([*own_pictures.described(dataset), *own.beside(options.root, options.subjects)]))
    return 0


def _patterns(options: argparse.Namespace) -> dict[str, str]:
    """The options of `load("folders", ...)` that were given."""
    given = {"subjects": options.subjects, "sequences": options.sequences}
    return {name: pattern for name, pattern in given.items() if pattern}


def _train(options: argparse.Namespace) -> int:
    from fer_utils.data import load, splits
    from fer_utils.data.readers import own
    from fer_utils.live.network import export
    from fer_utils.study import own_pictures
    from fer_utils.training import run

    out = options.out or reports_root() / "own" / f"{options.folder.resolve().name}.onnx"
    if out.suffix != ".onnx" or out.is_dir():
        raise ValueError(f"A recognizer is written into an .onnx file; got {out}. Give such a name by --out.")
    told = _patterns(options)
    dataset = load("folders", options.folder, **told)
    config = own_pictures.plan(
        dataset, told, model=options.model, epochs=options.epochs, seed=options.seed, by_persons=options.by_persons,
        start_from=options.start_from,
    )  # fmt: skip
    split = splits.make(dataset, config.split)
    lines = [*own_pictures.described(dataset), *own.beside(options.folder, options.subjects)]
    print("\n".join([*lines, *own_pictures.leaking(dataset, split)]), flush=True)
    record = run(config, dataset=dataset)
    path = export.export(record, out)
    print("\n".join(own_pictures.score(dataset, split, record)))
    print(f"record: {record.path}\nrecognizer: {path} ({path.stat().st_size:,} bytes)")
    print(f"use it: python -m fer_utils predict PICTURES --model {path}")
    return 0
