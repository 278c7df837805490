"""The tables of README.md and of the pages in reports/, written from records and never by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_utils import records, study
from fer_utils.analysis import ensembling
from fer_utils.analysis.prices import tables
from fer_utils.analysis.prices.experiments import PROTOCOL
from fer_utils.evaluation import intervals
from fer_utils.files.writing import atomic
from fer_utils.records import Measurement, Record, find_all
from fer_utils.records.config import RunConfig
from fer_utils.report import headlines, model_card, one_page, records_index
from fer_utils.report.audit import claims, contradictions, counterparts, granularity
from fer_utils.study import growth
from fer_utils.study.pooling import EPOCHS, complete, result, right_answers, stopped_early
from fer_utils.study.protocols import Recipe, recipe

PAGES = {
    "README.md": ("summary",),
    "reports/README.md": ("claims", "results", "prices", "growth", "harness", "precision"),
    "reports/model_card.md": ("card",),
    "reports/recognizer.md": ("speed",),
    "reports/the_five_reports.md": ("counterparts", "granularity", "contradictions"),
}
"""Which of `blocks` stand on which page of the project."""

BEGIN, END = "<!-- {}: written by `make tables` -->", "<!-- {} end -->"
_HEADER = (
    "| system | data, protocol | budget | images scored | accuracy [95 % interval] | UAR | macro-F1 | reported | "
    "time, hardware |"
)
_NAMES = {"fer2013": "FER2013", "ferplus": "FER+", "ckplus": "CK+48", "synthetic": "synthetic faces"}
_SPLITS = {"usage": "Usage split", "merged": "7,178 merged", "random": "random image split", "kfold": "{} folds"}


def markdown(records: Sequence[Record]) -> str:
    """The table, one row per question; says so when there is nothing yet."""
    final = [r for r in records if r.config.score_test and r.config.protocol != PROTOCOL]  # notebook 10 has the others
    groups = sorted(complete(final), key=_order)
    rows = [_row(group) for group in groups]
    if not rows:
        return tables.NOT_YET
    return "\n".join([_HEADER, "|" + "---|" * _HEADER.count(" | ") + "---|", *rows])


def _order(group: Sequence[Record]) -> tuple[str | int, ...]:
    config = group[0].config
    return config.dataset, config.model, _variant(config), config.protocol, -config.epochs, config.key


def _row(group: Sequence[Record]) -> str:
    config, values = group[0].config, result(group)
    own = config.loss == "cross_entropy" and (row := _recipe(config)) and config.augmentation == row.augmentation
    claim = claims.headline(config.model, config.dataset) if own and not headlines.modified(config) else None
    spread = f" ± {100 * values['sd']:.1f} over {values['seeds']} seeds" if values["seeds"] > 1 else ", one seed"
    cells = [
        f"{config.model} ({config.report}){_variant(config)}",
        f"{_NAMES.get(config.dataset, config.dataset)}, {_protocol(config)}",
        _budget(group),
        f"{values['n']:,}",
        f"{_ends(values)}{spread}{_beside(group)}{_flips(group)}",
        f"{100 * values['uar']:.1f}",
        f"{100 * values['macro_f1']:.1f}",
        _claimed(claim) if claim else "–",
        f"{60 * values['hours']:.0f} min, {values['device']}",
    ]
    return "| " + " | ".join(cells) + " |"


def _claimed(claim: claims.Claim) -> str:
    """The printed number, and of which images it is where these are no test images."""
    on_training = recipe(claim.model, claim.dataset).scored == "train"
    return f"{claim.printed}, of training images" if on_training else claim.printed


def _ends(values: Mapping[str, Any]) -> str:
    number = f"**{100 * values['accuracy']:.1f}** [{100 * values['low']:.1f}, {100 * values['high']:.1f}]"
    return f"{EPOCHS.get(values['kept'], values['kept'])} {number}"


def _beside(group: Sequence[Record]) -> str:
    """The other kept epochs, with their intervals."""
    names = [name for name in group[0].kept[1:] if name in EPOCHS and name != "best_train"]
    found = {name: intervals.of_answers(right_answers(group, name)) for name in names}
    return "".join(f"; {EPOCHS[name]} {interval.percent()}" for name, interval in found.items())


def _flips(group: Sequence[Record]) -> str:
    """The mean over runs with mirror images averaged, where all of them were measured so."""
    found = [ensembling.on_record(record) for record in group]
    if not all(found):
        return ""
    return f"; {100 * np.mean([m.values['test']['accuracy'] for m in found]):.1f} with mirror images averaged"


def _protocol(config: RunConfig) -> str:
    split = config.split
    where = _SPLITS[split.kind].format(split.n_folds)
    grouped = f" grouped by {split.groups}" if split.groups else ""
    return f"{config.protocol}: {where}{grouped}"


def _variant(config: RunConfig) -> str:
    """What differs from the report's own description."""
    settings = {}
    if config.class_weights != "none":
        settings["class weights"] = config.class_weights
    if config.sampling != "natural":
        settings["sampling"] = config.sampling
    if config.start_from:
        settings["pre-trained on"] = _NAMES.get(name := config.start_from.split("-")[0], name)
    if config.dataset == "fer2013" and config.dataset_options.get("labels") == "votes":
        settings["labels"] = "half FER+'s votes"
    if config.teachers:
        n = len(config.teachers)
        settings["taught by"] = f"{n} network{'s' * (n > 1)} with a share of {config.teaching:g}"
    for name in ("mixup", "cutmix", "weight_averaging"):
        if value := getattr(config, name):
            settings[name] = f"{value:g}"
    if config.augmentation_rare:
        settings["augmentation of rare classes"] = config.augmentation_rare
    if config.loss != "cross_entropy":
        settings["loss"] = config.loss.replace("_", "-")
    row = _recipe(config)
    if config.augmentation != (row.augmentation if row else "none"):
        settings["augmentation"] = config.augmentation
    ours = "".join(f"; {name.replace('_', ' ')} {value} (ours)" for name, value in settings.items())
    change = headlines.modified(config)
    return (f", *modified*: {change}" if change else "") + ours


def _recipe(config: RunConfig) -> Recipe | None:
    try:
        return recipe(config.model, config.dataset)
    except ValueError:
        return None


def _budget(group: Sequence[Record]) -> str:
    config = group[0].config
    ran = " + ".join(str(phase.epochs) for phase in config.phases)
    note = stopped_early(group) + config.precision_note
    if not (row := _recipe(config)):
        return f"{ran} epochs{note}"
    stated = row.epochs
    if tuple(phase.epochs for phase in config.phases) == stated:
        return f"{ran} epochs, the report's{note}"
    return f"*reduced budget*: {ran} of {' + '.join(map(str, stated))} epochs{note}"


def pipes(table: pd.DataFrame) -> str:
    """A table as Markdown: its columns without its index."""
    lines = [list(table.columns), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def speed(store: Path) -> str:
    """What `make bench` has put on record, machine by machine."""
    found = (measurement.values for measurement in _every(store, "speed-*"))
    texts = [f"{v['machine']}.\n\n" + "\n".join(pipes(pd.DataFrame(**part)) for part in v["tables"]) for v in found]
    return "\n".join(texts).rstrip() or tables.NOT_YET


def harness_table(store: Path) -> str:
    """What `make bench` has put on record of training speed, alone and in the harness, machine by machine."""
    texts = []
    for values in (measurement.values for measurement in _every(store, "harness-*")):
        table = pd.DataFrame.from_dict(values["networks"], orient="index")
        table = table.rename_axis("network, precision").reset_index()
        names = {"plain": "Keras's own layers", "bare": "bare step", "fed": "in the harness"}
        ways = {way: f"{name}, images/s" for way, name in names.items()}
        table[list(ways)] = table[list(ways)].map("{:,.0f}".format)
        table["added"] = table["added"].map("{:+.1%}".format).str.replace("%", " %")
        texts.append(f"{values['machine']}.\n\n{pipes(table.rename(columns=ways | {'added': 'time added'}))}")
    return "\n".join(texts).rstrip() or tables.NOT_YET


def _every(store: Path, pattern: str) -> Iterator[Measurement]:
    """The finished measurements whose names fit, by name."""
    return (records.Measurement(path) for path in sorted(store.glob(pattern)) if records.is_done(path))


def growth_table(store: Path) -> str:
    """What `make bench` has put on record of time and memory over the number of images, machine by machine."""
    texts = []
    for measurement in _every(store, "growth-*"):
        values = measurement.values
        table = pd.DataFrame(**values["growth"])
        named = {"time": "exponent of time (1: linear)", "memory": "copies of an image in memory"}
        found = growth.slopes(table).rename(columns=named)
        largest = table.groupby("step", sort=False)[["images", "seconds", "images/s"]].last()
        joined = largest.round(1).join(found.round(2)).reset_index()
        joined[["images", "images/s"]] = joined[["images", "images/s"]].map("{:,.0f}".format)
        texts.append(f"{values['machine']}. {_workers(measurement.path)}\n\n{pipes(joined)}")
    return "\n".join(texts).rstrip() or tables.NOT_YET


def _workers(growth_path: Path) -> str:
    found = records.measured(growth_path.name.replace("growth", "workers", 1), growth_path.parent)
    if not found:
        return "Two one-thread workers against one: not measured."
    rate = f"{found.values['times as fast']:.2f}"
    return f"Two one-thread workers did the same trainings {rate} times as fast as one."


def blocks(store: Path) -> dict[str, str]:
    """What `make tables` writes between the markers of a page, by the block's name: see `PAGES`."""
    shipped, lines = study.shipped(), headlines.lines(records_index.read(store.parent))
    return {
        "summary": one_page.summary(lines),
        "claims": one_page.markdown(lines),
        "results": markdown(find_all(store)),
        "prices": f"{tables.markdown(tables.on_record(store))}\n\n{tables.notes(store)}".rstrip(),
        "speed": speed(store.parent / "measurements"),
        "precision": tables.NOT_YET if (priced := tables.precision(store)).empty else pipes(priced).rstrip(),
        "harness": harness_table(store.parent / "measurements"),
        "growth": growth_table(store.parent / "measurements"),
        "counterparts": "\n".join(f"### {key}\n\n{pipes(counterparts.table(key))}" for key in claims.KEYS).rstrip(),
        "granularity": pipes(granularity.statement().reset_index()).rstrip(),
        "contradictions": pipes(contradictions.table(store.parent).reset_index()).rstrip(),
        "card": "\n".join(pipes(part(shipped)) for part in (model_card.scores, model_card.classes)).rstrip(),
    }


def update(path: Path, written: Mapping[str, str]) -> bool:
    """Replace the blocks of a Markdown file; returns whether the file changed.

    Raises:
        ValueError: the file lacks the markers of a block.
    """
    text = path.read_text(encoding="utf-8")
    new = replaced(text, written, path)
    if new != text:
        with atomic(path, "w") as file:
            file.write(new)
    return new != text


def replaced(text: str, written: Mapping[str, str], path: Path) -> str:
    """`text` with every block of `written` (name -> Markdown) between its markers.

    Args:
        text: of the page.
        written: what to put in.
        path: of the page, for the message.

    Raises:
        ValueError: `text` lacks the markers of a block.

    Example:
        >>> page = " ".join([BEGIN.format("n"), "old", END.format("n")])
        >>> print(replaced(page, {"n": "new"}, Path("README.md")))
        <!-- n: written by `make tables` -->
        new
        <!-- n end -->
    """
    for name, block in written.items():
        opening, closing = BEGIN.format(name), END.format(name)
        before, begin, rest = text.partition(opening)
        _, end, after = rest.partition(closing)
        if not begin or not end:
            raise ValueError(f"The {name} stand between {opening!r} and {closing!r}; {path} lacks them. Put them back.")
        text = f"{before}{begin}\n{block}\n{end}{after}"
    return text
