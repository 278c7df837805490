"""How fast networks train here, for the queue's hours; run as a program, what the harness adds to the bare step.

Images of noise will do: speed does not depend on what an image shows.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from fer_utils import records
from fer_utils.data import augmentation
from fer_utils.files.paths import project_root, reports_root
from fer_utils.models import losses
from fer_utils.records.config import RunConfig
from fer_utils.study import costs, executors, protocols, queue
from fer_utils.training import backend, faster_layers, setup

STEPS = 6
"""Timed steps of a network of the queue."""

MOST_WORKERS = 8
_WARM = 2
_HEAVIEST = 3  # networks by which one process is compared with several
_PATIENCE = 300.0  # seconds that processes wait for each other


def distinct(found: Sequence[queue.Item]) -> dict[str, tuple[RunConfig, int | None]]:
    """One configuration and image size for every `costs.speed_key` of the missing runs and searches.

    What teachers cost is not measured: they need not be trained yet.
    """
    missing = [config for item in found for config in queue.missing(item) if not config.teachers]
    missing += [search.start for item in found for search in queue.missing_searches(item)]
    return {costs.speed_key(c, p.size): (c, p.size) for c in reversed(missing) for p in reversed(c.phases)}


class _Timed:
    """A compiled network, n batches of noise, and the ways in which they can be fed."""

    def __init__(self, config: RunConfig, size: int | None, n: int) -> None:
        self.config, self.size = config, size
        keras.utils.clear_session()
        n_classes = 8 if config.dataset == "ferplus" else 7
        self.model = self._compiled(setup.rebuild(config, n_classes, config.precision))
        generator = np.random.default_rng(0)
        self.images = generator.integers(0, 256, (n * config.batch_size, 48, 48), dtype=np.uint8)
        self.labels = generator.integers(0, n_classes, len(self.images))

    @cached_property
    def unchanged(self) -> keras.Model:
        """The same network, whose layers compute as Keras has them; made where it is asked for."""
        return self._compiled(keras.Model.from_config(self.model.get_config()))

    def _compiled(self, model: keras.Model) -> keras.Model:
        optimizer, loss = setup.optimizer(self.config, self.config.phases[0], 100), losses.get(self.config.loss)
        model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=backend.jit_compile())
        return model

    def fed(self, steps: int) -> None:
        """A real epoch of so many steps, with the run's augmentation."""
        batch = self.config.batch_size
        rows = np.arange(steps * batch) % len(self.images)
        drawn = setup.draws(self.config, self.labels, np.arange(len(self.labels)), rows, 0)
        batches = augmentation.Batches(
            self.images[rows], self.labels[rows], drawn, batch, 0, 0, size=self.size, workers=2
        )  # fmt: skip
        self.model.fit(backend.feed(batches), epochs=1, shuffle=False, verbose=0)

    def plain(self, steps: int) -> None:
        """Steps on one batch that stays in memory, by Keras's own layers."""
        self._repeat(self.unchanged, steps)

    def bare(self, steps: int) -> None:
        """The same by the layers that the study trains with."""
        self._repeat(self.model, steps)

    def _repeat(self, model: keras.Model, steps: int) -> None:
        batch = slice(0, self.config.batch_size)
        images = augmentation.prepare(self.images[batch], self.size or 48)
        for _ in range(steps):
            model.train_on_batch(images, self.labels[batch])

    def rate(self, train: Callable[[int], None], steps: int) -> float:
        """Images a second of `train(steps)`."""
        start = time.perf_counter()
        train(steps)
        return steps * self.config.batch_size / (time.perf_counter() - start)


def fed(config: RunConfig, size: int | None, steps: int = STEPS, meeting: Path | None = None, n: int = 1) -> float:
    """Images a second of one network in a real epoch, with the run's augmentation.

    Args:
        config: a run.
        size: side of its images in pixels; None for 48.
        steps: timed steps, after a few that are not.
        meeting: an empty folder in which processes that are timed together wait for each other.
        n: how many they are.
    """
    timed = _Timed(config, size, steps + _WARM)
    timed.fed(_WARM)
    if meeting:
        (meeting / str(os.getpid())).touch()
        end = time.monotonic() + _PATIENCE
        while len(list(meeting.iterdir())) < n and time.monotonic() < end:
            time.sleep(0.02)
    return timed.rate(timed.fed, steps)


def overhead(config: RunConfig, seconds: float = 3.0, rounds: int = 5) -> dict[str, float]:
    """What faster layers save of one network's bare training step, and what feeding and augmenting add to it.

    Args:
        config: a run.
        seconds: about how long each timing takes, with steps enough that a `fit`'s own beginning hardly counts.
        rounds: timings of each, in turns, so that other work on the machine disturbs all alike; medians count.

    Returns:
        `plain` (Keras's own layers), `bare` and `fed` in images a second, and `added`, the share by which a fed step
        takes longer than a bare one.
    """
    timed = _Timed(config, None, _WARM)
    ways = (timed.plain, timed.bare, timed.fed)
    for train in ways:
        train(_WARM)
    steps = max(_WARM, round(seconds * timed.rate(timed.bare, _WARM) / config.batch_size))
    found = np.array([[timed.rate(train, steps) for train in ways] for _ in range(rounds)])
    medians = dict(zip(("plain", "bare", "fed"), np.median(found, axis=0).tolist(), strict=True))
    return medians | {"added": float(np.median(found[:, 1] / found[:, 2] - 1))}


def speeds(name: str | None = None, workers: int = 1) -> dict[str, float]:
    """Images a second by `costs.speed_key`, as measured with today's code and kept; empty where nothing was.

    Args:
        name: of the device, as `backend.device()` gives it; default: this one.
        workers: processes side by side, of which this is the sum.
    """
    stores = dict.fromkeys(root / "measurements" for root in (project_root() / "reports", reports_root()))
    pattern = f"{_record_name(name or backend.device(), workers)}-*"
    found = [
        records.Measurement(path).values for store in stores for path in store.glob(pattern) if records.is_done(path)
    ]
    made = _made_by()
    return {v["key"]: v["fed"] for v in found if v.get("workers", 1) == workers and v.get("made by") == made}


def _made_by() -> str:
    """A digest of what the speed of a network's step hangs on: library versions and the code of its faster layers."""
    code = [Path(module.__file__).read_text(encoding="utf-8") for module in (faster_layers, backend)]
    return hashlib.blake2b(repr((*code, backend.versions())).encode(), digest_size=5).hexdigest()


def _record_name(device: str, workers: int) -> str:
    beside = f"-x{workers}" if workers > 1 else ""
    return "probe-" + "-".join(device.lower().replace(",", "").split()) + f"-{keras.backend.backend()}{beside}"


def run(found: Sequence[queue.Item], steps: int = STEPS, workers: int = 1) -> dict[str, float]:
    """Measure every network of what is missing that was not measured on this machine, and keep it.

    Args:
        found: items.
        steps: timed steps of each.
        workers: processes that do the same side by side, on shares of the cores.

    Returns:
        Images a second by `costs.speed_key`; a network whose process died is not among them.
    """
    return _measured(distinct(found), steps, workers)


def _measured(wanted: Mapping[str, tuple[RunConfig, int | None]], steps: int, workers: int) -> dict[str, float]:
    known, prefix, busy = speeds(workers=workers), _record_name(backend.device(), workers), load()
    about = {"device": backend.device(), "backend": keras.backend.backend(), "workers": workers, "steps": steps,
             "made by": _made_by()}  # fmt: skip
    new = [key for key in wanted if key not in known]
    if new and busy > 1:
        print(f"Other work is going on here (load average {busy:.1f}): networks are slower than they would be alone. "
              "Speeds are kept; remove reports/measurements/probe-* to measure them again.", flush=True)  # fmt: skip
    pool = executors.process_pool(workers, shares(workers))
    try:
        for key in new:
            try:
                rate = _together(pool, workers, *wanted[key], steps)
            except executors.WorkerDiedError as died:
                print(f"{key}: not measured: {died}", flush=True)
                continue
            digest = hashlib.blake2b((key + about["made by"]).encode(), digest_size=5).hexdigest()
            values = {**about, "key": key, "fed": rate, "load average": busy}
            records.measure(f"{prefix}-{digest}", reports_root() / "measurements", lambda v=values: (v, {}))
            known[key] = rate
            print(f"{key}: {rate:.0f} images/s" + (f" with {workers} processes" if workers > 1 else ""), flush=True)
    finally:
        pool.stop()
    return {key: known[key] for key in wanted if key in known}


def _together(
    pool: executors.ProcessPool, workers: int, config: RunConfig, size: int | None, steps: int
) -> float:  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="fer-probe-") as folder:
        asked = [pool.submit(fed, config, size, steps, Path(folder), workers) for _ in range(workers)]
        return sum(future.result() for future in asked)


def load() -> float:
    """How many processes want to run on this machine, a mean over the last minute; NaN where it does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def shares(workers: int) -> list[list[int]] | None:
    """The processor cores of each of some processes; None where they share a GPU, or there are too few cores."""
    if workers == 1 or not _on_cpu() or not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return [part.tolist() for part in np.array_split(cores, workers)] if len(cores) >= workers else None


def _on_cpu() -> bool:
    return backend.device().endswith(("core", "cores"))


def most_workers() -> int:
    """How many processes might pay: one a core, or two on a GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_WORKERS) if _on_cpu() else 2


def paying(found: Sequence[queue.Item], steps: int = STEPS) -> int:
    """How many processes do most in the same time: 1 with all cores, or one a core (two on a GPU). Measured, and kept.

    The networks that need most of the time decide.

    Args:
        found: items, whose networks `run` has measured.
        steps: timed steps of each.
    """
    several, alone, passes = most_workers(), speeds(), queue.passes(found)
    taken = {key: n / alone[key] for key, n in passes.items() if alone.get(key)}
    heaviest = sorted(taken, key=taken.get, reverse=True)[:_HEAVIEST]
    if several == 1 or not heaviest:
        return 1
    networks = distinct(found)
    together = _measured({key: networks[key] for key in heaviest}, steps, several)
    if len(together) < len(heaviest):
        return 1  # too large to stand side by side
    gain = sum(taken[key] for key in heaviest) / sum(passes[key] / together[key] for key in heaviest)
    print(f"{several} processes side by side do {gain:.2f} times as much as one alone.", flush=True)
    return several if gain > 1 else 1


def main() -> None:
    """Time the step by Keras's own layers, by faster ones and in the harness, in both precisions; write it if asked."""
    parser = argparse.ArgumentParser(prog="python -m fer_utils.study.speed_probe", description=main.__doc__)
    parser.add_argument("--record", metavar="NAME", help="also write the measurement record harness-NAME")
    known = [row.model for row in protocols.REPORTED if row.dataset == "fer2013"]
    parser.add_argument("--networks", nargs="+", choices=known, default=known)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each timing, about (default: 3)")
    options = parser.parse_args()
    where = f"{backend.device()}; load average before the start {load():.1f}"
    print(where, flush=True)
    rows = {}
    for name in options.networks:
        (config,) = protocols.configs(name, "fer2013", "sound")
        for precision in ("float32", "mixed_bfloat16"):
            rows[f"{name}, {precision}"] = overhead(replace(config, precision=precision), options.seconds)
            print(f"{name}, {precision}: {_in_words(rows[f'{name}, {precision}'])}", flush=True)
    if options.record:
        values = {"machine": where, "seconds of a timing": options.seconds, "networks": rows}
        records.measure(f"harness-{options.record}", reports_root() / "measurements", lambda: (values, {}))


def _in_words(found: Mapping[str, float]) -> str:
    plain, bare, fed = (f"{found[way]:.0f}" for way in ("plain", "bare", "fed"))
    return f"{plain} images/s by Keras's layers, {bare} by faster ones, {fed} fed: {100 * found['added']:+.1f} %"


if __name__ == "__main__":
    main()
