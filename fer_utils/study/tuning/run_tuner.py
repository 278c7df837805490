"""KerasTuner over the study's runs: its oracles decide what is tried, `training.run` trains it.

What KerasTuner leaves to chance or half-written when it is killed is put right here, so that a search that goes on
tries exactly what an undisturbed one tries.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine import base_tuner
from keras_tuner.engine import trial as trials
from keras_tuner.errors import FailedTrialError, FatalRuntimeError

from fer_utils import records
from fer_utils.data import FaceDataset
from fer_utils.files import locks
from fer_utils.files.writing import atomic
from fer_utils.records import Record
from fer_utils.records.config import RunConfig
from fer_utils.study.tuning.plans import Real, Search, Space
from fer_utils.training import run

OBJECTIVE = keras_tuner.Objective("val_accuracy", "max")


class _Durable(keras_tuner.Oracle):
    """An oracle whose files appear whole or not at all, and whose trials keep their order."""

    def save(self) -> None:
        """Write the oracle's state."""
        _write(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: trials.Trial) -> None:
        _write(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def reload(self) -> None:
        """Read it back; forget a trial that began after it was written, and scores of one that has not ended."""
        super().reload()
        self.trials = {name: self.trials[name] for name in self.start_order}
        for name in self._retry_queue:
            self.trials[name].metrics = type(self.trials[name].metrics)()


class _Random(_Durable, keras_tuner.oracles.RandomSearchOracle):
    """Every trial drawn from the space without regard to the others."""


class _Hyperband(_Durable, keras_tuner.oracles.HyperbandOracle):
    """Many short trials, the best of which are trained longer."""


class _Bayesian(_Durable, keras_tuner.oracles.BayesianOptimizationOracle):
    """A Gaussian process over the finished trials proposes the next."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose; the random starts of the optimisation follow from the seed and the number of trials alone."""
        self._random_state = np.random.RandomState([self.seed, len(self.start_order)])
        return super().populate_space(trial_id)


def oracle(search: Search) -> keras_tuner.Oracle:
    """A fresh oracle for a search; its seed is 1 more than the search's, because KerasTuner takes 0 for none."""
    common = {
        "objective": OBJECTIVE,
        "hyperparameters": _hyperparameters(search.space),
        "allow_new_entries": False,
        "seed": search.seed + 1,
    }
    if search.method == "hyperband":
        return _Hyperband(max_epochs=search.max_epochs, factor=search.factor, **common)
    if search.method == "bayesian":
        return _Bayesian(max_trials=search.trials, num_initial_points=max(2, search.trials // 3), **common)
    return _Random(max_trials=search.trials, **common)


class RunTuner(base_tuner.BaseTuner):
    """A tuner each of whose trials is one run record; in Hyperband, a longer trial goes on from a shorter one's.

    Args:
        search: what is searched.
        dataset: loaded.
        store: folder of run records.
        project: folder of KerasTuner's own files; a search that was killed goes on from them.
    """

    def __init__(self, search: Search, dataset: FaceDataset, store: Path, project: Path) -> None:
        self.plan, self.dataset, self.store, self.trained = search, dataset, store, 0
        super().__init__(oracle(search), directory=str(project.parent), project_name=project.name, overwrite=False)

    def save(self) -> None:
        """Write the state of oracle and tuner (the latter has none, but its file says that there is a project)."""
        if not self._is_worker():
            self.oracle.save()
        _write(Path(self._get_tuner_fname()), {})

    def on_search_begin(self) -> None:
        """Leave a trace before the first trial, so that a kill during it is no loss either."""
        self.save()

    def run_trial(self, trial: trials.Trial, *_: Any, **__: Any) -> dict[str, float]:
        """Train one configuration and report its best validation accuracy.

        Raises:
            FailedTrialError: the training diverged; the search goes on.
            FatalRuntimeError: anything else went wrong; the search stops.
        """
        try:
            config, parent = self.config(trial), self.parent(trial)
            keep = self.plan.method == "hyperband"
            record = run(config, store=self.store, dataset=self.dataset, parent=parent, keep_checkpoint=keep)
        except FloatingPointError as error:
            raise FailedTrialError(str(error)) from error
        except Exception as error:
            raise FatalRuntimeError(f"Trial {trial.trial_id} could not be trained: {error}") from error
        self.trained += 1
        return {OBJECTIVE.name: record.metric("accuracy", "validation")}

    def config(self, trial: trials.Trial) -> RunConfig:
        """The run of a trial."""
        values = trial.hyperparameters.values
        return self.plan.configure(values, int(values.get("tuner/epochs", self.plan.max_epochs)))

    def parent(self, trial: trials.Trial) -> Record | None:
        """The finished run of the trial that a Hyperband trial goes on from."""
        earlier = trial.hyperparameters.values.get("tuner/trial_id")
        if not earlier:
            return None
        return self.record(self.oracle.get_trial(earlier))

    def record(self, trial: trials.Trial) -> Record | None:
        """The finished run of a trial, or None."""
        return records.find(self.config(trial), self.store, self.dataset.fingerprint)


def complete(search: Search, dataset: FaceDataset, store: Path, project: Path) -> list[dict[str, Any]] | None:
    """Search to the end and list the trials; None in a worker of the distributed mode."""
    if os.environ.get("KERASTUNER_ORACLE_IP") and "chief" not in os.environ.get("KERASTUNER_TUNER_ID", ""):
        worker = RunTuner(search, dataset, store, project)
        worker.search(verbose=0)
        print(f"{worker.tuner_id} trained {worker.trained} trials; the chief lists them.")
        return None
    with locks.claim(project):
        tuner = RunTuner(search, dataset, store, project)
        try:
            tuner.search(verbose=0)
        except FatalRuntimeError as error:
            raise error.__cause__ or error from None  # e.g. StorageError, which says what to do
    return [_row(tuner, tuner.oracle.trials[name]) for name in tuner.oracle.start_order]


def _row(tuner: RunTuner, trial: trials.Trial) -> dict[str, Any]:
    """What the measurement record keeps of a trial."""
    values = trial.hyperparameters.values
    record, parent = tuner.record(trial), tuner.parent(trial)
    config = tuner.config(trial)
    options = {"learning_rate": config.phases[0].learning_rate, **config.model_options}
    row: dict[str, Any] = {
        "trial": trial.trial_id,
        "run": record.id if record else None,
        "parent": parent.id if parent else None,
        "bracket": values.get("tuner/bracket"),
        "round": values.get("tuner/round"),
        "epochs": config.epochs,
        "own_epochs": config.epochs - (parent.run["epochs"] if parent else 0),
        "score": None,
        "values": {n: options.get(n, getattr(config, n, None)) for n in tuner.plan.space},
    }
    if record:
        seconds = record.history["seconds"][-row["own_epochs"] :].sum()
        labels, _ = record.predictions("validation")
        row |= {"score": record.metric("accuracy", "validation"), "log_loss": record.metric("log_loss", "validation")}
        row |= {"n": len(labels), "seconds": round(float(seconds), 2), "parameters": record.run["parameters"]}
    return row


def _hyperparameters(space: Space) -> keras_tuner.HyperParameters:
    """The space in KerasTuner's own terms."""
    found = keras_tuner.HyperParameters()
    for name, kind in space.items():
        if isinstance(kind, Real):
            found.Float(name, kind.low, kind.high, sampling="log" if kind.log else "linear")
        else:
            found.Choice(name, list(kind.values), ordered=True)
    return found


def _write(path: Path, state: Any) -> None:
    with atomic(path, "w") as file:
        json.dump(state, file)
