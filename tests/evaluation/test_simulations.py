"""Simulations against theory and against the package's own tests of one experiment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from fer_utils.evaluation import simulations, statistics


def test_coverage_is_nominal_in_the_middle_and_falls_for_the_textbook_at_the_edge() -> None:
    table = simulations.coverage([0.65, 0.99], 197, times=3000)
    assert table.loc[0.65].between(0.93, 0.97).all()
    assert table.loc[0.99, "Wilson"] > 0.93 > table.loc[0.99, "textbook"]


def test_coverage_of_wilson_is_the_exact_sum() -> None:
    n, p = 50, 0.9
    inside = [
        k for k in range(n + 1) if statistics.wilson_interval(k, n).low <= p <= statistics.wilson_interval(k, n).high
    ]
    exact = scipy_stats.binom.pmf(inside, n, p).sum()
    assert simulations.coverage([p], n, times=20_000).loc[p, "Wilson"] == pytest.approx(exact, abs=0.006)


def test_images_of_one_person_are_no_independent_images() -> None:
    table = simulations.clustered_coverage(0.8, 60, 8, [0.0, 0.5], times=400)
    assert table.loc[0.0].between(0.90, 0.98).all()
    assert table.loc[0.5, "over images"] < 0.75 < 0.9 < table.loc[0.5, "over persons"]


def test_the_studys_rule_holds_near_the_end_where_the_bootstrap_does_not() -> None:
    assert (len(simulations.HOLD_OUT), sum(simulations.HOLD_OUT)) == (93, 197)
    for correlation in (0.0, 0.4):
        table = simulations.coverage_near_the_end([0.95, 0.99], correlation=correlation, times=400)
        assert table["this study's rule"].between(0.92, 0.99).all()
        assert table.loc[0.99, "bootstrap over persons"] < 0.9
    assert table.loc[0.95, "Wilson over images"] < 0.9, "images of one person are no independent images"


def test_satterthwaite_holds_where_three_seeds_dominate() -> None:
    table = simulations.crossed_coverage([0.0, 0.9], times=400)
    assert table["Satterthwaite"].between(0.91, 0.99).all()
    assert table.loc[0.9, "bootstrap over both"] < 0.87 and table.loc[0.0, "bootstrap over both"] > 0.93


def test_pairing_gains_power_and_nothing_is_found_where_nothing_is() -> None:
    table = simulations.power([0.0, 0.02], 3589)
    assert (table.loc[0.0] < 0.07).all()
    assert table.loc[0.02, "paired"] > 0.8 > 0.55 > table.loc[0.02, "not paired"]
    with pytest.raises(ValueError, match="disagreement"):
        simulations.power([0.3], 100)


def test_p_values_of_many_experiments_are_those_of_each() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.random((2, 60)) < 0.6
        found = statistics.mcnemar(a, b)
        assert simulations.mcnemar_p(np.array([found.b]), np.array([found.c]))[0] == pytest.approx(found.p)
    assert simulations.mcnemar_p(np.array([0]), np.array([0]))[0] == 1
    a, b, n = 0.7, 0.6, 300
    chi_squared = scipy_stats.chi2_contingency([[210, 90], [180, 120]], correction=False).pvalue
    assert simulations.two_sample_p(np.array([a]), np.array([b]), n)[0] == pytest.approx(chi_squared)
    assert simulations.two_sample_p(np.array([1.0]), np.array([1.0]), n)[0] == 1


def test_the_best_of_equal_models_looks_better_and_holm_keeps_its_promise() -> None:
    table = simulations.many_models([1, 10], 1000, accuracy=0.65, times=1500)
    sd = 100 * np.sqrt(0.65 * 0.35 / 1000)
    assert table.loc[1, "best"] == pytest.approx(0, abs=0.1)
    assert table.loc[10, "best"] == pytest.approx(1.5388 * sd, rel=0.06)  # expected maximum of ten normal numbers
    assert table.loc[10, "uncorrected"] > 0.2 and table.loc[10, "Holm"] < 0.07
