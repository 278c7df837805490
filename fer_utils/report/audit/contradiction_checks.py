"""What records, arithmetic or the labels say of the statements in `contradictions`, a sentence each.

A check takes the folder of `runs` and `measurements` (None: the project's). What no record holds is "not measured".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fer_utils import study
from fer_utils.analysis import attention as kinds_of_attention
from fer_utils.analysis import eda
from fer_utils.analysis.prices import confirmations
from fer_utils.records import Measurement
from fer_utils.report.audit import claims, granularity
from fer_utils.report.audit.verdicts import NOT_MEASURED
from fer_utils.study.protocols import recipe

Check = Callable[[Path | None], str]


def read(text: str) -> Check:
    """A verdict by reading alone."""
    return lambda reports: f"by reading: {text}"


def sizes(case: str) -> Check:
    """What the granularity of a case of `granularity.CASES` proves."""
    return lambda reports: f"by granularity: {granularity.conclusion(case)}"


def points_apart(model: str, dataset: str, one: str, other: str) -> Check:
    """The difference of two printed accuracies, named by how they begin in `claims.Claim.what`."""

    def check(reports: Path | None) -> str:
        found = claims.claims(model, dataset)
        first, second = (next(c for c in found if c.what.startswith(name)) for name in (one, other))
        gap = first.percent - second.percent
        return f"by arithmetic: {first.printed} and {second.printed} lie {gap:.1f} points apart"

    return check


def parameters(*names: str, **options: int) -> Check:
    """Parameters of networks of the reports, and of the last one with options."""

    def check(reports: Path | None) -> str:
        lines = [f"{name} has {_count(name):,} parameters" for name in names]
        lines += [f"with {' '.join(f'{v} {k}' for k, v in options.items()).replace('_', ' ')}: "
                  f"{_count(names[-1], **options):,}"] if options else []  # fmt: skip
        return f"by building it: {'; '.join(lines)}"

    return check


def last_layer(reports: Path | None) -> str:
    """iitk2023's Model 1 with and without the printed size of its last layer."""
    count = _count("iitk2023_model1")
    misprint = count - (1024 * 7 + 7) + 71_655
    return (
        f"by building it: {count:,} parameters; with the printed last layer {misprint:,}; one more dense layer of "
        f"1,024 units would alone have {1024 * 1024 + 1024:,}"
    )


def epochs(reports: Path | None) -> str:
    """psg2025's epochs in the code of its appendix."""
    return f"by arithmetic: {' + '.join(map(str, recipe('psg2025', 'ckplus').epochs))} epochs"


def first_block(reports: Path | None) -> str:
    """psg2025's watched accuracy in block 1 of our re-runs."""
    found = study.on_record("psg2025", "ckplus", "reported", store=_runs(reports))
    lines = []
    for record in found:
        block = record.history[record.history["phase"] == 1]["val_accuracy"].to_numpy()
        momentum = record.config.model_options.get("batch_norm_momentum", 0.99)
        awake = f"above 50 % first in epoch {np.argmax(block > 0.5) + 1}" if (block > 0.5).any() else "never above 50 %"
        lines.append(
            f"batch-norm momentum {momentum:g}, block 1 of {len(block)} epochs: {awake}, "
            f"best {100 * block.max():.1f} %, end {100 * block[-1]:.1f} %"
        )
    return "on record: " + "; ".join(lines) if lines else NOT_MEASURED


def attention(reports: Path | None) -> str:
    """psg2025's network with its attention and without, as far as the runs for it are on record."""
    runs = study.on_record("psg2025", "ckplus", "sound", store=_runs(reports))
    said = kinds_of_attention.side_by_side(kinds_of_attention.first_blocks(runs))
    return f"on record: {said}" if said else NOT_MEASURED


def leak(model: str) -> Check:
    """Random split minus folds by subject, where both are on record."""

    def check(reports: Path | None) -> str:
        found = confirmations.prices(model, _runs(reports))
        texts = (f"{price.shortcut.partition(', ')[2]}: {price.interval.points()}" for price in found)
        compared = confirmations.COMPARED.format("", "")
        return f"on record: {compared}, in points: {'; '.join(texts)}" if found else NOT_MEASURED

    return check


def copies(reports: Path | None) -> str:
    """Images of FER2013's test parts that stand in Training, pixel by pixel."""
    if (found := _described("fer2013", reports)) is None:
        return NOT_MEASURED
    leaks = found.values["leaks"]
    return "counted: " + "; ".join(
        f"{leaks[f'{part} against Training']['duplicate']} images of {part} stand in Training, "
        f"{leaks[f'{part} against Training']['duplicate_other_label']} under another label"
        for part in ("PublicTest", "PrivateTest")
    )


def classes(reports: Path | None) -> str:
    """FER2013's classes by size."""
    if (found := _described("fer2013", reports)) is None:
        return NOT_MEASURED
    counts = np.sum(list(found.values["counts"].values()), axis=0)
    names = found.values["class_names"]
    return "counted: " + ", ".join(f"{names[i]} {counts[i]:,}" for i in np.argsort(-counts))


def images(reports: Path | None) -> str:
    """How many images CK+48 has."""
    found = _described("ckplus", reports)
    return NOT_MEASURED if found is None else f"counted: {found.values['n']} images in CK+48's folders"


def convex(reports: Path | None) -> str:
    """An overall accuracy is a weighted mean of the classes'."""
    overall = claims.headline("iitk2023_model2", "ckplus")
    return (
        "by arithmetic: the overall accuracy is a mean of the classes', weighted by their images, so it would lie "
        f"above 98 % whatever the weights; {overall.printed} does not"
    )


def winner(reports: Path | None) -> str:
    """iitk2023's best accuracy on FER2013."""
    best = max(claims.claims("iitk2023_model2", "fer2013"), key=lambda c: c.percent)
    return f"by arithmetic: its own best is {best.printed}, below both"


def usage_split(reports: Path | None) -> str:
    """xavengers2025's classification report against itself."""
    table = claims.xavengers_report()
    accuracy = (table["recall"] * table["support"]).sum() / table["support"].sum()
    macro = table[["precision", "recall", "f1"]].mean()
    return (
        f"by arithmetic: recalls and supports give accuracy {accuracy:.3f}, macro "
        f"{macro['precision']:.2f}/{macro['recall']:.2f}/{macro['f1']:.2f}; supports are PrivateTest's: Usage split"
    )


def disgust(reports: Path | None) -> str:
    """Where disgust stands among xavengers2025's own F1 scores."""
    ordered = claims.xavengers_report()["f1"].sort_values(ascending=False)
    place = list(ordered.index).index("disgust") + 1
    return f"by arithmetic: disgust is number {place} of {len(ordered)}: " + ", ".join(
        f"{name} {value:.2f}" for name, value in ordered.items()
    )


def colab_table(reports: Path | None) -> str:
    """colab2023's classification report against itself."""
    f1 = np.mean(claims.COLAB_F1)
    first, second = (granularity.conclusion(f"colab2023, {part}") for part in ("validation", "test"))
    return f"by arithmetic: mean of the class F1 {f1:.4f}. By granularity, of 72.67: {first} Of 67.11: {second}"


def _runs(reports: Path | None) -> Path | None:
    return None if reports is None else reports / "runs"


def _described(dataset: str, reports: Path | None) -> Measurement | None:
    return eda.on_record(dataset, None if reports is None else reports / "measurements")


def _count(name: str, **options: int) -> int:
    """Parameters of a network of the reports."""
    from fer_utils import models  # here, because it loads Keras, which no other check needs

    return models.build(name, **options).count_params()
