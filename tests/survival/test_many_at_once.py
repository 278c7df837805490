"""Many runs at once: in processes, on a Dask cluster, with workers that die in the midst."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import psutil
import pytest
from killing import ROOT, TINY, assert_no_litter, assert_same_record, lengthened

from fer_utils import records
from fer_utils.data.splits import SplitSpec
from fer_utils.files import locks
from fer_utils.files.paths import store_for
from fer_utils.records import Record
from fer_utils.records.config import RunConfig
from fer_utils.study import StudyError, process_pool, queue, run_study, runs
from fer_utils.training import checkpoint, run

LONG = lengthened(replace(TINY, seed=1), 12)
STUDY = [LONG, *(lengthened(replace(TINY, seed=seed), 3) for seed in (2, 3, 4))]
IMPOSSIBLE = replace(TINY, split=SplitSpec("random", 0.25))
"""Watches a validation part that is empty."""


def wait_for(condition: object, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    store = tmp_path_factory.mktemp("undisturbed")
    return [run(config, store=store) for config in STUDY]


# --- Dask: a scheduler and two workers, each a process of its own on loopback ---------------------------------------


@dataclass(frozen=True)
class Cluster:
    """A scheduler's address, its workers, and what they note: one line per epoch begun."""

    address: str
    workers: dict[int, subprocess.Popen]
    log: Path

    def begun(self) -> pd.DataFrame:
        text = self.log.read_text() if self.log.exists() else ""
        rows = [line.split() for line in text.splitlines()]
        return pd.DataFrame(rows, columns=["host", "process", "run", "epoch"]).astype({"process": int, "epoch": int})


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    contact, log = tmp_path / "scheduler.json", tmp_path / "log"
    environment = os.environ | {"WORKER_LOG": str(log), "PYTHONPATH": str(ROOT)}
    quiet = {"cwd": ROOT, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    shared = ["--scheduler-file", str(contact), "--no-dashboard"]
    scheduler = subprocess.Popen([*dask, "scheduler", *shared, "--host", "127.0.0.1", "--port", "0"], **quiet)
    own = ["--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path), "--preload",
           str(Path(__file__).with_name("worker_log.py"))]  # fmt: skip
    workers = [subprocess.Popen([*dask, "worker", *shared, *own], **quiet) for _ in range(2)]
    try:
        yield Cluster(address_in(contact), {worker.pid: worker for worker in workers}, log)
    finally:
        for process in [*workers, scheduler]:
            process.kill()
            process.wait()


def address_in(contact: Path) -> str:
    wait_for(contact.exists)
    from distributed import Client

    with Client(scheduler_file=str(contact), set_as_default=False) as client:
        client.wait_for_workers(2, timeout=120)
        return client.scheduler.address


def test_a_workers_death_costs_an_epoch_and_no_run_is_done_twice(
    cluster: Cluster, reference: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_SCHEDULER", cluster.address)
    store = tmp_path / "runs"
    killer = subprocess.Popen([sys.executable, "-c", KILLER, str(cluster.log), str(store)], cwd=ROOT)
    with pytest.raises(StudyError) as failed:
        run_study([*STUDY, IMPOSSIBLE], store=store)
    assert killer.wait() == 0
    assert str(failed.value).startswith("1 of 5 runs failed, each tried twice:\n- synthetic tiny ")
    assert IMPOSSIBLE.key in str(failed.value) and "which is empty" in str(failed.value)
    (dead,) = [pid for pid, worker in cluster.workers.items() if worker.poll() == -signal.SIGKILL]
    assert_taken_up_again(cluster.begun(), reference[0].id, dead)
    for expected in reference:
        assert_same_record(Record(store / expected.id), expected)
    assert len(records.find_all(store)) == len(STUDY) and not list(store.glob(".seen*"))
    assert_no_litter(store)
    again = run_study(STUDY, store=store)
    assert [record.id for record in again] == [one.id for one in reference]
    assert len(cluster.begun()) == sum(c.epochs for c in STUDY) + 1, "loaded, not trained"


KILLER = """
import os, signal, sys, time
from pathlib import Path
log, store = Path(sys.argv[1]), Path(sys.argv[2])
while True:  # kill the worker that is in the sixth epoch of the long run
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    if found := [int(pid) for _, pid, run, epoch in lines if "-s1-" in run and epoch == "5"]:
        os.kill(found[0], signal.SIGKILL)
        break
    time.sleep(0.005)
"""


def assert_taken_up_again(begun: pd.DataFrame, long: str, dead: int) -> None:
    """Each epoch of each run was begun once, but for the one that the dead worker was in."""
    twice = begun[begun.duplicated(["run", "epoch"], keep=False)]
    assert set(twice["run"]) <= {long} and twice["epoch"].nunique() == 1 and len(twice) == 2
    assert begun.groupby("run")["epoch"].nunique().to_dict() == {
        name: 12 if name == long else 3 for name in begun["run"].unique()
    }
    first, second = (begun[(begun["run"] == long) & ((begun["process"] == dead) == own)] for own in (True, False))
    assert first["epoch"].min() == 0 and first["epoch"].max() >= 5
    assert second["epoch"].min() == first["epoch"].max(), "it went on from the checkpoint"
    assert second["process"].nunique() == 1


def test_a_worker_that_does_not_see_the_store_says_so(tmp_path: Path) -> None:
    from fer_utils.study.executors import UnsharedError, work

    with pytest.raises(UnsharedError, match=rf"{tmp_path} is another folder on this worker") as failed:
        work(tmp_path / "sign", 1, print)
    assert failed.value.__notes__


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FER_SCHEDULER", "tcp://127.0.0.1:9")
    monkeypatch.setattr("fer_utils.study.executors.PATIENCE", "1s")
    with pytest.raises(ConnectionError, match=r"none answers at tcp://127\.0\.0\.1:9"):
        run_study([TINY], store=tmp_path)


# --- processes of this machine ---------------------------------------------------------------------------------------


def mortal(config: dict, root: Path, store: Path) -> Path:
    """A training whose process dies in the third epoch of the long run, if it began at the first."""
    from fer_utils.training import loop

    begin = loop.Training.epoch

    def deadly(self: loop.Training, bar: object) -> None:
        epoch, seed = self.state.epoch, self.setup.config.seed
        with (store / f"epochs-{seed}").open("a") as file:
            file.write(f"{epoch}\n")
        if seed == 1 and epoch == 2 and not (store / "died").exists():
            (store / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        begin(self, bar)

    loop.Training.epoch = deadly
    try:
        return run(RunConfig.from_dict(config), root=root, store=store, checkpoint_seconds=0).path
    finally:
        loop.Training.epoch = begin


def test_a_process_that_dies_takes_no_other_run_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_train", mortal)
    configs = [lengthened(replace(TINY, seed=seed), 4) for seed in (1, 2, 3)]
    with process_pool(2) as pool, pytest.raises(StudyError, match=rf"1 of 4 runs failed(.|\n)*{IMPOSSIBLE.key}"):
        run_study([*configs, IMPOSSIBLE], pool, store=tmp_path)
    assert {record.config.seed for record in records.find_all(tmp_path)} == {1, 2, 3}
    epochs = {seed: (tmp_path / f"epochs-{seed}").read_text().split() for seed in (1, 2, 3)}
    assert epochs == {1: ["0", "1", "2", "2", "3"], 2: list("0123"), 3: list("0123")}


def job_in_a_process_that_dies(job: queue.Job) -> str:
    """What the queue has a process do; that of the long run's first try dies after its second checkpoint."""
    save, queue._CHECKPOINT_SECONDS = checkpoint.save, 0.0
    died, saved = store_for("synthetic").parent / "died", []

    def deadly(*arguments: object) -> None:
        save(*arguments)
        saved.append(1)
        if job.config.seed == LONG.seed and len(saved) == 2 and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.save = deadly
    try:
        return queue._do(job)
    finally:
        checkpoint.save = save


def test_the_queue_outlives_its_processes_and_takes_their_runs_up_again(
    reference: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FER_REPORTS", str(tmp_path))
    monkeypatch.setattr(queue, "_do", job_in_a_process_that_dies)
    state = queue.run([queue.Item("a", "b", tuple(STUDY))], workers=2)
    assert set(state) == {"done"} and (store_for("synthetic").parent / "died").exists()
    assert f"{LONG.key}: its process " in (said := capsys.readouterr().out) and said.count("taken up again") == 1
    for expected in reference:
        assert_same_record(Record(store_for("synthetic") / expected.id), expected)
    assert_no_litter(store_for("synthetic"))


POOL = """
import time
from fer_utils.study.executors import process_pool
if __name__ == "__main__":
    pool = process_pool(1)
    pool.submit(print, "begun", flush=True).result()
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


def test_the_processes_of_a_pool_end_with_the_one_that_made_it(tmp_path: Path) -> None:
    (tmp_path / "pool.py").write_text(POOL)
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    made = psutil.Popen([sys.executable, tmp_path / "pool.py"], env=variables, stdout=subprocess.PIPE, text=True)
    assert made.stdout.readline() == "begun\n"
    children = made.children(recursive=True)
    made.kill()
    made.wait()
    assert children and not psutil.wait_procs(children, timeout=20)[1]


# --- claims of another machine ---------------------------------------------------------------------------------------

HOLDER = """
import os, pathlib, socket, sys, time
socket.gethostname = lambda: "another-machine"
from fer_utils.files import locks
locks.LEASE_SECONDS = 2.0
with locks.claim(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_claim_of_another_machine_holds_while_its_heart_beats_and_not_much_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LEASE_SECONDS", 2.0)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "run"], cwd=ROOT, stdout=-1, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(TimeoutError), locks.claim(tmp_path / "run", timeout=5):
        pass
    holder.kill()
    holder.wait()
    started = time.monotonic()
    with locks.claim(tmp_path / "run"):
        assert 1 < time.monotonic() - started < 10, "nobody here can know at once that a process there is dead"
    assert_no_litter(tmp_path)
