"""What the five reports ask for or promise: where this project does it, what was measured, what is left out.

No measured number is written here: the answers come from records when the table is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from fer_utils.report import answers
from fer_utils.report.answers import Answer
from fer_utils.report.audit import confusions
from fer_utils.report.records_index import Shelf


@dataclass(frozen=True)
class Requirement:
    """One thing a report asks for.

    Attributes:
        report: its key.
        asks: what it asks for, or says it did.
        met: notebooks (`"04"`), commands and functions that do it here, in words.
        measured: from all that is on record to a sentence.
        left_out: what is not done here, and why; "" for nothing.
    """

    report: str
    asks: str
    met: str
    measured: Answer = answers.nothing
    left_out: str = ""


_ONE_FACE = ("ONNX Runtime, ms", "p95", "Keras predict, ms")
_VIDEO = ("frames/s", "median, ms", "p95")
_IMAGENET = "ImageNet's weights, as long as no record starts from them"

REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement("psg2025", "Xception with spatial attention, three blocks of training", "notebooks 05 and 06",
                answers.headline("psg2025"), "where fewer than its 300 epochs are on record, the line says so"),
    Requirement("psg2025", "Channel attention (SE) and CBAM", "notebook 05; `python -m fer_utils queue`",
                answers.attention),
    Requirement("psg2025", "Inference time for one image", "notebook 15; `make bench`",
                answers.speed(["psg2025"], _ONE_FACE)),
    Requirement("psg2025", "Predictions within a few milliseconds", "notebook 15; `make bench`",
                answers.speed(["compact"], _ONE_FACE), "graphics cards and phones: none was timed"),
    Requirement("psg2025", "Robustness to lighting", "notebook 13", answers.stress("brightness", "contrast", "gamma"),
                "real light: these are changes of grey levels"),
    Requirement("psg2025", "Robustness to occlusion", "notebook 13", answers.stress("eyes covered", "mouth covered"),
                "masks, hands, hair: a grey band stands for them"),
    Requirement("psg2025", "Robustness to face angle", "notebook 13", answers.stress("rotation"),
                "heads turned aside: no dataset here says the angle; on drawn faces notebook 13 turns them"),
    Requirement("psg2025", "An interface: upload an image, or use a webcam", "notebook 15; `make browser-test`",
                left_out="a public web server: pictures stay on the user's machine"),
    Requirement("psg2025", "Batch processing of many images", "`python -m fer_utils predict FOLDER`",
                answers.speed(["200 pictures"], ("processor ms a picture", "pictures a processor second"), "costs"),
                "wall-clock time on an idle machine; copies are written one by one"),
    Requirement("psg2025", "Little memory at inference", "`python -m fer_utils.live.measurements.costs`",
                answers.speed(["compact", "psg2025"], ("whole process, MB", "of it network and runtime, MB"), "costs"),
                "memory of graphics cards: the demo uses none"),
    Requirement("psg2025", "Outputs that a user understands: an explanation beside a prediction",
                "notebook 12, for pictures at rest; `python -m fer_utils.live.measurements.costs`",
                answers.speed(["compact"], ("answer alone, processor ms", "with its map, processor ms"), "costs"),
                "a map in the live view: it costs many predictions a face, and notebook 12 shows how little it proves"),
    Requirement("psg2025", "Data privacy", "notebook 15: frames stay in memory; tests/live/test_webcam.py watches "
                "every file that is written and every connection"),
    Requirement("cutm2024", "Plain CNN on FER2013", "notebook 04", answers.headline("cutm2024")),
    Requirement("cutm2024", "Predictions on images", "notebook 15; `python -m fer_utils predict PATH`"),
    Requirement("cutm2024", "Predictions on a video file", "notebook 15; `python -m fer_utils predict VIDEO`",
                answers.speed(["1 face"], _VIDEO), "its sound"),
    Requirement("cutm2024", "Predictions on a webcam", "notebook 15; `make webcam`"),
    Requirement("cutm2024", "A desktop GUI (its paragraph on kidney stones names one)",
                "`make webcam`, a window of OpenCV", left_out="buttons; the notebook's widget has them"),
    Requirement("cutm2024", "Two dense layers, as its text has it", "`models.build(\"cutm2024\", dense_layers=2)`",
                confusions.two_dense_layers, "its accuracy: the report prints none; its summary has one such layer"),
    Requirement("xavengers2025", "EDA: classes, splits, grey levels, intensity", "notebook 02", answers.data_counts),
    Requirement("xavengers2025", "Class weights, targeted augmentation, over-sampling", "notebook 09",
                answers.remedies),
    Requirement("xavengers2025", "ImageNet ResNet, fine-tuned", "notebook 09", answers.headline("xavengers2025"),
                _IMAGENET),
    Requirement("xavengers2025", "ROC curves and AUC", "notebook 09", answers.areas),
    Requirement("xavengers2025", "Comparison with a simple CNN, VGG, EfficientNet and published results",
                "notebook 09, and section 4 here", answers.backbones, _IMAGENET),
    Requirement("xavengers2025", "Real time with a Haar cascade; FPS and latency", "notebook 15; `make bench`",
                answers.speed(["1 face", "8 faces"], _VIDEO)),
    Requirement("xavengers2025", "Temporal smoothing", "notebook 15 counts it anew on a drawn clip",
                left_out="real videos with labels frame by frame: none here"),
    Requirement("xavengers2025", "Quantisation", "`make bench`",
                answers.speed(["float32, ONNX", "int8"], ("file, bytes", "one face, ms", "accuracy, %"))),
    Requirement("xavengers2025", "A deep detector against Haar",
                "`python -m fer_utils.live.measurements.costs --photos --yunet`",
                answers.speed(["Haar", "YuNet"], ("faces found", "false boxes", "processor ms a photograph"), "costs"),
                "the photographs and YuNet's file: neither is ours to ship"),
    Requirement("xavengers2025", "Pruning", "`python -m fer_utils.live.measurements.costs`",
                answers.speed(["25%", "50%", "75%"], ("accuracy, %", "lost, points"), "costs"),
                "training on after pruning; speed: ONNX Runtime multiplies zeros as fast as other numbers"),
    Requirement("xavengers2025", "Grad-CAM", "notebook 12", answers.maps),
    Requirement("xavengers2025", "Grad-CAM of a report's own network: happy by mouth and eyes, angry by brows, mouth",
                "records of Model 1 like those of notebook 12", confusions.where_reports_look,
                "its own ResNet, as long as no run that starts from ImageNet's weights is on record"),
    Requirement("xavengers2025", "Anger and sadness are confused", "notebooks 04 and 13", confusions.anger_and_sadness,
                "its own network's confusion matrix is a picture without numbers in its text"),
    Requirement("xavengers2025", "Failure cases", "notebooks 04, 12 and 13", answers.failures),
    Requirement("iitk2023", "Two models on FER2013 and CK+", "notebook 04", answers.networks),
    Requirement("iitk2023", "Augmentation on and off", "notebook 04", answers.augmentation),
    Requirement("iitk2023", "Cross-entropy against L2-SVM", "notebook 07", answers.losses,
                "its margin and C are not stated; ours are 1 and no penalty"),
    Requirement("iitk2023", "Random forest on Model 2", "notebook 09", answers.forest),
    Requirement("iitk2023", "30 ms a frame", "notebook 15; `make bench`", answers.speed(["1 face"], _VIDEO)),
    Requirement("iitk2023", "Effect of hyper-parameters on each dataset", "notebook 08", answers.hyperparameters,
                "searches in every fold; more than one seed a trial"),
    Requirement("iitk2023", "19 % of fear is predicted as sad", "notebook 04", confusions.fear_as_sad),
    Requirement("iitk2023", "… as humans do, on the same images", "`fer_utils.analysis.shared_confusion`",
                confusions.like_people, "Model 2's own predictions, as long as it is not on record on FER2013"),
    Requirement("iitk2023", "Live predictions fluctuate for sad, anger and fear, and are less sure for disgust",
                "notebook 15 counts changes on a drawn clip", confusions.flicker,
                "Model 2 on a camera: no video with labels is at hand, so three frames of each sequence stand for it"),
    Requirement("colab2023", "CNN on FER2013 folders", "notebook 04", answers.headline("colab2023")),
    Requirement("colab2023", "Flip and rotation against rare classes", "notebook 09", answers.remedies,
                "its own ranges are not stated"),
    Requirement("colab2023", "Transfer learning", "notebook 09", answers.transfer, "it never describes its own"),
    Requirement("colab2023", "A second dataset", "notebooks 02 and 09: CK+48 and FER+", answers.elsewhere,
                "its “Face Emotion” is named, not described: it cannot be found"),
)  # fmt: skip


def table(shelf: Shelf, report: str | None = None) -> pd.DataFrame:
    """One row per requirement: met by, measured, left out and why.

    Args:
        shelf: what is on record.
        report: one report's key; None for all.
    """
    rows = [r for r in REQUIREMENTS if report in (None, r.report)]
    lines = [(r.report, r.asks, r.met, r.measured(shelf), r.left_out or "–") for r in rows]
    columns = ["report", "asks for", "met by", "measured", "left out, and why"]
    return pd.DataFrame(lines, columns=columns).set_index("report" if report is None else "asks for")
