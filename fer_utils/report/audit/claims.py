"""What the five reports claim, as they print it. Keys: the bibliography in `reports/README.md`.

Nothing here was measured by us; measured numbers come from run records alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Claim:
    """One number of a report.

    Attributes:
        report: key.
        model: the network it belongs to, a name of `fer_utils.models.build`.
        dataset: `"fer2013"` or `"ckplus"`.
        printed: as printed: "68 %", "0.61" and "72.67" are not the same statement as 68.00, 61.00 and 72.67 %.
        what: what the report calls it, and which variant.
        place: where it stands in the report.
        loss, augmented: the variant in the terms of `RunConfig`, for comparisons.
        headline: whether it is the report's main claim for this model and dataset.
    """

    report: str
    model: str
    dataset: str
    printed: str
    what: str
    place: str
    loss: str = "cross_entropy"
    augmented: bool | None = None
    headline: bool = False

    @property
    def percent(self) -> float:
        """The printed number in percent, whatever its decimals."""
        number = float(self.printed.removesuffix("%"))
        return round(100 * number, 2) if number < 1 else number


_M1, _M2 = "iitk2023_model1", "iitk2023_model2"

CLAIMS: tuple[Claim, ...] = (
    Claim("psg2025", "psg2025", "ckplus", "98.48 %", "test accuracy after the last epoch", "section 5.4, Table 5.9",
          headline=True),
    Claim("psg2025", "psg2025", "ckplus", "97.86 %", "5-fold accuracy", "Table 5.8"),
    Claim("psg2025", "psg2025", "fer2013", "68.20 %", "accuracy", "Table 5.8", headline=True),
    Claim("psg2025", "psg2025", "fer2013", "68 %", "5-fold accuracy", "Table 5.8"),
    Claim("cutm2024", "cutm2024", "fer2013", "65.05 %", "validation accuracy, last epoch", "section 4.2.2, Figure 9",
          headline=True),
    Claim("cutm2024", "cutm2024", "fer2013", "57.27 %", "training accuracy, last epoch", "section 4.2.2, Figure 9"),
    Claim("xavengers2025", "resnet_transfer", "fer2013", "73.94 %", "training accuracy", "section 6.2"),
    Claim("xavengers2025", "resnet_transfer", "fer2013", "61.49 %", "validation accuracy", "section 6.2"),
    Claim("xavengers2025", "resnet_transfer", "fer2013", "0.61", "accuracy on 3,589 images", "Figure 9", headline=True),
    Claim("iitk2023", _M1, "fer2013", "62.16 %", "accuracy", "Table 4.5", headline=True),
    Claim("iitk2023", _M1, "ckplus", "93.92 %", "accuracy", "Table 4.5", headline=True),
    Claim("iitk2023", _M2, "fer2013", "67.60 %", "test accuracy, augmented (Table 4.3: validation)",
          "Tables 4.3, 4.4, 4.5", augmented=True, headline=True),
    Claim("iitk2023", _M2, "fer2013", "68.66 %", "test accuracy, augmented", "Table 4.3", augmented=True),
    Claim("iitk2023", _M2, "fer2013", "63.59 %", "validation accuracy, not augmented", "Table 4.3", augmented=False),
    Claim("iitk2023", _M2, "fer2013", "64.56 %", "test accuracy, not augmented", "Table 4.3", augmented=False),
    Claim("iitk2023", _M2, "fer2013", "65.64 %", "accuracy, L2-SVM", "Table 4.4", loss="weston_watkins"),
    Claim("iitk2023", _M2, "ckplus", "97.97 %", "accuracy, cross-entropy", "Tables 4.4, 4.5", headline=True),
    Claim("iitk2023", _M2, "ckplus", "93.55 %", "accuracy, L2-SVM", "Table 4.4", loss="weston_watkins"),
    Claim("colab2023", "colab2023", "fer2013", "77.43", "training accuracy", "Results"),
    Claim("colab2023", "colab2023", "fer2013", "72.67", "validation accuracy, in its text", "Results"),
    Claim("colab2023", "colab2023", "fer2013", "0.6711", "accuracy on 7,178 images, in its report",
          "Classification Report", headline=True),
)  # fmt: skip

_XAVENGERS = {
    "angry": (0.51, 0.54, 0.52, 491), "disgust": (0.69, 0.73, 0.71, 55), "fear": (0.45, 0.40, 0.42, 528),
    "happy": (0.85, 0.80, 0.82, 879), "sad": (0.49, 0.45, 0.47, 594), "surprise": (0.71, 0.76, 0.73, 416),
    "neutral": (0.56, 0.64, 0.60, 626),
}  # fmt: skip
_PSG_BLOCKS = {
    "block_1": (0.86, 0.89, 0.85, 0.82), "block_2": (0.98, 0.98, 0.99, 0.98), "block_3": (0.98, 0.98, 0.99, 0.99),
}  # fmt: skip
_PUBLISHED = [
    ("VGG from scratch (usef-kh/fer)", "73.28", "parts swapped: epoch by PrivateTest, scored on PublicTest"),
    ("VGG19, ResNet18 (WuJie1010)", "73.11, 72.97", "epoch CHOSEN ON TEST; chosen on PublicTest about 72.6"),
    ("ResNet18 (LetheSec)", "73.70", "best of 300 epochs CHOSEN ON TEST"),
    ("ResidualMaskingNetwork", "74.14", "ImageNet, random test-time augmentation; users report 65.6 to 73.6"),
    ("LHC-Net", "74.42", "ImageNet; not checked"),
    ("EmoNeXt-XL", "76.12", "ImageNet; not checked"),
    ("ResEmoteNet", "79.79", "augmentation before the split; its shared weights give 71.57"),
    ("L2-SVM (Tang 2013, challenge winner)", "71.16", "several models averaged"),
    ("humans", "65 ± 5", "not stated"),
]

KEYS = tuple(dict.fromkeys(claim.report for claim in CLAIMS))
"""The five reports."""

COLAB_F1 = (0.6014, 0.6667, 0.4742, 0.8675, 0.6402, 0.5408, 0.7893)
"""colab2023's F1 of each class on 7,178 images, classes in alphabetical order; it prints .6543 as their mean."""


def claims(model: str | None = None, dataset: str | None = None, report: str | None = None) -> list[Claim]:
    """The claims that match; None matches all."""
    wanted = {"model": model, "dataset": dataset, "report": report}
    return [c for c in CLAIMS if all(v is None or getattr(c, k) == v for k, v in wanted.items())]


def headline(model: str, dataset: str) -> Claim | None:
    """The main claim for a network on a dataset, or None where no report makes one."""
    found = [claim for claim in claims(model, dataset) if claim.headline]
    return found[0] if found else None


def xavengers_report() -> pd.DataFrame:
    """xavengers2025's classification report on 3,589 images: precision, recall, f1, support per class."""
    return pd.DataFrame.from_dict(_XAVENGERS, orient="index", columns=["precision", "recall", "f1", "support"])


def psg_blocks() -> pd.DataFrame:
    """psg2025 on its CK+48 test split after each block: accuracy and macro precision, recall, F1."""
    return pd.DataFrame.from_dict(_PSG_BLOCKS, orient="index", columns=["accuracy", "precision", "recall", "f1"])


def published() -> pd.DataFrame:
    """Published results on FER2013 and what code, threads or shared weights show of their protocols."""
    return pd.DataFrame(_PUBLISHED, columns=["system", "% claimed", "protocol"])
