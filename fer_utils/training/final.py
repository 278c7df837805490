"""A run declared final after it was chosen: its test part is scored with the weights that it kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fer_utils import records
from fer_utils.data import load, splits
from fer_utils.files import locks
from fer_utils.records import Record
from fer_utils.records.config import RunConfig
from fer_utils.training import checkpoint, scoring, setup, weights


def declare(record: Record, root: str | Path | None = None, kept: Sequence[str] | None = None) -> Record:
    """Score the test part with the weights that a run kept, and record that as a run of its own; nothing is trained.

    Who chose among runs on validation images alone reads the test images of the chosen one so, once.

    Args:
        record: a finished run that did not score them (`score_test=False`), its weights on this machine; where they
            are the rounded ones that `weights.keep` wrote, these are scored, on all parts.
        root: where its dataset lies, see `fer_utils.data.load`.
        kept: the kept epochs to score, such as those whose weights are here; None for all of the run's.

    Returns:
        The final record, whose parent is the run; the one on record where it was declared before.

    Raises:
        ValueError: the run is final already, was declared final at other epochs, did not keep that epoch, or the
            dataset is not the one that it was trained on.
        FileNotFoundError: the weights or the dataset are not here.
    """
    before = record.config
    if before.score_test:
        raise ValueError(f"A run is declared final once; {record.id} has scored its test part. Name another.")
    config = replace(before, score_test=True, keep=tuple(kept or before.keep))
    fingerprint = record.run["dataset"]["fingerprint"]
    if found := _declared(config, record):
        return found
    files = {name: weights.path(record, name) for name in kept or record.kept}
    dataset = load(config.dataset, root, **config.dataset_options)
    if dataset.fingerprint != fingerprint:
        raise ValueError(
            f"A run is scored on the data that it was trained on ({fingerprint}); got {dataset.fingerprint}. Give the "
            "folder of that copy (--root)."
        )
    model, split = setup.rebuild(config, dataset.n_classes), splits.make(dataset, config.split)
    folder = record.path.parent / records.identify(config, fingerprint)
    with locks.claim(folder) as held:
        if not records.is_done(folder):
            for source in files.values():
                checkpoint.copy(source, folder / source.parent.name / source.name)
            scored = scoring.predictions(model, files, dataset, split, score_test=True)
            epochs = {name: record.run["kept_epochs"][name] for name in files}
            said = {"id": folder.name, "parent": record.id, "config": config.to_dict(), "kept_epochs": epochs}
            held()
            records.write(folder, record.run | said, record.history, scored)
    return Record(folder)


def _declared(config: RunConfig, record: Record) -> Record | None:
    """What read the test part before with the weights of this training; None where nothing did."""
    alike = f"{record.id.rsplit('-', 2)[0]}-*"  # but for the digests of configuration and data
    for other in (Record(path) for path in sorted(record.path.parent.glob(alike)) if records.is_done(path)):
        of_both = [(r.run["recipe_version"], r.run["dataset"]["fingerprint"]) for r in (record, other)]
        if of_both[0] == of_both[1] and replace(other.config, keep=config.keep).trains_as(config):
            if set(config.keep) <= set(other.kept):
                return other
            raise ValueError(
                f"A test part is read once per training: {other.id} has read it at {', '.join(other.kept)}; asked for "
                f"{', '.join(config.keep)}. Use that record."
            )
    return None
