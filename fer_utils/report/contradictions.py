"""The audit's contradictions: statements of the reports against each other, against arithmetic, against the data.

Each comes with what records or arithmetic say about it. What no record holds is "not measured".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fer_utils import study
from fer_utils.analysis import eda
from fer_utils.analysis.prices import experiments, tables
from fer_utils.evaluation import metrics
from fer_utils.report import claims, granularity
from fer_utils.report.verdicts import NOT_MEASURED
from fer_utils.study.protocols import recipe


@dataclass(frozen=True)
class Finding:
    """A statement of a report and what stands against it.

    Attributes:
        report: its key.
        says: the statement.
        against: what disagrees, as far as it follows from the report or from published facts.
        check: from the folder of `runs` and `measurements` (None: the project's) to what records or arithmetic say.
    """

    report: str
    says: str
    against: str
    check: Callable[[Path | None], str]


def table(reports: Path | None = None) -> pd.DataFrame:
    """One row per contradiction: says, against, verdict.

    Args:
        reports: folder that holds `runs` and `measurements`; default those of the project.
    """
    rows = [(f.report, f.says, f.against, f.check(reports)) for f in FINDINGS]
    return pd.DataFrame(rows, columns=["report", "says", "against it", "verdict"]).set_index("report")


def _runs(reports: Path | None) -> Path | None:
    return None if reports is None else reports / "runs"


def _read(text: str) -> Callable[[Path | None], str]:
    """A verdict by reading alone."""
    return lambda reports: f"by reading: {text}"


def _fits(printed: Sequence[str], among: Sequence[int]) -> Callable[[Path | None], str]:
    """A verdict by the granularity test."""

    def check(reports: Path | None) -> str:
        lines = [f"{value} on {n:,}: {granularity.cell(value, n)}" for value in printed for n in among]
        return "by arithmetic: " + "; ".join(lines)

    return check


def _no_common_size(reports: Path | None) -> str:
    among = range(20, 400)
    rounded, cut = (granularity.sizes(("97.97", "93.55"), among, rule) for rule in ("rounded", "truncated"))
    fits = granularity.sizes(("97.97", "93.92"), among, "rounded")
    common = f"rounded: {rounded or 'no size'}, truncated: {cut or 'no size'}"
    return f"by arithmetic, 20 to 399 images: 97.97 with 93.55 {common}; 97.97 with 93.92 (rounded): {fits}"


def _count(name: str) -> int:
    """Parameters of a network of the reports."""
    from fer_utils import models  # here, because it loads Keras, which no other row needs

    return models.build(name).count_params()


def _parameters(name: str) -> Callable[[Path | None], str]:
    return lambda reports: f"by building it: {name} has {_count(name):,} parameters"


def _last_layer(reports: Path | None) -> str:
    count = _count("iitk2023_model1")
    misprint = count - (1024 * 7 + 7) + 71_655
    return f"by building it: {count:,} parameters; with the printed last layer {misprint:,}"


def _first_block(reports: Path | None) -> str:
    """psg2025's validation accuracy in block 1 of our re-runs."""
    found = study.on_record("psg2025", "ckplus", "reported", store=_runs(reports))
    lines = []
    for record in found:
        block = record.history[record.history["phase"] == 1]["val_accuracy"]
        momentum = record.config.model_options.get("batch_norm_momentum", 0.99)
        lines.append(
            f"batch-norm momentum {momentum:g}, block 1 of {len(block)} epochs: best {100 * block.max():.1f} %, "
            f"end {100 * block.iloc[-1]:.1f} %"
        )
    return "on record (reduced budget): " + "; ".join(lines) if lines else NOT_MEASURED


def _sadness(reports: Path | None) -> str:
    """Recall of sadness after each block of the re-run that learns best."""
    found = study.on_record("psg2025", "ckplus", "reported", store=_runs(reports))
    if not found:
        return NOT_MEASURED
    record = max(found, key=lambda r: r.metric(kept="last"))
    recalls = []
    for kept in ("block_1", "block_2", "last"):
        table = metrics.report(*record.predictions("test", kept), record.class_names)
        recalls.append(f"{table.loc['sadness', 'recall']:.2f}")
    return f"our re-run ({record.config.epochs} epochs): recall {' / '.join(recalls)}"


def _ckplus_leak(model: str) -> Callable[[Path | None], str]:
    """Random split minus folds by subject, where both are on record."""

    def check(reports: Path | None) -> str:
        found = experiments.confirmation(model, _runs(reports))
        return f"on record: {found.compared}: {tables.points(found.interval)} points" if found else NOT_MEASURED

    return check


def _majority(reports: Path | None) -> str:
    found = eda.on_record("fer2013", None if reports is None else reports / "measurements")
    if found is None:
        return NOT_MEASURED
    counts = np.sum(list(found.values["counts"].values()), axis=0)
    names = found.values["class_names"]
    order = np.argsort(-counts)
    return "counted: " + ", ".join(f"{names[i]} {counts[i]:,}" for i in order[:3])


def _images(reports: Path | None) -> str:
    found = eda.on_record("ckplus", None if reports is None else reports / "measurements")
    return NOT_MEASURED if found is None else f"counted: {found.values['n']} images in CK+48's folders"


def _fear_as_sad(reports: Path | None) -> str:
    found = study.on_record("iitk2023_model2", "fer2013", store=_runs(reports), loss="cross_entropy", score_test=True)
    if not found:
        return NOT_MEASURED
    shares = []
    for record in found:
        matrix = metrics.confusion(*record.predictions("test"), normalize="true")
        names = list(record.class_names)
        shares.append(matrix[names.index("fear"), names.index("sad")])
    return f"on record: {100 * np.mean(shares):.1f} % of fear, {len(shares)} runs"


def _xavengers_table(reports: Path | None) -> str:
    table = claims.xavengers_report()
    accuracy = (table["recall"] * table["support"]).sum() / table["support"].sum()
    macro = table[["precision", "recall", "f1"]].mean()
    return (
        f"by arithmetic: recalls and supports give accuracy {accuracy:.3f}, macro "
        f"{macro['precision']:.2f}/{macro['recall']:.2f}/{macro['f1']:.2f}; supports are PrivateTest's: Usage split"
    )


def _colab_table(reports: Path | None) -> str:
    f1 = np.mean(claims.COLAB_F1)
    return f"by arithmetic: mean of the class F1 {f1:.4f}; 67.11 on 7,178: {granularity.cell('67.11', 7178)}"


_PARTS = (3_589, 7_178)
"""Images of PrivateTest, and of both test parts."""

FINDINGS: tuple[Finding, ...] = (
    Finding("psg2025", "98.48 % on CK+48", "197 test images follow from its split", _fits(("98.48",), (197,))),
    Finding("psg2025", "98.48 % on CK+48", "a split of images: the same persons and sequences on both sides",
            _ckplus_leak("psg2025")),
    Finding("psg2025", "the best checkpoint is saved", "it is never loaded; the number is the last epoch's",
            _read("the test set did not choose this epoch, though it was watched")),
    Finding("psg2025", "a comment: attention removed", "the code applies it",
            _read("re-run with attention; without it is a variant")),
    Finding("psg2025", "three phases of 300 epochs", "the code trains three times 100",
            lambda reports: f"by arithmetic: {' + '.join(map(str, recipe('psg2025', 'ckplus').epochs))} epochs"),
    Finding("psg2025", "validation near zero until epoch 100", "its own table: 0.86 after block 1", _first_block),
    Finding("psg2025", "sadness persistently low", "its own recalls after the blocks: 0.94 / 1.00 / 1.00", _sadness),
    Finding("psg2025", "97 % over five folds", "97.86 elsewhere; how the folds were drawn is not stated",
            _read("97.86 cut to 97; a mean over folds has no granularity to test")),
    Finding("psg2025", "68.20 % on FER2013", "the split is not stated",
            _fits(("68.20",), (*_PARTS, 5_742))),
    Finding("cutm2024", "65.05 % validation accuracy", "training and validation generators read one folder of 28,821",
            _fits(("65.053", "64.983"), (7_066, 6_656, 28_672))),
    Finding("cutm2024", "two dense layers of 128", "its printed summary has one", _parameters("cutm2024")),
    Finding("cutm2024", "VGG and ResNet were tried", "no number, no figure", _read("cannot be checked")),
    Finding("cutm2024", "results on faces", "some of the results text is about kidney stones",
            _read("that text is of another project")),
    Finding("xavengers2025", "an 80/10/10 split", "elsewhere the Usage split", _xavengers_table),
    Finding("xavengers2025", "61.49 % validation, 0.61 test", "3,589 images each", _fits(("61.49", "61"), (3_589,))),
    Finding("iitk2023", "67.60 % is validation accuracy", "two other tables call it test accuracy",
            _fits(("67.60",), _PARTS)),
    Finding("iitk2023", "68.66, 65.64 and 63.59 %", "FER2013's parts have 3,589 images, or 7,178 together",
            _fits(("68.66", "65.64", "63.59"), _PARTS)),
    Finding("iitk2023", "CK+: 97.97 % (cross-entropy), 93.55 % (L2-SVM)", "a comparison needs one test set",
            _no_common_size),
    Finding("iitk2023", "CK+: 97.97 %", "its split is not stated; ours is by image", _ckplus_leak("iitk2023_model2")),
    Finding("iitk2023", "last layer of 71,655 parameters, 0.88 M in all", "1,024 x 7 + 7 = 7,175", _last_layer),
    Finding("iitk2023", "Model 2 has 3.8 M parameters", "–", _parameters("iitk2023_model2")),
    Finding("iitk2023", "930 CK+ images", "CK+48 has 981, ckextended.csv 920", _images),
    Finding("iitk2023", "better than the challenge's winner", "it cites the winner at 69.4; the winner has 71.16",
            lambda reports: "by arithmetic: its own best is "
            f"{max(c.percent for c in claims.claims('iitk2023_model2', 'fer2013')):.2f}, below both"),
    Finding("iitk2023", "neutral is FER2013's majority class", "the labels", _majority),
    Finding("iitk2023", "19 % of fear is predicted as sad", "–", _fear_as_sad),
    Finding("iitk2023", "weights as He et al. propose", "sd = sqrt(1 / n) is LeCun's",
            _read("re-run with sqrt(1 / n)")),
    Finding("colab2023", "about 74 % in its conclusion", "72.67 in its text, 67.11 in its own report", _colab_table),
    Finding("colab2023", "transfer learning", "never described", _read("cannot be checked")),
)  # fmt: skip
