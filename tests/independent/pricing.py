"""The prices of shortcuts, computed a second time from stored predictions and histories.

Rows have the names that the page gives them, and come in its order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from independent.arithmetic import Counts, Triple, best_of, count, difference, together
from independent.stored import Run, comparable, complete, groups, n_folds, pooled, seeds

PART = 10**6  # sets positions of PublicTest's images apart from PrivateTest's
NETWORKS = ("iitk2023_model1", "iitk2023_model2", "psg2025")


class Price(NamedTuple):
    """What stands in a row: data and shortcut in words, the price, what is telling of the words on it, seeds."""

    data: str
    shortcut: str
    value: Triple
    compared: str
    seeds: int | None


def counts(runs: Sequence[Run], kept: str = "best_validation", part: str = "test", offset: int = 0) -> Counts:
    return count([pooled(folds, kept, part) for folds in seeds(runs)], offset)


def points(value: Triple) -> list[str]:
    """As printed: +1.0, 0.1, 2.3."""
    middle, low, high = (round(100 * x, 1) + 0.0 for x in value)
    return [f"{middle:+.1f}", f"{low:.1f}", f"{high:.1f}"]


def all_prices(runs: Sequence[Run]) -> tuple[list[Price], list[list[str]]]:
    """Every price that the runs tell, in the order of the page, and the numbers of each remark below the table."""
    found, remarks = [], []
    shortcuts = [run for run in runs if run.config["protocol"] == "shortcut"]
    for model in dict.fromkeys(run.config["model"] for run in shortcuts):
        own = [run for run in shortcuts if run.config["model"] == model]
        folds = {g: [r for r in own if r.split["kind"] == "kfold" and r.split["groups"] == g]
                 for g in (None, "sequences", "subjects")}  # fmt: skip
        if shared(folds):
            of_folds, remark = of_groupings(shared(folds), f"CK+48, network {model}")
            found, remarks = found + of_folds, [*remarks, remark]
        designs = {d: [r for r in own if design(r) == d] for d in ("usage", "random", "all", "none")}
        if designs := shared(designs):
            data = f"FER2013, {designs['usage'][0].facts['split']['train']:,} training images, network {model}"
            of_parts, remark = of_designs(designs, data)
            found, remarks = found + of_parts, [*remarks, remark]
    return found + [p for model in NETWORKS for p in of_report(runs, model)], remarks


def design(run: Run) -> str | None:
    if run.split["kind"] not in ("usage", "random"):
        return None
    return run.split["kind"] if run.split["test_copies"] == "natural" else run.split["test_copies"]


def shared(sides: dict) -> dict | None:
    """The runs of those seeds that have all folds on every side."""
    whole = [{folds[0].config["seed"] for folds in seeds(runs) if complete(folds)} for runs in sides.values()]
    common = set.intersection(*whole)
    chosen = {k: [r for folds in seeds(runs) for r in folds if r.config["seed"] in common] for k, runs in sides.items()}
    return chosen if common else None


def of_groupings(runs: dict, data: str) -> tuple[list[Price], list[str]]:
    """Folds of images, of sequences and of persons, and what the choice of an epoch does to the last."""
    honest = runs["subjects"]
    n = len(seeds(honest))
    right = counts(honest)
    folder = per_seed(honest, lambda h: h["train_accuracy"].max())
    watched = round(np.mean([run.facts["split"]["validation"] for run in honest]))
    present, absent, remark = known_persons(runs["sequences"], honest)
    by_fold = [[run.answers("best_validation")["right"].mean() for run in folds] for folds in seeds(honest)]
    rows = [
        ("Random split of images", difference(counts(runs[None]), right), "", n),
        ("Sequences kept whole, persons not", difference(counts(runs["sequences"]), right), "", n),
        ("– of it: the person is known", present, "", n),
        ("– of it: the person is not known", absent, "", n),
        *epochs(honest, "Epoch chosen on the test fold", str(watched)),
        ("Validation folder = training folder", difference(folder, counts(honest, "best_train")), "", n),
        ("The luckiest hold-out", best_of(np.array(by_fold)), str(n_folds(honest[0])), None),
    ]
    rows += [(f"The best of {n} seeds", best_of(right.scores), "", None)] if n > 1 else []
    return [Price(data, *row) for row in rows], remark


def epochs(runs: Sequence[Run], name: str, watched: str) -> list[tuple]:
    """The price of a chosen epoch and its two parts."""
    best, last, chosen = (counts(runs, kept) for kept in ("best_test", "last", "best_validation"))
    n = len(best.right)
    return [
        (name, difference(best, chosen), watched, n),
        ("– of it: peeking, against the last epoch", difference(best, last), "last epoch", n),
        ("– of it: the last epoch, against validation's", difference(last, chosen), f"last epoch {watched}", n),
    ]


def per_seed(runs: Sequence[Run], value: Callable[[pd.DataFrame], float]) -> np.ndarray:
    return np.array([np.mean([value(run.history) for run in folds]) for folds in seeds(runs)])


def of_designs(runs: dict, data: str) -> tuple[list[Price], list[str]]:
    """FER2013: copies, the choice of an epoch, what is scored."""
    usage, n = runs["usage"], len(seeds(runs["usage"]))
    private, public = counts(usage), counts(usage, part="validation", offset=PART)
    sizes = [int(x.of.iloc[0].sum()) for x in (public, private)]
    both = per_seed(usage, lambda h: (h[["val_accuracy", "test_accuracy"]] @ sizes).max() / sum(sizes))
    of_copies, remark = copies(runs)
    rows = [
        *of_copies,
        *epochs(usage, "Epoch chosen on PrivateTest", ""),
        ("Both test parts scored", difference(together(public, private), private), "", n),
        ("Both test parts choose and score", difference(both, private), "", n),
        ("Random 80/10/10 instead of Usage", difference(counts(runs["random"]), private, paired=False), "", n),
    ]
    rows += [(f"The best of {n} seeds", best_of(private.scores), "", None)] if n > 1 else []
    return [Price(data, *row) for row in rows], remark


def copies(runs: dict) -> tuple[list[tuple], list[str]]:
    """Images of the test part that stand in training as well; the remark says what scoring them alone does not show."""
    usage, inside, outside = (runs[name] for name in ("usage", "all", "none"))
    n, copied = len(seeds(usage)), inside[0].arrays["test_seen"]
    own = copied & usage[0].arrays["test_seen"]
    some, few = (f"{mask.sum():,}" for mask in (copied, own))
    whole = [pooled(folds, "best_validation") for folds in seeds(usage)]
    late = [[pooled(folds, "last") for folds in seeds(side)] for side in (inside, outside)]

    def only(tables: Sequence[pd.DataFrame], rows: np.ndarray) -> Counts:
        return count([table[rows] for table in tables])

    every = count(whole)
    rows = [
        ("Copies of test images in training", difference(counts(inside), counts(outside)), "", n),
        ("Copies in training, last epoch", difference(*(count(side) for side in late)), "last epoch", n),
        (
            "Copied images alone, last epoch",
            difference(*(only(side, copied) for side in late)),
            f"last epoch {some}",
            n,
        ),
        ("Scoring images that were trained on", difference(every, only(whole, ~own)), few, n),
        ("Scoring images whose copies stand in Training", difference(every, only(whole, ~copied)), some, n),
    ]
    fresh = copied & ~own
    easy, usual = (100 * np.mean([table["right"][rows].mean() for table in whole]) for rows in (fresh, ~copied))
    remark = [f"{fresh.sum()}", f"{easy:.1f}", f"{usual:.1f}", f"{100 * mix(whole, copied):+.1f}"]
    return rows, remark


def mix(tables: Sequence[pd.DataFrame], dropped: np.ndarray) -> float:
    """Accuracy that other shares of the classes alone would give, minus that of the images that stay."""
    labels = tables[0]["label"]
    right = pd.concat([table["right"] for table in tables], axis=1).mean(axis=1)
    by_class = right[~dropped].groupby(labels[~dropped]).mean()
    shares, left = (x.value_counts(normalize=True).reindex(by_class.index) for x in (labels, labels[~dropped]))
    return float((by_class * (shares - left)).sum())


def known_persons(sequences: Sequence[Run], honest: Sequence[Run]) -> tuple[Triple, Triple, list[str]]:
    """The price of whole sequences where the person has others in training and where not; then the remark's numbers."""
    sides: list[list[pd.DataFrame]] = [[], []]
    for folds, fair in zip(seeds(sequences), seeds(honest), strict=True):
        trained = expressions_in_training(folds)
        for side, runs in zip(sides, (folds, fair), strict=True):
            table = pooled(runs, "best_validation")
            names = [trained[who, label] for who, label in zip(table["person"], table["label"], strict=True)]
            side.append(table.assign(
                known=[len(found) > 0 for found in names],
                misled=[said in found for said, found in zip(table["said"], names, strict=True)],
            ))  # fmt: skip
    with_others = [count([table[table["known"]] for table in side]) for side in sides]
    without = [count([table[~table["known"]] for table in side]) for side in sides]
    wrong = [[table[table["known"] & ~table["right"]] for table in side] for side in sides]
    named = [count([table.assign(right=table["misled"]) for table in side]) for side in wrong]
    present, absent = difference(*with_others), difference(*without)
    sizes = [f"{x[0].of.to_numpy().sum(axis=1).mean():.0f}" for x in (with_others, without)]
    shares = [f"{100 * x.scores.mean():.0f}" for x in named]
    remark = [*points(present), sizes[0], *points(absent), sizes[1], *shares, *points(difference(*named))]
    return present, absent, remark


def expressions_in_training(folds: Sequence[Run]) -> dict[tuple[int, int], set[int]]:
    """By person and label that a fold tests: the person's other labels that the same fold trains on."""
    tested = [run.pairs("test") for run in folds]
    everyone = set().union(*tested)
    assert sum(map(len, tested)) == len(everyone), "a sequence stands in two folds"
    found = {}
    for run, here in zip(folds, tested, strict=True):
        trains = everyone - here - run.pairs("validation")
        found |= {(who, label): {other for person, other in trains if person == who} for who, label in here}
    return found


def of_report(runs: Sequence[Run], model: str) -> list[Price]:
    """A random hold-out minus folds of persons, last epochs, for each budget and setting that both have."""
    random, folds = (
        {(run[0].epochs, momentum(run[0])): run for run in groups(r for r in runs if plain(r, model, kind))}
        for kind in ("random", "kfold")
    )
    found = []
    for key in sorted(set(random) & set(folds), key=lambda key: (-sum(key[0]), key)):
        a, b = (counts(side, "last") for side in comparable(random[key], folds[key]))
        modified = f", modified (batch norm momentum {key[1]})" if key[1] else ""
        name = f"Random split of images, {model}, {sum(key[0])} epochs{modified}"
        one, other = len(a.scores), len(b.scores)
        compared = "" if one == other else f"{one} {other}"
        found.append(Price("CK+48, networks of the reports", name, difference(a, b), compared, max(one, other)))
    return found


def momentum(run: Run) -> str:
    return str(run.config["model_options"].get("batch_norm_momentum", ""))


def plain(run: Run, model: str, kind: str) -> bool:
    """Whether a run on CK+48 is a report's network as it describes it, but for epochs and batch-norm momentum."""
    config, split = run.config, run.split
    augmentation = "psg2025" if model == "psg2025" else "none"
    neutral = {"loss": "cross_entropy", "class_weights": "none", "sampling": "natural", "start_from": "",
               "augmentation_rare": "", "label_smoothing": 0.0, "head_l2": None, "score_test": True, "margin": 1.0,
               "augmentation": augmentation, "model": model, "dataset": "ckplus", "dataset_options": {}}  # fmt: skip
    where = (split["kind"], split["groups"], split["test_size"]) in (("random", None, 0.2), ("kfold", "subjects", 0.2))
    return (
        where and split["kind"] == kind and split["max_train"] is None and config["protocol"] in ("reported", "sound")
        and all(config[name] == value for name, value in neutral.items())
        and set(config["model_options"]) <= {"batch_norm_momentum"}
    )  # fmt: skip
