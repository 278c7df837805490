"""Many runs: train or load them, in this process or through any executor, and pool what they predict."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_utils.data import data_root
from fer_utils.files.paths import project_root, reports_root, store_for
from fer_utils.files.writing import StorageError
from fer_utils.records import Record, find, find_all, is_done
from fer_utils.records.config import RunConfig
from fer_utils.study import executors, protocols
from fer_utils.study.pooling import pool


class StudyError(RuntimeError):
    """Some runs failed; the message names each, the others are finished and recorded."""


def run_study(
    configs: Iterable[RunConfig],
    executor: Executor | None = None,
    *,
    root: str | Path | None = None,
    store: str | Path | None = None,
) -> list[Record]:
    """Train what is missing, load what is there.

    Args:
        configs: the runs; equal ones are trained once.
        executor: anything with `concurrent.futures`' interface, e.g. `process_pool(2)` or Dask's
            `Client(...).get_executor()`; default: the workers of the Dask scheduler that `$FER_SCHEDULER` names, else
            one after the other in this process. Workers see the datasets and the store under the same paths.
        root: where the datasets lie.
        store: folder of records; default by dataset.

    Returns:
        One record per configuration, in their order.

    Raises:
        StudyError: a run failed twice. The others were finished first.
        StorageError: this process cannot write records.
    """
    configs = list(configs)
    unique = {config.key: config for config in configs}
    places = {key: Path(store or store_for(config.dataset)).absolute() for key, config in unique.items()}
    where = data_root(root).absolute()
    jobs = {key: (config.to_dict(), where, places[key]) for key, config in unique.items()}
    with _chosen(executor) as workers, executors.store_signs(places.values() if workers else ()) as signs:
        ends = executors.carried_out(lambda key, attempt: _submit(workers, attempt, jobs[key], signs), jobs)
        ended = {end.key: end.future for end in ends}
    failures = {key: ended[key].exception() for key in jobs if ended[key].exception()}
    if failures:
        raise StudyError(_named(unique, failures)) from next(iter(failures.values()))
    return [Record(ended[config.key].result()) for config in configs]


def _chosen(executor: Executor | None) -> AbstractContextManager[Executor | None]:
    address = os.environ.get("FER_SCHEDULER")
    return executors.dask(address) if address and executor is None else nullcontext(executor)


def _submit(
    executor: Executor | None, number: int, job: tuple[Any, ...], signs: Mapping[Path, Path | None]
) -> Future[Path]:
    """A future of `_train(*job)`; without an executor it is done here and now."""
    future: Future[Path] = Future()
    try:
        if executor:  # its `submit` raises where a dead worker has broken it
            return executor.submit(executors.work, signs[job[-1]], number, _train, *job)
        future.set_result(_train(*job))
    except StorageError:
        raise  # the next run could not be written either
    except Exception as error:
        future.set_exception(error)
    return future


def _named(configs: Mapping[str, RunConfig], failures: Mapping[str, Exception]) -> str:
    lines = [f"{len(failures)} of {len(configs)} runs failed, each tried twice:"]
    for key, error in failures.items():
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        lines.append(f"- {configs[key].dataset} {configs[key].model} {key}: {error}{notes}")
    return "\n".join(lines)


def _train(config: Mapping[str, Any], root: str | Path | None, store: Path | None) -> Path:
    from fer_utils.training import run

    return run(RunConfig.from_dict(config), root=root, store=store).path


def listing(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run: id, protocol, epochs, accuracy on validation and test, cost, and what was chosen on test."""
    rows = []
    for record in records:
        run, kept = record.run, record.kept[0]
        scores = {part: run["metrics"].get(part, {}).get(kept, {}).get("accuracy") for part in ("validation", "test")}
        rows.append(
            {
                "id": record.id,
                "protocol": record.config.protocol,
                "epochs": run["epochs"],
                "precision": record.config.precision.removeprefix("mixed_"),
                "kept": kept,
                **{part: "–" if score is None else f"{score:.4f}" for part, score in scores.items()},
                "CHOSEN ON TEST": ", ".join(run["chosen_on_test"]) or "–",
                "minutes": f"{run['seconds'] / 60:.1f}",
                "device": run["device"],
            }
        )
    return pd.DataFrame(rows)


def cost(record: Record) -> str:
    """What training a run again takes, in a sentence."""
    run = record.run
    return (
        f"{record.id} took {run['seconds'] / 3600:.2f} hours and {run['peak_memory_mib'] / 1024:.1f} GiB "
        f"on {run['device']} ({run['backend']}). Expect about as much on the same hardware."
    )


def rerun(before: Record, store: Path, root: str | Path | None = None) -> str:
    """Train a run again into another store and compare.

    Args:
        before: the run.
        store: where the new record goes.
        root: where its dataset lies.

    Returns:
        A sentence: both accuracies, whether the new one lies in the old one's 95 % interval, and the difference in
        standard deviations over seeds where the first store holds the run under other seeds.
    """
    from fer_utils.training import run

    after = run(before.config, root=root, store=store)
    part = "test" if before.config.score_test else "validation"
    old, new = pool([before], part), pool([after], part)
    interval = old.interval
    same = "reproduces" if interval.low <= new.correct.mean() <= interval.high else "DOES NOT REPRODUCE"
    text = (
        f"{same}: {part} accuracy {100 * new.correct.mean():.2f} % against {100 * old.correct.mean():.2f} % "
        f"[{100 * interval.low:.2f}, {100 * interval.high:.2f}]; "
        f"{100 * np.mean(new.logits.argmax(1) == old.logits.argmax(1)):.1f} % of predictions agree."
    )
    others = [r.metric("accuracy", part) for r in siblings(before)]
    if len(others) < 2:
        return f"{text} Spread over seeds: not measured."
    if np.ptp(others) == 0:
        return f"{text} All {len(others)} seeds on record have the same accuracy: no spread to compare with."
    distance = (new.correct.mean() - old.correct.mean()) / np.std(others, ddof=1)
    return f"{text} That is {distance:+.1f} standard deviations over {len(others)} seeds."


def siblings(record: Record) -> list[Record]:
    """All finished runs beside `record` that differ from it at most in the seed."""
    wanted = replace(record.config, seed=0).key
    return [other for other in find_all(record.path.parent) if replace(other.config, seed=0).key == wanted]


def on_record(
    model: str | None = None, dataset: str | None = None, protocol: str | None = None, *, store: Path | None = None,
    **fields: Any,
) -> list[Record]:  # fmt: skip
    """Finished runs on real data that match, without training anything; none is an empty list.

    Args:
        model, dataset: of the configuration; None matches all.
        protocol: `"reported"` or `"sound"`; a run that serves both answers for either.
        store: folder of records; default `reports/runs` of the project.
        **fields: further fields of `RunConfig` that must be equal, e.g. `loss="l2_svm"`.

    Raises:
        ValueError: a field that `RunConfig` does not have.
    """
    return matching(find_all(store or project_root() / "reports/runs"), model, dataset, protocol, **fields)


def matching(
    runs: Iterable[Record], model: str | None = None, dataset: str | None = None, protocol: str | None = None,
    **fields: Any,
) -> list[Record]:  # fmt: skip
    """The runs that match, in their order; see `on_record` for the arguments."""
    if unknown := set(fields) - {field.name for field in dataclasses.fields(RunConfig)}:
        raise ValueError(f"Runs are found by fields of RunConfig; got {', '.join(sorted(unknown))}. Leave them out.")
    wanted = {name: value for name, value in {"model": model, "dataset": dataset}.items() if value is not None} | fields
    found = [r for r in runs if all(getattr(r.config, name) == value for name, value in wanted.items())]
    return [r for r in found if protocol is None or protocols.serves(r.config, protocol)]


def shipped() -> Record:
    """The run whose network ships with the package, with or without its weights."""
    return find(protocols.ships(), project_root() / "reports/runs")


def available(
    configs: Iterable[RunConfig], root: str | Path | None = None
) -> tuple[list[Record], list[RunConfig]]:
    """What can be shown of some runs without training on faces of people, and what cannot.

    Args:
        configs: the runs; those on drawn faces are trained where they are missing.
        root: where the datasets lie.

    Returns:
        The records that are there, in the order of the configurations, and the configurations that are not on record.
    """
    found, missing = [], []
    for config in configs:
        record = run_study([config], root=root)[0] if config.dataset == "synthetic" else None
        record = record or find(config, store_for(config.dataset)) or find(config, project_root() / "reports/runs")
        (found if record else missing).append(record or config)
    return found, missing


def not_measured(missing: Sequence[RunConfig], item: str) -> str:
    """One line on runs that are not on record, as Markdown; "" where none is missing.

    Args:
        missing: the second of what `available` returns.
        item: of the queue, which would train them.
    """
    if not missing:
        return ""
    seeds: dict[str, list[str]] = {}
    for config in missing:
        seeds.setdefault(f"`{config.model}` on {config.dataset}", []).append(str(config.seed))
    runs = "; ".join(f"{what}, seed{'s' * (len(own) > 1)} {', '.join(own)}" for what, own in seeds.items())
    return f"*Not measured: {runs}. `make queue ITEMS={item}` trains them.*"


def comparable(like: Record) -> list[Record]:
    """Final runs beside `like` that scored the same test images after the same split, itself among them.

    Returns:
        The first seed of each configuration, the best on validation first.
    """
    final = [r for r in find_all(like.path.parent) if r.config.score_test and r.config.protocol == like.config.protocol]
    data, split = like.run["dataset"]["fingerprint"], like.config.split
    same = [r for r in final if (r.run["dataset"]["fingerprint"], r.config.split) == (data, split)]
    firsts = {replace(r.config, seed=0).key: r for r in sorted(same, key=lambda r: -r.config.seed)}
    return sorted(firsts.values(), key=lambda r: -r.metric("accuracy", "validation"))


def with_weights(record: Record, root: str | Path | None = None) -> Record:
    """A run of the same configuration whose weights are on this machine: itself, a rerun, or trained again now.

    Args:
        record: a finished run.
        root: where its dataset lies.
    """
    from fer_utils.training import run, weights

    try:
        return Record(weights.path(record).parent.parent)
    except FileNotFoundError:
        return run(record.config, root=root, store=free_store(record))


def free_store(record: Record, folder: Path | None = None) -> Path:
    """The first of `folder`/1, `folder`/2, … without a finished run of this id; default `reports/quick/reruns`."""
    stores = ((folder or reports_root() / "quick/reruns") / str(number) for number in itertools.count(1))
    return next(store for store in stores if not is_done(store / record.id))
