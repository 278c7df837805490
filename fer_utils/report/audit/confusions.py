"""What records say of single expressions: which are taken for which, which flicker, where a network looks for them."""

from __future__ import annotations

import numpy as np

from fer_utils.analysis import trained_networks
from fer_utils.analysis.eda import TITLES
from fer_utils.evaluation import intervals, statistics
from fer_utils.records import Measurement, is_done
from fer_utils.report import headlines, paired_runs
from fer_utils.report.audit.verdicts import NOT_MEASURED
from fer_utils.report.headlines import SOUND
from fer_utils.report.records_index import Shelf
from fer_utils.study import Pooled, pooling


def fear_as_sad(shelf: Shelf) -> str:
    """Share of fear that is predicted as sad: Model 2, and the study's small network on FER2013."""
    texts = []
    for line in headlines.lines(shelf):
        if line.detail == "Model 2" or _is_small_network(line):
            name, dot = f"{line.detail if line.claim else line.system}, {line.data}", line.dots[SOUND]
            texts.append(f"{name}: {_fear(paired_runs.first_seed(dot.runs)) if dot else NOT_MEASURED}")
    return "; ".join(texts) or NOT_MEASURED


def _is_small_network(line: headlines.Line) -> bool:
    """Whether a line is `compact` of FER2013 under its plain recipe."""
    return (line.system, line.dataset, line.changed) == ("compact", "fer2013", "")


def _fear(pooled: Pooled) -> str:
    rows, sad = pooled.labels == _code(pooled, "fear"), _code(pooled, "sad")
    people = None if pooled.people is None else pooled.people[rows]
    share = intervals.accuracy(pooled.logits[rows].argmax(axis=1) == sad, people)
    return f"{share.percent()} % of n = {share.n}"


def like_people(shelf: Shelf) -> str:
    """Fear taken for sadness by the study's small network and by FER+'s annotators, on the same images."""
    if not (found := shelf.measured("shared*-fear-as-sad-fer2013-compact-*")):
        return NOT_MEASURED
    values = found.values
    shares = {name: _percent(values[name]) for name in ("people", "network", "there", "elsewhere", "difference")}
    return (
        f"FER2013's {values['n']} fear images of PrivateTest: {shares['people']} % of FER+'s votes are for sadness, "
        f"compact takes {shares['network']} % for sad; where it does people vote so with {shares['there']} %, "
        f"elsewhere {shares['elsewhere']} %: {shares['difference']} points apart"
    )


def _percent(share: dict[str, float]) -> str:
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * share[name] for name in ("share", "low", "high")))


def anger_and_sadness(shelf: Shelf) -> str:
    """Whether anger is taken for sadness, and sadness for anger, more often than for any other expression."""
    texts = []
    for line in headlines.own(shelf):
        if _is_small_network(line):
            pooled = paired_runs.first_seed(line.dots[SOUND].runs)
            pairs = (("angry", "sad"), ("sad", "angry"))
            texts += [f"compact, {TITLES[line.dataset]}: {_against_next(pooled, *pair)}" for pair in pairs]
    return "; ".join(texts) or NOT_MEASURED


def _against_next(pooled: Pooled, label: str, answer: str) -> str:
    """One confusion of a label beside the commonest other one, as a paired difference over images."""
    code, named = _code(pooled, label), _code(pooled, answer)
    rows = pooled.labels == code
    said = pooled.logits[rows].argmax(axis=1)
    counts = np.bincount(said, minlength=len(pooled.class_names))
    counts[[code, named]] = -1
    rival = int(counts.argmax())
    people = None if pooled.people is None else pooled.people[rows]
    shares = {c: intervals.accuracy(said == c, people) for c in (named, rival)}
    gap = statistics.paired_bootstrap_difference(said == named, said == rival, clusters=people)
    return (
        f"{label} as {answer} {shares[named].percent()} %, as {pooled.class_names[rival]} {shares[rival].percent()} %, "
        f"difference {gap.points()} points, n = {gap.n}"
    )


def flicker(shelf: Shelf) -> str:
    """In how many sequences of three frames the shipped network's answer changes, expression by expression.

    Within one expression nearly every sequence is of another person, so Wilson's interval over sequences will do.
    """
    found = shelf.measured("elsewhere-fer2013-compact-*-on-ckplus")
    if not found or len(found.arrays["labels"]) % 3 or "subjects" not in found.arrays:
        return NOT_MEASURED
    labels, people, answers = (found.arrays[n].reshape(-1, 3) for n in ("labels", "subjects", "free"))
    if (labels != labels[:, :1]).any() or (people != people[:, :1]).any():
        return NOT_MEASURED  # not whole sequences, one behind the other
    changes, texts = (answers != answers[:, :1]).any(axis=1), []
    for code, name in enumerate(found.values["names"]):
        if (rows := labels[:, 0] == code).any():
            share = statistics.wilson_interval(int(changes[rows].sum()), int(rows.sum()))
            texts.append(f"{name} {share.percent()} % of {share.n}")
    return f"compact of FER2013, CK+48's sequences of three frames whose answer changes: {', '.join(texts)}"


def where_reports_look(shelf: Shelf) -> str:
    """How much of a report's own network's Grad-CAM lies in the lower half of the face, expression by expression."""
    parts = {}
    for record in shelf.find("iitk2023_model1", "ckplus", "sound"):
        name = f"maps{trained_networks.VERSION}-validation-{record.id}"
        if is_done(shelf.measurements / name):
            parts[record.id] = (record, Measurement(shelf.measurements / name))
    texts = []
    for group in pooling.complete([record for record, _ in parts.values()]):
        values, arrays = trained_networks.pooled([parts[record.id][1] for record in group])
        lower = [trained_networks.lower_half(map_) for map_ in arrays["cam_0"]]
        shares = ", ".join(f"{name} {100 * s:.0f}" for name, s in zip(group[0].class_names, lower, strict=True))
        texts.append(
            f"Model 1, CK+48, {group[0].config.epochs} epochs: of the mean map {shares} % lie in the lower half of the "
            f"face (n = {values['n']})"
        )
    return "; ".join(texts) or NOT_MEASURED


def two_dense_layers(shelf: Shelf) -> str:
    """Parameters of cutm2024's network with one dense layer, as its summary has it, and with the two of its text."""
    from fer_utils import models  # here, because it loads Keras, which no other answer needs

    one, two = (models.build("cutm2024", dense_layers=n).count_params() for n in (1, 2))
    return f"{two:,} parameters, {two - one:,} more than with one"


def _code(pooled: Pooled, expression: str) -> int:
    return next(code for code, name in enumerate(pooled.class_names) if name.startswith(expression))
