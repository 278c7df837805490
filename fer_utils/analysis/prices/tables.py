"""Prices of shortcuts for readers: tables, the committed ones, and the error budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from scipy import stats as scipy_stats

from fer_utils import records, study
from fer_utils.analysis import eda
from fer_utils.analysis.prices import confirmations, experiments, known_persons
from fer_utils.analysis.prices.experiments import Price
from fer_utils.evaluation import intervals, maxima, statistics
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Measurement, Record
from fer_utils.study.pooling import EPOCHS, by_seed, complete, right_answers, whole
from fer_utils.study.protocols import REPORTED

NOT_YET = "Not measured yet."
"""What a page says in place of a table."""


def table(prices: Sequence[Price]) -> pd.DataFrame:
    """One row per price, in points of accuracy, with what is compared, drawn again, and not shown."""
    rows = [
        {
            "shortcut": p.shortcut,
            "points [95 %]": p.interval.points(),
            "each seed": ", ".join(f"{100 * s:+.1f}" for s in p.seeds) or "–",
            "compared": p.compared,
            "interval": p.interval.method,
            "not shown": p.not_shown,
        }
        for p in prices
    ]
    return pd.DataFrame(rows).set_index("shortcut")


def markdown(prices: Mapping[str, Sequence[Price]]) -> str:
    """The same for a page, data by data; says so when there is nothing yet."""
    lines = ["| data | shortcut | points of accuracy [95 % interval] | compared | seeds |", "|---|---|---|---|---|"]
    for data, group in prices.items():
        for p in group:
            seeds = len(p.seeds) or "–"
            lines.append(f"| {data} | {p.shortcut} | **{p.interval.points()}** | {p.compared} | {seeds} |")
    return "\n".join(lines) if len(lines) > 2 else NOT_YET


def on_record(store: Path | None = None) -> dict[str, list[Price]]:
    """The prices that committed runs tell, by data; folds and designs that are not complete are left out.

    Args:
        store: folder of run records; default that of the project.
    """
    found: dict[str, list[Price]] = {}
    for model, (by_grouping, by_design) in _runs(store).items():
        if by_grouping:
            found[f"CK+48, network {model}"] = experiments.grouping_prices(by_grouping)
        if by_design:
            images = by_design["usage"][0].run["split"]["train"]
            found[f"FER2013, {images:,} training images, network {model}"] = experiments.design_prices(by_design)
    networks = [row.model for row in REPORTED if row.dataset == "ckplus"]
    if confirmed := [p for model in networks for p in confirmations.prices(model, store)]:
        found["CK+48, networks of the reports"] = confirmed
    return found


def precision(store: Path | None = None) -> pd.DataFrame:
    """What bfloat16 costs: the final runs that differ from one in float32 in nothing else, kept epoch by kept epoch.

    Args:
        store: folder of run records; default that of the project.

    Returns:
        A row for each network, data and kept epoch, in words; none where nothing is on record.
    """
    rows = []
    runs = study.on_record(store=store, precision="mixed_bfloat16", score_test=True)
    twins = {run.id: records.find(replace(run.config, precision="float32"), run.path.parent) for run in runs}
    for quick in complete(run for run in runs if twins[run.id]):
        exact = [twins[run.id] for run in quick]
        for kept in ("best_validation", "last", "best_test"):
            if kept in quick[0].kept:
                a, b = (right_answers(runs, kept) for runs in (quick, exact))
                rows.append({
                    "network, data": f"{quick[0].config.model}, {eda.TITLES[quick[0].config.dataset]}",
                    "accuracy of": EPOCHS[kept], "seeds": len(a.accuracy),
                    "float32, %": f"{100 * b.accuracy.mean():.1f}", "bfloat16, %": f"{100 * a.accuracy.mean():.1f}",
                    "difference, points [95 %]": intervals.difference(a, b).points(),
                })  # fmt: skip
    return pd.DataFrame(rows)


def notes(store: Path | None = None) -> str:
    """What the table of prices cannot say, as a Markdown list: why sequences kept whole score lower, what is no leak.

    Args:
        store: folder of run records; default that of the project.
    """
    lines = []
    for model, (groupings, designs) in _runs(store).items():
        if groupings and (proof := known_persons.known(groupings)):
            lines.append(f"- Sequences kept whole, persons not ({model}): {proof.sentence()}")
        for p in experiments.design_prices(designs) if designs else ():
            if p.shortcut == experiments.COPIES_SCORED:
                lines.append(f"- {p.shortcut} ({model}) is no leak alone. Not shown is {p.not_shown}.")
    return "\n".join(lines)


def _runs(store: Path | None) -> dict[str, tuple[dict[str, list[Record]] | None, dict[str, list[Record]] | None]]:
    """By network the complete runs under each grouping and each design; None where a side is missing."""
    runs = [r for r in study.on_record(store=store) if r.config.protocol == experiments.PROTOCOL]
    found = {}
    for model in dict.fromkeys(r.config.model for r in runs):
        own = [r for r in runs if r.config.model == model]
        found[model] = (
            _complete({g: [r for r in own if _grouping(r) == g] for g in experiments.GROUPINGS}),
            _complete({d: [r for r in own if _design(r) == d] for d in experiments.DESIGNS}),
        )
    return found


def _grouping(record: Record) -> str | None:
    split = record.config.split
    return (split.groups or "images") if split.kind == "kfold" else None


def _design(record: Record) -> str | None:
    split = record.config.split
    if split.kind in ("usage", "random"):
        return {"all": "copies in", "none": "copies out"}.get(split.test_copies, split.kind)
    return None


def _complete(runs: Mapping[str, Sequence[Record]]) -> dict[str, list[Record]] | None:
    """The runs of those seeds that have all folds under every key; None where there is no such seed."""
    groups = {key: by_seed(found) for key, found in runs.items()}
    common = sorted(set.intersection(*({s for s, g in seeds.items() if whole(g)} for seeds in groups.values())))
    return {key: [r for s in common for r in seeds[s]] for key, seeds in groups.items()} if common else None


@dataclass(frozen=True)
class Share:
    """One bar of the error budget.

    Attributes:
        name: what it is.
        interval: its size in fractions of accuracy.
        kind: `"labels"` (people disagree), `"leak"`, `"choice"`, `"scored"` or `"chance"` (either direction).
        source: where it was measured.
    """

    name: str
    interval: Interval
    kind: str
    source: str


def label_noise(votes: Measurement) -> list[Share]:
    """Two views of FER2013's labels, from the measurement record of `fer_utils.analysis.ferplus_votes`."""
    private = votes.values["agreement"]["PrivateTest"]
    annotator = votes.values["annotator"]["majority of the nine others"]
    return [
        Share("Labels: FER2013 against the majority of FER+", _missing(private), "labels", "PrivateTest, FER+ votes"),
        Share("Labels: one annotator against nine others", _missing(annotator), "labels", "all images, FER+ votes"),
    ]


def _missing(share: Mapping[str, float]) -> Interval:
    """1 - a stored share, with its interval turned round."""
    ends = (1 - share["high"], 1 - share["low"])
    return Interval(1 - share["share"], *ends, 0.95, share["n"], "bootstrap over images")


def main(prices: Sequence[Price]) -> list[Price]:
    """The prices that stand for themselves: without the parts of others, and without what only some images show."""
    return [p for p in prices if not p.of and "alone" not in p.shortcut]


def from_prices(prices: Mapping[str, Sequence[Price]]) -> list[Share]:
    """The `main` prices of leaks, choices and other images scored as bars, and each spread over seeds as one seed's."""
    shares = []
    for data, group in prices.items():
        for p in main(group):
            best = p.shortcut.startswith("The best of")
            shares.append(one_seed(p, data) if best else Share(p.shortcut, p.interval, p.kind, data))
    return shares


def largest(shares: Sequence[Share]) -> list[Share]:
    """Of each source and kind the bar with the largest estimate, upwards or downwards."""
    found: dict[tuple[str, str], Share] = {}
    for share in sorted(shares, key=lambda s: abs(s.interval.estimate)):
        found[share.source, share.kind] = share
    return list(found.values())


def one_seed(best: Price, source: str) -> Share:
    """How far 95 % of single seeds lie from the mean of all, at most: 1.96 standard deviations."""
    found = best.interval
    factor = scipy_stats.norm.ppf(0.975) / maxima.expected_maximum(found.n)
    ends = (factor * x for x in (found.estimate, found.low, found.high))
    return Share("One seed (1.96 sd)", Interval(*ends, found.level, found.n, found.method), "chance", source)


def sample_size(accuracy: float, n: int) -> Share:
    """Half the width of Wilson's interval on n independent images: arithmetic, so without an interval of its own."""
    ends = statistics.wilson_interval(round(accuracy * n), n)
    half = (ends.high - ends.low) / 2
    interval = Interval(half, half, half, 0.95, n, "Wilson")
    return Share("Test images (half of the 95 % interval)", interval, "chance", f"arithmetic, {n:,} images")
