"""The numbers of the model card, from the records of the network that ships."""

from __future__ import annotations

import pandas as pd

from fer_utils import records, study
from fer_utils.analysis import ensembling
from fer_utils.evaluation import intervals, metrics, statistics
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Record
from fer_utils.report import scored


def scores(record: Record) -> pd.DataFrame:
    """What a final run's network reaches on the test part, and what else is on record about it: quantity, measured."""
    pooled = study.pool([record])
    run, kept, n = record.run, record.run["metrics"]["test"][record.kept[0]], len(pooled.labels)
    rows = [
        ("accuracy, %", pooled.interval.percent()),
        ("unweighted average recall, %", f"{100 * kept['balanced_accuracy']:.1f}"),
        ("macro-F1, %", f"{100 * kept['macro_f1']:.1f}"),
        ("expected calibration error before its temperature, %", f"{100 * kept['ece']:.1f}"),
    ]
    if (seen := record.context("test", "seen")) is not None:
        alone = intervals.accuracy(pooled.correct[~seen])
        rows.append((f"accuracy without the {seen.sum()} images that also stand in training, %", alone.percent()))
    if flips := ensembling.on_record(record):
        found = flips.values["test"]
        mean = Interval(found["accuracy"], found["low"], found["high"], 0.95, found["n"], "")
        rows.append(("accuracy with mirror images averaged, %", mean.percent()))
    if errors := records.measured(f"errors*-{record.id}"):
        share = errors.values["wrong"]["majority"]["share"]
        rows.append(("its errors that the majority of FER+'s annotators would call right, %", f"{100 * share:.0f}"))
    same = [r for r in scored.ever(study.on_record()) if scored.test_part(r.config) == scored.test_part(record.config)]
    rows.append(("runs on record, of any network, whose test part is just these images", str(len(same))))
    rows.append((f"parameters; training on {run['device']}", f"{run['parameters']:,}; {run['seconds'] / 60:.0f} min"))
    return pd.DataFrame(rows, columns=[f"{run['dataset']['name']}, {n:,} test images", "measured"])


def classes(record: Record) -> pd.DataFrame:
    """Precision and recall of each class on the test part."""
    pooled = study.pool([record])
    recalls = metrics.report(pooled.labels, pooled.logits, pooled.class_names).loc[list(pooled.class_names)]
    rows = [
        (name, f"{int(row['support']):,}", f"{100 * row['precision']:.1f}", statistics.wilson_interval(
            round(row["recall"] * row["support"]), int(row["support"])).percent())
        for name, row in recalls.iterrows()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["expression", "images", "precision, %", "recall, % [95 %]"])
