"""One run over two devices, and a run that is interrupted and goes on, under JAX with two virtual devices."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from killing import ROOT, assert_same_record

from fer_utils.records import Record

DEVICES = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
FLAGS = "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"  # compiles in half the time
CODE = """
import os, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, "tests/survival")
from killing import TINY
from fer_utils.records.config import Phase
from fer_utils.training import loop, run

config = replace(TINY, phases=(Phase(2, 0.001), Phase(2, 0.001, trainable="head")), batch_size=8, optimizer="sgd",
                 class_weights="balanced", dataset_options={"n_subjects": 9, "n_frames": 1})
places = Path(sys.argv[1])
one = run(config, store=places / "one")
begin = loop.Training.epoch

def interrupted(self, bar):
    if self.state.epoch == 3:
        raise KeyboardInterrupt
    begin(self, bar)

loop.Training.epoch = interrupted
try:
    run(config, store=places / "again", checkpoint_seconds=0)
except KeyboardInterrupt:
    loop.Training.epoch = begin
run(config, store=places / "again")
os.environ["FER_DEVICES"] = "2"
run(config, store=places / "two")
os.environ["FER_DEVICES"] = "3"
try:
    run(replace(config, seed=1), store=places / "three")
except ValueError as error:
    print(error)
"""


def record(store: Path) -> Record:
    (folder,) = store.iterdir()
    return Record(folder)


def started(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/without_tensorflow")])
    own: Mapping[str, str] = os.environ | DEVICES | {"PYTHONPATH": path, "XLA_FLAGS": FLAGS} | environment
    call = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(call, cwd=ROOT, env=own, capture_output=True, text=True, timeout=400, check=False)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the code above has put its records, and what it printed."""
    pytest.importorskip("jax")
    places = tmp_path_factory.mktemp("devices")
    done = started(CODE, places)
    assert done.returncode == 0, done.stderr[-3000:]
    return places, done.stdout


def test_two_devices_give_the_record_of_one(stores: tuple[Path, str]) -> None:
    """To the rounding of float32, whose sums two devices add in another order: 0.1 % here, after 16 steps."""
    one, two = (record(stores[0] / name) for name in ("one", "two"))
    assert two.id == one.id and two.run["device"] == f"2 x {one.run['device']}"
    assert one.run["split"]["train"] % 8 % 2 == 1, "the last batch of an epoch cannot be shared out evenly"
    for column in ("loss", "val_loss"):
        np.testing.assert_allclose(two.history[column], one.history[column], rtol=1e-3)
    for part in ("validation", "test"):
        for kept in one.kept:
            np.testing.assert_allclose(two.predictions(part, kept)[1], one.predictions(part, kept)[1], atol=0.02)


def test_under_jax_too_an_interrupted_run_is_the_undisturbed_one_to_the_bit(stores: tuple[Path, str]) -> None:
    assert_same_record(record(stores[0] / "again"), record(stores[0] / "one"))


def test_more_devices_than_there_are_is_refused(stores: tuple[Path, str]) -> None:
    assert "FER_DEVICES is at most the number of devices; got 3, and" in stores[1]


@pytest.mark.parametrize(
    ("devices", "message"),
    [("2", "needs Keras's JAX backend; got FER_DEVICES=2 with tensorflow"), ("two", "at least 1")],
)
def test_what_cannot_be_spread_is_refused(devices: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_utils.training import devices as spread

    monkeypatch.setenv("FER_DEVICES", devices)
    with pytest.raises(ValueError, match=message):
        spread.distribute()
