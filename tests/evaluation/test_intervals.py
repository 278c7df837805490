"""Intervals of accuracies: each method against SciPy, formulas or hand counts, and where one gives way to the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from fer_utils.evaluation import intervals, maxima, statistics
from fer_utils.evaluation.intervals import accuracy, difference, per_seed, variance_of
from fer_utils.evaluation.right_answers import RightAnswers, counted, joined

PERSONS = np.repeat(np.arange(40), 3)


def wrong_for(*persons: int, each: int = 1) -> np.ndarray:
    """Answers on three images of each of 40 persons: the first `each` of some persons are wrong."""
    correct = np.ones((40, 3), bool)
    correct[list(persons), :each] = False
    return correct.ravel()


def some(rng: np.random.Generator, share: float, n: int = 400, seeds: int = 1) -> RightAnswers:
    return counted(rng.random((seeds, n)) < share)


# ---------------------------------------------------------------- tallies


def test_answers_are_counted_by_person_and_seed() -> None:
    found = counted([[True, False, True], [True, True, True]], ["b", "a", "b"])
    assert found.units.tolist() == ["a", "b"] and found.what == "persons" and found.n == 3
    np.testing.assert_array_equal(found.right, [[0, 2], [1, 2]])
    np.testing.assert_allclose(found.accuracy, [2 / 3, 1])
    assert counted([True, False]).what == "images"
    for call, words in ((lambda: counted([]), "needs answers"), (lambda: counted([1, 0], [1]), "each of 2 images")):
        with pytest.raises(ValueError, match=words):
            call()


def test_merged_parts_count_shared_units_once() -> None:
    both = joined(counted([1, 0], ["a", "b"]), counted([1, 1], ["b", "c"]))
    assert both.units.tolist() == ["a", "b", "c"] and both.n == 4
    np.testing.assert_array_equal(both.right, [[1, 1, 1]])


def test_contributions_are_the_linear_part_of_a_draw() -> None:
    found = counted(wrong_for(1, 2, 3, each=2), PERSONS)
    twice = np.ones((1, 40))
    twice[0, 2] += 1e-6
    slope = (found.of_draws(twice)[0, 0] - found.accuracy[0]) / 1e-6
    assert slope == pytest.approx(found.contributions[0, 2], rel=1e-3)
    assert found.contributions.sum() == pytest.approx(0)


# ---------------------------------------------------------------- one accuracy


def test_all_right_is_exact_by_persons() -> None:
    found = accuracy(wrong_for(), PERSONS)
    assert (found.estimate, found.high, found.n) == (1, 1, 120)
    assert found.low == pytest.approx(0.025 ** (1 / 40)) and found.method == "exact over 40 persons"
    images = accuracy(np.ones(197, bool))
    theirs = scipy_stats.binomtest(197, 197).proportion_ci(method="exact")
    assert (images.low, images.high) == pytest.approx((theirs.low, theirs.high))


def test_nearly_all_right_counts_a_wrong_answer_with_its_person() -> None:
    found = accuracy(wrong_for(3, 7, each=3), PERSONS)
    persons = scipy_stats.binomtest(38, 40).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((persons.low, persons.high))
    assert found.estimate == 114 / 120


@pytest.mark.parametrize("answers", [[3, 0, 6, 2, 1], [1.0, 0.0, np.nan]])
def test_answers_that_are_neither_right_nor_wrong_are_refused(answers: list[float]) -> None:
    with pytest.raises(ValueError, match="Pass predicted == labels"):
        accuracy(np.array(answers))


def test_more_images_of_few_persons_do_not_lower_the_upper_end() -> None:
    """Two of ten persons are wrong altogether: that is two of ten, however many images each has."""
    persons = scipy_stats.binomtest(8, 10).proportion_ci(method="exact")
    for n in (3, 20):
        found = accuracy(np.repeat(np.arange(10) > 1, n), np.repeat(np.arange(10), n))
        assert (found.low, found.high) == pytest.approx((persons.low, persons.high)), n


def test_near_the_end_it_is_wilsons_with_the_design_effect() -> None:
    independent = accuracy(wrong_for(1, 4, 9), PERSONS)
    usual = statistics.wilson_interval(117, 120)
    assert (independent.low, independent.high) == pytest.approx((usual.low, usual.high)), "no images are better than n"
    alike = accuracy(wrong_for(1, 4, 9, each=3), PERSONS)
    p, share = 111 / 120, np.where(np.isin(np.arange(40), (1, 4, 9)), 0, 1)
    effect = 40 / 39 * np.sum((3 * (share - p) / 120) ** 2) / (p * (1 - p) / 120)
    n = 120 / effect
    middle = (p + 1.96**2 / 2 / n) / (1 + 1.96**2 / n)
    half = 1.96 * np.sqrt(p * (1 - p) / n + 1.96**2 / 4 / n**2) / (1 + 1.96**2 / n)
    assert (alike.low, alike.high) == pytest.approx((middle - half, middle + half), abs=1e-5)
    assert effect > 2.5 and alike.method == "Wilson with design effect over 40 persons"


def test_in_the_middle_it_is_the_bootstrap_over_persons() -> None:
    correct = np.random.default_rng(0).random(300) < 0.7
    persons = np.repeat(np.arange(100), 3)
    found, usual = accuracy(correct, persons), statistics.bootstrap_interval(correct, clusters=persons)
    assert (found.low, found.high) == (usual.low, usual.high) and found.method == "bootstrap over 100 persons"
    one_person = accuracy(correct, np.zeros(300))
    alone = statistics.bootstrap_interval(correct)
    assert (one_person.low, one_person.high) == (alone.low, alone.high)


@pytest.mark.parametrize("persons", [(), (3,), (1, 4, 9), tuple(range(35))])
def test_few_right_mirrors_few_wrong(persons: tuple[int, ...]) -> None:
    correct = wrong_for(*persons, each=3)
    up, down = accuracy(correct, PERSONS), accuracy(~correct, PERSONS)
    assert (down.estimate, down.low, down.high) == pytest.approx((1 - up.estimate, 1 - up.high, 1 - up.low))
    assert 0 <= up.low <= up.estimate <= up.high <= 1


def test_several_seeds_have_the_interval_of_their_mean() -> None:
    rng = np.random.default_rng(3)
    correct = rng.random((3, 3000)) < np.array([[0.60], [0.70], [0.80]])
    found, values = accuracy(correct), correct.mean(axis=1)
    theirs = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.estimate == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=0.02), "seeds dominate here"
    assert found.method == "t (Satterthwaite) over 3,000 images and 3 seeds" and found.n == 3000
    alike = np.repeat(correct[:1], 3, axis=0)
    usual = statistics.bootstrap_interval(alike[0])
    assert accuracy(alike).high - accuracy(alike).low == pytest.approx(usual.high - usual.low, rel=0.05)


def test_one_bad_seed_widens_the_interval_and_it_ends_at_one() -> None:
    correct = np.stack([wrong_for(), wrong_for(1), wrong_for(*range(12))])
    found = accuracy(correct, PERSONS)
    assert found.high == 1 and found.low < 0.87 and found.estimate == pytest.approx(np.mean([1, 119 / 120, 0.9]))
    even = accuracy(np.stack([wrong_for()] * 3), PERSONS)
    assert even.low == pytest.approx(0.025 ** (1 / 40)), "no seed has a wrong answer"


def test_variance_adds_up_for_crossed_effects() -> None:
    rng, s, u, totals = np.random.default_rng(0), 4, 60, []
    for _ in range(400):
        cells = rng.normal(0, 1, (s, 1)) + rng.normal(0, 3, (1, u)) + rng.normal(0, 4, (s, u))
        mean = cells.mean(axis=1)
        totals.append((variance_of(mean, (cells - mean[:, None]) / u).total, cells.mean()))
    estimated, means = np.array(totals).T
    assert estimated.mean() == pytest.approx(1 / s + 9 / u + 16 / (s * u), rel=0.15)
    assert means.var() == pytest.approx(1 / s + 9 / u + 16 / (s * u), rel=0.15)
    alone = variance_of(np.array([0.5]), np.array([[0.1, -0.1]]))
    assert alone == pytest.approx((0.04, 1, 0.0, 0.04, 0.0))


def test_levels_outside_0_and_1_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        accuracy([1, 0], level=95)


# ---------------------------------------------------------------- differences


def test_unpaired_difference_has_the_textbook_width() -> None:
    rng = np.random.default_rng(0)
    a, b = some(rng, 0.8), some(rng, 0.6)
    found = difference(a, b, paired=False, n_resamples=4000)
    error = np.sqrt(sum(t.accuracy[0] * (1 - t.accuracy[0]) / 400 for t in (a, b)))
    assert found.estimate == pytest.approx(a.accuracy[0] - b.accuracy[0])
    assert (found.high - found.low) == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_paired_difference_of_one_seed_is_the_paired_bootstrap() -> None:
    rng = np.random.default_rng(1)
    b = some(rng, 0.6)
    a = replace(b, right=np.maximum(b.right, rng.random((1, 400)) < 0.1))
    found, usual = difference(a, b), statistics.paired_bootstrap_difference(a.right[0], b.right[0])
    assert (found.low, found.high) == pytest.approx((usual.low, usual.high), abs=0.006)
    assert found.low > 0 and found.high - found.low < 0.5 * ((apart := difference(a, b, paired=False)).high - apart.low)


def test_where_seeds_dominate_the_difference_is_students() -> None:
    n = 200
    even = RightAnswers(np.ones((4, n)) * 0.5, np.ones((4, n)), np.arange(n))  # no chance of images at all
    a = replace(even, right=np.repeat([[0.5], [0.6], [0.7], [0.8]], n, axis=1))
    found, theirs = difference(a, even), scipy_stats.ttest_1samp([0, 0.1, 0.2, 0.3], 0).confidence_interval(0.95)
    assert found.estimate == pytest.approx(0.15)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert found.method == "t (Satterthwaite) over 200 images and 4 seeds"
    assert difference(a.accuracy, even).low == pytest.approx(theirs.low)
    assert per_seed(a, even) == pytest.approx((0, 0.1, 0.2, 0.3))
    one = replace(even, right=even.right[:1], images=even.images[:1])
    assert difference(a, one) == replace(found, n=200), "a single seed is compared with all of the other side"
    with pytest.raises(ValueError, match="seed by seed"):
        difference(a.accuracy[:2], even)


def test_a_difference_of_accuracies_ends_at_one() -> None:
    rng = np.random.default_rng(3)
    low, high = some(rng, 0.2).right[0], some(rng, 0.8).right[0]
    found = difference(counted(np.stack([high, low])), counted(np.stack([low, high])))
    assert found.method.startswith("t ") and (found.low, found.high) == (-1, 1)


def test_persons_and_seeds_both_widen_a_difference() -> None:
    rng = np.random.default_rng(5)
    a, b = some(rng, 0.75, 1000, 3), some(rng, 0.65, 1000, 3)
    found = difference(a, b)
    variance = variance_of(a.accuracy - b.accuracy, a.contributions - b.contributions)
    half = scipy_stats.t.ppf(0.975, variance.df) * np.sqrt(variance.total)
    assert (found.low, found.high) == pytest.approx((found.estimate - half, found.estimate + half))
    fewer = difference(*(replace(t, right=t.right[:1], images=t.images[:1]) for t in (a, b)))
    assert fewer.high - fewer.low > found.high - found.low


def test_near_the_end_both_intervals_are_joined_by_squares() -> None:
    rng = np.random.default_rng(6)
    b = counted(rng.random(300) < 0.8, np.repeat(np.arange(100), 3))
    a = counted(np.ones(120, bool), np.repeat(np.arange(40), 3))
    found, one, other = difference(a, b), intervals.of_answers(a), intervals.of_answers(b)
    gap = 1 - other.estimate
    assert found.low == pytest.approx(gap - np.hypot(1 - one.low, other.high - other.estimate))
    assert found.high == pytest.approx(gap + (other.estimate - other.low)), "A cannot be higher"
    assert found.method.startswith("intervals joined by squares over 100 persons")
    same = difference(b, replace(b, right=b.images - 0.0))
    assert same.low < same.estimate < same.high < 0


def test_shared_persons_narrow_a_difference_near_the_end() -> None:
    found = counted(wrong_for(1, 4, 9, 11, each=2), PERSONS)
    nothing, apart = difference(found, found), difference(found, found, paired=False)
    assert nothing.estimate == 0 and nothing.low == pytest.approx(-nothing.high)
    assert 0 < nothing.high < 0.6 * apart.high


def test_parts_that_share_images_are_paired_by_them() -> None:
    whole = some(np.random.default_rng(2), 0.6, n=100)
    part = RightAnswers(whole.right[:, :60], whole.images[:, :60], whole.units[:60])
    found = difference(whole, part)
    assert found.estimate == pytest.approx(whole.right.mean() - whole.right[:, :60].mean())
    assert found.low < found.estimate < found.high and found.n == 60


def test_a_draw_without_images_is_left_out() -> None:
    empty = RightAnswers(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]), np.array([0, 1]))
    assert np.isnan(empty.of_draws(np.array([[0.0, 2.0]]))).all()


# ---------------------------------------------------------------- maxima


def test_best_of_seeds_is_the_expected_maximum() -> None:
    assert [maxima.expected_maximum(n) for n in (1, 2, 3, 5)] == pytest.approx([0, 0.5642, 0.8463, 1.1630], abs=1e-3)
    drawn = np.random.default_rng(0).normal(0.7, 0.01, 500)
    assert maxima.best_of(drawn, 3).estimate == pytest.approx(0.00846, rel=0.1)
    found = maxima.best_of([0.70, 0.71, 0.72])
    limits = 0.8463 * 0.01 * np.sqrt(2 / scipy_stats.chi2.ppf([0.975, 0.025], 2))
    assert (found.low, found.high) == pytest.approx(tuple(limits), rel=1e-3)
    with pytest.raises(ValueError, match="at least two"):
        maxima.best_of([0.7])


def test_the_luckiest_of_folds_pools_the_spread_within_seeds_and_is_never_negative() -> None:
    folds = np.array([[0.70, 0.72, 0.74], [0.80, 0.82, 0.84]])  # seeds differ by 0.1, which is no maxima of a fold
    found = maxima.best_of(folds)
    limits = 0.8463 * 0.02 * np.sqrt(4 / scipy_stats.chi2.ppf([0.975, 0.025], 4))
    assert found.estimate == pytest.approx(0.8463 * 0.02, rel=1e-3)
    assert (found.low, found.high) == pytest.approx(tuple(limits), rel=1e-3) and found.low > 0
    assert found.method == "chi-squared, sd of 3 folds within 2 seeds"
