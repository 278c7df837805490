"""What records say of the things that the five reports ask for: a sentence each, or "not measured".

Every answer takes all that is on record and returns text. Differences are paired (the same images, the same seed) and
come with 95 % intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from fer_utils import records, study
from fer_utils.analysis import attention as kinds_of_attention
from fer_utils.analysis import cross_dataset, eda, trained_networks
from fer_utils.analysis.eda import TITLES
from fer_utils.evaluation import metrics, statistics
from fer_utils.report import headlines, paired_runs
from fer_utils.report.audit.verdicts import NOT_MEASURED
from fer_utils.report.headlines import SOUND, Measured
from fer_utils.report.records_index import Shelf
from fer_utils.study import pooling, protocols, tuning

Answer = Callable[[Shelf], str]

MODELS = {"iitk2023_model1": "Model 1", "iitk2023_model2": "Model 2"}
LOSSES = {"l2_svm": "L2-SVM", "weston_watkins": "Weston–Watkins", "crammer_singer": "Crammer–Singer"}
REMEDIES = {
    "class weights": {"class_weights": "balanced"}, "over-sampling": {"sampling": "oversample"},
    "augmenting rare classes": {"augmentation_rare": "light"}, "augmenting all": {"augmentation": "light"},
}  # fmt: skip
_DATA = ("ckplus", "fer2013")


def nothing(shelf: Shelf) -> str:
    """For what is there or is not, and has no size."""
    return "a function, no number"


def headline(system: str) -> Answer:
    """A report's networks, re-run, dataset by dataset."""

    def answer(shelf: Shelf) -> str:
        return _joined(
            f"{line.detail}, {line.data}: {name} {dot.interval.percent()}"
            + (f" ({dot.ran} of {dot.stated} epochs)" if dot.reduced else "")
            for line in headlines.lines(shelf) if line.system == system
            for name, dot in line.dots.items() if dot
        )  # fmt: skip

    return answer


def speed(rows: Sequence[str], columns: Sequence[str], kind: str = "speed") -> Answer:
    """What `make bench` or `fer_utils.live.measurements.costs` put on record, machine by machine.

    Args:
        rows: how the first cells of the rows begin.
        columns: names, as `fer_utils.live.measurements.bench` and `costs` write them.
        kind: `"speed"` or `"costs"`: how the names of the records begin.
    """

    def answer(shelf: Shelf) -> str:
        paths = [path for path in sorted(shelf.measurements.glob(f"{kind}-*")) if records.is_done(path)]
        return _joined(text for path in paths for text in _timed(records.Measurement(path).values, rows, columns))

    return answer


def _timed(values: dict[str, Any], rows: Sequence[str], columns: Sequence[str]) -> Iterator[str]:
    for part in values["tables"]:
        table = pd.DataFrame(**part)
        for _, line in table[table.iloc[:, 0].str.startswith(tuple(rows))].iterrows():
            texts = [f"{name} {line[name]}" for name in columns if line.get(name, "") not in ("", None)]
            if texts:
                yield f"{line.iloc[0]}: {', '.join(texts)} ({values['machine'].split(';')[0]})"


def stress(*kinds: str) -> Answer:
    """How many points of error some kinds of damage add to the study's small network, mean of five strengths."""

    def answer(shelf: Shelf) -> str:
        texts = []
        for dot, data in _own(shelf, "from random weights"):
            runs = study.by_seed(dot.runs)[dot.runs[0].config.seed]
            stressed = (trained_networks.stressed(runs, limit=n, compute_missing=False) for n in (None, 1000))
            if found := next((s for s in stressed if s), None):
                added = found.table()["added points"]
                shown = ", ".join(f"{kind} {added[kind]:+.1f}" for kind in kinds)
                texts.append(f"compact, {TITLES[data]}: {shown} points of error (n = {len(found.labels):,})")
        return _joined(texts)

    return answer


def attention(shelf: Shelf) -> str:
    """psg2025's first block without its attention, with channel attention, with CBAM: validation accuracy."""
    found = kinds_of_attention.first_blocks(shelf.find("psg2025", "ckplus", "sound"))
    return kinds_of_attention.side_by_side(found) or NOT_MEASURED


def data_counts(shelf: Shelf) -> str:
    """FER2013 counted: images, imbalance, duplicates."""
    if not (found := shelf.measured(f"eda{eda.VERSION}-fer2013-*")):
        return NOT_MEASURED
    counted, copies = eda.imbalance(found.values), eda.duplicates_row(found.values)
    return (
        f"FER2013: {found.values['n']:,} images, {counted['commonest']} to {counted['rarest']} {counted['ratio']}; "
        f"{copies['sets of identical images']:,} sets of identical images, "
        f"{copies['sets with conflicting labels']} with conflicting labels"
    )


def remedies(shelf: Shelf) -> str:
    """What each remedy for rare expressions changes, in UAR, with the study's smallest network."""
    gains = {TITLES[data]: _gains(shelf, data) for data in _DATA}
    return _joined(f"UAR against none, tiny, {data}: {', '.join(found)}" for data, found in gains.items() if found)


def _gains(shelf: Shelf, data: str) -> list[str]:
    """Each remedy's gain on one dataset."""
    plain, gains = paired_runs.groups(shelf, "tiny", data, augmentation="none"), []
    for name, changes in REMEDIES.items():
        remedied = paired_runs.groups(shelf, "tiny", data, **{"augmentation": "none", **changes})
        if gain := paired_runs.matched(remedied, plain, paired_runs.recall):
            gains.append(f"{name} {gain.points()}")
    return gains


def areas(shelf: Shelf) -> str:
    """Area under the ROC curve, mean over expressions, of the study's small network."""
    texts = []
    for dot, data in _own(shelf):
        pooled = paired_runs.first_seed(dot.runs)
        mean = np.mean([curve.auc for curve in metrics.roc(pooled.labels, pooled.logits).values()])
        texts.append(f"mean area {mean:.3f} (compact{_start(dot)}, {TITLES[data]}, n = {len(pooled.labels):,})")
    return _joined(texts)


def backbones(shelf: Shelf) -> str:
    """The large networks on both datasets, from random weights and from ImageNet's, as far as on record."""
    texts = []
    for data in _DATA:
        for group in study.by_configuration(shelf.find("resnet_transfer", data, score_test=True)):
            options, config = group[0].config.model_options, group[0].config
            start = "ImageNet's weights" if "weights" in options else "random weights"
            parts = f", {len(group)} of {config.split.n_folds} folds" if config.split.kind == "kfold" else ""
            interval, backbone = paired_runs.first_seed(group).interval, options.get("backbone", "resnet50")
            about = f"n = {interval.n:,}, {config.epochs} epochs{config.precision_note}{parts}"
            texts.append(f"{TITLES[data]}, {backbone}, {start}: {interval.percent()} ({about})")
    missing = [TITLES[data] for data in _DATA if not any(text.startswith(TITLES[data]) for text in texts)]
    return _joined([*texts, *(f"{data}: {NOT_MEASURED}" for data in missing)] if texts else [])


def maps(shelf: Shelf) -> str:
    """Whether Grad-CAM and occlusion point to the same places, validation images."""
    texts = []
    for dot, data in _own(shelf, "from random weights"):
        runs = study.by_seed(dot.runs)[dot.runs[0].config.seed]
        parts = [shelf.measured(f"maps{trained_networks.VERSION}-validation*-{record.id}") for record in runs]
        if all(parts):
            looked, arrays = trained_networks.pooled(parts)
            table = trained_networks.layer_table(looked, arrays | trained_networks.people_of(runs, parts)).iloc[:, 0]
            texts.append(
                f"compact, {TITLES[data]}: rank correlation of Grad-CAM with occlusion "
                f"{table['agreement with occlusion']}, n = {looked['n']}"
            )
    return _joined(texts)


def failures(shelf: Shelf) -> str:
    """How many errors on PrivateTest at least one of ten annotators shares."""
    if not (found := shelf.measured("errors*-fer2013-compact-*")):
        return NOT_MEASURED
    wrong = found.values["wrong"]
    ends = "{share} [{low}, {high}]".format(**{k: f"{100 * v:.0f}" for k, v in wrong["any vote"].items()})
    what = f"{wrong['n']:,} of {found.values['n']:,} wrong"
    return f"compact, PrivateTest: {what}; for {ends} % of these at least one of ten annotators gave the same answer"


def augmentation(shelf: Shelf) -> str:
    """iitk2023's augmentation on minus off, sound protocol, wherever both are on record."""
    return _contrast(shelf, "on minus off", {"augmentation": "iitk2023"}, {"augmentation": "none"})


def losses(shelf: Shelf) -> str:
    """Cross-entropy minus each support vector machine, sound protocol, wherever both are on record."""
    texts = []
    for loss, name in LOSSES.items():
        text = _contrast(shelf, f"cross-entropy minus {name}", {"loss": "cross_entropy"}, {"loss": loss})
        texts += [] if text == NOT_MEASURED else [text]
    return _joined(texts)


def _contrast(shelf: Shelf, name: str, one: dict[str, Any], other: dict[str, Any]) -> str:
    texts = []
    for model, data in ((m, d) for m in MODELS for d in _DATA):
        usual = {"loss": "cross_entropy", "augmentation": protocols.recipe(model, data).augmentation}
        a, b = (paired_runs.groups(shelf, model, data, **usual | changes) for changes in (one, other))
        if gap := paired_runs.matched(a, b):
            texts.append(f"{MODELS[model]}, {TITLES[data]}, {name}: {gap.points()}")
    return _joined(texts)


def networks(shelf: Shelf) -> str:
    """Model 2 minus Model 1 under the sound protocol."""
    texts = []
    for data in _DATA:
        usual = {"loss": "cross_entropy", "augmentation": protocols.recipe("iitk2023_model2", data).augmentation}
        one, two = (paired_runs.groups(shelf, model, data, **usual) for model in MODELS)
        if gap := paired_runs.matched(two, one):
            texts.append(f"{TITLES[data]}, Model 2 minus Model 1: {gap.points()}")
    return _joined(texts)


def forest(shelf: Shelf) -> str:
    """A random forest on Model 2's features minus the network itself, one fold of CK+48."""
    if not (found := shelf.measured("shallow-ckplus-iitk2023_model2-*")):
        return NOT_MEASURED
    labels, people = found.arrays["labels"], found.arrays.get("subjects")
    right = dict(zip(found.values["names"], found.arrays["predicted"] == labels, strict=True))
    own, trees = right["the network itself"], right["random forest on its features"]
    gap = statistics.paired_bootstrap_difference(trees, own, clusters=people)
    return f"CK+48, Model 2's features, forest minus network: {gap.points()}, n = {gap.n}, one fold"


def hyperparameters(shelf: Shelf) -> str:
    """Searches on record: trials, the best on validation, and the winner's one look at test images."""
    texts = []
    for data in _DATA:
        found = shelf.measured(f"tuning-{data}-iitk2023_model2-*")
        if not found:
            texts.append(f"{TITLES[data]}: {NOT_MEASURED}")
            continue
        best = tuning.winner([found])
        trial = next((r.config for r in shelf.runs if r.id == best["run"]), None)
        finals = [r for r in shelf.runs if trial and r.config == replace(trial, score_test=True)]
        test = f"; on test images {paired_runs.first_seed(finals).interval.percent()}" if finals else ""
        if finals and len(others := pooling.validation_minus_test(shelf.find(dataset=data), finals[0])):
            drops = f"{others.min():.1f} to {others.max():.1f} points"
            test += f" ({len(others)} other runs on this split, which nobody chose, drop by {drops})"
        text = f"best {100 * best['score']:.1f} % of {best['n']:.0f} validation images{test}"
        texts.append(f"{TITLES[data]}, Model 2, {len(tuning.trials(found))} trials: {text}")
    return _joined(texts)


def transfer(shelf: Shelf) -> str:
    """The small network on CK+48: pre-trained on FER2013 minus from random weights, equal epochs."""
    found = {_start(dot): dot for dot, data in _own(shelf) if data == "ckplus"}
    if len(found) < 2:
        return NOT_MEASURED
    (_, scratch), (_, tuned) = sorted(found.items())
    gap = paired_runs.paired(tuned.runs, scratch.runs)
    return f"compact, CK+48, pre-trained on FER2013 minus from random weights: {gap.points()}" if gap else NOT_MEASURED


def elsewhere(shelf: Shelf) -> str:
    """The small network of FER2013 on CK+48, without training there."""
    if not (found := shelf.measured("elsewhere-fer2013-compact-*-on-ckplus")):
        return NOT_MEASURED
    away, names = cross_dataset.away(found.arrays), found.values["names"]
    what = f"compact of FER2013 on CK+48, {len(names)} shared expressions, no training there"
    return f"{what}: {away.percent()} (n = {away.n})"


def _own(shelf: Shelf, detail: str | None = None) -> list[tuple[Measured, str]]:
    """`compact` under its plain recipe, on both datasets."""
    plain = [x for x in headlines.own(shelf) if x.system == "compact" and not x.changed]
    found = [x for x in plain if detail in (None, x.detail)]
    return [(line.dots[SOUND], line.dataset) for line in found]


def _start(dot: Measured) -> str:
    source = dot.runs[0].config.start_from.split("-")[0]
    return f" pre-trained on {TITLES[source]}" if source else ""


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(texts) or NOT_MEASURED
