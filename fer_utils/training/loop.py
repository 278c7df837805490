"""One training, from a configuration to a record; killed at any moment, it goes on where it was."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from tqdm.auto import tqdm

from fer_utils import models, records
from fer_utils.data import FaceDataset, load
from fer_utils.files import locks
from fer_utils.files.paths import store_for
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import averaging, checkpoint, decisions, devices, recording, setup, teaching, weights
from fer_utils.training.scoring import predict_logits


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
        ValueError: the configuration does not fit the dataset, the parent not the configuration, or a network of the
            user's own is not the one that the record or the checkpoint was made with.
        StorageError: the disk is full, or the store may not be written.
        NotOnRecord: there is neither a record nor the dataset, or `$FER_TRAIN` is `never`.
        FileNotFoundError: the weights of the run that it starts from, or of a teacher, are not on this machine.
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
        recording.check_same_network(found)
        checkpoint.finish(found, keep_checkpoint)
        return found
    setup.check_may_train(config)
    folder = store / records.identify(config, dataset.fingerprint)
    prepared = setup.prepare(config, dataset)  # refuses what does not fit, before any file
    prepared = replace(prepared, teachers=teaching.teachers(prepared, store))
    training = Training(prepared, folder, checkpoint_seconds)
    training.take_weights()
    with locks.claim(folder) as training.held:
        if not records.is_done(folder):
            training.begin(parent)
            training.train()
            training.held()
            recording.write(prepared, training.state, folder, parent, keep_checkpoint)
    return Record(folder)


class Training:
    """One run's epochs: trains them in order and keeps, in `state` and in files, what a resumption needs.

    Each epoch is a `fit` of its own. One `fit` over all of them would be shorter and could not be resumed exactly:
    phases bring optimizers of their own, dropout starts each epoch from (seed, epoch), and what is monitored may be the
    test part or the training part as well as validation.
    """

    def __init__(self, prepared: setup.Setup, folder: Path, checkpoint_seconds: float) -> None:
        self.setup, self.folder, self.checkpoint_seconds = prepared, folder, checkpoint_seconds
        self.state = checkpoint.State(graph=models.graph_hash(prepared.model))
        self.held: Callable[[], None] = lambda: None  # raises where another process has taken over
        self.compiled: Phase | None = None
        self.saved_at = time.monotonic()

    @property
    def path(self) -> Path:
        """Where the checkpoint lies."""
        return self.folder / "checkpoint.npz"

    def take_weights(self) -> None:
        """Give the network the weights of the run that it starts from, if it names one and was not begun before."""
        config = self.setup.config
        if config.start_from and not self.path.is_file():
            weights.start(self.setup.model, config, self.setup.dataset.class_names, self.folder.parent)

    def begin(self, parent: Record | None) -> None:
        """Take up this run's own checkpoint, else its parent's."""
        config = self.setup.config
        if parent and not self.path.is_file() and not self._adopted(parent):
            text = f"{self.folder.name} begins at the start: no checkpoint of {parent.id} to go on from."
            print(text, file=sys.stderr)
        if state := checkpoint.load_state(self.path):
            recording.check_same_graph(self.state.graph, state.graph, str(self.path))
            self.state = state
            self._compile(decisions.place(config, max(state.epoch - 1, 0)).phase)
            checkpoint.load_variables(self.path, self.setup.model)

    def _adopted(self, parent: Record) -> bool:
        run = parent.run
        same_data = run["dataset"]["fingerprint"] == self.setup.dataset.fingerprint
        same_backend = run["backend"] == self.setup.provenance["backend"]
        return same_data and same_backend and checkpoint.adopt(parent, self.folder)

    def train(self) -> None:
        """All epochs that are left, until the last one or until early stopping ends the training."""
        config = self.setup.config
        with self._progress_bar() as bar:
            while self.state.epoch < config.epochs and not decisions.stops(config, self.state.history):
                self.epoch(bar)

    def epoch(self, bar: tqdm) -> None:
        """One epoch: set the rate, train, evaluate, keep the weights that are to be kept."""
        started, config, number = time.monotonic(), self.setup.config, self.state.epoch
        phase, index, first = decisions.place(config, number)
        if number == first or self.compiled is None:
            self._compile(phase)
        optimizer = self.setup.model.optimizer
        if phase.schedule == "constant":
            optimizer.learning_rate = decisions.learning_rate(config, self.state.history)
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        bar.set_description(f"{config.model} epoch {number + 1}/{config.epochs}", refresh=False)
        fitted = self.fit(phase, bar)
        with averaging.in_place(self.setup.model):
            row = {"epoch": number + 1, "phase": index + 1, "learning_rate": rate, **fitted, **self.evaluate()}
            row["seconds"] = time.monotonic() - started
            self.state.history.append(row)
            self.held()
            self._keep()
        self._save()
        bar.set_postfix(loss=f"{row['loss']:.3f}", val_accuracy=f"{row['val_accuracy']:.3f}", refresh=False)

    def fit(self, phase: Phase, bar: tqdm) -> dict[str, float]:
        """Train on every image once: `loss` and `accuracy` as means over the epoch's steps."""
        setup.reseed_dropout(self.setup.model, self.setup.config.seed, self.state.epoch)
        images = setup.batches(self.setup, phase, self.state.epoch)
        on_batch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update())
        started = time.monotonic()
        fitted = devices.fit(self.setup.model, images, [on_batch])
        self.state.train_seconds += time.monotonic() - started
        if not np.isfinite(fitted["loss"]):
            raise FloatingPointError(
                f"A training needs a finite loss; epoch {self.state.epoch + 1} of {self.folder.name} ended with "
                f"{fitted['loss']}. Lower the learning rate, or check labels and penalties."
            )
        return fitted

    def evaluate(self) -> dict[str, float]:
        """`val_loss` and `val_accuracy` of the monitored part, accuracy of others whose best epoch is kept."""
        made, row = self.setup, {}
        for part in made.config.watched:
            rows = getattr(made.split, part)
            logits = predict_logits(made.model, made.dataset.images, rows=rows)
            accuracy = float(np.mean(logits.argmax(axis=1) == made.dataset.labels[rows]))
            if part == made.config.monitor:
                row |= {"val_loss": float(made.loss(made.targets(rows), logits)), "val_accuracy": accuracy}
            else:
                row[f"{part}_accuracy"] = accuracy
        return row

    def _compile(self, phase: Phase) -> None:
        setup.compile_for(self.setup, phase)
        self.compiled = phase

    def _keep(self) -> None:
        """Save the weights of an epoch to be kept."""
        for name, epoch in decisions.kept_epochs(self.setup.config, self.state.history).items():
            if epoch == self.state.epoch:
                checkpoint.save_weights(self.setup.model, records.weights_path(self.folder, name, epoch))

    def _save(self) -> None:
        """Save a checkpoint when it is time; superseded files go with it."""
        if time.monotonic() - self.saved_at >= self.checkpoint_seconds:
            checkpoint.save(self.path, self.state, self.setup.model)
            self.saved_at = time.monotonic()
            checkpoint.prune(self.folder, decisions.kept_epochs(self.setup.config, self.state.history))

    def _progress_bar(self) -> tqdm:
        """Off in log files, and in notebooks (whose bars do not ask TQDM_DISABLE themselves) when that is set."""
        total, done = self.setup.steps * self.setup.config.epochs, self.setup.steps * self.state.epoch
        off = os.environ.get("TQDM_DISABLE", "") not in ("", "0") if "ipykernel" in sys.modules else None
        return tqdm(total=total, initial=done, unit="step", mininterval=1.0, leave=False, disable=off)
