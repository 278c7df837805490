"""The table of what the reports did, and the runs it stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fer_utils import models
from fer_utils.data.augmentation import POLICIES
from fer_utils.data.splits import SplitSpec
from fer_utils.records.config import Phase, RunConfig
from fer_utils.report.audit import claims
from fer_utils.study.protocols import REPORTED, Recipe, configs, recipe, serves, table

ROWS = pytest.mark.parametrize("row", REPORTED, ids=lambda row: "-".join(row.key))


def test_every_report_has_a_row_and_every_row_one_key() -> None:
    assert {row.report for row in REPORTED} == {"psg2025", "cutm2024", "xavengers2025", "iitk2023", "colab2023"}
    assert len({row.key for row in REPORTED}) == len(REPORTED)
    assert {(row.model, row.dataset) for row in REPORTED} == {(c.model, c.dataset) for c in claims.CLAIMS}


@ROWS
def test_a_row_names_things_that_exist(row: Recipe) -> None:
    assert row.model in models.names() and row.augmentation in POLICIES
    assert len(row.epochs) == len(row.learning_rates)
    assert row.ours <= {"split", "augmentation", "optimizer", "learning_rates", "epochs", "batch_size", "extra",
                        "monitor", "kept", "scored", "precision"}  # fmt: skip
    assert row.ours.isdisjoint(row.partly) and all(hasattr(row, name) and text for name, text in row.partly.items())


@ROWS
def test_reported_runs_train_as_the_report_did(row: Recipe) -> None:
    (config,) = configs(row.model, row.dataset, "reported")
    assert config.split == row.split and config.batch_size == row.batch_size and config.monitor == row.monitor
    assert [phase.learning_rate for phase in config.phases] == list(row.learning_rates)
    assert config.epochs == sum(row.epochs) and config.augmentation == row.augmentation
    assert config.keep[0] == row.kept and "last" in config.keep and config.score_test
    assert (config.report, config.protocol) == (row.report, "reported")
    assert RunConfig.from_dict(config.to_dict()) == config


@ROWS
def test_sound_runs_choose_on_validation_and_train_the_same(row: Recipe) -> None:
    runs = configs(row.model, row.dataset, "sound", seeds=(0, 1, 2))
    assert len(runs) == (15 if row.dataset == "ckplus" else 3) and len({run.key for run in runs}) == len(runs)
    (as_reported,) = configs(row.model, row.dataset, "reported")
    for run in runs:
        assert run.monitor == "validation" and run.chosen_on_test == ()
        assert run.keep[:2] == ("best_validation", "last") and set(run.keep[2:]) <= {"block_1", "block_2"}
        if as_reported.split == run.split and as_reported.monitor == run.monitor:
            assert run.seed or run.key == as_reported.key, "one training serves both"
        kept = {name: getattr(as_reported, name) for name in ("split", "monitor", "keep", "protocol", "seed")}
        assert replace(run, **kept) == as_reported
        if row.dataset == "ckplus":
            assert (run.split.kind, run.split.groups, run.split.n_folds) == ("kfold", "subjects", 5)
            assert run.split.validation_size > 0
        else:
            assert run.split == SplitSpec("usage")


def test_four_networks_train_on_fer2013_in_bfloat16_and_the_table_says_so() -> None:
    quicker = {(row.model, row.dataset) for row in REPORTED if row.precision != "float32"}
    assert quicker == {(name, "fer2013") for name in ("cutm2024", "iitk2023_model2", "colab2023", "resnet_transfer")}
    for row in REPORTED:
        assert {run.precision for p in ("reported", "sound") for run in configs(*row.key[1:], p)} == {row.precision}
        assert ("precision" in row.ours) == (row.precision != "float32")
    assert configs("colab2023", "synthetic", "sound")[0].precision == "float32"
    assert table().loc[("colab2023", "colab2023", "fer2013"), "precision"] == "mixed bfloat16 (ours)"


def test_psg2025_on_fer2013_is_by_usage_and_one_training() -> None:
    (as_reported,), (sound,) = (configs("psg2025", "fer2013", p, epochs=(12, 4, 2)) for p in ("reported", "sound"))
    assert as_reported.key == sound.key and sound.split == SplitSpec("usage")
    assert sound.keep == ("best_validation", "last", "block_1", "block_2")
    assert serves(as_reported, "sound") and serves(sound, "reported")


def test_psg2025s_three_blocks() -> None:
    (config,) = configs("psg2025", "ckplus", "reported")
    assert config.phases == (Phase(100, 1e-3), Phase(100, 1e-4), Phase(100, 1e-5))
    assert config.split == SplitSpec("random", test_size=0.2, seed=123)
    assert config.keep == ("last", "block_1", "block_2", "best_test") and config.chosen_on_test == ("best_test",)


def test_a_reduced_budget_a_changed_loss_and_fewer_folds() -> None:
    runs = configs("psg2025", "ckplus", "sound", epochs=(20, 6, 4), n_folds=5, loss="l2_svm", report="study")
    assert [run.split.fold for run in runs] == [0, 1, 2, 3, 4]
    assert {run.epochs for run in runs} == {30} and {run.loss for run in runs} == {"l2_svm"}
    assert {run.report for run in runs} == {"study"}


def test_synthetic_faces_borrow_the_models_first_row() -> None:
    assert recipe("iitk2023_model2", "synthetic").dataset == "fer2013"
    (config,) = configs("cutm2024", "synthetic", "reported", epochs=(1,))
    assert config.dataset == "synthetic" and config.split.test_size == 0.2
    assert [c.split.kind for c in configs("psg2025", "synthetic", "sound")] == ["usage"]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("compact", "fer2013", "sound"), {}, "No report describes 'compact' on 'fer2013'"),
        (("psg2025", "ferplus", "sound"), {}, "No report describes 'psg2025' on 'ferplus'"),
        (("psg2025", "ckplus", "fair"), {}, "'reported' or 'sound'; got 'fair'"),
        (("psg2025", "ckplus", "sound"), {"epochs": (30,)}, r"trains in 3 phases; got epochs for 1: \(30,\)"),
        (("psg2025", "ckplus", "sound"), {"split": SplitSpec("random")}, "A protocol decides the split"),
        (("psg2025", "ckplus", "sound"), {"seed": 3}, "`seeds` the seeds"),
        (("psg2025", "ckplus", "sound"), {"keep": ("best_test",), "score_test": False}, "score_test=False"),
    ],
)
def test_refusals(arguments: tuple[str, str, str], options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        configs(*arguments, **options)


def test_the_table_says_what_is_ours_and_shouts_test() -> None:
    shown = table()
    assert len(shown) == len(REPORTED)
    psg = shown.loc[("psg2025", "psg2025", "ckplus")]
    assert not any("ours" in cell for cell in psg), "everything is stated for CK+48"
    assert psg["learning rates"] == "0.001 + 0.0001 + 1e-05" and psg["monitor"] == "TEST" and psg["kept"] == "last"
    iitk = shown.loc[("iitk2023", "iitk2023_model2", "fer2013")]
    assert iitk["learning rates"].endswith("(ours)") and iitk["batch size"] == "64"
    assert iitk["monitor"] == "validation" and iitk["epochs"] == "50 (50 to 100 stated)"
    on_ckplus = shown.loc[("iitk2023", "iitk2023_model2", "ckplus")]
    assert on_ckplus["split"] == "random, test 0.2 (share, seed and equal class shares ours)"
    assert on_ckplus["monitor"] == "TEST (ours)" and on_ckplus["scored"] == "test"
    assert shown.loc[("xavengers2025", "resnet_transfer", "fer2013"), "split"].startswith("Usage (stated in section")
    assert "ranges" in shown.loc[("cutm2024", "cutm2024", "fer2013"), "augmentation"]
    assert "test" not in " ".join(shown["monitor"]) + " ".join(shown["kept"])


def test_claims_are_found_by_model_dataset_and_report() -> None:
    assert claims.headline("psg2025", "ckplus").percent == 98.48
    assert claims.headline("psg2025", "ferplus") is None
    assert {claim.report for claim in claims.claims(report="iitk2023")} == {"iitk2023"}
    for row in REPORTED:
        assert sum(claim.headline for claim in claims.claims(row.model, row.dataset, row.report)) == 1
    assert all(1 < claim.percent < 100 and claim.place for claim in claims.CLAIMS)
    assert (claims.headline("resnet_transfer", "fer2013").printed, claims.CLAIMS[-1].printed) == ("0.61", "0.6711")
    assert claims.CLAIMS[-1].percent == 67.11


def test_printed_reports_are_consistent_with_themselves() -> None:
    printed = claims.xavengers_report()
    assert printed["support"].sum() == 3589 and printed["support"].tolist() == [491, 55, 528, 879, 594, 416, 626]
    f1 = 2 * printed["precision"] * printed["recall"] / (printed["precision"] + printed["recall"])
    assert (f1 - printed["f1"]).abs().max() < 0.011
    assert claims.psg_blocks()["accuracy"].tolist() == [0.86, 0.98, 0.98]
