"""What the tables of systems and the table of all runs must print, computed a second time from stored predictions.

Cells are given as texts of which only numbers and a few telling words are compared, see `pages.tokens`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from independent.arithmetic import Triple, accuracy, difference, share
from independent.pages import Lines, numbered
from independent.pricing import counts, points
from independent.stored import Run, comparable, groups, mirrored, pooled, seeds
from sklearn.metrics import balanced_accuracy_score, f1_score

NAMED = {
    "last": "last epoch", "best_validation": "epoch chosen on validation", "best_test": "epoch CHOSEN ON TEST",
    "best_train": "epoch chosen on training images",
}  # fmt: skip
DATA = {"ckplus": "CK+48", "fer2013": "FER2013", "ferplus": "FER+"}


class System(NamedTuple):
    """A headline of a report: its key, network in words, data, number as printed there, and what it trained."""

    report: str
    words: str
    dataset: str
    claimed: str
    model: str
    phases: tuple[int, ...]
    augmentation: str


SYSTEMS = (
    System("psg2025", "Xception, attention", "ckplus", "98.48 %", "psg2025", (100, 100, 100), "psg2025"),
    System("psg2025", "Xception, attention", "fer2013", "68.20 %", "psg2025", (100, 100, 100), "psg2025"),
    System("cutm2024", "plain CNN", "fer2013", "65.05 %", "cutm2024", (50,), "cutm2024"),
    System("xavengers2025", "ResNet50, ImageNet", "fer2013", "0.61", "resnet_transfer", (50,), "xavengers2025"),
    System("iitk2023", "Model 1", "fer2013", "62.16 %", "iitk2023_model1", (50,), "iitk2023"),
    System("iitk2023", "Model 1", "ckplus", "93.92 %", "iitk2023_model1", (50,), "none"),
    System("iitk2023", "Model 2", "fer2013", "67.60 %", "iitk2023_model2", (50,), "iitk2023"),
    System("iitk2023", "Model 2", "ckplus", "97.97 %", "iitk2023_model2", (50,), "none"),
    System("colab2023", "plain CNN", "fer2013", "0.6711", "colab2023", (50,), "colab2023"),
)
"""The headlines as the five reports print them (Table 5.9 and 5.8; Figure 9; Figure 9; Tables 4.3 to 4.5; Results)."""

OWN = {"compact": (28, 24, 20), "strong_residual": (56,)}
"""The study's own networks, and the epochs of their recipe on FER2013."""

CHANGED = {"strong_residual": ", width 0.625, 56 epochs at 48 px, bfloat16"}
"""Where their recipe differs from that of `compact`, as the tables say it."""

_RESNET, _RANDOM = {"weights": "imagenet"}, "from random weights"
_NEUTRAL = {
    "loss": "cross_entropy", "class_weights": "none", "sampling": "natural", "start_from": "", "augmentation_rare": "",
    "label_smoothing": 0.0, "head_l2": None, "dataset_options": {}, "augmentation_strength": 1.0,
}  # fmt: skip


class Row(NamedTuple):
    """What stands for a system: the number claimed, and each protocol's runs; None for one that it has not."""

    claimed: str
    system: System | None
    reported: list[Run] | None
    sound: list[Run]


def claims(runs: Sequence[Run]) -> Lines:
    """The long table of systems: by system and data the cells behind them."""
    head = "system | data"
    rows = {head: ["claimed", "re-run as reported", "sound", "as reported − sound, last epochs", "hardware"]}
    for name, row in systems(runs).items():
        left, gap = ("–", "–") if row.reported is None else (
            cell(row.reported, row.system, "reported"), _gap(row.reported, row.sound)
        )  # fmt: skip
        sides = [side for side in (row.reported, row.sound) if side]
        right = cell(row.sound, row.system, "sound") + without_copies(row.sound)
        rows[name] = [row.claimed, left, right, gap, _hardware(*sides)]
    return rows


def summary(runs: Sequence[Run]) -> Lines:
    """README's table: the kept epoch's accuracy of each protocol, seeds and budget."""
    rows = {"system | data": ["claimed", "re-run as reported", "sound", "seeds, budget"]}
    for name, row in systems(runs).items():
        left = "–" if row.reported is None else _short(row.reported, row.system, "reported")
        budgets = [_seeds_and_budget(side, row.system) for side in (row.reported, row.sound) if side]
        rows[name] = [
            row.claimed, left, _short(row.sound, row.system, "sound"), "; ".join(dict.fromkeys(budgets)) or "–"
        ]  # fmt: skip
    return rows


def _short(group: Sequence[Run], system: System | None, kind: str) -> str:
    if not group:
        return "not measured"
    on_training = system is not None and kind == "reported" and system.model == "cutm2024"
    value = _on_training(group, "last")[0] if on_training else _on_test(group, group[0].config["keep"][0])[0]
    return percent(value)


def _seeds_and_budget(group: Sequence[Run], system: System | None) -> str:
    ran, full = sum(group[0].epochs), system and sum(system.phases)
    note = stopped(group) + (", bfloat16" if group[0].config["precision"] != "float32" else "")
    budget = f"{ran} of {full} epochs" if full and ran < full else f"{ran} epochs"
    return f"{len(seeds(group))} seeds, {budget}{note}"


def systems(runs: Sequence[Run]) -> dict[str, Row]:
    """By system and data what the tables of systems are made of."""
    rows = {}
    for system in SYSTEMS:
        sides: dict[str, tuple[list, list]] = {"": ([], [])}
        for i, kind in enumerate(("reported", "sound")):
            for group in groups(r for r in runs if _follows(r, system, kind)):
                sides.setdefault(changes(group[0]), ([], []))[i].append(group)
        if stands := not any(sides[""]) and _RANDOM in sides:
            del sides[""]
        for change, found in sides.items():
            reported, sound = (_first(side, system.phases) for side in found)
            name, claimed = f"{system.report}: {system.words}", "–" if change else system.claimed
            if stands and change == _RANDOM:
                name, claimed = f"{system.report}: ResNet50, random weights, not ImageNet's", system.claimed
            elif change:
                name += f", *modified*: {change}"
            rows[f"{name} | {DATA[system.dataset]}"] = Row(claimed, system, reported, sound)
    return rows | _own(runs)


def _own(runs: Sequence[Run]) -> dict[str, Row]:
    found: dict[str, list] = {}
    for group in groups(r for r in runs if r.config["model"] in OWN and r.config["score_test"]):
        config, data = group[0].config, group[0].config["dataset"]
        if config["protocol"] != "sound" or data not in ("ckplus", "fer2013") or group[0].split["max_train"]:
            continue
        if data == "fer2013" and (group[0].epochs, config["augmentation"]) != (OWN[config["model"]], "strong"):
            continue
        start = config["start_from"].partition("-")[0]
        detail = f"pre-trained on {DATA[start]}" if start else "from random weights"
        detail += CHANGED.get(config["model"], "") if data == "fer2013" else ""
        found.setdefault(f"{config['model']}: {detail} | {DATA[data]}", []).append(group)
    return {name: Row("–", None, None, _first(side, None)) for name, side in found.items()}


def _follows(run: Run, system: System, kind: str) -> bool:
    """Whether a run is the system under a protocol, but for epochs, batch-norm momentum and ImageNet's weights."""
    config, split = run.config, run.split
    neutral = _NEUTRAL | {"model": system.model, "dataset": system.dataset, "augmentation": system.augmentation}
    options = {"batch_norm_momentum"} | ({"weights"} if system.model == "resnet_transfer" else set())
    return (
        config["protocol"] in ("reported", "sound") and config["score_test"] and split["max_train"] is None
        and all(config[name] == value for name, value in neutral.items())
        and set(config["model_options"]) <= options and _split_of(system, kind)(run)
    )  # fmt: skip


def _split_of(system: System, kind: str):
    if system.dataset == "ckplus":
        if kind == "sound":
            return lambda run: (run.split["kind"], run.split["groups"]) == ("kfold", "subjects")
        return lambda run: (run.split["kind"], run.split["test_size"]) == ("random", 0.2)
    if kind == "reported" and system.model in ("cutm2024", "colab2023"):
        own = "random" if system.model == "cutm2024" else "merged"
        return lambda run: run.split["kind"] == own
    return lambda run: run.split["kind"] == "usage" and run.config["monitor"] == "validation"


def changes(run: Run) -> str:
    """What is not the report's network, in words."""
    known = _RESNET if run.config["model"] == "resnet_transfer" else {}
    options = {k: v for k, v in run.config["model_options"].items() if known.get(k) != v}
    words = [f"{name.replace('_', ' ')} {value}" for name, value in options.items()]
    if known and "weights" not in run.config["model_options"]:
        words.append(_RANDOM)
    return ", ".join(words)


def _first(found: Sequence[list[Run]], phases: tuple[int, ...] | None) -> list[Run]:
    """What stands for a system: the report's epochs, float32, then the longest, most folds, most seeds."""

    def rank(group: list[Run]) -> tuple:
        ran, n = sum(group[0].epochs), len(seeds(group))
        full = phases is None or ran >= sum(phases)
        return full, group[0].config["precision"] == "float32", ran, len(group) // n, n

    return max(found, key=rank, default=[])


def cell(group: Sequence[Run], system: System | None, kind: str) -> str:
    """A number with its interval, the other epoch's, images, seeds, epochs."""
    if not group:
        return "not measured"
    config, ran = group[0].config, sum(group[0].epochs)
    on_training = system is not None and kind == "reported" and system.model == "cutm2024"
    kept = "last" if on_training else config["keep"][0]
    measured = _on_training if on_training else _on_test
    value, scores, n = measured(group, kept)
    others = [k for k in _kept(config["keep"]) if k != kept]
    beside = "; ".join(f"{NAMED[k]} {percent(measured(group, k)[0])}" for k in others)
    several = f"{len(scores)} seeds, sd {100 * np.std(scores, ddof=1):.1f}" if len(scores) > 1 else "1 seed"
    full = system is None or ran >= sum(system.phases)
    budget = f"{ran} epochs" if full else f"*reduced budget*: {ran} of {sum(system.phases)} epochs"
    note = stopped(group) + (", bfloat16" if config["precision"] != "float32" else "") + (
        ", scored on its training images" if on_training else ""
    )
    text = f"{percent(value)} {NAMED[kept]} ({beside}), n = {n:,}, {several}, {budget}{note}"
    return text + (mirror_images(group, name_seeds=True) if kind == "sound" else "")


def stopped(group: Sequence[Run]) -> str:
    """After which epoch early stopping ended them, where it did."""
    ended = {run.facts["epochs"] for run in group}
    span = " to ".join(map(str, sorted({min(ended), max(ended)})))
    return f", stopped early after {span}" if min(ended) < sum(group[0].epochs) else ""


def _kept(keep: Sequence[str]) -> list[str]:
    """Kept epochs that have a name, the last one first."""
    return [k for k in dict.fromkeys(("last", *keep)) if k in keep and k in NAMED]


def _on_test(group: Sequence[Run], kept: str) -> tuple[Triple, np.ndarray, int]:
    found = counts(group, kept)
    return accuracy(found), found.scores, int(found.of.iloc[0].sum())


def _on_training(group: Sequence[Run], kept: str) -> tuple[Triple, np.ndarray, int]:
    """What the history says of the images trained on, which this system calls validation."""
    rows = [run.history.set_index("epoch").loc[run.facts["kept_epochs"][kept]] for run in group]
    scores, n = np.array([row["val_accuracy"] for row in rows]), group[0].facts["split"]["train"]
    _, low, high = share(round(scores.mean() * n), n)
    return (float(scores.mean()), low, high), scores, n


def percent(value: Triple) -> str:
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * x for x in value))


def mirror_images(group: Sequence[Run], name_seeds: bool = False) -> str:
    """What averaging with mirror images scored, where that was measured: the mean over runs."""
    found = {run.config["seed"]: table for run in group if (table := mirrored(run)) is not None}
    if not found or (len(found) < len(group) and not name_seeds):
        return ""
    which = f" (seed {', '.join(map(str, found))})" if len(found) < len(group) else ""
    mean = np.mean([table["right"].mean() for table in found.values()])
    return f"; {100 * mean:.1f} with mirror images averaged{which}"


def without_copies(group: Sequence[Run]) -> str:
    """The mean accuracy over seeds on test images whose pixels do not stand in training, where others' do."""
    if not group or "test_seen" not in group[0].arrays or not group[0].arrays["test_seen"].any():
        return ""
    right = [run.answers(run.config["keep"][0])["right"][~run.arrays["test_seen"]].mean() for run in group]
    return f"; {100 * np.mean(right):.1f} without the {group[0].arrays['test_seen'].sum()} copies of training images"


def _gap(reported: Sequence[Run], sound: Sequence[Run]) -> str:
    """Both at their last epoch, where both ran for the same epochs."""
    if reported and {r.folder for r in reported} == {r.folder for r in sound}:
        return "one training serves both"
    if not reported or not sound or reported[0].config["model"] == "cutm2024":
        return "–"
    budgets = {(sum(side[0].epochs), side[0].config["precision"]) for side in (reported, sound)}
    if len(budgets) > 1 or not all("last" in run.config["keep"] for run in (*reported, *sound)):
        return "–"
    a, b = (counts(side, "last") for side in comparable(reported, sound))
    return " ".join(points(difference(a, b, paired=reported[0].config["dataset"] == "ckplus")))


def _hardware(*sides: Sequence[Run]) -> str:
    return "; ".join(dict.fromkeys(side[0].facts["device"] for side in sides if side)) or "–"


def results(runs: Sequence[Run]) -> Lines:
    """The table of all runs that scored a test part and price no shortcut."""
    head = ["images scored", "accuracy [95 % interval]", "UAR", "macro-F1", "reported", "time, hardware"]
    final = [r for r in runs if r.config["score_test"] and r.config["protocol"] != "shortcut"]
    return numbered([("system | data, protocol | budget", head), *map(_result, groups(final))])


def _result(group: Sequence[Run]) -> tuple[str, list[str]]:
    config = group[0].config
    kept = config["keep"][0]
    value, scores, n = _on_test(group, kept)
    system = next((s for s in SYSTEMS if (s.model, s.dataset) == (config["model"], config["dataset"])), None)
    spread = f"± {100 * np.std(scores, ddof=1):.1f} over {len(scores)} seeds" if len(scores) > 1 else "one seed"
    others = [k for k in config["keep"][1:] if k in NAMED and k != "best_train"]
    beside = "; ".join(f"{NAMED[k]} {percent(accuracy(counts(group, k)))}" for k in others)
    tables = [pooled(folds, kept) for folds in seeds(group)]
    uar = np.mean([balanced_accuracy_score(t["label"], t["said"]) for t in tables])
    classes = range(len(group[0].facts["class_names"]))
    f1 = np.mean([f1_score(t["label"], t["said"], labels=classes, average="macro", zero_division=0) for t in tables])
    minutes = sum(run.facts["seconds"] for run in group) / 60
    cells = [
        f"{n:,}", f"{NAMED[kept]} {percent(value)} {spread}; {beside}{mirror_images(group)}",
        f"{100 * uar:.1f}", f"{100 * f1:.1f}",
        _claimed(config, system, changes(group[0])), f"{minutes:.0f} min, {group[0].facts['device']}",
    ]  # fmt: skip
    return " | ".join([_called(group[0], system), _protocol(group[0]), _budget(group, system)]), cells


def _claimed(config: dict, system: System | None, change: str) -> str:
    own = system and config["loss"] == "cross_entropy" and config["augmentation"] == system.augmentation
    return system.claimed if own and not change else "–"


def _called(run: Run, system: System | None) -> str:
    config, ours = run.config, []
    if config["class_weights"] != "none":
        ours.append(f"class weights {config['class_weights']}")
    if config["sampling"] != "natural":
        ours.append(f"sampling {config['sampling']}")
    if config["start_from"]:
        ours.append(f"pre-trained on {DATA[config['start_from'].partition('-')[0]]}")
    if config["augmentation_rare"]:
        ours.append(f"augmentation of rare classes {config['augmentation_rare']}")
    if config["loss"] != "cross_entropy":
        ours.append(f"loss {config['loss'].replace('_', '-')}")
    if config["augmentation"] != (system.augmentation if system else "none"):
        ours.append(f"augmentation {config['augmentation']}")
    change = changes(run)
    name = f"{config['model']} ({config['report']})" + (f", *modified*: {change}" if change else "")
    return name + "".join(f"; {text} (ours)" for text in ours)


def _protocol(run: Run) -> str:
    split = run.split
    where = {"usage": "Usage split", "merged": "7,178 merged", "random": "random image split"}.get(
        split["kind"], f"{split['n_folds']} folds"
    )
    grouped = f" grouped by {split['groups']}" if split["groups"] else ""
    return f"{DATA[run.config['dataset']]}, {run.config['protocol']}: {where}{grouped}"


def _budget(group: Sequence[Run], system: System | None) -> str:
    run = group[0]
    ran = " + ".join(map(str, run.epochs))
    note = stopped(group) + (", bfloat16" if run.config["precision"] != "float32" else "")
    if not system:
        return f"{ran} epochs{note}"
    if run.epochs == system.phases:
        return f"{ran} epochs, the report's{note}"
    return f"*reduced budget*: {ran} of {' + '.join(map(str, system.phases))} epochs{note}"
