"""Averages of weights over training steps: what they are, that they alone are kept, and that they resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from trainings import FACES, assert_same_to_the_bit, stopped_and_taken_up

from fer_utils.data import FaceDataset
from fer_utils.data.splits import SplitSpec
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import averaging, devices, run, setup

PLAIN = RunConfig(
    "tiny", "synthetic", (Phase(2, 0.02), Phase(2, 0.01, "cosine")), split=SplitSpec("random", validation_size=0.3),
    dataset_options=FACES, batch_size=10, keep=("best_validation", "last"),
)  # fmt: skip
AVERAGED = replace(PLAIN, weight_averaging=0.8, mixup=0.3, cutmix=1.0)


@pytest.fixture(scope="module")
def trained(faces: FaceDataset, tmp_path_factory: pytest.TempPathFactory) -> Record:
    return run(AVERAGED, store=tmp_path_factory.mktemp("averaged"), dataset=faces)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_average_is_that_of_the_weights_after_every_step(faces: FaceDataset, optimizer: str) -> None:
    made = setup.prepare(replace(PLAIN, optimizer=optimizer, weight_averaging=0.8), faces)
    setup.compile_for(made, PLAIN.phases[0])
    steps: list[list[np.ndarray]] = []

    def values() -> list[np.ndarray]:
        if keras.backend.backend() == "jax":
            made.model.jax_state_sync()  # inside `fit`, a step's outcome is not in the variables yet
        return [np.array(keras.ops.convert_to_numpy(variable)) for variable in made.model.trainable_variables]

    noted = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(values()))
    for epoch in range(2):
        devices.fit(made.model, setup.batches(made, PLAIN.phases[0], epoch), [noted])
    average = steps[0]
    for step in steps[1:]:
        average = [0.8 * mean + 0.2 * value for mean, value in zip(average, step, strict=True)]
    with averaging.in_place(made.model):
        inside = values()
    for expected, found in zip(average, inside, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    for expected, found in zip(steps[-1], values(), strict=True):
        np.testing.assert_array_equal(found, expected)  # training goes on from the weights themselves
    assert len(steps) == 2 * made.steps


def test_a_training_is_the_same_with_it_and_what_is_scored_is_not(faces: FaceDataset, tmp_path: Path) -> None:
    plain, averaged = (
        run(replace(PLAIN, weight_averaging=momentum), store=tmp_path, dataset=faces) for momentum in (0.0, 0.8)
    )
    pd.testing.assert_series_equal(plain.history["loss"], averaged.history["loss"], check_exact=True)
    assert not np.array_equal(plain.history["val_loss"], averaged.history["val_loss"])
    for record in (plain, averaged):
        labels, logits = record.predictions("validation", "last")
        assert np.mean(logits.argmax(axis=1) == labels) == pytest.approx(record.history["val_accuracy"].iloc[-1])


@pytest.mark.survival
@pytest.mark.parametrize("stops_at", [2, 4])
def test_a_run_that_was_stopped_ends_the_same_to_the_bit(
    trained: Record, faces: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops_at: int
) -> None:
    again, begun = stopped_and_taken_up(AVERAGED, faces, tmp_path, monkeypatch, stops_at)
    assert begun == 5
    assert_same_to_the_bit(trained, again, "best_validation", "last")
