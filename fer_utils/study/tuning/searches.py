"""Hyper-parameter searches: what is tried, at which cost, and what was found. Validation decides, the test set never.

A search is data (`Search`): a configuration to start from, a space, a method and a budget. `search` carries it out
through KerasTuner (`fer_utils.study.tuning.run_tuner`), whose trials are ordinary runs, or loads
its result where it is on record.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fer_utils import records
from fer_utils.data import load
from fer_utils.files.paths import store_for
from fer_utils.records import Measurement
from fer_utils.study.tuning.plans import Search


def on_record(search: Search, *, fingerprint: str | None = None, store: Path | None = None) -> Measurement | None:
    """The finished search, or None.

    Args:
        search: what was searched.
        fingerprint: of the dataset, if it is at hand; without one any copy of a real dataset will do.
        store: folder of run records; default by dataset. Measurements lie beside it.
    """
    folder = (store or store_for(search.start.dataset)).parent / "measurements"
    exact = [folder / f"{search.name}-{fingerprint[:6]}"] if fingerprint else []
    others = [] if search.start.dataset == "synthetic" and fingerprint else sorted(folder.glob(f"{search.name}-*"))
    return next((Measurement(path) for path in [*exact, *others] if records.is_done(path)), None)


def search(plan: Search, *, root: str | Path | None = None, store: Path | None = None) -> Measurement | None:
    """Carry out a search, go on with one that was killed, or load its result.

    KerasTuner's own files lie in `.tuning/` beside the store. Under its distributed mode (`KERASTUNER_*` in the
    environment) this process is the chief or one of the workers.

    Args:
        plan: what to search.
        root: where the dataset lies, see `fer_utils.data.load`.
        store: folder of run records; default by dataset.

    Returns:
        The measurement that lists the trials, see `trials`; None in a worker, whose chief has it.

    Raises:
        FileNotFoundError: there is neither a result nor the dataset.
    """
    store = store or store_for(plan.start.dataset)
    try:
        dataset = load(plan.start.dataset, root, **plan.start.dataset_options)
    except FileNotFoundError:
        if found := on_record(plan, store=store):
            return found
        raise
    if found := on_record(plan, fingerprint=dataset.fingerprint, store=store):
        return found
    from fer_utils.study.tuning import run_tuner  # KerasTuner is needed here alone

    project = store.parent / ".tuning" / f"{plan.name}-{dataset.fingerprint[:6]}"
    rows = run_tuner.complete(plan, dataset, store, project)
    if rows is None:
        return None
    for row in rows:
        if row["run"]:
            (store / row["run"] / "checkpoint.npz").unlink(missing_ok=True)
            shutil.rmtree(store / row["run"] / "weights", ignore_errors=True)
    values = {"search": _described(plan), "trials": rows}
    return records.measure(project.name, store.parent / "measurements", lambda: (values, {}))


def available(plans: Mapping[str, Search], root: str | Path | None = None) -> dict[str, Measurement]:
    """The searches that are on record; on drawn faces, which cost next to nothing, the missing ones are carried out.

    Args:
        plans: name to search.
        root: where datasets lie.

    Returns:
        Name to result, in the order of `plans`; without the searches on real data that are not on record.
    """
    drawn = {name: plan for name, plan in plans.items() if plan.start.dataset == "synthetic"}
    found = {name: search(plan, root=root) if name in drawn else on_record(plan) for name, plan in plans.items()}
    return {name: result for name, result in found.items() if result}


def trials(found: Measurement) -> pd.DataFrame:
    """The trials of a search in the order they began, one row each.

    Returns:
        `method`, `trial`, `run` and `parent` (ids, None where there is none), `epochs` in total and `own_epochs` after
        its parent's, `seconds` (its own), `parameters`, `score` (best validation accuracy in [0, 1]), `log_loss`
        (of the same epoch, on validation), `n` (validation images), and one column per hyper-parameter.
    """
    method = found.values["search"]["method"]
    rows = [{"method": method, **row, **row["values"]} for row in found.values["trials"]]
    return pd.DataFrame(rows).drop(columns="values")


def full_length(table: pd.DataFrame) -> pd.DataFrame:
    """The trials among `trials` that were trained as long as the longest and have a score."""
    return table[table["epochs"] == table["epochs"].max()].dropna(subset="score")


def winner(found: Sequence[Measurement]) -> pd.Series:
    """The trial with the highest validation accuracy of all; the lower validation log loss decides among equals."""
    table = pd.concat([trials(one).assign(search=place) for place, one in enumerate(found)], ignore_index=True)
    return table.sort_values(["score", "log_loss"], ascending=[False, True], kind="stable").iloc[0]


def _described(plan: Search) -> dict[str, Any]:
    space = {name: {"kind": type(v).__name__.lower(), **dataclasses.asdict(v)} for name, v in plan.space.items()}
    plain = {"method": plan.method, "max_epochs": plan.max_epochs, "trials": plan.trials, "factor": plan.factor}
    return {**plain, "seed": plan.seed, "policy": plan.policy, "space": space, "start": plan.start.to_dict()}
