"""Every figure and table of the five reports, and what stands in its place in this study."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_NAMES = (
    "02_exploring_the_data", "03_preprocessing", "04_baseline_cnns", "05_xception_attention", "06_training_curves",
    "07_losses", "09_transfer_learning", "10_protocols", "11_auditing_reports", "12_explanation",
    "14_a_stronger_system", "15_live_demo",
)  # fmt: skip
NOTEBOOKS = {name[:2]: name for name in _NAMES}


@dataclass(frozen=True)
class Counterpart:
    """One figure or table of a report.

    Attributes:
        report: its key.
        item: as the report numbers it; its heading where it has no number.
        shows: what is on it.
        notebook: two digits, where its counterpart is shown.
        made_by: the function or class that makes the counterpart, as `module:name`.
        remark: how the two differ.
    """

    report: str
    item: str
    shows: str
    notebook: str
    made_by: str
    remark: str = ""


_PLOTS, _LIVE = "fer_utils.plots:", "fer_utils.live:"
_CLAIMS, _VERDICTS = "fer_utils.report.audit.claims:", "fer_utils.report.audit.verdicts:numbers"
_LIVE_VIEW = "fer_utils.live.interface.webcam:LiveView"
_SUMMARY = "fer_utils.models:summary_table"
_WATCHED = "watched while training, and said so"
_UNTRAINED = "for every network on record; xavengers2025's own with ImageNet's weights is not yet"

COUNTERPARTS: tuple[Counterpart, ...] = (
    Counterpart("psg2025", "Table 2.1", "earlier work", "14", _CLAIMS + "published",
                "other people's results on FER2013, with the faults of their protocols"),
    Counterpart("psg2025", "Fig 4.1", "block diagram of the method", "05", _PLOTS + "network_chain",
                "the network's stages with their parameters"),
    Counterpart("psg2025", "Fig 5.1", "loss and accuracy over 300 epochs", "06", _PLOTS + "learning_curves",
                "what it calls validation is named TEST"),
    Counterpart("psg2025", "Fig 5.2", "classification report after block 1", "06", _PLOTS + "report_heatmap",
                f"ours alone, its macro means beside the report's in a table; {_WATCHED}"),
    *(Counterpart("psg2025", f"Fig 5.{number}", f"classification report after block {number - 1}", "06",
                  _CLAIMS + "psg_blocks", f"as a row of a table, beside the report's numbers; {_WATCHED}")
      for number in (3, 4)),
    *(Counterpart("psg2025", f"Fig 5.{number}", f"confusion matrix after block {number - 4}", "06",
                  _PLOTS + "confusion_matrices", f"ours alone; {_WATCHED}") for number in (5, 6, 7)),
    Counterpart("psg2025", "Table 5.8", "accuracy with and without folds, CK+ and FER2013", "11",
                _VERDICTS, "beside re-run and sound, as far as on record"),
    Counterpart("psg2025", "Table 5.9", "accuracy, precision, recall and F1 of the final model", "06",
                _CLAIMS + "psg_blocks", "macro means, as those of Fig 5.4 are"),
    Counterpart("cutm2024", "Figure 1", "block diagram of the method", "15", _LIVE + "EmotionRecognizer",
                "from picture to answer, step by step, each step checked"),
    Counterpart("cutm2024", "Figure 2", "a CNN's architecture", "04", _SUMMARY, "its own network, block by block"),
    Counterpart("cutm2024", "Figure 3", "images found by both generators", "11",
                "fer_utils.report.audit.granularity:table",
                "what they mean for its validation accuracy"),
    Counterpart("cutm2024", "Figure 4", "folders of the split", "02", _PLOTS + "split_distribution",
                "the published parts: its own split is not comparable with them"),
    Counterpart("cutm2024", "Figure 5", "folders of the classes", "02", _PLOTS + "class_distribution", "counted"),
    *(Counterpart("cutm2024", f"Figure {number}", "sample images", "02", _PLOTS + "sample_grid",
                  "faces only on the reader's own machine") for number in (6, 7)),
    Counterpart("cutm2024", "Figure 8", "layers and parameters", "04", _SUMMARY, "the same 1,375,175 parameters"),
    Counterpart("cutm2024", "Figure 9", "log of the last epoch", "04", _PLOTS + "learning_curves", "all epochs"),
    Counterpart("cutm2024", "Figure 10", "predictions on images", "15", _PLOTS + "scenes"),
    Counterpart("cutm2024", "Figure 11", "predictions on a video", "15", _LIVE + "VideoFile"),
    Counterpart("cutm2024", "Figure 12", "predictions on a webcam", "15", _LIVE_VIEW,
                "frames stay in memory, so no picture of it is kept"),
    Counterpart("xavengers2025", "Table 1", "images per class", "02", _PLOTS + "class_distribution"),
    Counterpart("xavengers2025", "Figure 1", "sample images", "02", _PLOTS + "sample_grid",
                "faces only on the reader's own machine"),
    Counterpart("xavengers2025", "Figure 2", "class distribution", "02", _PLOTS + "class_distribution"),
    Counterpart("xavengers2025", "Figure 3", "sizes of the parts", "02", _PLOTS + "split_distribution"),
    Counterpart("xavengers2025", "Figure 4", "grey levels", "02", _PLOTS + "pixel_distribution"),
    Counterpart("xavengers2025", "Figure 5", "classes of each part", "02", _PLOTS + "split_distribution"),
    Counterpart("xavengers2025", "Figure 6", "emotion intensity correlation", "02", _PLOTS + "heatmap",
                "it does not say what was correlated: three readings"),
    Counterpart("xavengers2025", "Figure 7", "grey levels by class", "02", _PLOTS + "pixel_distribution_by_class"),
    Counterpart("xavengers2025", "Figure 8", "augmented images", "03", _PLOTS + "augmentation_sheet",
                "of all five reports, on drawn faces"),
    Counterpart("xavengers2025", "Figure 9", "classification report", "09", _PLOTS + "report_heatmap",
                "as printed, checked against itself"),
    Counterpart("xavengers2025", "Figure 10", "training and validation curves", "04", _PLOTS + "learning_curves",
                _UNTRAINED),
    Counterpart("xavengers2025", "Figure 11", "confusion matrix", "04", _PLOTS + "confusion_matrices", _UNTRAINED),
    *(Counterpart("xavengers2025", f"Figure {number}", f"a live prediction: {name}", "15", _LIVE_VIEW,
                  "frames stay in memory, so no picture of it is kept")
      for number, name in ((12, "happy"), (13, "sad"), (14, "fear"))),
    Counterpart("xavengers2025", "Figure 15", "Grad-CAM of one face", "12", "fer_utils.analysis.saliency:grad_cam",
                "single faces and the mean of each expression, and whether maps can be believed"),
    Counterpart("iitk2023", "section 4.1.1", "images of FER2013", "02", _PLOTS + "sample_grid",
                "faces only on the reader's own machine"),
    Counterpart("iitk2023", "section 4.1.2", "images of CK+", "02", _PLOTS + "sample_grid",
                "people who may be shown; else on the reader's own machine"),
    *(Counterpart("iitk2023", f"Table 4.{number}", f"layers of Model {number}", "04", _SUMMARY, remark)
      for number, remark in ((1, "its last row is a misprint"), (2, ""))),
    Counterpart("iitk2023", "Table 4.3", "augmentation off and on", "04", _CLAIMS + "claims",
                "trained on the same images in the same order, with a paired interval"),
    Counterpart("iitk2023", "Table 4.4", "loss functions", "07", _PLOTS + "comparison",
                "four losses, paired, adjusted for testing often"),
    Counterpart("iitk2023", "Table 4.5", "accuracy and parameters of both models", "11", _VERDICTS,
                "beside re-run and sound, as far as on record"),
    *(Counterpart("iitk2023", f"Fig 4.4.{i}", f"curves of Model {2 - i % 2} on {data}", "04",
                  _PLOTS + "learning_curves", "as far as on record")
      for i, data in ((1, "FER2013"), (2, "FER2013"), (3, "CK+"), (4, "CK+"))),
    Counterpart("iitk2023", "Figure 1", "confusion matrix, FER2013", "04", _PLOTS + "confusion_matrices",
                "as far as on record"),
    Counterpart("iitk2023", "Figure 2", "confusion matrix, CK+", "04", _PLOTS + "confusion_matrices"),
    Counterpart("iitk2023", "Figure 4.1", "live predictions", "15", _LIVE_VIEW,
                "frames stay in memory, so no picture of it is kept"),
    Counterpart("iitk2023", "Appendix, Figure 1", "predictions on test images", "04",
                "fer_utils.report.record_figures:surest_answers",
                "right and wrong ones; faces only on the reader's own machine"),
    Counterpart("colab2023", "Model Summary", "layers and parameters", "04", _SUMMARY, "the same 4,496,903 parameters"),
    Counterpart("colab2023", "Graph Comparison", "loss and accuracy curves", "04", _PLOTS + "learning_curves",
                "as far as on record"),
    Counterpart("colab2023", "Confusion Matrix", "confusion matrix", "04", _PLOTS + "confusion_matrices",
                "as far as on record"),
    Counterpart("colab2023", "Classification Report", "per class, 7,178 images", "04", _PLOTS + "report_heatmap",
                "as far as on record"),
    Counterpart("colab2023", "CNN Model", "the network", "04", _SUMMARY, "block by block"),
)  # fmt: skip


def table(report: str) -> pd.DataFrame:
    """One report's figures and tables beside their counterparts: item, shows, here, remark."""
    rows = [
        (c.item, c.shows, f"[notebook {c.notebook}](../notebooks/{NOTEBOOKS[c.notebook]}.ipynb)",
         f"`{c.made_by.removeprefix('fer_utils.').replace(':', '.')}`", c.remark or "–")
        for c in COUNTERPARTS if c.report == report
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["figure or table", "shows", "here", "made by", "remark"])
