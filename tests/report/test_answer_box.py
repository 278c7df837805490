"""Sentences that follow from numbers: the numbers flip, and the sentence turns."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from fer_utils.evaluation import statistics
from fer_utils.evaluation.statistics import Interval
from fer_utils.report import answer_box, self_check

GAP = Interval(0.152, 0.119, 0.188, 0.95, 840, "made up")


def flipped(gap: Interval) -> Interval:
    return replace(gap, estimate=-gap.estimate, low=-gap.high, high=-gap.low)


def test_the_sentence_turns_with_the_numbers() -> None:
    found = answer_box.compared("A", "B", GAP)
    assert found == "Accuracy is **better** with A than with B, by 15.2 points (95 % interval 11.9 to 18.8)."
    turned = answer_box.compared("A", "B", flipped(GAP))
    assert turned == "Accuracy is **worse** with A than with B, by 15.2 points (95 % interval 11.9 to 18.8)."
    assert answer_box.compared("A", "B", GAP, words=("higher", "lower"), quantity="Recall").startswith(
        "Recall is **higher** with A"
    )
    assert "**lower**" in answer_box.compared("A", "B", flipped(GAP), words=("higher", "lower"))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.54, 0.57, "**below**"), (0.71, 0.74, "**above**"), (0.6, 0.7, "**inside**"), (0.58, 0.62, "**not shown to lie"),
     (0.55, 0.75, "**not shown to lie")],
)  # fmt: skip
def test_where_a_quantity_lies_beside_a_range(low: float, high: float, words: str) -> None:
    found = replace(GAP, estimate=(low + high) / 2, low=low, high=high)
    assert answer_box.placed(found, 0.6, 0.7).startswith(words)
    with pytest.raises(ValueError, match="low to high"):
        answer_box.placed(replace(found, low=math.nan), 0.6, 0.7)


@pytest.mark.parametrize(("low", "high"), [(-0.02, 0.044), (0.0, 0.03), (-0.03, 0.0), (0.0, 0.0)])
def test_an_interval_that_holds_zero_shows_no_difference(low: float, high: float) -> None:
    text = answer_box.compared("A", "B", replace(GAP, estimate=(low + high) / 2, low=low, high=high))
    assert "**not shown to differ** between A and B" in text
    assert not re.search("better|worse", text)


def test_signs_are_printed_as_one_reads_them() -> None:
    text = answer_box.compared("A", "B", replace(GAP, estimate=-0.012, low=-0.04, high=0.0004))
    assert text.endswith("the difference is −1.2 points (95 % interval −4.0 to 0.0).")
    assert "+1.2 points" in answer_box.compared("A", "B", replace(GAP, estimate=0.012, low=-0.0004, high=0.04))
    assert "the difference is 0.0 points" in answer_box.compared("A", "B", replace(GAP, estimate=-1e-9, low=-1, high=1))


def test_right_and_wrong_answers_of_two_networks_make_the_sentence() -> None:
    rng = np.random.default_rng(0)
    good, bad = rng.random(400) < 0.9, rng.random(400) < 0.5
    persons = np.repeat(np.arange(40), 10)
    for one, other, word in ((good, bad, "better"), (bad, good, "worse"), (good, good, "not shown to differ")):
        gap = statistics.paired_bootstrap_difference(one, other, clusters=persons, n_resamples=200)
        assert f"**{word}**" in answer_box.compared("A", "B", gap)


def test_what_moves_an_accuracy_turns_with_the_numbers() -> None:
    found = answer_box.moved("Peeking", GAP)
    assert found == "Peeking **raises** an accuracy by 15.2 points (95 % interval 11.9 to 18.8)."
    turned = answer_box.moved("Peeking", flipped(GAP), quantity="a recall")
    assert turned == "Peeking **lowers** a recall by 15.2 points (95 % interval 11.9 to 18.8)."
    neither = answer_box.moved("Peeking", replace(GAP, estimate=0.01, low=0.0, high=0.02))
    assert "**not shown to move**" in neither and not re.search("raises|lowers", neither)


@pytest.mark.parametrize(
    ("ends", "verb"),
    [
        ((0.08, 0.14), "agree little"), ((0.6, 0.8), "agree well"), ((0.4, 0.6), "agree in part"),
        ((-0.1, 0.2), "are not shown to agree"), ((0.0, 0.9), "are not shown to agree"),
        ((-0.6, -0.2), "contradict each other"),
    ],
)  # fmt: skip
def test_how_far_rankings_agree_follows_from_the_interval(ends: tuple[float, float], verb: str) -> None:
    low, high = ends
    text = answer_box.agreement("Two maps", replace(GAP, estimate=(low + high) / 2, low=low, high=high))
    assert text.startswith(f"Two maps **{verb}**: ")


def test_what_confidence_promises_turns_with_the_sign() -> None:
    text = answer_box.promised("Here, the network", GAP)
    assert text == (
        "Here, the network is **too sure**: its mean confidence lies 15.2 points above its accuracy "
        "(95 % interval 11.9 to 18.8)."
    )
    turned = answer_box.promised("Here, the network", flipped(GAP))
    assert "**not sure enough**" in turned and "15.2 points below its accuracy (95 % interval 11.9 to 18.8)" in turned
    open_ = answer_box.promised("Here, the network", replace(GAP, estimate=0.01, low=-0.02, high=0.04))
    assert "**not shown to be too sure or too unsure**" in open_ and "+1.0 points" in open_


def test_a_correlation_that_rounds_to_nothing_has_no_sign() -> None:
    text = answer_box.agreement("Two maps", replace(GAP, estimate=-0.001, low=-0.2, high=0.1))
    assert "is 0.00 (95 % interval −0.20 to 0.10)" in text


@pytest.mark.parametrize("change", [{"low": math.nan}, {"estimate": math.nan}, {"high": math.inf}, {"low": 0.5}])
def test_an_answer_needs_a_measured_interval(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Measure the difference"):
        answer_box.compared("A", "B", replace(GAP, **change))


def test_the_box_says_where_faces_are_drawn() -> None:
    drawn, real = (answer_box.box("First.", "Second.", drawn=drawn) for drawn in (True, False))
    assert real == "> **Answer.** First. Second."
    assert drawn.startswith(real) and "drawn faces, which prove nothing about people" in drawn
    assert all(line.startswith(">") for line in drawn.splitlines())
    with pytest.raises(ValueError, match="at least one sentence"):
        answer_box.box("", drawn=False)


@pytest.mark.parametrize("given", [..., None, "1.7", True, math.nan, 1.5, 1.9])
def test_a_self_check_fails_until_the_number_is_right(given: object) -> None:
    assert not self_check.solved(given, 1.7, 0.1)
    text = self_check.check("Exercise 2", given, 1.7, 0.1)
    assert text.startswith("**Exercise 2: not") and "1.7" not in text.replace("'1.7'", "")


def test_a_self_check_tells_the_direction_and_not_the_number() -> None:
    assert "not answered yet" in self_check.check("Exercise 2", ..., 1.7, 0.1)
    assert "too low" in self_check.check("Exercise 2", 1.5, 1.7, 0.1)
    assert "too high" in self_check.check("Exercise 2", np.float64(1.9), 1.7, 0.1)
    assert self_check.check("Exercise 2", 1.65, 1.7, 0.1) == "**Exercise 2: right.**"
    with pytest.raises(ValueError, match="Run the cells above"):
        self_check.check("Exercise 2", 1.7, math.nan, 0.1)
