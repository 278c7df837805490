"""The queue: what the study still wants, what it will take here, and its trainings one after the other: `make queue`.

It runs on any machine. Where the time at hand is limited, what is under way is stopped, and goes on from its checkpoint
at the next call. A process that dies is named and its run is taken up again. Notebooks load what is finished.

The last digits of a training depend on how many processor cores compute it, because sums are then taken in another
order: a run that goes on is equal to the undisturbed one to the bit on as many cores as it was begun with.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fer_utils import records
from fer_utils.files import locks
from fer_utils.files.paths import store_for
from fer_utils.records import Record
from fer_utils.records.config import RunConfig
from fer_utils.study import costs, executors
from fer_utils.study.protocols import serves
from fer_utils.study.rows import Item, items

if TYPE_CHECKING:
    from fer_utils.study.tuning import Search

TRIES = 3
"""How often a run is begun whose process dies."""

_CHECKPOINT_SECONDS = 20.0


Afterwards = tuple[Callable[[Record], bool], Callable[[Record, "Path | None"], Any]]
"""What is done with a finished run while its weights are on this machine: whether something is left to do for a record,
and a function that does it, given the record and where datasets lie. A process must be able to import both."""


@dataclass(frozen=True)
class Job:
    """One piece of work for a process.

    Attributes:
        config: a run, or None.
        search: a search, or None.
        then: what is done with the run's weights.
        root: where the datasets lie.
    """

    config: RunConfig | None = None
    search: Search | None = None
    then: tuple[Afterwards, ...] = ()
    root: Path | None = None

    @property
    def name(self) -> str:
        """A readable name, unique to each job."""
        if self.search:
            return self.search.name
        config = self.config
        where = f"fold {config.split.fold + 1}" if config.split.kind == "kfold" else config.split.kind
        return f"{config.dataset} {config.model} {where} seed {config.seed} {config.key}"


def chosen(names: Sequence[str] = ()) -> list[Item]:
    """The items of these names in the queue's order; all without names.

    Raises:
        ValueError: no such item.
    """
    known = {item.name: item for item in items()}
    if unknown := set(names) - set(known):
        raise ValueError(f"Items of the queue are {', '.join(known)}; got {', '.join(sorted(unknown))}.")
    return [item for name, item in known.items() if not names or name in names]


def in_float32(item: Item) -> Item:
    """An item whose rows of reports are trained in float32 throughout; what prices bfloat16 stays."""
    return replace(item, configs=tuple(_exact(config) for config in item.configs))


def _exact(config: RunConfig) -> RunConfig:
    return replace(config, precision="float32") if config.protocol in ("reported", "sound") else config


def missing(item: Item) -> list[RunConfig]:
    """Its runs that are not on record, each once; one in float32 makes the same in bfloat16 superfluous."""
    unique = {config.key: config for config in item.configs}
    return [config for config in unique.values() if not _on_record(config)]


def _on_record(config: RunConfig) -> Record | None:
    store, exact = store_for(config.dataset), _exact(config)
    return records.find(config, store) or (records.find(exact, store) if exact != config else None)


def missing_searches(item: Item) -> list[Search]:
    """Its searches that are not on record."""
    if not item.searches:
        return []
    from fer_utils.study import tuning

    return [search for search in item.searches if not tuning.on_record(search)]


def lacking(item: Item) -> int:
    """How many cells of the main figure wait for its runs."""
    if not item.figure:
        return 0
    return len({p for config in missing(item) for p in ("reported", "sound") if serves(config, p)})


def ordered(found: Sequence[Item], speeds: Mapping[str, float]) -> list[Item]:
    """Items as they are carried out: those of the main figure first, the fewest hours a cell before others.

    Args:
        found: items.
        speeds: images a second by `costs.speed_key`; items of which one is not known come last, in the given order.
    """
    def per_cell(item: Item) -> float:
        cells, taken = lacking(item), item_hours(item, speeds)
        return taken / cells if cells and taken is not None else float("inf")

    figure = sorted((item for item in found if lacking(item)), key=per_cell)
    return figure + [_by_cost(item, speeds) for item in found if item not in figure]


def _by_cost(item: Item, speeds: Mapping[str, float]) -> Item:
    if not item.by_cost:
        return item
    known = {config: costs.hours(config, speeds) for config in item.configs}
    return replace(item, configs=tuple(sorted(known, key=lambda c: known[c] or costs.passes(c) / 1e6)))


def table(found: Sequence[Item], speeds: Mapping[str, float] | None = None) -> pd.DataFrame:
    """One row per item: its runs, how many are missing, what they will take.

    Args:
        found: items.
        speeds: images a second by `costs.speed_key`, see `speed_probe`; without, hours are not foreseen.
    """
    rows = []
    for item in found:
        taken = item_hours(item, speeds or {})
        rows.append({
            "item": item.name, "question": item.question,
            "runs": len({c.key for c in item.configs}) + len(item.searches),
            "missing": len(missing(item)) + len(missing_searches(item)), "cells it fills": lacking(item),
            "precision": ", ".join(dict.fromkeys(c.precision.removeprefix("mixed_") for c in item.configs)),
            "hours": "not measured" if taken is None else f"{taken:.2f}",
        })  # fmt: skip
    return pd.DataFrame(rows).set_index("item")


def item_hours(item: Item, speeds: Mapping[str, float]) -> float | None:
    """How long its missing runs and searches take one after the other, or None where a speed was not measured."""
    found = [costs.hours(config, speeds) for config in [*missing(item), *map(_as_run, missing_searches(item))]]
    return None if None in found else sum(found)


def _as_run(search: Search) -> RunConfig:
    """One training as long as all trials of a search together."""
    return replace(search.start, phases=(replace(search.start.phases[0], epochs=search.trials * search.max_epochs),))


def passes(found: Sequence[Item]) -> dict[str, float]:
    """Images that the missing runs and searches of items train on, by `costs.speed_key`."""
    counted: dict[str, float] = {}
    for item in found:
        for config in [*missing(item), *map(_as_run, missing_searches(item))]:
            for phase in config.phases:
                key = costs.speed_key(config, phase.size)
                counted[key] = counted.get(key, 0.0) + costs.passes(config) * phase.epochs / config.epochs
    return counted


def jobs(found: Sequence[Item], root: Path | None = None, then: Sequence[Afterwards] = ()) -> dict[str, Job]:
    """What is left to do for items, in order, by name: measurements of runs whose weights are here among it."""
    made = []
    for item in found:
        for config in {config.key: config for config in item.configs}.values():
            record = _on_record(config)
            if not record or any(_due(due, record) for due, _ in then):
                made.append(Job(record.config if record else config, None, tuple(then), root))
        made += [Job(search=search, root=root) for search in missing_searches(item)]
    return {job.name: job for job in made}


def _due(due: Callable[[Record], bool], record: Record) -> bool:
    """Nothing is due of a record that cannot be read; `python -m fer_utils runs` says what is wrong with it."""
    with suppress(OSError, ValueError):
        return due(record)
    return False


def run(
    found: Sequence[Item], workers: int = 1, minutes: float | None = None, root: Path | None = None,
    *, cores: Sequence[Sequence[int]] | None = None, then: Sequence[Afterwards] = (),
) -> pd.Series:  # fmt: skip
    """Do what is missing, in order, in processes of their own.

    Args:
        found: items.
        workers: processes side by side.
        minutes: stop after so long; a run under way goes on from its checkpoint at the next call.
        root: where the datasets lie.
        cores: of each process, see `executors.process_pool`.
        then: what is done with each finished run while its weights are here.

    Returns:
        What became of each job, by its name: `"done"`, `"under way"`, `"not begun"`, or `"failed: …"`.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several processes share a GPU's memory
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    todo, end = jobs(found, root, then), None if minutes is None else time.monotonic() + 60 * minutes
    state = dict.fromkeys(todo, "not begun")
    pool = executors.process_pool(workers, cores)

    def begin(name: str, _: int) -> Future[str]:
        state[name] = "under way"
        return pool.submit(_do, todo[name])

    try:
        for ended in executors.carried_out(
            begin, todo, tries=TRIES, at_once=workers, until=end,
            ready=lambda name: not _waits_for(todo[name]), later=lambda name: _is_held(todo[name]),
        ):  # fmt: skip
            said = _said(ended.future, ended.again, ended.attempt)
            state[ended.key] = state[ended.key] if ended.again else said
            print(f"{ended.key}: {said}", flush=True)
    finally:
        pool.stop()
    return pd.Series({name: _left(todo[name], said) for name, said in state.items()}, dtype=str)


def _said(future: Future[str], again: bool, attempt: int) -> str:
    error = future.exception()
    if error is None:
        return future.result()
    return f"{error}; its run is taken up again" if again else f"failed: {error}, in {attempt} tries"


def _left(job: Job, said: str) -> str:
    """What to say of a job that nothing was heard of; it may have been begun in an earlier call."""
    if said != "not begun":
        return said
    if _folders(job):
        return "under way"
    waits = _waits_for(job)
    return f"not begun: waits for {', '.join(waits)}" if waits else said


def _folders(job: Job) -> list[Path]:
    """Where its run will be recorded, if it has been begun and is not finished."""
    found = store_for(job.config.dataset).glob(f"*-{job.config.key}-*") if job.config else ()
    return [path for path in found if path.is_dir() and not records.is_done(path)]


def _is_held(job: Job) -> bool:
    """Whether another process, perhaps of another machine's queue, is at its run."""
    with suppress(OSError):  # what this user may not write fails alone, in its turn
        return any(locks.is_claimed(folder) for folder in _folders(job))
    return False


def _waits_for(job: Job) -> list[str]:
    """The runs whose weights it needs and that are not finished, by id."""
    needed = job.config.needs if job.config else ()
    return [name for name in needed if not records.is_done(store_for(job.config.dataset) / name)]


def _do(job: Job) -> str:
    """What a process does; whatever stops one job must not stop the others, so that an error is an answer."""
    try:
        if job.search:
            from fer_utils.study import tuning

            tuning.search(job.search, root=job.root)
            return "done"
        from fer_utils.training import run as train

        record = train(job.config, root=job.root, checkpoint_seconds=_CHECKPOINT_SECONDS)
        return _measured(record, job)
    except Exception as error:
        return f"failed: {type(error).__name__}: {error}"


def _measured(record: Record, job: Job) -> str:
    for due, take in job.then:
        try:
            if due(record):
                take(record, job.root)
        except Exception as error:
            return f"failed: trained, but not measured: {type(error).__name__}: {error}"
    return "done"
