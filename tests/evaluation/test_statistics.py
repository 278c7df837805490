"""Intervals and tests against SciPy, exact formulas and hand-computed values."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from scipy import special
from scipy import stats as scipy_stats
from sklearn import metrics as sk

from fer_utils.evaluation import statistics


def flags(right, n):
    """`right` true values, then false ones, n in all."""
    return np.arange(n) < right


def test_wilson_by_its_formula():
    k, n, z = 145, 197, special.ndtri(0.975)
    p = k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    interval = statistics.wilson_interval(k, n)
    assert (interval.low, interval.high) == pytest.approx((centre - half, centre + half))
    assert (interval.estimate, interval.n, interval.level) == (p, 197, 0.95)


def test_wilson_has_width_at_the_ends():
    assert statistics.wilson_interval(20, 20).low == pytest.approx(0.8389, abs=1e-4)
    assert statistics.wilson_interval(0, 20).high == pytest.approx(1 - 0.8389, abs=1e-4)


def test_bootstrap_of_an_accuracy_agrees_with_the_binomial():
    interval = statistics.bootstrap_interval(flags(2400, 3589), n_resamples=3000)
    half = 1.96 * math.sqrt(2400 / 3589 * (1 - 2400 / 3589) / 3589)
    assert interval.estimate == 2400 / 3589
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.08)
    assert interval.n == 3589
    assert interval.method == "percentile bootstrap over 3,589 images, 3,000 resamples"


def test_bootstrap_is_scipys():
    values = np.random.default_rng(1).normal(size=60)
    ours = statistics.bootstrap_interval(values, n_resamples=500, seed=4)
    theirs = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=500, method="percentile", rng=np.random.default_rng(4)
    )
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)


def test_bootstrap_depends_on_its_seed_only():
    values = np.random.default_rng(0).normal(size=50)
    first, again, other = (statistics.bootstrap_interval(values, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.estimate == other.estimate
    assert first.low != other.low


def test_a_statistic_of_labels_and_logits():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    logits = rng.normal(size=(90, 3)) + np.eye(3)[labels]

    def macro_f1(y, s):
        return sk.f1_score(y, s.argmax(axis=1), average="macro")

    interval = statistics.bootstrap_interval(labels, logits, statistic=macro_f1, n_resamples=200)
    assert interval.estimate == macro_f1(labels, logits)
    assert interval.low < interval.estimate < interval.high


def test_any_statistic_and_the_fast_mean_draw_alike():
    correct, subjects = flags(40, 60), np.arange(60) % 7
    for clusters in (None, subjects):
        fast = statistics.bootstrap_interval(correct, clusters=clusters, n_resamples=300)
        slow = statistics.bootstrap_interval(correct, statistic=np.mean, clusters=clusters, n_resamples=300)
        assert (fast.estimate, fast.low, fast.high) == pytest.approx((slow.estimate, slow.low, slow.high))


def test_clusters_widen_the_interval_of_repeated_images():
    by_subject = np.random.default_rng(0).random(40) < 0.7
    repeated, subjects = np.repeat(by_subject, 25), np.repeat(np.arange(40), 25)
    one_each = statistics.bootstrap_interval(by_subject)
    clustered = statistics.bootstrap_interval(repeated, clusters=subjects)
    naive = statistics.bootstrap_interval(repeated)
    assert (clustered.low, clustered.high) == pytest.approx((one_each.low, one_each.high))
    assert clustered.high - clustered.low > 3 * (naive.high - naive.low)
    assert "40 subjects" in clustered.method
    assert clustered.n == 1000


def test_clusters_may_be_names_of_uneven_size_in_any_order():
    correct = np.array([1, 0, 1, 1, 0, 1])
    subjects = np.array(["S5", "S1", "S5", "S9", "S1", "S5"])
    interval = statistics.bootstrap_interval(correct, clusters=subjects, n_resamples=400)
    assert interval.estimate == pytest.approx(4 / 6)
    # S1 is wrong twice, the others are right: S1 drawn thrice gives 0, in 1 of 27 resamples.
    assert (interval.low, interval.high) == (0, 1)


def test_agreement_of_all_images_gives_no_width():
    interval = statistics.bootstrap_interval(np.ones(30, bool))
    assert (interval.low, interval.estimate, interval.high) == (1, 1, 1)


def test_coverage_of_the_bootstrap():
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(150):
        interval = statistics.bootstrap_interval(rng.random(200) < 0.7, n_resamples=300)
        hits += interval.low <= 0.7 <= interval.high
    assert 0.89 <= hits / 150 <= 0.99


def test_paired_difference_shares_resamples():
    rng = np.random.default_rng(5)
    a = rng.random(500) < 0.7
    b = a ^ (rng.random(500) < 0.02)
    paired = statistics.paired_bootstrap_difference(a, b)
    alone = statistics.bootstrap_interval(a)
    assert paired.estimate == pytest.approx(a.mean() - b.mean())
    assert paired.high - paired.low < 0.5 * (alone.high - alone.low)
    assert statistics.paired_bootstrap_difference(a, a).high == 0


def test_paired_difference_of_any_metric_equals_that_of_accuracies():
    rng = np.random.default_rng(6)
    labels, of_a, of_b = rng.integers(0, 3, 80), rng.normal(size=(80, 3)), rng.normal(size=(80, 3))

    def accuracy(y, s):
        return np.mean(s.argmax(axis=1) == y)

    compare = statistics.paired_bootstrap_difference
    general = compare(of_a, of_b, labels=labels, statistic=accuracy, n_resamples=300)
    plain = compare(of_a.argmax(axis=1) == labels, of_b.argmax(axis=1) == labels, n_resamples=300)
    assert (general.estimate, general.low) == pytest.approx((plain.estimate, plain.low))


def test_mcnemar_by_hand():
    # 1 image only A gets right, 9 only B: 2 (C(10,0) + C(10,1)) / 2^10 = 22 / 1024.
    a = np.array([1] + [0] * 9 + [1] * 30 + [0] * 5, bool)
    b = np.array([0] + [1] * 9 + [1] * 30 + [0] * 5, bool)
    assert statistics.mcnemar(a, b) == (1, 9, pytest.approx(22 / 1024))
    assert statistics.mcnemar(b, a) == (9, 1, pytest.approx(22 / 1024))
    # (|1 - 9| - 1)^2 / 10 = 4.9 on one degree of freedom: erfc(sqrt(4.9 / 2)).
    assert statistics.mcnemar(a, b, exact=False).p == pytest.approx(math.erfc(math.sqrt(2.45)))


@pytest.mark.parametrize("exact", [True, False])
def test_mcnemar_without_a_difference(exact):
    same = flags(5, 9)
    assert statistics.mcnemar(same, same, exact=exact) == (0, 0, 1.0)
    # One against one: no evidence, and the corrected statistic does not turn negative.
    assert statistics.mcnemar([1, 0], [0, 1], exact=exact).p == pytest.approx(1.0)


def test_holm_by_hand():
    # Sorted .005 x 4, .01 x 3, .03 x 2, .04 x 1 -> .02, .03, .06, max(.06, .04).
    np.testing.assert_allclose(statistics.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(statistics.holm([0.4, 0.9, 0.5]), [1, 1, 1])
    np.testing.assert_allclose(statistics.holm([0.03]), [0.03])
    assert statistics.holm([]).shape == (0,)


def test_holm_lies_between_nothing_and_bonferroni():
    p = np.random.default_rng(0).random(20)
    adjusted = statistics.holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(20 * p, 1)).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_mean_and_deviation_over_seeds():
    mean, sd, n = statistics.mean_sd([0.70, 0.72, 0.71])
    assert (mean, sd, n) == (pytest.approx(0.71), pytest.approx(0.01), 3)
    assert math.isnan(statistics.mean_sd([0.7]).sd)


def test_interval_is_frozen_and_prints():
    interval = statistics.Interval(0.6726, 0.6571, 0.6881, 0.95, 3589, "x")
    assert interval.percent() == "67.3 [65.7, 68.8]"
    assert interval.percent(2) == "67.26 [65.71, 68.81]"
    with pytest.raises(FrozenInstanceError):
        interval.low = 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: statistics.wilson_interval(5, 4), "k=5, n=4"),
        (lambda: statistics.wilson_interval(1, 4, level=95), "between 0 and 1"),
        (lambda: statistics.bootstrap_interval(), "one array"),
        (lambda: statistics.bootstrap_interval([1, 0], [1, 0]), "one array"),
        (lambda: statistics.bootstrap_interval([1, 0], [1], statistic=min), "same n rows"),
        (lambda: statistics.bootstrap_interval([1]), "at least two images"),
        (lambda: statistics.bootstrap_interval([1, 0], clusters=["a", "a"]), "at least two subjects"),
        (lambda: statistics.bootstrap_interval([1, 0], clusters=["a"]), "each of 2 images"),
        (lambda: statistics.paired_bootstrap_difference([1, 0], [1]), "same images for both"),
        (lambda: statistics.paired_bootstrap_difference([1, 0], [1, 1], labels=[0, 1]), "come together"),
        (lambda: statistics.mcnemar([1, 0], [1]), "right or wrong"),
        (lambda: statistics.mcnemar([0, 3], [1, 2]), "right or wrong"),
        (lambda: statistics.holm([0.5, math.nan]), "in .0, 1."),
        (lambda: statistics.mean_sd([]), "at least one"),
        (lambda: statistics.mcnemar([], []), "n >= 1"),
        (lambda: statistics.bootstrap_interval([]), "at least two images to draw from; got 0"),
        (lambda: statistics.bootstrap_interval([], clusters=[]), "at least two subjects to draw from; got 0"),
        (lambda: statistics.bootstrap_interval(1.0), "one array"),
        (lambda: statistics.bootstrap_interval([1.0, math.nan]), "1 of 2 are not"),
        (lambda: statistics.paired_bootstrap_difference([], []), "got 0"),
    ],
)
def test_wrong_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
