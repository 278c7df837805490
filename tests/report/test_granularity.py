"""The granularity test against plain enumeration, and on what REFERENCE.md says of the reports."""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest

from fer_utils.report.audit import granularity


def printed_by(k: int, n: int, places: int, rule: str) -> set[str]:
    """All texts that k of n may be printed as, with high-precision decimals."""
    modes = {"rounded": (ROUND_HALF_UP, ROUND_HALF_DOWN), "truncated": (ROUND_DOWN,)}[rule]
    return {str((Decimal(100 * k) / n).quantize(Decimal(1).scaleb(-places), mode)) for mode in modes}


@pytest.mark.parametrize("rule", ["rounded", "truncated"])
@pytest.mark.parametrize(("n", "places"), [(7, 0), (16, 1), (123, 2), (400, 1)])
def test_counts_are_those_of_enumeration(n: int, places: int, rule: str) -> None:
    for step in range(0, 100 * 10**places + 1, 7):
        text = str(Decimal(step).scaleb(-places))
        expected = [k for k in range(n + 1) if text in printed_by(k, n, places, rule)]
        assert list(granularity.counts(text, n, rule)) == expected, (text, n)


def test_either_rule_takes_what_one_of_them_allows() -> None:
    assert list(granularity.counts("65.64", 3589)) == [2356]
    assert not granularity.reachable("65.64", 3589, "rounded")
    assert granularity.reachable("65.64", 3589, "truncated")


def test_the_reports_numbers() -> None:
    assert not any(granularity.reachable(p, n, "rounded") for p in ("68.66", "65.64", "63.59") for n in (3589, 7178))
    assert granularity.sizes(["97.97", "93.55"], range(20, 400), "rounded") == []
    assert granularity.sizes(["97.97", "93.55"], range(20, 400), "truncated") == []
    assert 148 in granularity.sizes(["97.97", "93.92"], range(20, 400), "rounded")
    for value in ("65.053", "64.983"):
        assert not any(granularity.reachable(value, n) for n in (7066, 6656))
        assert all(granularity.reachable(value, n, "rounded") for n in (28_672, 7_168))


def test_cells_say_what_fits() -> None:
    assert granularity.cell("67.60", 3589) == "k = 2,426"
    assert granularity.cell("65.64", 3589) == "k = 2,356, truncated only"
    assert granularity.cell("68.66", 3589) == "impossible: 68.654 or 68.682"
    assert granularity.cell("61", 3589).startswith("k = 2,172 to ")
    table = granularity.table(["98.48"], [197, 100])
    assert table.loc["98.48"].tolist() == ["k = 194", "impossible: 98.000 or 99.000"]
    assert granularity.neighbours("100", 3) == ("100.0", "100.0")


def test_share_of_numbers_that_a_small_test_set_can_give() -> None:
    fits = sum(granularity.reachable(f"{i / 100:.2f}", 148, "rounded") for i in range(10_001))
    assert fits == 149 + sum(1 for k in range(149) if math.gcd(k, 148) and len(printed_by(k, 148, 2, "rounded")) > 1)


def test_a_mean_over_batches_against_enumeration() -> None:
    n, batch, steps, rest = 11, 4, 3, 3
    means = {(Fraction(full, batch) + Fraction(right, rest)) / steps for full in range(9) for right in range(rest + 1)}
    for tenth in range(1001):
        text = f"{tenth / 10:.1f}"
        near = any(abs(100 * mean - Fraction(tenth, 10)) <= Fraction(1, 20) for mean in means)
        assert granularity.as_batch_mean(text, n, batch, "rounded") == near, text
    assert all(granularity.as_batch_mean(f"{i / 100:.2f}", 3589, 64) for i in range(6000, 7000, 7)), "it proves nothing"
    assert granularity.as_batch_mean("50.0", 8, 4) and not granularity.as_batch_mean("51.0", 8, 4)
    with pytest.raises(ValueError, match="at least 1 image"):
        granularity.as_batch_mean("50.0", 8, 0)


def test_the_statement_says_what_is_proved_and_what_is_not() -> None:
    table = granularity.statement()
    said = table["tested"] + ". " + table["what follows"]
    assert list(said.index) == list(granularity.CASES)
    assert "no share of its validation folder or its 13 full batches gives 65.053 or 64.983" in said["cutm2024"]
    six = said["iitk2023 on FER2013"]
    assert "Proved: no share of PublicTest or PrivateTest gives 68.66 or 63.59" in six
    assert "such as 5,740" in six and "Inconclusive: some reading fits all." in six
    assert granularity.sizes(granularity.CASES["iitk2023 on FER2013"].printed, [5740], "rounded") == [5740]
    ckplus = said["iitk2023 on CK+"]
    assert "15 % of 981 (n = 148): rounded 97.97, 93.92 fit" in ckplus
    assert "20 % of 930 (n = 186): rounded 93.55 fits" in ckplus
    assert "they do not share one test set of 20 to 399 images" in ckplus and "Inconclusive" in ckplus
    assert said["psg2025 on FER2013"].count("cut off fits") == 2
    with pytest.raises(ValueError, match=r"granularity of .* was examined"):
        granularity.conclusion("nobody2020")


@pytest.mark.parametrize("text", ["101", "-1", "1e1", "nan", "67,6", "many"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="plain digits"):
        granularity.counts(text, 100)


def test_no_images_and_unknown_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="n >= 1"):
        granularity.counts("50", 0)
    with pytest.raises(ValueError, match="rule among"):
        granularity.counts("50", 10, "guessed")


def test_accuracies_that_counts_allow() -> None:
    assert granularity.reachable("50", 2, "rounded")
    assert granularity.reachable("33.33", 3, "rounded")
    assert not granularity.reachable("33.34", 3, "rounded")
    assert granularity.reachable("66.7", 3, "rounded")
    assert granularity.reachable("100", 7, "rounded")
    assert granularity.reachable("0", 7, "rounded")
    # 1/16 is 6.25 %: the half may have been rounded either way.
    assert granularity.reachable("6.2", 16, "rounded")
    assert granularity.reachable("6.3", 16, "rounded")


def test_accuracies_that_no_count_gives() -> None:
    """iitk2023's and cutm2024's printed accuracies against the sizes of their test sets."""
    assert not any(
        granularity.reachable(value, n, "rounded") for value in ("68.66", "65.64", "63.59") for n in (3589, 7178)
    )
    assert granularity.reachable("97.97", 148, "rounded")
    assert granularity.reachable("93.92", 148, "rounded")
    assert not any(
        granularity.reachable("97.97", n, "rounded") and granularity.reachable("93.55", n, "rounded")
        for n in range(20, 400)
    )
    for value in ("65.053", "64.983"):
        assert all(granularity.reachable(value, n, "rounded") for n in (28672, 7168))
        assert not any(granularity.reachable(value, n, "rounded") for n in (7066, 6656))


def test_reachable_against_enumeration() -> None:
    printed = {f"{100 * k / 123:.2f}" for k in range(124)}
    some = [f"{x / 100:.2f}" for x in range(0, 10001, 7)]
    assert [granularity.reachable(value, 123, "rounded") for value in some] == [value in printed for value in some]
