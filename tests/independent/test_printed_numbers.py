"""An independent check: stored predictions say, by other code than the study's own, what its pages print.

Nothing here imports the package. Ends that a bootstrap draws are computed twice: from the documented draws, which must
give the printed digits, and from other draws, which must agree within what chance explains.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from independent import arithmetic, stored
from independent.pricing import counts
from independent.regions import Computed, Region
from sklearn.metrics import accuracy_score

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def computed() -> Computed:
    return Computed()


def test_pages_print_what_the_stored_predictions_say(computed: Computed):
    found = [f"{r.page}, {r.name}: {p}" for r in computed.regions for p in r.problems(r.text())]
    assert not found, "\n".join(found)


def test_every_digit_is_held(computed: Computed):
    """Each digit of each region is changed in a copy of its text, one at a time; every change must be seen."""
    seen = {
        f"{region.page}, {region.name}: {where}": bool(region.problems(text))
        for region in computed.regions
        for where, text in _changed(region)
    }
    assert len(seen) > 1000
    unseen = [where for where, found in seen.items() if not found]
    assert not unseen, f"{len(unseen)} of {len(seen)} changes pass:\n" + "\n".join(unseen[:20])


def _changed(region: Region) -> Iterator[tuple[str, str]]:
    """Where a digit stands, and the text with that digit one higher."""
    text = region.text()
    for match in re.finditer(r"\d", text):
        start, end = match.span()
        where = f"{start}: {text[max(start - 20, 0) : start]}[{match[0]}]{text[end : end + 20]}"
        yield where.replace("\n", " "), f"{text[:start]}{(int(match[0]) + 1) % 10}{text[end:]}"


@pytest.mark.parametrize("change", ["a row less", "a row more", "a row twice", "two words"])
def test_rows_and_words_are_held(computed: Computed, change: str):
    for region in computed.regions:
        rows = [line for line in region.text().splitlines() if line.startswith("| ")]
        if not rows or not set(rows[-1]) & set("0123456789"):
            continue
        text, last = region.text(), rows[-1]
        other = {
            "a row less": text.replace(last, ""), "a row twice": text.replace(last, f"{last}\n{last}"),
            "a row more": text.replace(last, f"{last}\n{last.replace('| ', '| another ', 1)}"),
            "two words": text.replace("last epoch", "epoch chosen on validation", 1),
        }[change]  # fmt: skip
        assert other == text or region.problems(other), f"{region.page}, {region.name}"


def test_other_draws_of_the_bootstrap_agree(computed: Computed):
    """2,000 draws leave an end uncertain by about 0.06 standard deviations; four times that may be chance."""
    checked = 0
    for group in stored.groups(r for r in computed.runs if r.config["score_test"]):
        found = counts(group, group[0].config["keep"][0])
        if len(found.right) > 1 or found.rarer() < arithmetic.WILSON_BELOW:
            continue
        value, other = np.array(arithmetic.accuracy(found)), np.array(arithmetic.other_draws(found))
        assert abs(value - other).max() <= 4 * 0.063 * (value[2] - value[1]) / 3.92, group[0].facts["id"]
        checked += 1
    assert checked > 10


def test_stored_accuracies_follow_from_the_stored_logits(computed: Computed):
    wrong = []
    for run in computed.runs:
        for part, by_epoch in run.facts["metrics"].items():
            for kept, values in by_epoch.items():
                table = run.answers(kept, part)
                found = accuracy_score(table["label"], table["said"])
                if len(table) != values["n"] or abs(found - values["accuracy"]) > 1e-9:
                    wrong.append(f"{run.facts['id']}, {part}, {kept}")
    assert not wrong, "\n".join(wrong)


def test_a_chosen_epoch_is_the_first_of_the_best(computed: Computed):
    """The history was scored in float32: where float16 lets two classes tie, and only there, it may say otherwise.

    A network that trains in bfloat16 is watched in bfloat16, and what is stored was scored by the same weights in
    float32: there one image in two hundred may come out otherwise.
    """
    checked = 0
    for run in computed.runs:
        for kept, column in _watched(run).items():
            best = run.history[column].idxmax()
            assert run.facts["kept_epochs"][kept] == run.history["epoch"][best], f"{run.facts['id']}, {kept}"
            part = kept.removeprefix("best_")
            if f"{part}_{kept}" in run.arrays:
                first, second = np.sort(run.arrays[f"{part}_{kept}"], axis=1).T[:-3:-1]
                right = run.answers(kept, part)["right"]
                images = abs(right.sum() - len(right) * run.history[column][best])
                tied = (first == second).sum() if run.config["precision"] == "float32" else len(right) / 200
                assert images < tied + 0.01, f"{run.facts['id']}, {kept}"
                checked += 1
    assert checked > 100


def _watched(run: stored.Run) -> dict[str, str]:
    columns = {f"best_{run.config['monitor']}": "val_accuracy"}
    columns |= {f"best_{part}": f"{part}_accuracy" for part in ("test", "train") if f"{part}_accuracy" in run.history}
    return {kept: column for kept, column in columns.items() if kept in run.config["keep"]}


def test_folds_of_persons_share_no_person(computed: Computed):
    folds = [run for run in computed.runs if run.split["groups"] == "subjects" and run.config["score_test"]]
    for group in stored.groups(folds):
        for seed in stored.seeds(group):
            tested = [set(run.arrays["test_subjects"].tolist()) for run in seed]
            assert sum(map(len, tested)) == len(set().union(*tested)), group[0].facts["id"]
            assert sum(len(run.arrays["test_labels"]) for run in seed) == seed[0].facts["dataset"]["n"]
            for run, persons in zip(seed, tested, strict=True):
                assert not persons & set(run.arrays["validation_subjects"].tolist()), run.facts["id"]


def test_nothing_of_the_package_is_imported():
    imported, called = set(), set()
    for path in HERE.glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(f"{'.' * node.level}{node.module}")
            elif isinstance(node, ast.Call):
                called.add(ast.unparse(node.func).rpartition(".")[2])
    roots = {name.partition(".")[0] for name in imported}
    allowed = {"numpy", "pandas", "scipy", "sklearn", "pytest", "independent", *sys.stdlib_module_names}
    assert roots <= allowed - {"importlib", "runpy", "subprocess"}, f"tests/independent imports {roots - allowed}"
    assert not called & {"__import__", "import_module", "exec", "eval"}
    assert {"independent"} <= roots
