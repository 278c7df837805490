"""Prices of shortcuts: tallies against hand counts, intervals against theory, and which runs price what."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_records import finished

from fer_utils import plots, records
from fer_utils.analysis.prices import confirmations, experiments, tables
from fer_utils.analysis.prices.experiments import DESIGNS, GROUPINGS
from fer_utils.evaluation import maxima
from fer_utils.evaluation.right_answers import joined
from fer_utils.evaluation.statistics import Interval
from fer_utils.records import Measurement, Record
from fer_utils.report import pages
from fer_utils.study import protocols
from fer_utils.study.pooling import right_answers


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
    """Two seeds of each design; 4 of 40 test images stand in training, one of them among the images trained on."""
    known = {"copies in": np.arange(40) < 4, "usage": np.arange(40) < 1}
    level = {"usage": 0.5, "random": 0.55, "copies in": 0.6, "copies out": 0.5}
    return {
        d: [
            finished(store, c, [0.4, level[d], level[d], 0.6], seen=known.get(d, np.zeros(40, bool)))
            for c in experiments.by_design("tiny", "fer2013", d, [0, 1], epochs=2)
        ]
        for d in DESIGNS
    }


def test_tally_counts_by_person_and_seed(grouped: dict[str, list[Record]]) -> None:
    found = right_answers(grouped["subjects"])
    assert found.what == "persons" and found.right.shape == (2, 20) and found.n == 80
    np.testing.assert_array_equal(found.images, 4)
    np.testing.assert_allclose(found.accuracy, [0.6, 0.65])  # 24 and 26 of 40 in each fold
    np.testing.assert_array_equal(found.right[0], [4] * 6 + [0] * 4 + [4] * 6 + [0] * 4)


def test_tally_counts_images_where_persons_are_unknown(designed: dict[str, list[Record]]) -> None:
    usage = designed["usage"]
    found, some = right_answers(usage), right_answers(usage, rows=np.arange(40) >= 10)
    assert found.what == "images" and found.n == 40 and some.n == 30
    np.testing.assert_allclose(some.accuracy, 10 / 30)
    both = joined(found, right_answers(usage, part="validation", offset=1000))
    assert both.n == 80
    np.testing.assert_allclose(both.accuracy, (20 + 16) / 80)
    with pytest.raises(ValueError, match="at least one run"):
        right_answers([])


def test_prices_of_groupings(grouped: dict[str, list[Record]]) -> None:
    prices = {p.shortcut: p for p in experiments.grouping_prices(grouped)}
    assert prices["Random split of images"].interval.estimate == pytest.approx(0.3)
    assert prices["Random split of images"].seeds == pytest.approx((0.3, 0.3))
    assert prices["Sequences kept whole, persons not"].interval.estimate == pytest.approx(0.2)
    assert prices["Epoch chosen on the test fold"].seeds == pytest.approx((0.05, 0.0))
    assert prices["Validation folder = training folder"].interval.estimate == pytest.approx(1.0 - 0.6)
    assert prices["The luckiest hold-out"].interval.estimate == 0 and prices["The luckiest hold-out"].seeds == ()
    assert prices["The best of 2 seeds"].interval.estimate == pytest.approx(
        0.5642 * np.std([0.6, 0.65], ddof=1), rel=1e-3
    )
    alone = {g: [r for r in runs if r.config.seed == 0] for g, runs in grouped.items()}
    assert not any("best of 2 seeds" in p.shortcut for p in experiments.grouping_prices(alone))


def test_the_price_of_an_epoch_is_the_sum_of_its_parts(
    grouped: dict[str, list[Record]], designed: dict[str, list[Record]]
) -> None:
    for prices in (experiments.grouping_prices(grouped), experiments.design_prices(designed)):
        whole = next(p for p in prices if p.shortcut.startswith("Epoch chosen on"))
        parts = [p for p in prices if p.of == whole.shortcut]
        assert [p.shortcut for p in parts] == [
            "– of it: peeking, against the last epoch", "– of it: the last epoch, against validation's"
        ]  # fmt: skip
        assert sum(p.interval.estimate for p in parts) == pytest.approx(whole.interval.estimate)
        np.testing.assert_allclose(np.sum([p.seeds for p in parts], axis=0), whole.seeds)
    peeking = next(p for p in experiments.grouping_prices(grouped) if p.shortcut.startswith("– of it: peeking"))
    assert peeking.interval.estimate == pytest.approx(0.65 - 0.5), "best on test minus last"


def test_prices_of_designs(designed: dict[str, list[Record]]) -> None:
    found = {p.shortcut: p for p in experiments.design_prices(designed)}
    prices = {name: p.interval.estimate for name, p in found.items()}
    assert prices["Copies of test images in training"] == pytest.approx(0.1)
    assert prices["Copied images alone, last epoch"] == pytest.approx(0)  # both have the first 4 right
    assert prices["Scoring images whose copies stand in Training"] == pytest.approx(0.5 - 16 / 36)
    assert found["Scoring images whose copies stand in Training"].kind == "scored"
    assert "3 of them were not among" in found["Scoring images whose copies stand in Training"].not_shown
    assert "yet 100.0 % came out right" in found["Scoring images whose copies stand in Training"].not_shown
    assert prices["Scoring images that were trained on"] == pytest.approx(0.5 - 19 / 39)
    assert found["Scoring images that were trained on"].kind == "leak"
    assert prices["Epoch chosen on PrivateTest"] == pytest.approx(0.1)
    assert prices["Both test parts scored"] == pytest.approx(0.45 - 0.5)
    assert prices["Both test parts choose and score"] == pytest.approx(0.45 - 0.5)
    assert prices["Random 80/10/10 instead of Usage"] == pytest.approx(0.05)


def test_the_mix_of_classes_is_what_remains_at_equal_accuracy_of_classes(designed: dict[str, list[Record]]) -> None:
    labels, logits_ = designed["usage"][0].predictions("test")
    right, dropped = logits_.argmax(axis=1) == labels, np.arange(40) < 4
    by_class = pd.DataFrame({"label": labels, "right": right})[~dropped].groupby("label")["right"].mean()
    shares = (pd.Series(part).value_counts(normalize=True) for part in (labels, labels[~dropped]))
    expected = np.subtract(*(share.reindex(by_class.index, fill_value=0) for share in shares)) @ by_class
    assert experiments._mix(designed["usage"][:1], dropped) == pytest.approx(expected)


def test_without_copies_their_prices_are_left_out(designed: dict[str, list[Record]]) -> None:
    none = designed | {"copies in": designed["copies out"]}
    assert not any("cop" in p.shortcut.lower() for p in experiments.design_prices(none))


def test_prices_on_record_leave_out_what_is_not_complete(
    grouped: dict[str, list[Record]], designed: dict[str, list[Record]], store: Path, tmp_path: Path
) -> None:
    found = tables.on_record(store)
    assert list(found) == ["CK+48, network tiny", "FER2013, 5,000 training images, network tiny"]
    (note,) = tables.notes(store).splitlines()  # persons show all expressions at random, so nothing is proved of them
    assert note.startswith("- Scoring images whose copies stand in Training (tiny) is no leak alone.")
    assert found["CK+48, network tiny"] == experiments.grouping_prices(grouped)
    page = tables.markdown(found)
    assert "| FER2013, 5,000 training images, network tiny | Epoch chosen on PrivateTest | **+10.0 [" in page
    shutil.copytree(store, tmp_path / "runs")
    (tmp_path / "runs" / grouped["subjects"][-1].id / "done").unlink()
    one_seed = tables.on_record(tmp_path / "runs")["CK+48, network tiny"]
    assert all(len(p.seeds) == 1 for p in one_seed if p.seeds)
    assert tables.markdown({}) == "Not measured yet."
    assert "tiny" not in pages.markdown(designed["usage"])


def test_bfloat16_is_priced_by_runs_that_differ_in_precision_alone(tmp_path: Path) -> None:
    (config,) = protocols.configs("iitk2023_model2", "ckplus", "reported")
    quick = replace(config, precision="mixed_bfloat16", protocol="variant")
    others = [replace(quick, seed=1), replace(quick, label_smoothing=0.1)]  # no run in float32 beside them
    for made, accuracy in ((config, 0.9), (quick, 0.8), *((other, 0.1) for other in others)):
        finished(tmp_path, made, [accuracy] * (1 + len(config.keep)))
    table = tables.precision(tmp_path)
    assert table["accuracy of"].tolist() == ["last epoch", "epoch CHOSEN ON TEST"] and set(table["seeds"]) == {1}
    assert set(table["float32, %"]) == {"90.0"} and set(table["bfloat16, %"]) == {"80.0"}
    assert table["difference, points [95 %]"].str.startswith("-10.0 [").all()
    assert not protocols.serves(quick, "reported") and protocols.serves(config, "reported")
    assert len(confirmations.prices("iitk2023_model2", tmp_path)) == 0 and tables.precision(tmp_path / "none").empty


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
    assert confirmations.follows(again, template)
    assert confirmations.follows(replace(again, model_options={"batch_norm_momentum": 0.9}), template)
    tuned = replace(again, phases=tuple(replace(phase, learning_rate=1e-2) for phase in again.phases))
    others = (tuned, replace(again, class_weights="balanced"), replace(again, score_test=False))
    assert not any(confirmations.follows(other, template) for other in others)


def test_budget_turns_agreement_into_what_is_missing(tmp_path: Path) -> None:
    share = {"share": 0.67, "low": 0.65, "high": 0.69, "n": 3153}
    values = {"agreement": {"PrivateTest": share}, "annotator": {"majority of the nine others": share | {"share": 0.7}}}
    records.measure("votes", tmp_path, lambda: (values, {"none": np.zeros(1)}))
    first, second = tables.label_noise(Measurement(tmp_path / "votes"))
    assert (first.interval.estimate, first.interval.low, first.interval.high) == pytest.approx((0.33, 0.31, 0.35))
    assert tables.sample_size(0.65, 3589).interval.estimate == pytest.approx(0.0156, abs=1e-4)
    assert second.interval.points() == "+30.0 [31.0, 35.0]"


def test_the_largest_bar_of_each_source_and_kind_is_kept_whatever_its_sign() -> None:
    rows = [("leak", "CK+48", 0.05), ("leak", "CK+48", -0.2), ("leak", "FER2013", 0.01), ("chance", "CK+48", 0.03)]
    shares = [tables.Share("", Interval(x, x, x, 0.95, 9, ""), kind, source) for kind, source, x in rows]
    found = {(s.kind, s.source): s.interval.estimate for s in tables.largest(shares)}
    assert found == {("leak", "CK+48"): -0.2, ("leak", "FER2013"): 0.01, ("chance", "CK+48"): 0.03}


def test_one_seed_is_196_standard_deviations() -> None:
    best = experiments.Price("The best of 3 seeds", "", maxima.best_of([0.70, 0.71, 0.72]), (), "chance", "")
    assert tables.one_seed(best, "").interval.estimate == pytest.approx(0.0196, rel=1e-3)


def test_figures_show_every_price(grouped: dict[str, list[Record]]) -> None:
    prices = experiments.grouping_prices(grouped)
    figure = plots.forest({"CK+48": prices}, profile="quick")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()][1:] == [p.shortcut for p in prices]
    shares = tables.from_prices({"CK+48": prices})
    figure = plots.error_budget(shares)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == sorted(widths, reverse=True) and len(widths) == sum(not p.of for p in prices)
    assert [p.shortcut for p in tables.main(prices)] == [p.shortcut for p in prices if not p.of]
    table = pd.DataFrame({"a": [0.1, 0.2]}, index=pd.Index([1, 2], name="n"))
    figure = plots.simulated({"one": table, "two": table}, references={"one": 5})
    assert [ax.get_title("left") for ax in figure.axes] == ["one", "two"]
    for call in (lambda: plots.forest({}), lambda: plots.error_budget([])):
        with pytest.raises(ValueError, match="at least one"):
            call()


def test_points_are_signed() -> None:
    assert Interval(0.1234, -0.01, 0.2, 0.95, 3, "").points() == "+12.3 [-1.0, 20.0]"


# ---------------------------------------------------------------- networks of the reports


def test_every_confirmation_is_shown_whatever_it_scores(tmp_path: Path) -> None:
    persons = np.repeat(np.arange(10), 4)
    for epochs, gap, seeds in ((30, 0.3, (0,)), (50, 0.05, (0, 1))):
        for config in protocols.configs("iitk2023_model1", "ckplus", "reported", epochs=[epochs], seeds=seeds):
            finished(tmp_path, config, [0.9, 0.6 + gap - 0.1 * config.seed, 1.0], subjects=persons)
        for config in protocols.configs("iitk2023_model1", "ckplus", "sound", epochs=[epochs]):
            finished(tmp_path, config, [0.7, 0.9, 0.6], subjects=persons + 10 * config.split.fold)
    for config in protocols.configs("iitk2023_model1", "ckplus", "sound", n_folds=2, epochs=[30]):
        finished(tmp_path, config, [0.7, 0.9, 0.1], subjects=persons + 10 * config.split.fold)
    fifty, thirty = confirmations.prices("iitk2023_model1", tmp_path)
    assert thirty.shortcut == "Random split of images, iitk2023_model1, 30 epochs"
    assert thirty.interval.estimate == pytest.approx(0.3)
    assert fifty.interval.estimate == pytest.approx(0.0, abs=1e-9) and fifty.seeds == pytest.approx((0.05, -0.05))
    assert confirmations.prices("psg2025", tmp_path) == []
