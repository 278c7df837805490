"""The study on one page, from committed records: tables, prices by kind, and the first figure.

Nothing measured is written here: what no record holds is "not measured".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fer_utils import plots
from fer_utils.analysis import ensembling
from fer_utils.analysis.eda import TITLES
from fer_utils.analysis.prices.experiments import Price
from fer_utils.evaluation.statistics import Interval
from fer_utils.plots.shortcuts import KINDS
from fer_utils.records import Record
from fer_utils.report import headlines
from fer_utils.report.audit import claims
from fer_utils.report.audit.verdicts import NOT_MEASURED
from fer_utils.report.headlines import REPORTED, SOUND, Line, Measured
from fer_utils.report.records_index import Shelf
from fer_utils.study import pooling, protocols, queue

GAP = "as reported − sound, last epochs"
"""Heading of the column that compares the two protocols by one rule."""


def cell(measured: Measured | None) -> str:
    """A number with its interval and what one must know of it."""
    return f"{measured.interval.percent()}, {measured.note}" if measured else NOT_MEASURED


def gap(line: Line) -> str:
    """As reported minus sound, both at their last epoch; a dash where one is missing or their budgets differ."""
    one, other = (line.dots.get(name) for name in (REPORTED, SOUND))
    if one and other and one.runs == other.runs:
        return "one training serves both"
    return line.gap.points() if line.gap else "–"


def summary(found: Sequence[Line]) -> str:
    """The lines as README.md's table: what each protocol's own epoch scores, the seeds behind it and the budget."""
    rows = []
    for line in found:
        budgets = {name: f"{m.seeds} seed{'s' * (m.seeds > 1)}, {m.budget}" for name, m in line.dots.items() if m}
        if len(set(budgets.values())) > 1:
            budgets = {name: f"{name}: {budget}" for name, budget in budgets.items()}
        rows.append([*_cells(line, _short), "; ".join(dict.fromkeys(budgets.values())) or "–"])
    return _pipes("seeds, budget", rows=rows)


def _short(measured: Measured) -> str:
    return _bold(measured) + (", on training images" if measured.variant else "")


def markdown(found: Sequence[Line]) -> str:
    """The lines as a table for a page: one row per report and dataset, then the study's own systems."""
    rows = []
    for line in found:
        *cells, sound = _cells(line, _marked)
        devices = dict.fromkeys(m.device for m in line.dots.values() if m)
        rows.append([*cells, sound + mirrored(line) + without_copies(line), gap(line), "; ".join(devices) or "–"])
    return _pipes(GAP, "hardware", rows=rows)


def _marked(measured: Measured) -> str:
    budget = f"{measured.ran} of {measured.stated} epochs"
    return f"{_bold(measured)}, {measured.note.replace(budget, f'*reduced budget*: {budget}')}"


def _bold(measured: Measured) -> str:
    number, _, interval = measured.interval.percent().partition(" ")
    return f"**{number}** {interval}"


def _cells(line: Line, shown: Callable[[Measured], str]) -> list[str]:
    """What every table of lines begins with: system, data, claim, and the number of both protocols."""

    def side(protocol: str) -> str:
        if protocol not in line.found:
            return "–"
        return shown(dot) if (dot := line.dots[protocol]) else NOT_MEASURED

    return [f"{line.system}: {line.detail}", line.data, line.printed or "–", side(REPORTED), side(SOUND)]


def _pipes(*columns: str, rows: Sequence[Sequence[str]]) -> str:
    """A table of lines in Markdown: the columns of `_cells`, and those behind them."""
    head = ["system", "data", "claimed", REPORTED, SOUND, *columns]
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)])


def mirrored(line: Line) -> str:
    """What a table's cell adds where runs of the line were measured with mirror images averaged: their mean."""
    found = mirror_images(line)
    if not found:
        return ""
    all_of_them = len(found) == len(line.dots[SOUND].runs)
    seeds = "" if all_of_them else f" (seed {', '.join(str(record.config.seed) for record, _ in found)})"
    return f"; {100 * np.mean([v['accuracy'] for _, v in found]):.1f} with mirror images averaged{seeds}"


def without_copies(line: Line) -> str:
    """What a table's cell adds where test images of the sound number stand in training too: accuracy on the others."""
    sound = line.dots[SOUND]
    folds = next(iter(pooling.by_seed(sound.runs).values())) if sound else ()
    known = [record.context("test", "seen") for record in folds]
    if not known or any(part is None for part in known) or not (seen := np.concatenate(known)).any():
        return ""
    others = pooling.right_answers(sound.runs, sound.kept, rows=~seen).accuracy.mean()
    return f"; {100 * others:.1f} without the {seen.sum()} copies of training images"


def mirror_images(line: Line) -> list[tuple[Record, dict[str, Any]]]:
    """Runs of a line's sound number that were measured with mirror images averaged: accuracy, low, high, n."""
    sound = line.dots[SOUND]
    found = [(record, ensembling.on_record(record)) for record in (sound.runs if sound else ())]
    return [(record, m.values["test"]) for record, m in found if m]


def systems(shelf: Shelf) -> pd.DataFrame:
    """The study's own systems on FER2013 beside other people's records, with what is wrong with each number."""
    mine = [line for line in headlines.own(shelf) if line.dataset == "fer2013"]
    honest, rows = "Training trains, PublicTest chooses the epoch, PrivateTest scored once", []
    for line in mine:
        sound = line.dots[SOUND]
        name = f"{line.system}, {line.changed}" if line.changed else line.system
        cost = f"; {sound.hours:.1f} hours on {sound.device}"
        rows.append((f"{name} (this study)", cell(sound), "measured here", honest + cost))
        for record, values in mirror_images(line):
            shown = f"{100 * values['accuracy']:.1f} [{100 * values['low']:.1f}, {100 * values['high']:.1f}]"
            what = f"the network of seed {record.config.seed}, each image averaged with its mirror image"
            rows.append((f"{name}, mirror images", f"{shown}, n = {values['n']:,}", "measured here", what))
    untrained = [model for model in ("compact", *protocols.STRONG) if model not in {line.system for line in mine}]
    rows += [(f"{model} (this study)", NOT_MEASURED, "–", honest) for model in untrained]
    rows += [(row.system, row[2], "claimed", row.protocol) for row in claims.published().itertuples()]
    return pd.DataFrame(rows, columns=["system", "accuracy on FER2013 in %", "how", "protocol"]).set_index("system")


def kinds(prices: Mapping[str, Sequence[Price]]) -> pd.DataFrame:
    """Kind by kind how many shortcuts are shown to raise an accuracy, to lower it, or neither, and the largest.

    Chance is left out: the best of several lies above their mean whatever was done. Intervals are not adjusted for
    their number.

    Args:
        prices: by the name of the data.
    """
    rows = {}
    for kind, (name, _) in KINDS.items():
        if kind == "chance":
            continue
        own = [(data, p) for data, group in prices.items() for p in group if p.kind == kind]
        if own:
            raises, lowers = sum(p.interval.low > 0 for _, p in own), sum(p.interval.high < 0 for _, p in own)
            data, largest = max(own, key=lambda pair: abs(pair[1].interval.estimate))
            shown = f"{largest.shortcut} ({data.split(',')[0]}): {largest.interval.points()}"
            neither = len(own) - raises - lowers
            rows[name] = {"raise": raises, "lower": lowers, "not shown either way": neither, "largest, points": shown}
    return pd.DataFrame.from_dict(rows, orient="index")


def outstanding(shelf: Shelf) -> pd.DataFrame:
    """The queue of the full study's trainings: what each item answers, how many runs it has, how many are missing."""
    done, rows = {record.config.key for record in shelf.runs}, []
    for item in queue.items():
        keys = {config.key for config in item.configs}
        searched = [bool(shelf.measured(f"{search.name}-*")) for search in item.searches]
        missing = len(keys - done) + searched.count(False)
        runs = len(keys) + len(searched)
        rows.append({"item": item.name, "question": item.question, "runs": runs, "missing": missing})
    return pd.DataFrame(rows).set_index("item")


def numbers(found: Sequence[Line]) -> dict[str, Any]:
    """What the first figure shows, ready for JSON: percent, rounded as drawn."""
    return {
        f"{line.system}, {line.detail}, {line.data}": {
            "claimed": line.claim.percent if line.claim else None,
            **{name: _number(dot) for name, dot in line.dots.items()},
        }
        for line in found
    }


def _number(measured: Measured | None) -> dict[str, Any] | str:
    if measured is None:
        return NOT_MEASURED
    return ends(measured.interval) | {"note": measured.note}  # which names the other epoch


def ends(interval: Interval) -> dict[str, float]:
    """A share or a difference with its ends, in percent or points, rounded as drawn."""
    return {name: round(100 * getattr(interval, name), 1) for name in ("estimate", "low", "high")}


def figure(found: Sequence[Line], title: str = "What five reports claim, and what was measured") -> Figure:
    """The first figure: claimed, re-run as reported, sound, one panel per dataset."""
    panels = {TITLES[data]: [x for x in found if x.dataset == data] for data in ("ckplus", "fer2013")}
    return plots.claims(panels, title=title, caption=_caption(found))


def _caption(found: Sequence[Line]) -> str:
    """Where the numbers come from, and how far training was from the report's where it was shorter."""
    own = {line.system for line in found if line.system in protocols.OWN}
    return (f"{', '.join(sorted(own))}: this study's own. " if own else "") + "From committed records."
