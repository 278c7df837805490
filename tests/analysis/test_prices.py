"""Prices of shortcuts: tallies against hand counts, intervals against theory, and which runs price what."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_records import finished
from scipy import stats as scipy_stats

from fer_utils import plots, records
from fer_utils.analysis.prices import experiments, tables
from fer_utils.analysis.prices.experiments import DESIGNS, GROUPINGS
from fer_utils.analysis.prices.paired import Tally, difference, merged, per_seed, tally
from fer_utils.evaluation import statistics
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Measurement, Record
from fer_utils.report import pages
from fer_utils.study import protocols

K = 7


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def grouped(store: Path) -> dict[str, list[Record]]:
    """Two seeds of two folds for each grouping; images are easiest, subjects hardest."""
    level = {"images": 0.9, "sequences": 0.8, "subjects": 0.6}
    return {
        g: [
            finished(
                store, c, [0.7, level[g] + 0.05 * c.seed, 0.5, 0.65, 0.6],
                subjects=np.repeat(np.arange(10), 4) + 10 * c.split.fold,
            )
            for c in experiments.by_grouping("tiny", "ckplus", g, [0, 1], n_folds=2, epochs=2)
        ]
        for g in GROUPINGS
    }  # fmt: skip


@pytest.fixture(scope="module")
def designed(store: Path) -> dict[str, list[Record]]:
    """Two seeds of each design; 4 of 40 test images stand in training."""
    seen, level = np.arange(40) < 4, {"usage": 0.5, "random": 0.55, "copies in": 0.6, "copies out": 0.5}
    return {
        d: [
            finished(store, c, [0.4, level[d], level[d], 0.6], seen=seen if d == "copies in" else ~(seen | True))
            for c in experiments.by_design("tiny", "fer2013", d, [0, 1], epochs=2)
        ]
        for d in DESIGNS
    }


def test_tally_counts_by_person_and_seed(grouped: dict[str, list[Record]]) -> None:
    found = tally(grouped["subjects"])
    assert found.what == "persons" and found.right.shape == (2, 20) and found.n == 80
    np.testing.assert_array_equal(found.images, 4)
    np.testing.assert_allclose(found.accuracy, [0.6, 0.65])  # 24 and 26 of 40 in each fold
    np.testing.assert_array_equal(found.right[0], [4] * 6 + [0] * 4 + [4] * 6 + [0] * 4)


def test_tally_counts_images_where_persons_are_unknown(designed: dict[str, list[Record]]) -> None:
    usage = designed["usage"]
    found, some = tally(usage), tally(usage, rows=np.arange(40) >= 10)
    assert found.what == "images" and found.n == 40 and some.n == 30
    np.testing.assert_allclose(some.accuracy, 10 / 30)
    both = merged(found, tally(usage, part="validation", offset=1000))
    assert both.n == 80
    np.testing.assert_allclose(both.accuracy, (20 + 16) / 80)
    with pytest.raises(ValueError, match="at least one run"):
        tally([])


def simulated_tally(rng: np.random.Generator, share: float, n: int = 400, seeds: int = 1) -> Tally:
    return Tally((rng.random((seeds, n)) < share).astype(float), np.ones((seeds, n)), np.arange(n))


def test_unpaired_difference_has_the_textbook_width() -> None:
    rng = np.random.default_rng(0)
    a, b = simulated_tally(rng, 0.8), simulated_tally(rng, 0.6)
    found = difference(a, b, paired=False, n_resamples=4000)
    error = np.sqrt(sum(t.accuracy[0] * (1 - t.accuracy[0]) / 400 for t in (a, b)))
    assert found.estimate == pytest.approx(a.accuracy[0] - b.accuracy[0])
    assert (found.high - found.low) == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_paired_difference_of_one_seed_is_the_paired_bootstrap() -> None:
    rng = np.random.default_rng(1)
    b = simulated_tally(rng, 0.6)
    a = replace(b, right=np.maximum(b.right, rng.random((1, 400)) < 0.1))
    found, usual = difference(a, b), statistics.paired_bootstrap_difference(a.right[0], b.right[0])
    assert (found.low, found.high) == pytest.approx((usual.low, usual.high), abs=0.006)
    assert found.low > 0 and found.high - found.low < 0.5 * ((apart := difference(a, b, paired=False)).high - apart.low)


def test_seeds_are_drawn_too() -> None:
    n = 200
    even = Tally(np.ones((4, n)) * 0.5, np.ones((4, n)), np.arange(n))  # no chance of images at all
    a = replace(even, right=np.repeat([[0.5], [0.6], [0.7], [0.8]], n, axis=1))
    found = difference(a, even)
    assert found.estimate == pytest.approx(0.15)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * np.std([0, 0.1, 0.2, 0.3]) / 2, rel=0.15)
    assert "4 seeds" in found.method
    assert difference(a.accuracy, even).estimate == pytest.approx(0.15)
    assert per_seed(a, even) == pytest.approx((0, 0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match="seed by seed"):
        difference(a.accuracy[:2], even)


def test_parts_that_share_images_are_paired_by_them() -> None:
    rng = np.random.default_rng(2)
    whole = simulated_tally(rng, 0.6, n=100)
    part = Tally(whole.right[:, :60], whole.images[:, :60], whole.units[:60])
    found = difference(whole, part)
    assert found.estimate == pytest.approx(whole.right.mean() - whole.right[:, :60].mean())
    assert found.low < found.estimate < found.high and found.n == 60


def test_best_of_seeds_is_the_expected_maximum() -> None:
    assert [experiments.expected_maximum(n) for n in (1, 2, 3, 5)] == pytest.approx(
        [0, 0.5642, 0.8463, 1.1630], abs=1e-3
    )
    drawn = np.random.default_rng(0).normal(0.7, 0.01, 500)
    assert experiments.best_of(drawn, 3).estimate == pytest.approx(0.00846, rel=0.1)
    found = experiments.best_of([0.70, 0.71, 0.72])
    limits = 0.8463 * 0.01 * np.sqrt(2 / scipy_stats.chi2.ppf([0.975, 0.025], 2))
    assert (found.low, found.high) == pytest.approx(tuple(limits), rel=1e-3)
    with pytest.raises(ValueError, match="at least two"):
        experiments.best_of([0.7])


def test_prices_of_groupings(grouped: dict[str, list[Record]]) -> None:
    prices = {p.shortcut: p for p in experiments.grouping_prices(grouped)}
    assert prices["Random split of images"].interval.estimate == pytest.approx(0.3)
    assert prices["Random split of images"].seeds == pytest.approx((0.3, 0.3))
    assert prices["Sequences kept whole, persons not"].interval.estimate == pytest.approx(0.2)
    assert prices["Epoch chosen on the test fold"].seeds == pytest.approx((0.05, 0.0))
    assert prices["Validation folder = training folder"].interval.estimate == pytest.approx(1.0 - 0.6)
    assert prices["The luckiest hold-out"].seeds == pytest.approx((0, 0))
    assert prices["The best of 2 seeds"].interval.estimate == pytest.approx(
        0.5642 * np.std([0.6, 0.65], ddof=1), rel=1e-3
    )
    alone = {g: [r for r in runs if r.config.seed == 0] for g, runs in grouped.items()}
    assert not any("best of" in p.shortcut for p in experiments.grouping_prices(alone))


def test_prices_of_designs(designed: dict[str, list[Record]]) -> None:
    prices = {p.shortcut: p.interval.estimate for p in experiments.design_prices(designed)}
    assert prices["Copies of test images in training"] == pytest.approx(0.1)
    assert prices["Copied images alone, last epoch"] == pytest.approx(0)  # both have the first 4 right
    assert prices["Scoring images that stand in Training"] == pytest.approx(0.5 - 16 / 36)
    assert prices["Epoch chosen on PrivateTest"] == pytest.approx(0.1)
    assert prices["Both test parts scored"] == pytest.approx(0.45 - 0.5)
    assert prices["Both test parts choose and score"] == pytest.approx(0.45 - 0.5)
    assert prices["Random 80/10/10 instead of Usage"] == pytest.approx(0.05)


def test_without_copies_their_prices_are_left_out(designed: dict[str, list[Record]]) -> None:
    none = designed | {"copies in": designed["copies out"]}
    assert not any("cop" in p.shortcut.lower() for p in experiments.design_prices(none))


def test_prices_on_record_leave_out_what_is_not_complete(
    grouped: dict[str, list[Record]], designed: dict[str, list[Record]], store: Path, tmp_path: Path
) -> None:
    found = tables.on_record(store)
    assert list(found) == ["CK+48, tiny", "FER2013, 5,000 training images, tiny"]
    assert found["CK+48, tiny"] == experiments.grouping_prices(grouped)
    page = tables.markdown(found)
    assert "| FER2013, 5,000 training images, tiny | Epoch chosen on PrivateTest | **+10.0 [" in page
    shutil.copytree(store, tmp_path / "runs")
    (tmp_path / "runs" / grouped["subjects"][-1].id / "done").unlink()
    one_seed = tables.on_record(tmp_path / "runs")["CK+48, tiny"]
    assert all(len(p.seeds) == 1 for p in one_seed)
    assert tables.markdown({}) == "Not measured yet."
    assert "tiny" not in pages.markdown(designed["usage"])


def test_configurations_differ_in_their_rule_alone() -> None:
    one, two, three = (experiments.by_grouping("tiny", "ckplus", g, [3]) for g in GROUPINGS)
    assert [c.split.groups for c in (one[0], two[0], three[0])] == [None, "sequences", "subjects"]
    assert {replace(c, split=one[0].split).key for c in (*one, *two, *three)} == {one[0].key}
    assert all(c.split.seed == c.seed == 3 for c in (*one, *two, *three)) and len(one) == 5
    inside, outside = (experiments.by_design("tiny", "fer2013", f"copies {d}", [0, 1]) for d in ("in", "out"))
    assert {replace(c, split=inside[0].split, seed=0).key for c in (*inside, *outside)} == {inside[0].key}
    random = experiments.by_design("tiny", "fer2013", "random", [0, 1])
    assert [c.split.seed for c in random] == [0, 1] and [c.split.seed for c in inside] == [0, 0]
    for call in (lambda: experiments.by_grouping("tiny", "ckplus", "rooms", [0]),
                 lambda: experiments.by_design("tiny", "fer2013", "all", [0])):  # fmt: skip
        with pytest.raises(ValueError, match="is one of"):
            call()


def test_only_runs_as_described_answer_for_a_report() -> None:
    template = protocols.configs("psg2025", "ckplus", "sound")[0]
    again = protocols.configs("psg2025", "ckplus", "sound", seeds=[2], n_folds=5, epochs=[9, 1, 1])[3]
    assert experiments.follows(again, template)
    assert experiments.follows(replace(again, model_options={"batch_norm_momentum": 0.9}), template)
    tuned = replace(again, phases=tuple(replace(phase, learning_rate=1e-2) for phase in again.phases))
    others = (tuned, replace(again, class_weights="balanced"), replace(again, score_test=False))
    assert not any(experiments.follows(other, template) for other in others)


def test_budget_turns_agreement_into_what_is_missing(tmp_path: Path) -> None:
    share = {"share": 0.67, "low": 0.65, "high": 0.69, "n": 3153}
    values = {"agreement": {"PrivateTest": share}, "annotator": {"majority of the nine others": share | {"share": 0.7}}}
    records.measure("votes", tmp_path, lambda: (values, {"none": np.zeros(1)}))
    first, second = tables.label_noise(Measurement(tmp_path / "votes"))
    assert (first.interval.estimate, first.interval.low, first.interval.high) == pytest.approx((0.33, 0.31, 0.35))
    assert tables.sample_size(0.65, 3589).interval.estimate == pytest.approx(0.0156, abs=1e-4)
    table = tables.budget([second, first])
    assert list(table["points"]) == ["+33.0 [31.0, 35.0]", "+30.0 [31.0, 35.0]"]


def test_one_seed_is_196_standard_deviations() -> None:
    best = experiments.Price("The best of 3 seeds", "", experiments.best_of([0.70, 0.71, 0.72]), (), "chance", "")
    assert tables.one_seed(best, "").interval.estimate == pytest.approx(0.0196, rel=1e-3)


def test_figures_show_every_price(grouped: dict[str, list[Record]]) -> None:
    prices = experiments.grouping_prices(grouped)
    figure = plots.forest({"CK+48": prices}, profile="quick")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()][1:] == [p.shortcut for p in prices]
    shares = tables.from_prices({"CK+48": prices})
    figure = plots.error_budget(shares)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == sorted(widths, reverse=True) and len(widths) == len(prices)
    table = pd.DataFrame({"a": [0.1, 0.2]}, index=pd.Index([1, 2], name="n"))
    figure = plots.simulated({"one": table, "two": table}, references={"one": 5})
    assert [ax.get_title("left") for ax in figure.axes] == ["one", "two"]
    for call in (lambda: plots.forest({}), lambda: plots.error_budget([])):
        with pytest.raises(ValueError, match="at least one"):
            call()


def test_points_are_signed() -> None:
    assert tables.points(Interval(0.1234, -0.01, 0.2, 0.95, 3, "")) == "+12.3 [-1.0, 20.0]"


def test_a_draw_without_images_is_left_out() -> None:
    one = Tally(np.array([[1.0, 0.0]]), np.ones((1, 2)), np.array([0, 1]))
    empty = Tally(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]), np.array([0, 1]))
    assert np.isnan(empty.of_draws(np.array([[0.0, 2.0]]))).all()
    found = difference(one, empty)
    assert found.estimate == -0.5 and (found.low, found.high) == (-0.5, 0.0)
