"""Is a network worse for some people? Checked on drawn faces, where the answer can be known.

FER2013 and CK+48 do not say who wears glasses or how dark a skin is. Drawn faces do, and more: the *same* people can
be drawn twice, with one thing changed. So a difference in accuracy has one cause, and a network whose training set
left a group out is a test of the check itself. What is found holds for drawings; it says nothing about real groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from fer_utils.data import FaceDataset
from fer_utils.data.synthetic import Controls, faces
from fer_utils.evaluation import intervals, statistics


@dataclass(frozen=True)
class Contrast:
    """Two ways to draw the same faces.

    Attributes:
        names: of the two groups, the usual one first.
        usual, other: fields of `Controls` that differ between them.
    """

    names: tuple[str, str]
    usual: Mapping[str, Any]
    other: Mapping[str, Any]


CONTRASTS: Mapping[str, Contrast] = {
    "skin": Contrast(("light", "dark"), {"skin": (200.0, 200.0)}, {"skin": (95.0, 95.0)}),
    "glasses": Contrast(("without", "with"), {"glasses": 0.0}, {"glasses": 1.0}),
    "light": Contrast(("even", "from one side"), {"light": 0.0}, {"light": 0.7}),
    "pose": Contrast(("frontal", "turned"), {"yaw": 0.0}, {"yaw": 30.0}),
}
"""Control -> its two groups. Light and yaw are drawn uniformly up to the value named."""


def pair(name: str, n_subjects: int, seed: int, controls: Mapping[str, Any] | None = None) -> dict[str, FaceDataset]:
    """Both groups of a contrast: the same people and expressions, apexes only, row by row.

    Args:
        name: one of `CONTRASTS`.
        n_subjects: people, each with seven expressions.
        seed: must differ from the training set's, or the people are the same.
        controls: what both groups share, default `Controls()`.

    Raises:
        ValueError: another name.
    """
    if name not in CONTRASTS:
        raise ValueError(f"A contrast is one of {', '.join(CONTRASTS)}; got {name!r}.")
    contrast, common = CONTRASTS[name], Controls.named(controls or {})
    sides = (replace(common, **dict(side)) for side in (contrast.usual, contrast.other))
    found = (faces(n_subjects, n_frames=1, seed=seed, controls=side) for side in sides)
    return dict(zip(contrast.names, found, strict=True))


def check(
    predict: Callable[[np.ndarray], np.ndarray], pairs: Mapping[str, Mapping[str, FaceDataset]]
) -> dict[str, dict[str, Any]]:
    """`compare` of a network on every pair.

    Args:
        predict: from uint8 images (n, 48, 48) to scores (n, 7).
        pairs: control -> `pair`.
    """
    found = {}
    for control, groups in pairs.items():
        right = {name: predict(group.images).argmax(axis=1) == group.labels for name, group in groups.items()}
        found[control] = compare(right, next(iter(groups.values())).subjects)
    return found


def compare(correct: Mapping[str, np.ndarray], subjects: np.ndarray) -> dict[str, Any]:
    """Accuracy of two groups of the same faces, and whether they differ.

    Args:
        correct: name of each of the two groups -> bool (n,), right or wrong on the same faces.
        subjects: (n,) the person of each face.

    Returns:
        `groups`, name -> 95 % interval over subjects; `difference`, interval of the first less the second, paired;
        `p` of `sign_flip`.

    Raises:
        ValueError: not two groups.
    """
    if len(correct) != 2:
        raise ValueError(f"Two groups are compared; got {len(correct)}: {', '.join(correct)}.")
    first, second = (np.asarray(values, float) for values in correct.values())
    return {
        "groups": {name: intervals.accuracy(np.asarray(right), subjects) for name, right in correct.items()},
        "difference": statistics.paired_bootstrap_difference(first, second, clusters=subjects),
        "p": sign_flip(first, second, subjects),
    }


def sign_flip(a: np.ndarray, b: np.ndarray, subjects: np.ndarray, n_resamples: int = 9999, seed: int = 0) -> float:
    """Two-sided p-value of a paired permutation test that exchanges a person's two results as a whole.

    If the group did not matter, each person's difference might as well have the other sign (Fisher 1935; SciPy's
    `permutation_test`, exact for few people). Every face counts once, as in a difference of accuracies.

    Args:
        a, b: float (n,), results of the same faces in both groups.
        subjects: (n,) the person of each face; at least two.
        n_resamples, seed: for more people than can be enumerated.
    """
    difference = pd.Series(np.subtract(a, b)).groupby(np.asarray(subjects)).sum().to_numpy()
    if not difference.any():
        return 1.0
    result = scipy_stats.permutation_test(
        (difference,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", vectorized=True,
        n_resamples=n_resamples, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(result.pvalue)


def table(found: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Results of `compare` for several controls: one row per group, p-values adjusted by Holm over the controls."""
    adjusted = dict(zip(found, statistics.holm([result["p"] for result in found.values()]), strict=True))
    rows = []
    for control, result in found.items():
        for place, (group, interval) in enumerate(result["groups"].items()):
            last = {"difference in points": result["difference"].points(), "p, Holm": f"{adjusted[control]:.4f}"}
            rows.append(
                {"control": control, "group": group, "accuracy in %": interval.percent(), "faces": interval.n}
                | (last if place else {"difference in points": "", "p, Holm": ""})
            )
    return pd.DataFrame(rows).set_index(["control", "group"])


def across(checks: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Differences of several networks beside each other: a row per control, and for each network points and Holm's p.

    Args:
        checks: network -> what `check` found.
    """
    columns = {}
    for network, found in checks.items():
        adjusted = statistics.holm([result["p"] for result in found.values()])
        columns[f"{network}: points [95 %]"] = {c: result["difference"].points() for c, result in found.items()}
        columns[f"{network}: p, Holm"] = {c: f"{p:.4f}" for c, p in zip(found, adjusted, strict=True)}
    names = {c: f"{c}: {' − '.join(found[c]['groups'])}" for c in found}
    return pd.DataFrame(columns).rename(index=names)


def options(n_subjects: int, seed: int, controls: Mapping[str, Any]) -> dict[str, Any]:
    """`dataset_options` of a run on drawn faces under these controls; refuses names that `Controls` lacks."""
    given = asdict(Controls.named(controls))
    return {"n_subjects": n_subjects, "seed": seed, "controls": {name: given[name] for name in controls}}
