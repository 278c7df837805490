"""The cache: fast, and never a reason for a wrong or failed read."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from fer_utils.data.readers import cache

ARRAYS = {
    "images": np.arange(12, dtype=np.uint8).reshape(3, 2, 2),
    "usage": np.array(["Training", "Test", "é"]),
}


class Reader:
    """Counts how often the source is read."""

    def __init__(self, arrays: dict[str, np.ndarray] = ARRAYS) -> None:
        self.arrays, self.calls = arrays, 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return self.arrays


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def assert_same(arrays: dict[str, np.ndarray]) -> None:
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_the_second_read_comes_from_the_cache(store: Path) -> None:
    reader = Reader()
    for _ in range(2):
        assert_same(cache.through("faces", "source", "key", reader))
    assert reader.calls == 1
    assert [file.suffix for file in store.iterdir()] == [".npz"]


def test_a_new_key_reads_again_and_takes_the_old_place(store: Path) -> None:
    reader = Reader()
    cache.through("faces", "source", "old", reader)
    cache.through("faces", "source", "new", reader)
    assert reader.calls == 2
    assert len(list(store.iterdir())) == 1
    cache.through("faces", "other source", "new", reader)
    assert reader.calls == 3


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "pickle"])
def test_a_damaged_file_is_written_anew(damage: str, store: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.through("faces", "source", "key", Reader())
    file = next(store.iterdir())
    content = bytearray(file.read_bytes())
    content[content.index(bytes(range(12)))] ^= 255
    cut = file.read_bytes()[:-30]
    file.write_bytes(
        {"empty": b"", "cut": cut, "flipped": bytes(content), "text": b"hello", "pickle": b""}[damage]
    )
    if damage == "pickle":
        np.savez(file, key=np.array("key"), images=np.array([{}], dtype=object))
    reader = Reader()
    with caplog.at_level(logging.WARNING):
        assert_same(cache.through("faces", "source", "key", reader))
        assert_same(cache.through("faces", "source", "key", reader))
    assert reader.calls == 1
    assert "written anew" in caplog.text


def test_a_folder_that_cannot_be_written_costs_a_warning_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        assert_same(cache.through("faces", "source", "key", Reader()))
    assert "Set FER_CACHE" in caplog.text


def test_a_failed_write_leaves_the_old_file_and_no_other(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.through("faces", "source", "key", Reader())

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        cache.through("faces", "source", "another key", Reader())
    assert len(list(store.iterdir())) == 1
    reader = Reader()
    cache.through("faces", "source", "key", reader)
    assert reader.calls == 0


def test_identity_follows_path_size_time_and_version(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for file in (one, two):
        file.write_text("abc")
        os.utime(file, ns=(10**18, 10**18))
    calls = (([one], "1"), ([one], "2"), ([two], "1"), ([one, two], "1"))
    seen = {cache.identity(files, version) for files, version in calls}
    os.utime(one, ns=(10**18, 10**18 + 1))
    seen.add(cache.identity([one], "1"))
    one.write_text("abcd")
    os.utime(one, ns=(10**18, 10**18))
    seen.add(cache.identity([one], "1"))
    assert len(seen) == 6


def test_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.folder() == Path("/somewhere/fer-study")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.folder() == Path.home() / ".cache" / "fer-study"
    monkeypatch.setenv("FER_CACHE", "/mine")
    assert cache.folder() == Path("/mine")
