"""Commands that recognise faces: light, and at home in an installed package too."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fer_utils.live import EmotionRecognizer


def add_predict(commands: argparse._SubParsersAction) -> None:
    """`predict PATH...`."""
    from fer_utils.live import fetch

    parser = commands.add_parser("predict", help="predicted expressions in images, folders, videos")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="image, video (sound is lost) or folder")
    parser.add_argument("--out", type=Path, default=Path("predictions"), help="folder for copies and predictions.csv")
    parser.add_argument("--model", help="an exported .onnx file or a run's id (default: the one that ships)")
    fetch.add_options(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace files of an earlier call in --out")
    parser.set_defaults(command=_predict)


def add_evaluate(commands: argparse._SubParsersAction) -> None:
    """`evaluate FOLDER`."""
    from fer_utils.live import fetch

    parser = commands.add_parser("evaluate", help="how good it is on your own pictures, in one folder per expression")
    parser.add_argument("folder", type=Path, help="holds a folder of pictures for each expression: angry, happy, ...")
    parser.add_argument("--out", type=Path, default=Path("evaluation"), help="folder for the tables")
    parser.add_argument("--model", help="an exported .onnx file or a run's id (default: the one that ships)")
    fetch.add_options(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace tables of an earlier call in --out")
    parser.set_defaults(command=_evaluate)


def _predict(options: argparse.Namespace) -> int:
    from fer_utils.live import fetch
    from fer_utils.live.predict import predict

    if options.fetch_detector:
        print(fetch.fetch())
        if not options.paths:
            return 0
    return predict(options.paths, options.out, _recognizer(options), options.overwrite)


def _evaluate(options: argparse.Namespace) -> int:
    from fer_utils.live import fetch
    from fer_utils.live.evaluate import evaluate

    if options.fetch_detector:
        print(fetch.fetch())
    return evaluate(options.folder, options.out, _recognizer(options), options.overwrite)


def _recognizer(options: argparse.Namespace) -> EmotionRecognizer:
    from fer_utils.live import EmotionRecognizer

    try:
        return EmotionRecognizer(options.model, options.detector)
    except ImportError as error:
        raise ValueError(error) from error
