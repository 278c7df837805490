"""What the names of folders, files and columns mean: expressions, parts of a dataset, and what is passed over."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fer_utils.data.dataset import EXPRESSIONS, USAGES

SYNONYMS = {name: name for name in (*EXPRESSIONS, "contempt")} | {
    "anger": "angry", "disgusted": "disgust", "fearful": "fear", "afraid": "fear", "scared": "fear",
    "happiness": "happy", "joy": "happy", "sadness": "sad", "surprised": "surprise", "suprise": "surprise",
    "contemptuous": "contempt",
}  # fmt: skip
"""Names of expressions in lower case, one usual misspelling among them, to the names of FER2013 (and contempt)."""

GENERIC = ("train", "validation", "test")
"""Parts of a dataset whose own names are not FER2013's published ones."""

_PARTS = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
    "validate": "validation", "dev": "validation", "eval": "validation", "evaluation": "validation", "test": "test",
    "testing": "test", "publictest": "PublicTest", "privatetest": "PrivateTest",
}  # fmt: skip
_AFTER_PART = re.compile(r"(?<=.)(set|data|dataset|images?|faces?|folder)$")

IMAGES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif")
"""Endings, in lower case, of the images that a dataset may consist of."""

OTHER_PICTURES = (
    ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".svg", ".psd", ".ico", ".tga", ".eps", ".exr", ".hdr",
    ".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
)  # fmt: skip
"""Endings of pictures that are not read here."""

_HIDDEN = ("__macosx", "__pycache__", "thumbs.db", "desktop.ini")
_COMPANIONS = re.compile(r"s\d{3}_\d{3}_\d{8}_(landmarks|facs)\.txt", re.IGNORECASE)  # CK+'s, one for each frame
_TEXTS = re.compile(
    r"(readme|licen[cs]e|copying|citation|changelog|terms)([ _-][^.]*)?(\.(txt|md|rst|html?|pdf|cff|bib|docx?))?",
    re.IGNORECASE,
)


def expression(name: str) -> str | None:
    """The expression that a folder's or a label's name means; None if it means none.

    A number before or behind the name counts for nothing (`3_happy`); a number alone, 0 to 6, is FER2013's code.
    """
    bare = re.sub(r"^\d{1,2}[\s._-]+|^\d(?=[a-z])|[\s._-]+\d{1,2}$", "", name.strip().lower())
    if bare in SYNONYMS:
        return SYNONYMS[bare]
    return EXPRESSIONS[int(name)] if name.isascii() and name.isdigit() and name in "0123456" and name else None


def is_number(name: str) -> bool:
    """Whether a class folder is named by one or two digits, as those of FER2013, RAF-DB and AffectNet may be."""
    return re.fullmatch(r"[0-9]{1,2}", name) is not None


def part(name: str) -> str | None:
    """The part of a dataset that a name means: one of `GENERIC`, `PublicTest` or `PrivateTest`; None if none."""
    bare = re.sub(r"[\W_]+", "", name.lower())
    return _PARTS.get(bare) or _PARTS.get(_AFTER_PART.sub("", bare))


def usages(parts: Sequence[str]) -> dict[str, str]:
    """What each part's name means beside the others: FER2013's published names, or `GENERIC` ones.

    Args:
        parts: the different names, as they are written.

    Returns:
        Name to usage. `train` beside `PublicTest` is `Training`; `Training` beside `val` is `train`.
    """
    meant = {name: part(name) or "" for name in parts}
    published = set(meant.values()) - set(GENERIC) or set(parts) == {USAGES[0]}
    return {name: USAGES[0] if published and m == "train" else m for name, m in meant.items()}


def passed_over(name: str) -> bool:
    """Whether a file is passed over wherever it lies.

    That is what is hidden, a system's own, a README, a licence or such a text, and CK+'s files of landmarks and action
    units.
    """
    return folder_passed_over(name) or bool(_TEXTS.fullmatch(name) or _COMPANIONS.fullmatch(name))


def folder_passed_over(name: str) -> bool:
    """Whether a folder is passed over wherever it lies: hidden (checkpoints of notebooks too) or a system's own."""
    return name.startswith(".") or name.lower() in _HIDDEN


def is_label_file(name: str) -> bool:
    """Whether a file says the emotion of a CK+ sequence (`S005_001_00000011_emotion.txt`)."""
    return name.lower().endswith("_emotion.txt")
