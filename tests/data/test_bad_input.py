"""Damaged input is read or refused in one sentence of ours: a share of what `tests/survival` does at length."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_records
import mutations
import numpy as np
import pytest
import readers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from fer_utils.__main__ import main
from fer_utils.data import load
from fer_utils.data.readers import cache, tables
from fer_utils.files import reading
from fer_utils.live import UnreadableError, read_image
from fer_utils.live.images import as_frame
from fer_utils.live.network.description import Description
from fer_utils.records import schema

QUICK = settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
SHARE = 16
"""Damaged copies of each sound file."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.mark.parametrize("kind", readers.KINDS)
def test_damaged_input_is_read_or_refused_in_our_words(kind: str, tmp_path: Path) -> None:
    found = readers.hold(kind, SHARE, 1, tmp_path)
    assert found["read"] or found["refused"]


def test_an_error_of_a_library_would_be_seen() -> None:
    for foreign in (lambda: json.loads("{"), Path("/nowhere").read_bytes, lambda: np.zeros(3)[5]):
        with pytest.raises(AssertionError):
            mutations.outcome(foreign)
    with pytest.raises(AssertionError, match="no answer after"), mutations.limited(0.05):
        while True:
            pass


# Properties


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=10,
)
ARRAYS = arrays_of.arrays(
    arrays_of.scalar_dtypes(), arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
)


@QUICK
@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_json_object_or_refused(content: bytes) -> None:
    try:
        assert isinstance(schema.json_object(content, "The test"), dict)
    except ValueError as error:
        assert not mutations.why_foreign(error)


@settings(QUICK, max_examples=20)
@given(name=st.sampled_from(["metrics", "config", "kept_epochs", "dataset", "class_names", "device"]), value=JSON)
def test_any_value_in_a_run_is_taken_or_refused(name: str, value: Any, tmp_path: Path) -> None:
    record = made_records.written(tmp_path)
    run = json.loads((record.path / "run.json").read_text())
    content = json.dumps({**run, name: value}).encode()
    assert mutations.outcome(lambda: readers.read_record("run.json", tmp_path, content)) in ("read", "refused")


@QUICK
@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_a_description_or_refused(text: str) -> None:
    assert mutations.outcome(lambda: Description.from_text(text)) in ("read", "refused")


@QUICK
@given(ARRAYS)
def test_arrays_are_read_as_numpy_reads_them(array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, array=array, turned=array.T)
    if array.dtype.kind not in "biufcSU":
        with pytest.raises(ValueError, match="plain arrays"):
            reading.arrays(buffer, "The test", 10_000)
        return
    found = reading.arrays(buffer, "The test", 10_000)
    for name, expected in (("array", array), ("turned", array.T)):
        assert found[name].dtype == expected.dtype and found[name].flags.writeable
        np.testing.assert_array_equal(found[name], expected)


@QUICK
@given(st.lists(st.binary(min_size=1, max_size=4).filter(lambda b: b.strip() == b), max_size=5), st.integers(0, 2400))
def test_any_pixels_are_parsed_as_the_plain_way_does(odd: list[bytes], place: int) -> None:
    numbers = [b"%d" % (i % 256) for i in range(tables.PIXELS)]
    field = b" ".join([*numbers[:place], *odd, *numbers[place + len(odd) :]])
    parsed = tables.parse_pixels([field])
    words = field.split(b" ")
    plain = all(word.isdigit() and len(word) < 4 and int(word) < 256 for word in words if word) and field.isascii()
    expected = [int(word) for word in words if word] if plain else []
    if parsed is not None:
        assert parsed[0].tolist() == expected
    assert (parsed is None) == (len(expected) != tables.PIXELS)


@QUICK
@given(ARRAYS)
def test_any_array_is_a_frame_or_refused(array: np.ndarray) -> None:
    try:
        frame = as_frame(array)
    except ValueError as error:
        assert not mutations.why_foreign(error)
        return
    assert frame.dtype == np.uint8 and frame.shape[:2] == array.shape[:2]


# What the mutations found


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("kind", ["pipe", "link to nothing", "folder"])
def test_what_is_no_file_is_refused_and_never_waited_for(kind: str, tmp_path: Path) -> None:
    happy = tmp_path / "train" / "happy"
    happy.mkdir(parents=True)
    path = happy / "1.png"
    if kind == "folder":
        path.mkdir()
    else:
        pipe(path) if kind == "pipe" else path.symlink_to("nowhere.png")
        for call in (lambda: load("fer2013", tmp_path), lambda: load("fer2013", path)):
            assert mutations.outcome(call) == "refused"
    with pytest.raises(UnreadableError):
        read_image(path)


def test_links_that_lead_in_circles_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(readers.table())
    for number in range(12):
        (tmp_path / f"loop{number}").symlink_to(tmp_path, target_is_directory=True)
    with mutations.limited(mutations.SECONDS):
        assert len(load("fer2013", tmp_path)) == 4


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Name another"):
        load("fer2013", tmp_path / ("x" * 5000))


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    lines = readers.table().splitlines()
    doubled = [b"emotion,pixels,Usage,emotion", *(line + b",1" for line in lines[1:])]
    (tmp_path / "a.csv").write_bytes(b"\n".join(doubled))
    with pytest.raises(ValueError, match="names each column once"):
        load("fer2013", tmp_path)


def test_a_long_usage_among_votes_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(readers.table())
    (tmp_path / "new.csv").write_bytes(readers.votes().replace(b"PublicTest", b"P" * 60_000))
    with pytest.raises(ValueError, match=r"data row 3 .*Usage is one of .*\.\.\.\. Fetch"):
        load("ferplus", tmp_path)


@pytest.mark.parametrize(("limit", "value"), [("MOST_LINES", 3), ("LARGEST", 20_000)])
def test_a_table_without_end_is_refused(
    limit: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_bytes(readers.table() + b"\n" * 10)
    monkeypatch.setattr(tables, limit, value)
    with pytest.raises(ValueError, match=r"a\.csv, data row .*at most"):
        load("fer2013", tmp_path)


def test_a_jpeg_whose_size_is_hidden_behind_a_mark_is_refused(tmp_path: Path) -> None:
    """The decoder takes a restart mark for two bytes, a reader that steps over a length would miss what follows."""
    whole = readers.image(".jpg")
    start = whole.index(b"\xff\xc0")
    huge = whole[start : start + 5] + (30_000).to_bytes(2) * 2 + whole[start + 9 : start + 19]
    hidden = whole[:start] + b"\xff\xd0" + (len(huge) + 2).to_bytes(2) + huge + whole[start:]
    folder = tmp_path / "train" / "happy"
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(hidden)
    with pytest.raises(ValueError, match="truncated or damaged"):
        load("fer2013", tmp_path)


def test_a_cache_whose_header_claims_everything_is_written_anew(caplog: pytest.LogCaptureFixture) -> None:
    arrays = {"labels": np.arange(4)}
    file = readers.cached_file(Path())
    members = [("key.npy", mutations._saved(np.array("key"))), ("labels.npy", b"\x93NUMPY\x01\x00")]
    for shape in ("(99999999999999,)", "(-1,)", "(60000, 60000)"):
        header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
        damaged = members[1][1] + len(header).to_bytes(2, "little") + header
        file.write_bytes(mutations.zipped([members[0], ("labels.npy", damaged)]))
        assert (cache.through("faces", "source", "key", lambda: arrays)["labels"] == arrays["labels"]).all()
    assert caplog.text.count("written anew") == 3


# `runs` goes on


def test_runs_lists_what_is_wrong_with_damaged_records_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = made_records.written(tmp_path)
    damage = {
        "run.json": (b"{", b"[1, 2]", b"\xff\xfe", b"[" * 100_000, b'{"config": 7}', None),
        "history.csv": (b"epoch\nx\n",),
        "predictions.npz": (b"PK\x03\x04", None),
    }
    names = []
    for seed, (name, content) in enumerate((n, c) for n, contents in damage.items() for c in contents):
        record = made_records.written(tmp_path, replace(made_records.CONFIG, seed=100 + seed))
        (record.path / name).unlink()
        if content is not None:
            (record.path / name).write_bytes(content)
        names.append((record.id, name))
    assert main(["runs", str(tmp_path)]) == 1
    printed, error = capsys.readouterr()
    assert sound.id in printed and "Traceback" not in printed + error and error == ""
    for identifier, name in names:
        wrong = [line for line in printed.splitlines() if line.startswith(f"DOES NOT HOLD: {identifier}: ")]
        assert len(wrong) == 1, (identifier, name)
    assert main(["runs", str(tmp_path), "--scored", "test"]) == 1
