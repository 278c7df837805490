"""The end of a training: every kept epoch scored, the record written, and what is no longer needed removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from fer_utils import models, records
from fer_utils.records import Record
from fer_utils.records.config import RECIPE_VERSION
from fer_utils.training import averaging, backend, checkpoint, decisions, scoring
from fer_utils.training import setup as assembly
from fer_utils.training.setup import Setup


def write(setup: Setup, state: checkpoint.State, folder: Path, parent: Record | None, keep_checkpoint: bool) -> None:
    """Score the weights of every kept epoch and write the record; tidy up last.

    Args:
        setup: the training, its network as the last epoch left it.
        state: its history.
        folder: of the record.
        parent: the run that it went on from, if any.
        keep_checkpoint: whether the final checkpoint stays, for a child.
    """
    config, path = setup.config, folder / "checkpoint.npz"
    if keep_checkpoint:
        checkpoint.save(path, state, setup.model)
    kept = decisions.kept_epochs(config, state.history)
    if "last" in config.keep or not kept:  # early stopping may come before any epoch that was to be kept
        kept["last"] = state.epoch
        with averaging.in_place(setup.model):
            checkpoint.save_weights(setup.model, records.weights_path(folder, "last", state.epoch))
    kept = {name: kept[name] for name in (*config.keep, "last") if name in kept}
    files = {name: records.weights_path(folder, name, epoch) for name, epoch in kept.items()}
    in_float32 = config.precision == "float32"
    model = setup.model if in_float32 else assembly.rebuild(config, setup.dataset.n_classes)
    found = scoring.predictions(model, files, setup.dataset, setup.split, config.score_test)
    records.write(folder, _description(setup, state, kept, folder.name, parent), pd.DataFrame(state.history), found)
    checkpoint.prune(folder, kept)
    if not keep_checkpoint:
        path.unlink(missing_ok=True)


def _description(
    setup: Setup, state: checkpoint.State, kept: dict[str, int], name: str, parent: Record | None
) -> dict[str, Any]:
    """What `run.json` says of the training."""
    config, dataset = setup.config, setup.dataset
    images = state.epoch * len(setup.train_rows)
    return {
        "id": name,
        **({"parent": parent.id} if parent else {}),
        "recipe_version": RECIPE_VERSION,
        "config": config.to_dict(),
        "dataset": {"name": dataset.name, "n": len(dataset), "fingerprint": dataset.fingerprint},
        "class_names": list(dataset.class_names),
        "split": {"hash": setup.split.hash, **setup.split.sizes},
        "kept_epochs": kept,
        "chosen_on_test": list(config.chosen_on_test),
        "epochs": state.epoch,
        "stopped_early": decisions.stops(config, state.history),
        "parameters": setup.model.count_params(),
        "graph": state.graph,
        **setup.provenance,
        "seconds": round(sum(row["seconds"] for row in state.history), 2),
        "images_per_second": round(images / max(state.train_seconds, 1e-9), 1),
        "peak_memory_mib": round(backend.peak_memory_mib()),
    }


def check_same_network(record: Record) -> None:
    """Refuse the record of a network of the user's own that has changed since; without its code, nothing is checked.

    Raises:
        ValueError: the function now builds another network.
    """
    if not models.is_own(record.config.model):
        return
    try:
        model = assembly.rebuild(record.config, len(record.class_names))
    except ModuleNotFoundError:
        return
    check_same_graph(models.graph_hash(model), record.run["graph"], f"the record {record.id}")


def check_same_graph(now: str, before: str, where: str) -> None:
    """Refuse to go on with another network than the one that was begun.

    Raises:
        ValueError: their hashes differ.
    """
    if now != before:
        raise ValueError(
            f"A run is of one network from its first epoch to its record; the one built now ({now}) is not the one of "
            f"{where} ({before}). Give the changed network another name, or remove what was made with the old one."
        )
