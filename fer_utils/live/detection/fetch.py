"""Fetching YuNet when it is asked for: said from where, checked by its SHA-256, whole or not at all."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from fer_utils.live.detection.detectors import OPTION, YUNET, YUNET_SHA256, cache_folder

URL = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/47534e27c9851bb1128ccc0102f1145e27f23f98/models/"
    f"face_detection_yunet/{YUNET}"
)
"""Where it is fetched from: OpenCV's model zoo at one commit; the file is under the MIT licence."""


def fetch(folder: Path | None = None, url: str = URL) -> Path:
    """Fetch YuNet's file unless it is there already, and say from where.

    Args:
        folder: where to; default: the user's cache.
        url: from where.

    Returns:
        The file.

    Raises:
        ValueError: it could not be fetched, or what came is another file; nothing is left then.
    """
    import pooch  # brings an HTTP library, which nothing else here needs

    folder = folder or cache_folder()
    digest = next(digest for digest, name in YUNET_SHA256.items() if name == YUNET)
    print(f"YuNet (MIT licence, 230 KB) from {url}\ninto {folder}", flush=True)
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        return Path(pooch.retrieve(url, f"sha256:{digest}", YUNET, folder))
    except Exception as error:  # of HTTP libraries of many kinds, or a digest that does not match
        reason = str(error).partition("\n")[0][:300]
        raise ValueError(
            f"YuNet could not be fetched: {type(error).__name__}: {reason} Check the network and try again, or put the "
            f"file {YUNET} into data/ yourself. Without it the default detector serves."
        ) from error


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--detector` and `--fetch-detector`, which every command that looks for faces has."""
    parser.add_argument("--detector", default="auto", metavar="NAME", help=OPTION)
    parser.add_argument("--fetch-detector", action="store_true", help="download YuNet into the user's cache first")
