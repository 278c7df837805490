"""`predict`, `evaluate` and `crop`: the recognizer on pictures and videos, without the study's libraries."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fer_utils.live import EmotionRecognizer


def add(commands: argparse._SubParsersAction) -> None:
    """Add this module's commands to the command line."""
    _add_predict(commands)
    _add_evaluate(commands)
    _add_crop(commands)


def _add_predict(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("predict", help="predicted expressions in images, folders, videos")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="image, video (sound is lost) or folder")
    _add_recognition(parser, Path("predictions"), "copies and predictions.csv")
    parser.set_defaults(command=_predict)


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("evaluate", help="how good it is on your own pictures, in one folder per expression")
    parser.add_argument("folder", type=Path, help="holds a folder of pictures for each expression: angry, happy, ...")
    _add_recognition(parser, Path("evaluation"), "the tables")
    parser.set_defaults(command=_evaluate)


def _add_recognition(parser: argparse.ArgumentParser, out: Path, written: str) -> None:
    """What is recognised with, and where the answers go."""
    from fer_utils.live.detection import fetch

    parser.add_argument("--out", type=Path, default=out, help=f"folder for {written} (default: {out})")
    parser.add_argument("--model", help="an exported .onnx file or a run's id (default: the one that ships)")
    fetch.add_options(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace files of an earlier call in --out")


def _add_crop(commands: argparse._SubParsersAction) -> None:
    """`crop IN OUT`."""
    from fer_utils.live.detection import fetch

    parser = commands.add_parser("crop", help="find and crop the face of each picture of a folder, as a dataset")
    parser.add_argument("source", type=Path, metavar="IN", help="folder of pictures")
    parser.add_argument("out", type=Path, metavar="OUT", help="new folder for the faces, in the same tree")
    fetch.add_options(parser)
    parser.add_argument("--largest", action="store_true", help="of several faces take the largest, instead of none")
    parser.set_defaults(command=_crop)


def _predict(options: argparse.Namespace) -> int:
    from fer_utils.live.detection import fetch
    from fer_utils.live.interface.predict import predict

    if options.fetch_detector:
        print(fetch.fetch())
        if not options.paths:
            return 0
    return predict(options.paths, options.out, _recognizer(options), options.overwrite)


def _evaluate(options: argparse.Namespace) -> int:
    from fer_utils.live.detection import fetch
    from fer_utils.live.interface.evaluate import evaluate

    if options.fetch_detector:
        print(fetch.fetch())
    return evaluate(options.folder, options.out, _recognizer(options), options.overwrite)


def _recognizer(options: argparse.Namespace) -> EmotionRecognizer:
    from fer_utils.live import EmotionRecognizer

    try:
        return EmotionRecognizer(options.model, options.detector)
    except ImportError as error:
        raise ValueError(error) from error


def _crop(options: argparse.Namespace) -> int:
    from fer_utils.live.detection import crop_folder, detectors, fetch

    if options.fetch_detector:
        print(fetch.fetch())
    return crop_folder.crop(options.source, options.out, detectors.get(options.detector), options.largest)
