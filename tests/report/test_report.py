"""The page that a reader believes: what stands for a system, the figure and its numbers, what was asked for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_records import finished
from PIL import Image

from fer_utils import records
from fer_utils.analysis.prices import tables
from fer_utils.data.splits import SplitSpec
from fer_utils.evaluation import statistics
from fer_utils.records.config import Phase, RunConfig
from fer_utils.report import answers, headlines, one_page, pages, paired_runs, pictures, records_index, requirements
from fer_utils.report.audit import claims
from fer_utils.report.audit.verdicts import NOT_MEASURED
from fer_utils.report.headlines import REPORTED, SOUND, Line
from fer_utils.report.records_index import Shelf
from fer_utils.study import protocols

ROOT = Path(__file__).resolve().parents[2]
PERSONS = np.repeat(np.arange(10), 4)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    for name in ("runs", "measurements"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def committed() -> Shelf:
    return records_index.read(ROOT / "reports")


def model2(reports: Path, as_reported: float = 0.95, sound: float = 0.8, epochs: int = 30) -> Line:
    """iitk2023's Model 2 on CK+48, with these accuracies on record under both protocols."""
    (config,) = protocols.configs("iitk2023_model2", "ckplus", "reported", epochs=[epochs])
    finished(reports / "runs", config, [0.9, as_reported, 1.0], subjects=PERSONS)
    for config in protocols.configs("iitk2023_model2", "ckplus", "sound", n_folds=2, epochs=[epochs]):
        finished(reports / "runs", config, [0.7, sound, 0.9], subjects=PERSONS + 10 * config.split.fold)
    return line(reports, "Model 2", "ckplus")


def line(reports: Path, detail: str, dataset: str) -> Line:
    found = headlines.lines(records_index.read(reports))
    return next(x for x in found if (x.detail, x.dataset) == (detail, dataset))


# ---------------------------------------------------------------- what stands for a system


def test_without_records_every_headline_says_so(reports: Path) -> None:
    found = headlines.lines(records_index.read(reports))
    assert [x.claim for x in found] == [claim for claim in claims.CLAIMS if claim.headline]
    assert {dot for x in found for dot in x.dots.values()} == {None}
    assert one_page.markdown(found).count(NOT_MEASURED) == 2 * len(found) == 18
    assert one_page.summary(found).count(NOT_MEASURED) == 18
    assert one_page.kinds({}).empty


def test_records_fill_both_cells_with_what_one_must_know(reports: Path) -> None:
    found = model2(reports)
    again, sound = found.dots[REPORTED], found.dots[SOUND]
    assert (again.interval.estimate, again.interval.n, again.reduced) == (0.95, 40, True)
    assert (sound.interval.estimate, sound.interval.n, sound.folds) == (0.8, 80, 2)
    assert again.interval.low < 0.95 < again.interval.high
    assert one_page.cell(again).endswith("n = 40, 1 seed, 30 of 50 epochs")
    assert ", last epoch (epoch CHOSEN ON TEST 100.0 [" in one_page.cell(again)
    (row,) = [text for text in one_page.markdown([found]).splitlines() if "Model 2" in text]
    assert "| 97.97 % | **95.0** [" in row and "*reduced budget*: 30 of 50 epochs |" in row


def test_early_stopping_is_said_and_makes_no_budget_reduced(reports: Path) -> None:
    (config,) = protocols.configs("resnet_transfer", "fer2013", "sound")
    for seed, epochs, said in ((0, 37, "37"), (1, 50, "37 to 50")):
        folder = finished(reports / "runs", replace(config, seed=seed), [0.7, 0.8, 0.9]).path
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        (folder / "run.json").write_text(json.dumps(run | {"epochs": epochs}), encoding="utf-8")
        dot = line(reports, "ResNet50, random weights, not ImageNet's", "fer2013").dots[SOUND]
        assert dot.budget == f"50 epochs, stopped early after {said}, bfloat16" and not dot.reduced


def test_the_budget_is_marked_and_not_the_seeds(reports: Path) -> None:
    for seed, share in ((0, 0.8), (1, 0.7), (2, 0.9)):
        (config,) = protocols.configs("iitk2023_model2", "fer2013", "sound", seeds=(seed,), epochs=[3])
        finished(reports / "runs", config, [0.7, share, 0.9])
    row = one_page.markdown([line(reports, "Model 2", "fer2013")]).splitlines()[-1]
    assert "3 seeds, sd 10.0, *reduced budget*: 3 of 50 epochs" in row and "*: 3 seeds" not in row


def test_a_fold_that_is_missing_leaves_the_cell_open(reports: Path) -> None:
    first, _ = protocols.configs("iitk2023_model2", "ckplus", "sound", n_folds=2)
    finished(reports / "runs", first, [0.7, 0.8, 0.9], subjects=PERSONS)
    assert line(reports, "Model 2", "ckplus").dots[SOUND] is None


def test_the_reports_budget_stands_first_whatever_it_scores(reports: Path) -> None:
    model2(reports, as_reported=0.95, epochs=30)
    found = model2(reports, as_reported=0.6, epochs=50).found[REPORTED]
    assert [m.ran for m in found] == [50, 30] and not found[0].reduced
    assert [m.interval.estimate for m in found] == [0.6, 0.95]


def test_no_row_is_left_out_for_its_score_and_modified_ones_are_named(reports: Path) -> None:
    for options, share in (({}, 0.05), ({"batch_norm_momentum": 0.9}, 0.9)):
        (config,) = protocols.configs("psg2025", "ckplus", "reported", epochs=[20, 6, 4], model_options=options)
        finished(reports / "runs", config, [0.1] + [share] * len(config.keep), subjects=PERSONS)
    found = headlines.lines(records_index.read(reports))
    own, modified = (x for x in found if (x.system, x.dataset) == ("psg2025", "ckplus"))
    assert own.dots[REPORTED].interval.estimate == pytest.approx(0.05) and own.claim.percent == 98.48
    assert modified.dots[REPORTED].interval.estimate == 0.9 and modified.claim is None
    assert modified.detail == "Xception, attention, *modified*: batch norm momentum 0.9"
    page = one_page.markdown([own, modified])
    assert "| 98.48 % | **5.0** [" in page and "*modified*: batch norm momentum 0.9 | CK+48 | – | **90.0** [" in page
    texts = [text.get_text() for text in one_page.figure([own, modified]).axes[0].texts]
    assert "psg2025, modified: batch norm momentum 0.9" in texts
    assert one_page.numbers([own])["psg2025, Xception, attention, CK+48"][REPORTED]["estimate"] == 5.0


def test_both_epochs_stand_under_both_protocols_and_the_gap_is_of_one_rule(reports: Path) -> None:
    (config,) = protocols.configs("iitk2023_model2", "ckplus", "reported")
    finished(reports / "runs", config, [0.9, 0.9, 1.0], subjects=PERSONS)
    for config in protocols.configs("iitk2023_model2", "ckplus", "sound", n_folds=2):
        finished(reports / "runs", config, [0.7, 0.5, 0.8], subjects=PERSONS + 10 * config.split.fold)
    found = line(reports, "Model 2", "ckplus")
    again, sound = found.dots[REPORTED], found.dots[SOUND]
    assert (again.kept, list(again.others)) == ("last", ["best_test"])
    assert (sound.kept, list(sound.others)) == ("best_validation", ["last"])
    assert sound.interval.estimate == 0.5 and sound.others["last"].estimate == pytest.approx(0.8)
    assert found.gap.estimate == pytest.approx(0.9 - 0.8), "last minus last, not 0.9 - 0.5"
    (row,) = [text for text in one_page.markdown([found]).splitlines() if "Model 2" in text]
    assert "(epoch CHOSEN ON TEST 100.0 [" in row and "(last epoch 80.0 [" in row and "| +10.0 [" in row


def test_gaps_need_equal_budgets(reports: Path) -> None:
    found = model2(reports)
    assert found.gap is not None
    model2(reports, epochs=50)
    (config,) = protocols.configs("iitk2023_model2", "ckplus", "reported", epochs=[60])
    finished(reports / "runs", config, [0.9, 0.9, 1.0], subjects=PERSONS)
    again = line(reports, "Model 2", "ckplus")
    assert again.dots[REPORTED].ran == 60 and again.gap is None and one_page.gap(again) == "–"


def test_one_training_that_serves_both_protocols_has_no_gap(reports: Path) -> None:
    (config,) = protocols.configs("iitk2023_model1", "fer2013", "sound")
    finished(reports / "runs", config, [0.6, 0.6, 0.6])
    found = line(reports, "Model 1", "fer2013")
    assert found.dots[REPORTED] and found.gap is None and one_page.gap(found) == "one training serves both"


def test_several_seeds_have_the_interval_of_their_mean(reports: Path) -> None:
    for config in protocols.configs("iitk2023_model2", "ckplus", "reported", seeds=(0, 1, 2)):
        finished(reports / "runs", config, [0.9, 0.5 + 0.1 * config.seed, 1.0], subjects=PERSONS)
    found = line(reports, "Model 2", "ckplus").dots[REPORTED]
    assert found.interval.estimate == pytest.approx(0.6) and found.sd == pytest.approx(0.1)
    assert "and 3 seeds" in found.interval.method and found.interval.high - found.interval.low > 0.4


def test_what_was_scored_on_training_images_is_said(reports: Path) -> None:
    (config,) = protocols.configs("cutm2024", "fer2013", "reported")
    finished(reports / "runs", config, [0.65] + [0.6] * len(config.keep))
    again = line(reports, "plain CNN", "fer2013").dots[REPORTED]
    assert again.interval == replace(statistics.wilson_interval(3250, 5000), estimate=0.65)
    said = "n = 5,000, 1 seed, 50 epochs, bfloat16, scored on its training images"
    assert again.note == f"last epoch (epoch chosen on training images 65.0 [63.7, 66.3]), {said}"


def test_random_weights_stand_for_imagenets_until_those_are_on_record(reports: Path) -> None:
    from_random, from_imagenet = (
        protocols.configs("resnet_transfer", "fer2013", "sound", model_options=options)[0]
        for options in ({}, {"weights": "imagenet"})
    )
    finished(reports / "runs", from_random, [0.6, 0.6, 0.6])
    own = line(reports, "ResNet50, random weights, not ImageNet's", "fer2013")
    assert own.printed == "0.61" and own.dots[SOUND].note.endswith(", n = 40, 1 seed, 50 epochs, bfloat16")
    assert "modified" not in one_page.figure([own]).axes[0].texts[0].get_text()
    finished(reports / "runs", from_imagenet, [0.7, 0.7, 0.7])
    own, modified = (x for x in headlines.lines(records_index.read(reports)) if x.system == "xavengers2025")
    assert (own.detail, own.printed, own.dots[SOUND].interval.estimate) == ("ResNet50, ImageNet", "0.61", 0.7)
    assert modified.detail == "ResNet50, ImageNet, *modified*: from random weights" and modified.claim is None
    assert modified.dots[SOUND].interval.estimate == 0.6


def test_own_systems_are_their_recipes_over_seeds(reports: Path) -> None:
    wanted = [*protocols.compact((0,)), *protocols.stronger("strong_plain", (0, 1, 2))]
    others = [replace(wanted[0], label_smoothing=0.0), replace(wanted[1], score_test=False, seed=7)]
    for config in (*wanted, *others):
        finished(reports / "runs", config, [0.7, 0.7 + 0.05 * config.seed, 0.7])
    compact, variant, strong = headlines.own(records_index.read(reports))
    assert variant.detail == "from random weights, label smoothing 0" and variant.dots[SOUND].seeds == 1
    assert strong.detail == "from random weights, 56 epochs at 48 px, bfloat16"
    assert (compact.system, compact.detail) == ("compact", "from random weights")
    assert compact.dots[SOUND].note.endswith("n = 40, 1 seed, 72 epochs")
    assert strong.dots[SOUND].interval.estimate == pytest.approx(0.75)
    assert strong.dots[SOUND].note.endswith("n = 40, 3 seeds, sd 5.0, 56 epochs, bfloat16")
    table = one_page.systems(records_index.read(reports))
    names = ["compact", "compact, label smoothing 0", "strong_plain, 56 epochs at 48 px, bfloat16", "strong_residual"]
    how = table.loc[[f"{name} (this study)" for name in names], "how"]
    assert list(how) == [*["measured here"] * 3, "–"]
    assert len(table) == 4 + len(claims.published()), "mirror images are not measured"


def test_mirror_images_stand_beside_the_number_of_their_seed(reports: Path) -> None:
    runs = [finished(reports / "runs", config, [0.7, 0.7, 0.7]) for config in protocols.compact((0, 1))]
    values = {"test": {"accuracy": 0.75, "low": 0.7, "high": 0.8, "n": 40}}
    records.measure(f"flips-{runs[1].id}", reports / "measurements", lambda: (values, {}))
    (compact,) = headlines.own(records_index.read(reports))
    assert one_page.markdown([compact]).count("; 75.0 with mirror images averaged (seed 1)") == 1
    table = one_page.systems(records_index.read(reports))
    assert table.loc["compact, mirror images"].iloc[0] == "75.0 [70.0, 80.0], n = 40"
    records.measure(f"flips-{runs[0].id}", reports / "measurements", lambda: (values, {}))
    assert one_page.mirrored(compact) == "; 75.0 with mirror images averaged"


def test_a_source_of_weights_is_named(reports: Path) -> None:
    (config,) = protocols.compact((0,), dataset="ckplus")
    for start in ("", "fer2013-compact-usage-s0-0123456789-012345"):
        finished(reports / "runs", replace(config, start_from=start), [0.7, 0.7, 0.7])
    found = headlines.own(records_index.read(reports))
    assert [x.detail for x in found] == ["from random weights", "pre-trained on FER2013"]


def test_what_a_row_says_of_a_recipe_of_its_own(reports: Path) -> None:
    (plain,) = protocols.compact((0,))
    taught = {"teachers": ("a-0", "b-1"), "teaching": 0.7, "mixup": 0.2, "weight_averaging": 0.999}
    for changes in ({}, taught, {"cutmix": 1.0}, {"dataset_options": {"labels": "votes"}}):
        finished(reports / "runs", replace(plain, **changes), [0.7, 0.7, 0.7])
    rows = pages.markdown(records_index.read(reports).runs)
    assert "taught by 2 networks with a share of 0.7 (ours)" in rows
    assert "mixup 0.2 (ours)" in rows and "weight averaging 0.999 (ours)" in rows and "cutmix 1 (ours)" in rows
    assert "labels half FER+'s votes (ours)" in rows
    ((usual,),) = paired_runs.groups(records_index.read(reports), "compact", "fer2013")
    assert usual.config == plain, "only one of the four has usual settings"


def test_the_queue_loses_what_is_on_record(reports: Path) -> None:
    before = one_page.outstanding(records_index.read(reports))
    assert (before["runs"] == before["missing"]).all() and before.index[0] == "model1-ckplus"
    finished(reports / "runs", *protocols.configs("psg2025", "ckplus", "reported"), [0.7] * 5)
    after = one_page.outstanding(records_index.read(reports))
    assert (before["missing"] - after["missing"]).to_dict()["psg-ckplus"] == 1
    assert (before["missing"] - after["missing"]).sum() == 1


# ---------------------------------------------------------------- the first figure


def test_a_picture_holds_its_numbers_and_is_drawn_again_when_they_change(reports: Path) -> None:
    def written() -> bool:
        return pictures.draw_all(records_index.read(reports), reports)["five_reports.png"]

    path = reports / "five_reports.png"
    model2(reports)
    assert written()
    with Image.open(path) as picture:
        assert abs(picture.width - pictures.WIDTH) <= 2
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    held = pictures.drawn(path)["iitk2023, Model 2, CK+48"]
    assert held["claimed"] == 97.97 and held[REPORTED]["estimate"] == 95.0 and ", n = 80, " in held[SOUND]["note"]
    assert pictures.drawn(path)["colab2023, plain CNN, FER2013"][SOUND] == NOT_MEASURED
    assert not written(), "the same numbers are not drawn again"
    model2(reports, epochs=50)
    assert written()
    assert not pictures.drawn(path)["iitk2023, Model 2, CK+48"][SOUND]["note"].endswith("of 50 epochs")


def test_the_committed_pictures_show_the_records(committed: Shelf) -> None:
    for name, picture in pictures.pictures(committed).items():
        path = ROOT / "reports" / name
        assert pictures.drawn(path) == picture.numbers, f"{name}: run `make tables`"
        assert picture.numbers and path.stat().st_size < 500_000


def test_figure_and_table_say_the_same(committed: Shelf) -> None:
    found = headlines.lines(committed)
    table, picture = one_page.markdown(found), one_page.numbers(found)
    assert len(table.splitlines()) == 2 + len(found)
    for name, row in zip(picture, table.splitlines()[2:], strict=True):
        value = picture[name][SOUND]
        shown = NOT_MEASURED if value == NOT_MEASURED else f"**{value['estimate']}** [{value['low']}, {value['high']}]"
        assert shown in row


# ---------------------------------------------------------------- prices by kind


def test_prices_are_counted_by_what_their_intervals_show() -> None:
    def priced(name: str, low: float, high: float) -> tables.Price:
        interval = statistics.Interval((low + high) / 2, low, high, 0.95, 9, "")
        return tables.Price(name, "A − B", interval, (), "leak", "")

    table = one_page.kinds({"CK+48, tiny": [priced("A", 0.1, 0.3), priced("B", -0.1, 0.1), priced("C", -0.4, -0.2)]})
    row = table.loc["test images known from training"]
    assert row.tolist() == [1, 1, 1, "C (CK+48): -30.0 [-40.0, -20.0]"]


# ---------------------------------------------------------------- what the reports ask for


def test_every_report_is_asked_and_every_answer_is_honest_without_records(reports: Path) -> None:
    table = requirements.table(shelf := records_index.read(reports))
    assert set(table.index) == {claim.report for claim in claims.CLAIMS}
    kinds = {NOT_MEASURED, answers.nothing(shelf), "1,391,687 parameters, 16,512 more than with one"}
    said = {"; ".join(dict.fromkeys(re.sub("^.*: ", "", part) for part in x.split("; "))) for x in table["measured"]}
    assert said == kinds, "what is built needs no record"


def test_no_number_is_typed_into_the_requirements() -> None:
    for row in requirements.REQUIREMENTS:
        assert not re.search(r"\d+\.\d", row.met + row.left_out)


def test_what_meets_a_requirement_exists() -> None:
    text = " ".join(row.met + row.left_out for row in requirements.REQUIREMENTS)
    for sentence in re.findall(r"notebooks? [\d, and]+", text):
        for number in re.findall(r"\d\d", sentence):
            assert list((ROOT / "notebooks").glob(f"{number}_*.ipynb")), number
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"tests/[\w/]+\.py", text):
        assert (ROOT / path).is_file()
    usage = subprocess.run([sys.executable, "-m", "fer_utils", "--help"], capture_output=True, text=True, check=True)
    for command in set(re.findall(r"`python -m fer_utils ([a-z]+)", text)):
        assert command in usage.stdout


def test_every_answer_can_be_read_from_the_committed_records(committed: Shelf) -> None:
    for row in requirements.REQUIREMENTS:
        text = row.measured(committed)
        assert text and "nan" not in text and "None" not in text, row.asks
    assert "FER2013: 35,887 images" in answers.data_counts(committed)
    assert NOT_MEASURED not in answers.failures(committed)


def test_speed_is_read_from_what_the_bench_wrote(reports: Path) -> None:
    part = {"columns": ["network", "ONNX Runtime, ms", "p95"], "data": [["psg2025", "7.50", ""]]}
    values = {"machine": "a laptop; 2 threads; load average before the start 0.1", "tables": [part]}
    records.measure("speed-laptop", reports / "measurements", lambda: (values, {}))
    answer = answers.speed(["psg2025"], ("ONNX Runtime, ms", "p95", "frames/s"))(records_index.read(reports))
    assert answer == "psg2025: ONNX Runtime, ms 7.50 (a laptop)"
    assert answers.speed(["none"], ("p95",))(records_index.read(reports)) == NOT_MEASURED


def test_differences_are_paired_and_of_equal_budgets(reports: Path) -> None:
    for loss, epochs in (("cross_entropy", 50), ("cross_entropy", 30), ("l2_svm", 30), ("weston_watkins", 20)):
        for config in protocols.configs("iitk2023_model1", "ckplus", "sound", n_folds=2, epochs=[epochs], loss=loss):
            share = 0.9 if loss == "cross_entropy" else 0.8
            finished(reports / "runs", config, [0.9, share, share], subjects=PERSONS + 10 * config.split.fold)
    said = answers.losses(records_index.read(reports))
    assert said.startswith("Model 1, CK+48, cross-entropy minus L2-SVM: +10.0 [")
    assert "Weston" not in said, "another number of epochs is another comparison"


def test_remedies_name_each_dataset_once_before_its_numbers(reports: Path) -> None:
    for data, split in (("ckplus", SplitSpec("kfold", groups="subjects", n_folds=2, validation_size=0.125).folds()),
                        ("fer2013", [SplitSpec("usage")])):  # fmt: skip
        for changes in ({}, {"class_weights": "balanced"}, {"sampling": "oversample"}):
            for one in split:
                common = {"score_test": True, "protocol": "sound", "phases": (Phase(1, 1e-3),)}
                config = RunConfig(model="tiny", dataset=data, split=one, **common, **changes)
                finished(reports / "runs", config, [0.9, 0.8, 0.8], subjects=PERSONS + 10 * one.fold)
    parts = answers.remedies(records_index.read(reports)).split("; ")
    assert [part.split(": ")[0].split(", ")[-1] for part in parts] == ["CK+48", "FER2013"]
    assert all(part.count("class weights") == part.count("over-sampling") == 1 for part in parts)
