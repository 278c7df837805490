"""One training, from a configuration to a record; killed at any moment, it goes on where it was."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fer_utils import records
from fer_utils.data import FaceDataset, augmentation, load, splits
from fer_utils.files import locks
from fer_utils.files.paths import store_for
from fer_utils.models import losses
from fer_utils.records import Record
from fer_utils.records.config import RECIPE_VERSION, Phase, RunConfig
from fer_utils.training import backend, checkpoint, devices, scoring, setup, weights
from fer_utils.training.scoring import predict_logits

__all__ = ["Phase", "RunConfig", "predict_logits", "run"]


def run(
    config: RunConfig,
    *,
    root: str | Path | None = None,
    store: str | Path | None = None,
    dataset: FaceDataset | None = None,
    checkpoint_seconds: float = 60.0,
    parent: Record | None = None,
    keep_checkpoint: bool = False,
) -> Record:
    """Train `config` once, or load its record where one is finished.

    Args:
        config: what to train.
        root: where the dataset lies, see `fer_utils.data.load`.
        store: folder of records; default `reports/runs`, for synthetic faces `reports/quick/runs`.
        dataset: the loaded dataset, if the caller has it already.
        checkpoint_seconds: least time between two checkpoints, written at ends of epochs.
        parent: a finished run whose training is the beginning of this one (see `RunConfig.check_continues`): go on
            from the checkpoint it kept. Without one, training begins at the start and says so. The record names it.
        keep_checkpoint: leave the final checkpoint (weights and optimizer) beside the record, for a child.

    Returns:
        The finished record.

    Raises:
        ValueError: the configuration does not fit the dataset, or the parent not the configuration.
        StorageError: the disk is full, or the store may not be written.
        NotOnRecord: there is neither a record nor the dataset, or `$FER_TRAIN` is `never`.
    """
    store = Path(store or store_for(config.dataset))
    if parent:
        config.check_continues(parent.config)
    if dataset is None:
        try:
            dataset = load(config.dataset, root, **config.dataset_options)
        except FileNotFoundError as missing:
            if found := records.find(config, store):
                return found
            raise setup.NotOnRecord(f"{setup.called(config)}, and its dataset is not here. {missing}") from None
    if found := records.find(config, store, dataset.fingerprint):
        checkpoint.finish(found, keep_checkpoint)
        return found
    setup.check_may_train(config)
    folder = store / records.identify(config, dataset.fingerprint)
    training = _Training(config, dataset, folder, checkpoint_seconds)  # refuses what does not fit, before any file
    training.keep_checkpoint = keep_checkpoint
    with locks.claim(folder):
        if not records.is_done(folder):
            training.begin_from(parent)
            training.complete()
    return Record(folder)


class _Training:
    """The state and the steps of one run."""

    def __init__(self, config: RunConfig, dataset: FaceDataset, folder: Path, checkpoint_seconds: float) -> None:
        self.config, self.dataset, self.folder = config, dataset, folder
        self.split = splits.make(dataset, config.split)
        setup.check_parts(config, self.split)
        setup.check_room(config, self.split, dataset.n_classes)
        keras.utils.clear_session()
        backend.make_deterministic(config.seed)
        devices.distribute()
        self.model = setup.build(config, dataset.n_classes)
        self.loss = losses.get(config.loss, margin=config.margin, label_smoothing=config.label_smoothing)
        self.train_rows = setup.sampled(dataset.labels, self.split.train, config)
        self.image_weights = setup.image_weights(dataset.labels[self.train_rows], dataset.n_classes, config)
        self.checkpoint_path = folder / "checkpoint.npz"
        self.checkpoint_seconds, self.saved_at = checkpoint_seconds, time.monotonic()
        self.state = checkpoint.State()
        self.parent: Record | None = None
        self.keep_checkpoint = False
        self.provenance = devices.provenance()
        if config.start_from and not self.checkpoint_path.is_file():
            weights.start(self.model, config, dataset.class_names, folder.parent)
        self.compiled: Phase | None = None

    def begin_from(self, parent: Record | None) -> None:
        """Take over a parent's checkpoint, unless this run has one of its own already."""
        self.parent = parent
        if not parent or self.checkpoint_path.is_file():
            return
        same = parent.run["dataset"]["fingerprint"] == self.dataset.fingerprint
        same &= parent.run["backend"] == self.provenance["backend"]
        if not (same and checkpoint.adopt(parent.path, self.folder)):
            text = f"{self.folder.name} begins at the start: no checkpoint of {parent.id} to go on from."
            print(text, file=sys.stderr)

    def complete(self) -> None:
        """Restore, train to the end, score, write the record."""
        if state := checkpoint.load_state(self.checkpoint_path):
            self.state = state
            if state.epoch < self.config.epochs:
                state.kept.pop(f"block_{len(self.config.phases)}", None)  # a parent's end of this phase
            self._compile(self._phase(max(state.epoch - 1, 0))[1])
            checkpoint.load_variables(self.checkpoint_path, self.model)
        with self._progress_bar() as bar:
            for epoch in range(self.state.epoch, self.config.epochs):
                if self.state.stopped:
                    break
                self._epoch(epoch, bar)
        self._write_record()

    def _epoch(self, epoch: int, bar: tqdm) -> None:
        started = time.monotonic()
        index, phase, first = self._phase(epoch)
        if epoch == first or self.compiled is None:
            self._begin(phase)
        if phase.schedule == "constant":
            self.model.optimizer.learning_rate = phase.learning_rate * self.state.rate_factor
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        bar.set_description(f"{self.config.model} epoch {epoch + 1}/{self.config.epochs}", refresh=False)
        fitted = self._fit(epoch, phase, bar)
        row = {"epoch": epoch + 1, "phase": index + 1, "learning_rate": rate, **fitted, **self._evaluate()}
        row["seconds"] = time.monotonic() - started
        self.state.history.append(row)
        self.state.epoch = epoch + 1
        self.state.seconds += row["seconds"]
        self._keep(row, index, epoch + 1 == first + phase.epochs)
        self._react(row["val_loss"])
        bar.set_postfix(loss=f"{row['loss']:.3f}", val_accuracy=f"{row['val_accuracy']:.3f}", refresh=False)
        self._save_checkpoint()

    def _fit(self, epoch: int, phase: Phase, bar: tqdm) -> dict[str, float]:
        setup.reseed_dropout(self.model, self.config.seed, epoch)
        batches = augmentation.Batches(
            self.dataset.images,
            self._targets(self.train_rows),
            setup.draws(self.config, self.dataset.labels, self.split.train, self.train_rows, epoch),
            self.config.batch_size,
            self.config.seed,
            epoch,
            sample_weight=self.image_weights,
            size=phase.size,
            workers=2,
            rows=self.train_rows,
        )
        started = time.monotonic()
        on_batch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update())
        fitted = devices.fit(self.model, batches, [on_batch])
        self.state.train_seconds += time.monotonic() - started
        self.state.images += len(self.train_rows)
        if not np.isfinite(fitted["loss"]):
            raise FloatingPointError(
                f"A training needs a finite loss; epoch {epoch + 1} of {self.folder.name} ended with "
                f"{fitted['loss']}. Lower the learning rate, or check labels and penalties."
            )
        return fitted

    def _evaluate(self) -> dict[str, float]:
        """Loss and accuracy of the monitored part, accuracy of others whose best epoch is kept."""
        row: dict[str, float] = {}
        for part in setup.watched_parts(self.config):
            rows = getattr(self.split, part)
            logits = predict_logits(self.model, self.dataset.images, rows=rows)
            accuracy = float(np.mean(logits.argmax(axis=1) == self.dataset.labels[rows]))
            if part == self.config.monitor:
                row["val_loss"] = float(self.loss(self._targets(rows), logits))
                row["val_accuracy"] = accuracy
            else:
                row[f"{part}_accuracy"] = accuracy
        return row

    def _targets(self, rows: np.ndarray) -> np.ndarray:
        soft = self.dataset.label_distribution if self.config.dataset_options.get("labels") == "distribution" else None
        return (self.dataset.labels if soft is None else soft)[rows]

    def _keep(self, row: dict[str, Any], phase_index: int, phase_ends: bool) -> None:
        """Save the weights of epochs to be kept; superseded files go with the next checkpoint."""
        chosen = [f"block_{phase_index + 1}"] if phase_ends else []
        for name in self.config.keep:
            part = name.removeprefix("best_")
            column = "val_accuracy" if part == self.config.monitor else f"{part}_accuracy"
            if part != name and (accuracy := row[column]) > self.state.best.get(part, -1.0):
                self.state.best[part] = accuracy
                chosen.append(name)
        for name in set(chosen) & set(self.config.keep):
            self.state.kept[name] = row["epoch"]
            checkpoint.save_weights(self.model, self._weights_path(name))

    def _react(self, val_loss: float) -> None:
        """Plateau and early stopping, on the monitored loss."""
        state, config = self.state, self.config
        if val_loss < state.best_loss:
            state.best_loss, state.plateau_wait, state.stop_wait = val_loss, 0, 0
            return
        state.plateau_wait += 1
        state.stop_wait += 1
        if config.plateau_patience and state.plateau_wait >= config.plateau_patience:
            state.rate_factor, state.plateau_wait = state.rate_factor * config.plateau_factor, 0
        state.stopped = bool(config.early_stopping) and state.stop_wait >= config.early_stopping

    def _phase(self, epoch: int) -> tuple[int, Phase, int]:
        """The phase an epoch (from 0) belongs to: its index, itself, its first epoch."""
        first = 0
        for index, phase in enumerate(self.config.phases):
            if epoch < first + phase.epochs:
                return index, phase, first
            first += phase.epochs
        raise IndexError(epoch)

    def _begin(self, phase: Phase) -> None:
        self._compile(phase)
        self.state.best_loss, self.state.plateau_wait, self.state.stop_wait = float("inf"), 0, 0
        self.state.rate_factor = 1.0

    def _compile(self, phase: Phase) -> None:
        for layer in self.model.layers[:-1]:
            layer.trainable = phase.trainable == "all"
        soft = self.config.dataset_options.get("labels") == "distribution"
        accuracy = (keras.metrics.CategoricalAccuracy if soft else keras.metrics.SparseCategoricalAccuracy)("accuracy")
        steps = -(-len(self.train_rows) // self.config.batch_size)
        optimizer = setup.optimizer(self.config, phase, steps)
        self.model.compile(optimizer, self.loss, metrics=[accuracy], jit_compile=backend.jit_compile())
        self.model.optimizer.build(self.model.trainable_variables)
        self.compiled = phase

    def _save_checkpoint(self) -> None:
        if time.monotonic() - self.saved_at < self.checkpoint_seconds:
            return
        checkpoint.save(self.checkpoint_path, self.state, self.model)
        self.saved_at = time.monotonic()
        checkpoint.prune(self.folder, self.state.kept)

    def _weights_path(self, name: str) -> Path:
        return records.weights_path(self.folder, name, self.state.kept[name])

    def _write_record(self) -> None:
        """Score every kept epoch's weights and write the record; tidy up last."""
        if self.keep_checkpoint:
            checkpoint.save(self.checkpoint_path, self.state, self.model)
        stopped_before_any = not set(self.config.keep) & set(self.state.kept)
        if "last" in self.config.keep or stopped_before_any:
            self.state.kept["last"] = self.state.epoch
            checkpoint.save_weights(self.model, self._weights_path("last"))
        kept = [name for name in dict.fromkeys([*self.config.keep, "last"]) if name in self.state.kept]
        paths = {name: self._weights_path(name) for name in kept}
        in_float32 = self.config.precision == "float32"
        model = self.model if in_float32 else setup.build_float32(self.config, self.dataset.n_classes)
        found = scoring.predictions(model, paths, self.dataset, self.split, self.config.score_test)
        records.write(self.folder, self._description(kept), pd.DataFrame(self.state.history), found)
        checkpoint.prune(self.folder, self.state.kept)
        if not self.keep_checkpoint:
            self.checkpoint_path.unlink(missing_ok=True)

    def _description(self, kept: list[str]) -> dict[str, Any]:
        state, dataset = self.state, self.dataset
        return {
            "id": self.folder.name,
            **({"parent": self.parent.id} if self.parent else {}),
            "recipe_version": RECIPE_VERSION,
            "config": self.config.to_dict(),
            "dataset": {"name": dataset.name, "n": len(dataset), "fingerprint": dataset.fingerprint},
            "class_names": list(dataset.class_names),
            "split": {"hash": self.split.hash, **self.split.sizes},
            "kept_epochs": {name: state.kept[name] for name in kept},
            "chosen_on_test": list(self.config.chosen_on_test),
            "epochs": state.epoch,
            "stopped_early": state.stopped,
            "parameters": self.model.count_params(),
            **self.provenance,
            "seconds": round(state.seconds, 2),
            "images_per_second": round(state.images / max(state.train_seconds, 1e-9), 1),
            "peak_memory_mib": round(backend.peak_memory_mib()),
        }

    def _progress_bar(self) -> tqdm:
        """Off in log files, and in notebooks (whose bars do not ask TQDM_DISABLE themselves) when that is set."""
        steps = -(-len(self.train_rows) // self.config.batch_size)
        total, done = steps * self.config.epochs, steps * self.state.epoch
        off = os.environ.get("TQDM_DISABLE", "") not in ("", "0") if "ipykernel" in sys.modules else None
        return tqdm(total=total, initial=done, unit="step", mininterval=1.0, leave=False, disable=off)
