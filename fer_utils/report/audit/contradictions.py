"""Statements of the reports that disagree with each other, with arithmetic or with the data, or that nothing supports.

Each names its place in the report, so that a reader can judge, and comes with what records or arithmetic say about it.
Loose words, roundings and claims that only await a test are no contradictions; the latter are in
`fer_utils.report.requirements`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fer_utils.report.audit import contradiction_checks as checks
from fer_utils.report.audit.contradiction_checks import Check, read


@dataclass(frozen=True)
class Finding:
    """A statement of a report and what stands against it.

    Attributes:
        report: its key.
        place: where the statement and what disagrees with it stand: sections, tables, figures.
        says: the statement, in our words; a few words between quotation marks are the report's.
        against: what disagrees, as far as it follows from the report or from published facts.
        check: what records or arithmetic say.
    """

    report: str
    place: str
    says: str
    against: str
    check: Check


def table(reports: Path | None = None) -> pd.DataFrame:
    """One row per statement: place, says, against, verdict.

    Args:
        reports: folder that holds `runs` and `measurements`; default those of the project.
    """
    rows = [(f.report, f.place, f.says, f.against, f.check(reports)) for f in FINDINGS]
    return pd.DataFrame(rows, columns=["report", "place", "says", "against it", "verdict"]).set_index("report")


FINDINGS: tuple[Finding, ...] = (
    Finding("psg2025", "section 5.3; Appendix", "test images “not utilized” in training or validation",
            "the code has two parts, and validation_data=(X_test, y_test) watches the second after every epoch",
            read("watched, yet not chosen on: the epoch printed is the last")),
    Finding("psg2025", "section 4.2; Appendix", "the best weights are preserved for the final evaluation",
            "the file is never loaded: the last epoch's are evaluated", read("the printed number is the last epoch's")),
    Finding("psg2025", "section 5.4; Appendix", "98.48 % on CK+48 shows generalisation to unseen data",
            "a split of images: the same persons and sequences on both sides", checks.leak("psg2025")),
    Finding("psg2025", "Conclusion; Table 5.8", "97.86 % over five stratified folds",
            "whether a person or a sequence stays in one fold is not stated",
            read("open; a mean over folds has no granularity to test")),
    Finding("psg2025", "section 5.4, Fig 5.1; Fig 5.2", "validation “near-zero” up to about epoch 100",
            "0.86 after these 100 epochs, on the same images", checks.first_block),
    Finding("psg2025", "Conclusion; section 4.2, Appendix", "three phases, each of 300 epochs",
            "the text and the code train three times 100", checks.epochs),
    Finding("psg2025", "Appendix; section 3.1", "a comment: attention removed; attention is a future enhancement",
            "the code applies it a few lines below, and section 4.3 describes it",
            read("re-run with attention; without it is a variant")),
    Finding("psg2025", "Abstract, section 4.3", "attention raises the accuracy", "no table has a run without it",
            checks.attention),
    Finding("psg2025", "Conclusion", "“lightweight”", "no parameter count is printed",
            checks.parameters("psg2025", "iitk2023_model2")),
    Finding("psg2025", "section 1.2", "transfer learning and ensembles are investigated", "neither is shown",
            read("cannot be checked")),
    Finding("psg2025", "section 5.3", "inference time, light, occlusion and angle were part of the evaluation",
            "no number and no figure", read("cannot be checked; our own are in notebook 16")),
    Finding("psg2025", "Table 5.8; sections 4.1, 4.4, 5.2", "68.20 % on FER2013",
            "three parts without sizes; the code in the appendix reads CK+48 alone",
            checks.sizes("psg2025 on FER2013")),
    Finding("cutm2024", "section 4.2.2, Figure 9; Figure 3", "65.05 % on “a separate validation dataset”",
            "training and validation generators read one folder of 28,821", checks.sizes("cutm2024")),
    Finding("cutm2024", "section 3.3; Figure 8", "two dense layers of 128", "its printed summary has one",
            checks.parameters("cutm2024", dense_layers=2)),
    Finding("cutm2024", "section 2, Conclusion", "VGG and ResNet were tried", "no number, no figure",
            read("cannot be checked")),
    Finding("cutm2024", "section 4.2", "results on facial expressions",
            "the paragraph is about kidney stones, support vector machines and a Tkinter window",
            read("it belongs to another project")),
    Finding("cutm2024", "Keywords", "few-shot learning, EMNIST, handwritten characters", "none of them occurs again",
            read("they belong to another project")),
    Finding("xavengers2025", "section 3.4; section 4.3, Figure 9", "an 80/10/10 split", "elsewhere the Usage split",
            checks.usage_split),
    Finding("xavengers2025", "section 3.4; section 4.4", "augmentation zooms and shifts",
            "the later list has brightness and contrast in their place", read("re-run with the later list")),
    Finding("xavengers2025", "section 4.3", "the Usage split has no leakage", "FER2013 holds copies of images",
            checks.copies),
    Finding("xavengers2025", "sections 6.3, 9.2; Figure 9", "disgust is a challenge, for want of images",
            "its F1 is among the best", checks.disgust),
    Finding("xavengers2025", "sections 6.4, 9.1", "compared with a simple CNN, VGG, EfficientNet and published results",
            "no number of any of them", read("cannot be checked")),
    Finding("xavengers2025", "section 9.1; section 5.2", "class weighting helped against imbalance",
            "it is one of the options considered; no run with or without it", read("re-run without: ours")),
    Finding("xavengers2025", "section 2.5; section 9.2", "“lightweight, efficient”",
            "a ResNet with “significant computational requirements”", read("its depth is not stated")),
    Finding("xavengers2025", "section 9.3; section 3.3", "FER2013 stands for “controlled laboratory conditions”",
            "the same report lists its varied light", read("FER2013's pictures are from the web")),
    Finding("iitk2023", "Table 4.3; Tables 4.4, 4.5", "67.60 % is validation accuracy",
            "two other tables call it test accuracy, where Table 4.3 has 68.66", checks.sizes("iitk2023 on FER2013")),
    Finding("iitk2023", "section 4.5.4, Figure 2; Table 4.5",
            "on CK+ four classes are right to 100 %, the others to more than 98", "97.97 % overall", checks.convex),
    Finding("iitk2023", "section 4.4; Table 4.4", "both losses do “comparably well”",
            "the same chapter's table and conclusion rank them",
            checks.points_apart("iitk2023_model2", "ckplus", "accuracy, cross-entropy", "accuracy, L2-SVM")),
    Finding("iitk2023", "Table 4.4", "on CK+ cross-entropy 97.97 %, L2-SVM 93.55 %", "a comparison needs one test set",
            checks.sizes("iitk2023 on CK+")),
    Finding("iitk2023", "section 4.3.2; Table 4.5", "97.97 % on CK+",
            "images are shuffled and split, so persons and sequences stand on both sides",
            checks.leak("iitk2023_model2")),
    Finding("iitk2023", "Table 4.1, section 4.2.1; Table 4.5", "last layer of 71,655 parameters, 0.88 M in all",
            "1,024 x 7 + 7 = 7,175; the text has one more dense layer", checks.last_layer),
    Finding("iitk2023", "section 4.1.2", "930 CK+ images", "CK+48 has 981, ckextended.csv 920; its copy is not named",
            checks.images),
    Finding("iitk2023", "Abstract, Conclusion; chapter 2", "better on FER2013 than the challenge's winner",
            "it cites as winner one at 69.4, and section 4.5.3 calls its own “almost same”; the winner has 71.16",
            checks.winner),
    Finding("iitk2023", "section 4.1.1", "neutral is FER2013's majority class", "the labels", checks.classes),
    Finding("iitk2023", "chapter 2; section 4.5.1", "higher accuracy without data augmentation is sought",
            "augmentation is the default on FER2013",
            checks.points_apart("iitk2023_model2", "fer2013", "test accuracy, augmented", "test accuracy, not")),
    Finding("iitk2023", "section 1.3, Conclusion", "the effect of hyper-parameters on each dataset was investigated",
            "the tables vary augmentation, loss and network alone", read("cannot be checked")),
    Finding("colab2023", "Conclusion; Results, Classification Report", "about 74 %", "72.67 and 0.6711 elsewhere",
            checks.colab_table),
    Finding("colab2023", "Results", "validation is “similar” to training", "72.67 against 77.43",
            checks.points_apart("colab2023", "fer2013", "training accuracy", "validation accuracy")),
    Finding("colab2023", "Results, Conclusion", "few images of fear", "the labels", checks.classes),
    Finding("colab2023", "Conclusion", "transfer learning was implemented", "never described",
            read("cannot be checked")),
    Finding("colab2023", "Methodology", "two datasets", "“Face Emotion” is only named; no number is said to be of it",
            read("cannot be checked")),
)  # fmt: skip
