"""The audit: every claim has a row, empty stores say "not measured", records fill their cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_records import finished

from fer_utils.report.audit import claims, contradictions, verdicts
from fer_utils.study import protocols


def test_nothing_is_measured_without_records(tmp_path: Path) -> None:
    table = verdicts.numbers(tmp_path)
    assert len(table) == len(claims.CLAIMS)
    assert (table[["re-run as reported", "sound", "verdict"]] == verdicts.NOT_MEASURED).all(axis=None)
    assert list(table["reported"]) == [claim.printed for claim in claims.CLAIMS]


def test_records_fill_their_cells(tmp_path: Path) -> None:
    persons = np.repeat(np.arange(10), 4)
    for config in protocols.configs("iitk2023_model2", "ckplus", "reported", epochs=[30]):
        finished(tmp_path, config, [0.9, 0.95, 1.0], subjects=persons)
    for config in protocols.configs("iitk2023_model2", "ckplus", "sound", n_folds=2, epochs=[50]):
        finished(tmp_path, config, [0.7, 0.8, 0.8], subjects=persons + 10 * config.split.fold)
    table = verdicts.numbers(tmp_path).set_index("claim", append=True)
    row = table.loc[("iitk2023", "accuracy, cross-entropy")]
    assert row["re-run as reported"].startswith("95.0 [") and "(30 of 50 epochs)" in row["re-run as reported"]
    assert row["sound"].startswith("80.0 [") and row["sound"].endswith("] (last epoch 80.0)")
    assert row["verdict"] == "re-run: claim inside its interval (reduced budget); claim 18.0 points above sound"
    assert table.loc[("iitk2023", "accuracy, L2-SVM"), "sound"].tolist() == [verdicts.NOT_MEASURED] * 2


def test_a_fold_claim_is_not_answered_by_a_hold_out(tmp_path: Path) -> None:
    for config in protocols.configs("psg2025", "ckplus", "reported", epochs=[1, 1, 1]):
        finished(tmp_path, config, [0.9] + [0.95] * 5)
    table = verdicts.numbers(tmp_path).set_index("claim", append=True)
    assert table.loc[("psg2025", "5-fold accuracy"), "re-run as reported"].tolist() == [verdicts.NOT_MEASURED] * 2
    assert table.loc[("psg2025", "test accuracy after the last epoch"), "re-run as reported"].startswith("95.0 [")


def test_training_claims_read_the_history(tmp_path: Path) -> None:
    for config in protocols.configs("cutm2024", "fer2013", "reported", epochs=[2]):
        finished(tmp_path, config, [0.65] + [0.6] * len(config.keep))
    table = verdicts.numbers(tmp_path).set_index("claim", append=True)
    again, note = table.loc["cutm2024", "re-run as reported"], "] (2 of 50 epochs, bfloat16, on training images)"
    for part, start in (("training", "50.0 ["), ("validation", "65.0 [")):
        cell = again[f"{part} accuracy, last epoch"]
        assert cell.startswith(start) and cell.endswith(note)


def test_the_sound_number_of_a_claim_about_validation_is_that_of_test_images(tmp_path: Path) -> None:
    for config in protocols.configs("iitk2023_model2", "fer2013", "sound", augmentation="none"):
        finished(tmp_path, config, [0.9, *[0.65] * len(config.keep)])
    row = verdicts.numbers(tmp_path).set_index("claim").loc["validation accuracy, not augmented"]
    assert row["re-run as reported"].startswith("90.0 [") and "on validation images" in row["re-run as reported"]
    assert row["sound"].startswith("65.0 [") and "on validation images" not in row["sound"]


def test_no_score_decides_which_run_answers(tmp_path: Path) -> None:
    for options, epochs, share in (({}, [1, 1, 1], 0.1), ({"batch_norm_momentum": 0.9}, [2, 1, 1], 0.9)):
        (config,) = protocols.configs("psg2025", "ckplus", "reported", epochs=epochs, model_options=options)
        finished(tmp_path, config, [0.9] + [share] * 5)
    table = verdicts.numbers(tmp_path).set_index("claim", append=True)
    row = table.loc[("psg2025", "test accuracy after the last epoch")]
    assert row["re-run as reported"].startswith("10.0 [") and "90.0 [" in row["re-run as reported"]
    assert "modified: batch norm momentum 0.9" in row["re-run as reported"]
    assert row["verdict"] == "claim 88.5 points above re-run (reduced budget)"


def test_verdicts_are_counted_where_the_reports_own_budget_was_trained() -> None:
    lines = [
        "re-run: claim inside its interval; claim 10.7 points above sound",
        "claim 3.1 points below re-run; sound: claim inside its interval",
        "re-run: claim inside its interval (reduced budget); claim 9.0 points above sound (modified, reduced budget)",
        "not measured",
    ]
    found = verdicts.counted(pd.DataFrame({"verdict": lines}))
    assert found == {"printed": 4, "re-run": 2, "inside": 1, "sound": 2, "above": 1}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("reports")
    for name in ("runs", "measurements"):
        (reports / name).mkdir()
    return reports


def test_every_contradiction_has_a_place_and_a_verdict(empty: Path) -> None:
    table = contradictions.table(empty)
    assert set(table.index) == {claim.report for claim in claims.CLAIMS}
    assert table["verdict"].str.startswith(("by ", verdicts.NOT_MEASURED)).all()
    assert (table["verdict"] == verdicts.NOT_MEASURED).sum() == 8  # what only records can tell
    places = r"section|chapter|Table|Fig|Appendix|Abstract|Conclusion|Keywords|Results|Methodology"
    assert table["place"].str.contains(places).all()
    assert table["says"].str.findall("“([^”]*)”").map(lambda quotes: max(map(len, quotes), default=0)).max() <= 40


def test_loose_words_and_untested_claims_are_no_contradictions() -> None:
    text = " ".join(f"{f.says} {f.against}" for f in contradictions.FINDINGS)
    for gone in ("He et al", "sadness persistently", "3.8 M", "19 %", "61.49"):
        assert gone not in text


def test_what_the_records_say() -> None:
    table = contradictions.table().set_index("says")["verdict"]
    assert "288 images of PrivateTest stand in Training" in table["the Usage split has no leakage"]
    rare = table["few images of fear"]
    assert rare.startswith("counted: happy 8,989") and "fear 5,121" in rare


def test_arithmetic_verdicts(empty: Path) -> None:
    verdict = contradictions.table(empty).set_index("says")["verdict"]
    last = verdict["last layer of 71,655 parameters, 0.88 M in all"]
    assert "824,679" in last and "889,159" in last and "1,049,600" in last
    assert verdict["two dense layers of 128"].endswith("has 1,375,175 parameters; with 2 dense layers: 1,391,687")
    assert "20,894,696" in verdict["“lightweight”"]
    assert verdict["65.05 % on “a separate validation dataset”"].startswith("by granularity: Proved: no share of its")
    assert "0.614" in verdict["an 80/10/10 split"]
    assert "disgust is number 3 of 7" in verdict["disgust is a challenge, for want of images"]
    assert "above 98 %" in verdict["on CK+ four classes are right to 100 %, the others to more than 98"]
    assert verdict["both losses do “comparably well”"].endswith("97.97 % and 93.55 % lie 4.4 points apart")
    assert verdict["validation is “similar” to training"].endswith("lie 4.8 points apart")
    assert "0.6543" in verdict["about 74 %"]
    assert "100 + 100 + 100" in verdict["three phases, each of 300 epochs"]
