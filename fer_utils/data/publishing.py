"""Which faces others may be shown. It is decided here and nowhere else.

FER2013's and CK+'s faces are not ours to publish, so neither a figure nor the output of an executed notebook may show
them. Drawn faces may be shown, CK+'s eleven publishable subjects with their notice, and means over enough people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

PUBLISHABLE_CKPLUS_SUBJECTS = frozenset({52, 55, 74, 106, 111, 113, 121, 124, 125, 130, 132})
"""CK+ subjects who agreed to be shown in print (S52 to S132), as quoted from CK+'s user agreement."""

CKPLUS_NOTICE = "©Jeffrey Cohn"
"""Must stand beside every published picture of a CK+ subject."""

OPEN_DATASETS = frozenset({"synthetic", "public_domain"})
"""Names of what anybody may be shown: drawn faces, and pictures in the public domain (the package's own is NASA's)."""

MIN_IMAGES_PER_MEAN = 20
MIN_SUBJECTS_PER_MEAN = 10
"""A published mean face holds at least so many different images, and people where the dataset names them."""

_SUBJECT = re.compile(r"[Ss]0*(\d+)")


def may_publish(dataset_name: str, subjects: Sequence[str] | np.ndarray | None, n: int) -> np.ndarray:
    """Which of n faces may be shown to others.

    Args:
        dataset_name: a `FaceDataset.name`. Faces of any other name count as somebody's and stay private.
        subjects: n names such as `"S052"` or `"S52"`, or None if unknown.
        n: number of faces.

    Returns:
        bool (n,): all faces of `OPEN_DATASETS`; of CK+ those of `PUBLISHABLE_CKPLUS_SUBJECTS`; no others.

    Raises:
        ValueError: not one subject per face.
    """
    if subjects is not None and len(subjects) != n:
        raise ValueError(f"subjects must name the person of each of {n} faces; got {len(subjects)} names.")
    if dataset_name in OPEN_DATASETS:
        return np.ones(n, dtype=bool)
    if dataset_name != "ckplus" or subjects is None:
        return np.zeros(n, dtype=bool)
    found = [_SUBJECT.fullmatch(str(subject)) for subject in subjects]
    return np.array([bool(m) and int(m[1]) in PUBLISHABLE_CKPLUS_SUBJECTS for m in found], dtype=bool)
