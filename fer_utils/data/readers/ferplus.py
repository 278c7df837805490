"""FER+ (Barsoum et al., 2016): ten annotators' votes on the images of FER2013."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_utils.data.dataset import FERPLUS_EXPRESSIONS, FaceDataset
from fer_utils.data.readers import fer2013, sources, tables

LABELS = ("majority", "distribution")
VOTES = (*FERPLUS_EXPRESSIONS, "unknown", "nf")
"""Vote columns in order; NF means "not a face"."""

_OF_FER2013 = [VOTES.index(n) for n in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")]


def read(root: Path, labels: str = "majority") -> FaceDataset:
    """Read FER+: the images of FER2013's CSV with the votes of fer2013new.csv, joined by row order.

    In both kinds of labels a vote that stands alone (a class with one vote) is first set to 0, and
    rows without an image name (all their votes are NF) are dropped.

    `"majority"` keeps a row when its top class has more than half of the remaining votes and is one of
    the eight; votes for `unknown` and `NF` count in that sum. 25,060 / 3,199 / 3,153 images remain.

    `"distribution"` keeps a row when no other column, `unknown` and `NF` included, has more votes than the
    top class of the eight; `label_distribution` holds the remaining votes over the eight classes,
    divided by their sum, and `labels` its first maximum.

    Args:
        root: a folder that holds both CSVs up to five levels down, or one of them beside the other.
        labels: `"majority"` or `"distribution"`.

    Returns:
        The dataset, eight classes neutral to contempt, in the order of the CSV.

    Raises:
        MissingDataError: one of the two CSVs is not there; the message says what to fetch.
        ValueError: the two do not belong together, or bad input.
    """
    if labels not in LABELS:
        raise ValueError(f"FER+ labels are one of {', '.join(LABELS)}; got {labels!r}. Choose one of these.")
    return _label(*join(root), labels)


def voted(root: Path, labels: str = "votes") -> FaceDataset:
    """FER2013 with its own labels, and beside them class shares to which FER+'s annotators contribute half.

    Args:
        root: see `read`.
        labels: `"votes"`, the only such labels that there are.

    Returns:
        FER2013; row by row `label_distribution` is one half the image's own label and one half the votes for the seven
        expressions that both datasets know, divided by their sum, single votes left out. Where nobody voted for one of
        the seven it is the label alone; where all votes are for another, both have one half.

    Raises:
        MissingDataError, ValueError: see `read`.
    """
    if labels != "votes":
        raise ValueError(
            f"FER2013's labels are its own, joined by FER+'s with labels='votes'; got {labels!r}. Leave the option out."
        )
    faces, votes = join(root)
    own = np.eye(faces.n_classes)[faces.labels]
    counted = _without_single(votes)[:, _OF_FER2013]
    total = counted.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, (own + counted / np.maximum(total, 1)) / 2, own)
    return replace(faces, label_distribution=shares.astype(np.float32))


def join(root: Path) -> tuple[FaceDataset, np.ndarray]:
    """FER2013 and the raw votes on each of its images.

    Returns:
        FER2013 in the order of its CSV, and int64 (n, 10) votes in the order of `VOTES`; rows without
        an image name have votes for NF only.

    Raises:
        ValueError: see `read`.
    """
    found = sources.find(root)
    votes_in = [table for table in found.tables if table.kind == "votes"]
    if root.is_file() and not (votes_in and fer2013.csv_tables(found)):
        return join(root.parent)
    if not votes_in:
        raise sources.missing("ferplus", found)
    faces, source = fer2013.locate(root)
    if not isinstance(source, tables.Table) or "usage" not in source.columns:
        raise ValueError(
            f"FER+ votes follow the rows of FER2013's CSV with a Usage column; got {source}, whose order "
            f"does not tell which vote is whose. Fetch {sources.GUIDE['ferplus']}."
        )
    usage, votes = _read_votes(votes_in[0])
    for other in votes_in[1:]:
        if not np.array_equal(votes, _read_votes(other)[1]):
            raise ValueError(f"Copies of FER+ must agree; got {votes_in[0]} and {other}. Move one away.")
    _check_join(votes_in[0], source, usage, faces.usage)
    return faces, votes


def _read_votes(table: tables.Table) -> tuple[np.ndarray, np.ndarray]:
    """`usage` str (n,) and votes int64 (n, 10) in the order of `VOTES`."""
    if absent := [name for name in ("image name", *VOTES) if name not in table.columns]:
        raise ValueError(f"{table}: FER+ has a column for each vote; lacks {', '.join(absent)}. Fetch it again.")
    usage, votes = [], []
    for number, line in table.rows():
        fields = table.fields(number, line)
        counts = [fields[name] for name in VOTES]
        if not all(count.isdigit() and len(count) < 4 for count in counts):
            raise table.error(number, "A vote count is a whole number up to 999", tables.shown(b",".join(counts)))
        row = [int(count) for count in counts]
        votes.append(row if fields["image name"] else [0] * (len(row) - 1) + row[-1:])
        usage.append(tables.usage_of(table, number, fields))
    return tables.named_usages(usage), np.array(votes, np.int64).reshape(-1, len(VOTES))


def _check_join(votes: tables.Table, faces: tables.Table, voted: np.ndarray, usage: np.ndarray) -> None:
    remedy = f"Fetch {sources.GUIDE['ferplus']}."
    if len(voted) != len(usage):
        raise ValueError(
            f"FER+ and FER2013 have the same rows; got {len(voted):,} in {votes} and "
            f"{len(usage):,} in {faces}. {remedy}"
        )
    if (differ := np.flatnonzero(voted != usage)).size:
        row = differ[0]
        came = f"{voted[row]!r} where {faces} says {usage[row]!r}"
        raise votes.error(row + 1, "Usage agrees with FER2013's, row by row", came, remedy)


def _without_single(votes: np.ndarray) -> np.ndarray:
    """Votes with 0 where a class has one alone."""
    return np.where(votes == 1, 0, votes)


def _label(faces: FaceDataset, votes: np.ndarray, labels: str) -> FaceDataset:
    kept = _without_single(votes)
    k = len(FERPLUS_EXPRESSIONS)
    best = kept[:, :k].max(axis=1)
    keep = 2 * best > kept.sum(axis=1) if labels == "majority" else (best > 0) & (best == kept.max(axis=1))
    if not keep.any():
        raise ValueError(f"FER+ {labels} labels need votes for a class; no row has any. Fetch the CSV again.")
    kept = kept[keep, :k]
    shares = (kept / kept.sum(axis=1, keepdims=True)).astype(np.float32)
    return FaceDataset(
        images=faces.images[keep],
        labels=kept.argmax(axis=1),
        class_names=FERPLUS_EXPRESSIONS,
        name="ferplus",
        usage=faces.usage[keep],
        label_distribution=shares if labels == "distribution" else None,
    )
