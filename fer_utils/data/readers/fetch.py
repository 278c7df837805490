"""What `make data` runs: what is there, whether it is complete, what to fetch, and fetching it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fer_utils.data.dataset import FaceDataset
from fer_utils.data.readers import ckplus, fer2013, ferplus, folders, packed, sources, tables
from fer_utils.data.readers.ckplus_original import Original, is_sequence

_ALL = tuple(map(sum, zip(*fer2013.PUBLISHED.values(), strict=True)))
_TEST = tuple(map(sum, zip(fer2013.PUBLISHED["PublicTest"], fer2013.PUBLISHED["PrivateTest"], strict=True)))

PUBLISHED: dict[str, dict[str, tuple[int, ...] | int]] = {
    "fer2013": {**fer2013.PUBLISHED, "train": fer2013.PUBLISHED["Training"], "test": _TEST, "all": _ALL},
    "fer2013, images/train and images/validation": {"train": 28_821, "validation": 7_066},
    "fer2013, divided in a way of its own": {"all": _ALL},
    "ferplus": {"Training": 25_060, "PublicTest": 3_199, "PrivateTest": 3_153},
    "ckplus": {"all": (135, 54, 177, 75, 207, 84, 249)},
    "ckplus, original layout": {"all": (45, 18, 59, 25, 69, 28, 83)},
    "ckplus, ckextended.csv": {"all": 920},
}
"""Images per part, by class where published so."""

KNOWN_MD5 = {
    "f8428a1edbd21e88f42c73edd2a14f95": "fer2013.csv",
    "b114b9e04e6949e5fe8b6a98b3892b1d": "icml_face_data.csv",
    "3f0dfb3d3fd99c811a1299cb947e3131": "train.csv",
}

KAGGLE = {
    "fer2013": ("competition", sources.COMPETITION),
    "fer2013-folders": ("dataset", "msambare/fer2013"),
    "ckplus": ("dataset", "shawon10/ckplus"),
}
"""What `fetch` can get: kind and handle on Kaggle."""

TERMS = "Terms: research and teaching only; these are real people's faces, not to be published or passed on."


def report(root: Path) -> tuple[str, int]:
    """Say what lies under `root`, how it compares with the published counts, and what to fetch.

    Returns:
        The text, and an exit code: 1 if something is there but broken or not as published, else 0.
        A dataset that is not there is no failure: the study's quick profile needs none.
    """
    checks: dict[str, Callable[[Path], tuple[FaceDataset, Any]]] = {
        "fer2013": fer2013.locate,
        "ferplus": lambda place: (ferplus.read(place), "the CSVs of FER+ and FER2013"),
        "ckplus": ckplus.locate,
    }
    text, code = [f"Data under {root.absolute()}", ""], 0
    read: list[Any] = []
    for name, locate in checks.items():
        try:
            with warnings.catch_warnings(record=True) as altered:
                warnings.simplefilter("always")
                dataset, source = locate(root)
            lines, wrong = _found(name, dataset, source)
            lines += [f"  NOTE: {warning.message}" for warning in altered]
            read.append(source)
        except sources.MissingDataError as reason:
            lines, wrong = _missing(name, root, str(reason)), False
        except ValueError as reason:
            lines, wrong = [f"{name}: CANNOT BE READ", f"  {reason}"], True
        text += [*lines, ""]
        code |= wrong
    return "\n".join([*text, *_rest(root, read), TERMS]), int(code)


def fetch(name: str, root: Path) -> Path:
    """Download a dataset with kagglehub into `root/name`.

    Args:
        name: one of `KAGGLE`. "fer2013" (CSV, the one FER+ needs) asks for a Kaggle account that has
            accepted the competition's rules; the other two do not.
        root: the data folder; made if it is not there.

    Returns:
        The new folder.

    Raises:
        ValueError: unknown name, folder already there, kagglehub not installed, or the download failed.
    """
    if name not in KAGGLE:
        guide = f"Fetch {sources.GUIDE[name]}." if name in sources.GUIDE else "Choose one of these."
        raise ValueError(f"Kaggle has {', '.join(KAGGLE)}; got {name!r}. {guide}")
    target = root / name
    if target.exists():
        raise ValueError(f"A dataset is fetched into a new folder; {target} is there. Move it away first.")
    kind, handle = KAGGLE[name]
    folder = _download(kind, handle)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=root) as temporary:
        shutil.copytree(folder, Path(temporary) / name)
        os.replace(Path(temporary) / name, target)
    return target


def _download(kind: str, handle: str) -> Path:
    try:
        import kagglehub
    except ImportError as reason:
        raise ValueError(
            f"Fetching needs kagglehub; it is not installed ({reason}). Run `pip install -e .[data]`, "
            f"or download {_page(kind, handle)} in a browser."
        ) from reason
    get = kagglehub.competition_download if kind == "competition" else kagglehub.dataset_download
    try:
        return Path(get(handle))
    except Exception as reason:  # kagglehub passes on errors of several HTTP libraries
        raise ValueError(
            f"Kaggle must deliver {handle}; got {type(reason).__name__}: {reason}. Check the network and, "
            f"for a competition, that you are logged in (`kagglehub.login()`) and have accepted its rules on "
            f"{_page(kind, handle)}."
        ) from reason


def _page(kind: str, handle: str) -> str:
    return f"https://www.kaggle.com/{kind}s/{handle}"


def _missing(name: str, root: Path, reason: str) -> list[str]:
    guide = f"{root} does not exist. Make it, and fetch {sources.GUIDE[name]}."
    lines = [f"{name}: not there", f"  {reason if root.exists() else guide}"]
    lines.append("  It may stay in its archive: .zip, .tar, .tar.gz, .tgz; a CSV also in .gz or .xz.")
    if name in KAGGLE:
        lines.append(f"  With kagglehub (`pip install -e .[data]`): python -m fer_utils data --fetch {name}")
    return lines


def _found(name: str, dataset: FaceDataset, source: Any) -> tuple[list[str], bool]:
    layout = _layout(name, dataset, source)
    published = PUBLISHED[layout]
    parts = {"all": dataset} if dataset.usage is None or name == "ckplus" else _parts(dataset)
    lines = [f"{layout}: {source}", f"  {len(dataset):,} images, fingerprint {dataset.fingerprint}"]
    lines += _md5(source)
    lines += [f"  {'':12}" + "".join(f"{c:>10}" for c in dataset.class_names) + f"{'all':>10}"]
    counts = {part: images.class_counts() for part, images in parts.items()}
    lines += [f"  {part:12}" + "".join(f"{c:10,}" for c in [*n, n.sum()]) for part, n in counts.items()]
    compared = {"all": dataset.class_counts()} if list(published) == ["all"] else counts
    differences = [
        line for part, n in compared.items() for line in _differences(part, n, published.get(part), dataset.class_names)
    ]
    verdict = differences or ["  Counts as published."]
    if differences and dataset.usage is None and name == "fer2013":
        verdict.append("  Are these pictures of your own? `python -m fer_utils data FOLDER --own` reads them as such.")
    return [*lines, *verdict, *_absent(name, set(parts))], bool(differences)


def _layout(name: str, dataset: FaceDataset, source: Any) -> str:
    """The key of `PUBLISHED` that this copy is to be compared with."""
    if name == "fer2013" and dataset.usage is not None:
        parts = set(dataset.usage.tolist())
        if parts == {"train", "validation"}:
            return "fer2013, images/train and images/validation"
        if "validation" in parts:
            return "fer2013, divided in a way of its own"
    if name == "ckplus" and isinstance(source, tables.Table):
        return "ckplus, ckextended.csv"
    if name == "ckplus" and isinstance(source, Original):
        return "ckplus, original layout"
    return name


def _rest(root: Path, read: list[Any]) -> list[str]:
    """What lies there besides, and how much was passed over."""
    try:
        found = sources.find(root)
    except ValueError:
        return []
    taken = {folder for source in read if isinstance(source, folders.Layout) for folder in source.read}
    frames = any(isinstance(source, Original) for source in read)
    rest = [tree for tree in found.images if tree.path not in taken and not (frames and is_sequence(tree.path))]
    lines = [f"  {tree.path}: {len(tree.images):,} images" for tree in rest[:6]]
    lines += [f"  {path}: a kind of picture that is not read" for path, _ in found.unread[:6]]
    lines += [f"  {path}: {sources.described(path)}" for path in found.others[:6]]
    if lines:
        hidden = len(rest) + len(found.unread) + len(found.others) - len(lines)
        lines = ["Not read, as it belongs to none of these (your own pictures: load('folders', root=FOLDER)):", *lines]
        lines += [f"  and {hidden:,} more"] * bool(hidden)
    if found.files:
        named = ", ".join(path.name for path in found.files[:4])
        lines.append(f"Other files, which are no data: {len(found.files):,} ({named}).")
    passed = "hidden and system files, READMEs, licences, CK+'s landmarks"
    return [*lines, f"Passed over: {found.n_passed:,} ({passed}).", ""]


def _parts(dataset: FaceDataset) -> dict[str, FaceDataset]:
    order = [*fer2013.USAGES, "train", "validation", "test"]
    present = sorted(set(dataset.usage.tolist()), key=order.index)
    return {part: dataset.subset(dataset.usage == part) for part in present}


def _differences(
    part: str, counts: np.ndarray, published: tuple[int, ...] | int | None, names: tuple[str, ...]
) -> list[str]:
    if published is None:
        return [f"  DIFFERS: {part} is no part of the published data."]
    if isinstance(published, int):
        counts, published, names = [counts.sum()], (published,), ("images",)
    return [
        f"  DIFFERS: {part}, {name}: {count:,} where {expected:,} were published."
        for name, count, expected in zip(names, counts, published, strict=True)
        if count != expected
    ]


def _absent(name: str, present: set[str]) -> list[str]:
    if "validation" in present:
        return ["  This is another split of the same images: not comparable with results on PrivateTest."]
    if name == "fer2013" and present == {"Training"}:
        return ["  PublicTest and PrivateTest are not here (test.csv has no labels): training only."]
    return []


def _md5(source: Any) -> list[str]:
    if not isinstance(source, tables.Table):
        return []
    with packed.opened(source.path, source.member) as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    known = KNOWN_MD5.get(digest, "a file we do not know, which may hold the same images")
    return [f"  md5 {digest}: {known}"]
