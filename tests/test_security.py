"""Nobody gets in: no code runs from data, nothing leads out of its folder, what is installed is what was locked."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import re
import runpy
import shutil
import socket
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import h5py
import keras
import made_records
import mutations
import numpy as np
import pytest
import readers
from packaging.requirements import Requirement

from fer_utils import models, records
from fer_utils.__main__ import main
from fer_utils.data.readers import cache
from fer_utils.live import SourceError, VideoFile
from fer_utils.live.network import engines, export, graph
from fer_utils.live.network.description import Description
from fer_utils.models import weight_files
from fer_utils.training import weights

ROOT = Path(__file__).resolve().parent.parent
NAMES = tuple("abcdefg")

# No code runs from data

FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load",
    "pd.read_pickle", "pandas.read_pickle", "torch.load", "joblib.load", "keras.config.enable_unsafe_deserialization",
    "keras.saving.load_model", "keras.models.load_model", "np.load", "numpy.load", "tarfile.open",
    "shutil.unpack_archive",
}  # fmt: skip
ALLOWED = {
    ("live/network/kerasfiles.py", "keras.saving.load_model"),  # safe_mode=True, after what the file claims was checked
    ("training/checkpoint.py", "np.load"),  # with allow_pickle=False; a training's own file
}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
FORBIDDEN_SETTINGS = {
    ("shell", True), ("allow_pickle", True), ("safe_mode", False), ("weights_only", False), ("trust_remote_code", True),
}  # fmt: skip


def sources() -> Iterator[tuple[str, ast.AST]]:
    """The package's modules and the notebooks' cells."""
    for path in sorted((ROOT / "fer_utils").rglob("*.py")):
        yield str(path.relative_to(ROOT / "fer_utils")), ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            code = "".join(cell["source"])
            if cell["cell_type"] == "code" and not code.lstrip().startswith("%"):
                yield path.name, ast.parse(code)


def dangers(tree: ast.AST) -> Iterator[str]:
    """What may run code that stands in data."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            if (name := ast.unparse(node.func)) in FORBIDDEN_CALLS:
                yield name
            for given in node.keywords:
                if isinstance(given.value, ast.Constant) and (given.arg, given.value.value) in FORBIDDEN_SETTINGS:
                    yield f"{given.arg}={given.value.value}"
        if "unsafe_deserialization" in (getattr(node, "attr", "") or getattr(node, "id", "") or ""):
            yield "enable_unsafe_deserialization"


def test_no_code_runs_from_data() -> None:
    found = {(name, danger) for name, tree in sources() for danger in dangers(tree)}
    assert found - ALLOWED == set()
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "keras.saving.load_model"):
                setting = {given.arg: ast.unparse(given.value) for given in node.keywords}
                assert setting.get("allow_pickle") == "False" or setting.get("safe_mode") == "True", name


@pytest.mark.parametrize(
    "code", ["eval('1')", "import pickle", "np.load(f, allow_pickle=True)", "run(x, shell=True)", "yaml.load(f)",
             "keras.saving.load_model(p, safe_mode=False)", "from joblib import load", "os.system('ls')"],
)  # fmt: skip
def test_the_search_for_such_code_finds_it(code: str) -> None:
    assert list(dangers(ast.parse(code)))


def test_the_widget_makes_no_code_or_markup_of_what_it_is_sent() -> None:
    for path in (ROOT / "fer_utils/live/interface/web").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path.name
        )


# Model files


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.target),)


def test_the_code_of_a_lambda_layer_does_not_run(tmp_path: Path) -> None:
    target, image = tmp_path / "made", keras.Input((48, 48, 1))

    def make(x: object, place: str = str(target)) -> object:
        import os

        os.makedirs(place, exist_ok=True)
        return x[:, 0, :2, 0]

    model = keras.Model(image, keras.layers.Lambda(make)(image))
    target.rmdir()
    model.save(tmp_path / "unsafe.keras")
    with pytest.raises(ValueError, match="neither run code nor read files; got Lambda"):
        engines.load(tmp_path / "unsafe.keras", ("a", "b"))
    assert not target.exists()


@pytest.mark.parametrize("layer", ["TFSMLayer", "TorchModuleWrapper", "StringLookup", "JaxLayer"])
def test_layers_that_run_code_or_read_files_are_refused(layer: str, tmp_path: Path) -> None:
    path = changed(tmp_path, lambda config: config["layers"][1].update(class_name=layer))
    with pytest.raises(ValueError, match=f"got {layer}"):
        engines.load(path, NAMES)


def changed(folder: Path, change: object, extra: tuple[tuple[str, bytes], ...] = ()) -> Path:
    """A `.keras` file whose configuration was changed and that holds further files."""
    models.build("tiny").save(folder / "sound.keras")
    with zipfile.ZipFile(folder / "sound.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config["config"])
    members["config.json"] = json.dumps(config).encode()
    (folder / "changed.keras").write_bytes(mutations.zipped([*members.items(), *extra]))
    return folder / "changed.keras"


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "assets/x", "..\\outside.txt"])
def test_an_archive_with_other_names_is_refused_and_writes_nothing(name: str, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = changed(inner, lambda config: None, ((name, b"x"),))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"must be a \.keras file"):
        engines.load(path, NAMES)
    assert sorted(tmp_path.rglob("*")) == before and not Path("/tmp/outside.txt").exists()


def test_a_network_that_claims_more_weights_than_it_holds_is_refused_unbuilt(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda config: config["layers"][1]["config"].update(filters=2_000_000_000))
    with pytest.raises(ValueError, match="claim"):
        engines.load(path, NAMES)
    keras.layers.Dense(2).build((None, 2))  # what was claimed is not made later either


@pytest.mark.parametrize("suffix", [".keras", ".onnx", ".npz", ".pkl", ".h5"])
def test_a_pickle_under_any_name_is_refused_unread(suffix: str, tmp_path: Path) -> None:
    target, path = tmp_path / "made", tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps(Bomb(target)))
    with pytest.raises(ValueError, match=r"\.$"):
        engines.load(path, NAMES)
    assert not target.exists()


def test_operators_that_fill_memory_or_loop_are_refused() -> None:
    onnx = pytest.importorskip("onnx")
    sound = graph.to_onnx(models.build("tiny"), {export.KEY: Description(NAMES).to_text()})
    for kind in ("ConstantOfShape", "Tile", "Loop", "If", "Expand"):
        proto = onnx.ModelProto()
        proto.CopyFrom(sound)
        proto.graph.node[1].op_type = kind
        with pytest.raises(ValueError, match=f"this one has {kind}: refused"):
            engines.OnnxEngine(proto.SerializeToString())
    sound = graph.to_onnx(models.build("compact"), {export.KEY: Description(NAMES).to_text()})
    pads = onnx.numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 60_000, 60_000, 0]), "pads")
    sound.graph.initializer.append(pads)
    sound.graph.node.insert(0, onnx.helper.make_node("Pad", ["image", "pads"], ["wide"]))
    sound.graph.node[1].input[0] = "wide"
    with pytest.raises(ValueError, match="holds at most"):
        engines.OnnxEngine(sound.SerializeToString())


def test_weights_that_lead_to_other_files_or_claim_what_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(64))

    def external(file: h5py.File) -> None:
        file.create_dataset("a", (16,), "f4", external=[(str(tmp_path / "secret.bin"), 0, 64)])

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((4,), "f4")
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "x", (4,))
        file.create_virtual_dataset("a", layout)

    def group_twice(file: h5py.File) -> None:
        file["a"] = file.create_group("b")

    for write in (
        external, virtual, group_twice,
        lambda file: file.__setitem__("a", h5py.ExternalLink(tmp_path / "other.h5", "/x")),
        lambda file: file.__setitem__("a", h5py.SoftLink("/b")),
        lambda file: file.create_dataset("a", (60_000, 60_000), "f4", chunks=(100, 100)),
    ):  # fmt: skip
        path = tmp_path / "w.weights.h5"
        with h5py.File(path, "w") as file:
            write(file)
        with pytest.raises(ValueError, match="must be a whole HDF5 file of weights"):
            weight_files.load(path, models.build("tiny"))


# Records and caches


def test_arrays_of_objects_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "made"
    bomb = np.array([Bomb(target)], object)
    record = made_records.written(tmp_path / "runs")
    np.savez(record.path / "predictions.npz", test_labels=bomb, test_last=bomb)
    np.savez(tmp_path / "arrays.npz", mean=bomb)
    (problem,) = records.verify(record)
    assert "plain arrays" in problem
    with pytest.raises(ValueError, match="plain arrays"):
        record.predictions()
    measurement = records.measure("m", tmp_path, readers.measured)
    shutil.copy(tmp_path / "arrays.npz", measurement.path)
    with pytest.raises(ValueError, match="plain arrays"):
        _ = measurement.arrays
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    file = readers.cached_file(tmp_path)
    np.savez(file, key=np.array("key"), labels=bomb)
    assert cache.through("faces", "source", "key", lambda: {"labels": np.arange(2)})["labels"].tolist() == [0, 1]
    for path in (record.path / "predictions.npz", measurement.path / "arrays.npz"):
        path.write_bytes(pickle.dumps(Bomb(target)))
    assert "plain arrays" in records.verify(record)[0]
    assert not target.exists()


@pytest.mark.parametrize(
    "what", ["folder", "run.json", "predictions.npz", "history.csv", "measurement.json", "arrays.npz"]
)
def test_a_link_that_leads_out_of_the_store_is_refused(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, outside = tmp_path / "store", tmp_path / "outside"
    record = made_records.written(store)
    measurement = records.measure("measured", store, readers.measured)
    place = record.path if what == "folder" else next(p for p in (record.path, measurement.path) if (p / what).exists())
    moved = place if what == "folder" else place / what
    outside.mkdir()
    moved.rename(outside / moved.name)
    moved.symlink_to(outside / moved.name)
    if what in ("measurement.json", "arrays.npz"):
        with pytest.raises(ValueError, match="it is a link to"):
            _ = records.Measurement(place).values, records.Measurement(place).arrays
        return
    assert main(["runs", str(store)]) == 1
    assert f"DOES NOT HOLD: {record.id}: it cannot be read: " in (printed := capsys.readouterr().out)
    assert "it is a link to" in printed


def test_a_store_may_itself_lie_behind_a_link(tmp_path: Path) -> None:
    record = made_records.written(tmp_path / "store")
    (tmp_path / "link").symlink_to(tmp_path / "store")
    assert records.verify(records.Record(tmp_path / "link" / record.id)) == []


def test_words_of_a_record_are_no_paths(tmp_path: Path) -> None:
    record = made_records.written(tmp_path / "store")
    for name in (f"../store/{record.id}", str(record.path), "", ".", ".."):
        with pytest.raises(ValueError, match="named by its id"):
            weights.finished_run(name, tmp_path / "store")
    run = json.loads((record.path / "run.json").read_text())
    run["kept_epochs"] = {"../../secret": 1}
    (record.path / "run.json").write_text(json.dumps(run))
    with pytest.raises(ValueError, match="kept_epochs"):
        records.Record(record.path).weights()


# Videos


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile http://127.0.0.1:{port}/a.mp4\n",
    "local": "ffconcat version 1.0\nfile {folder}/clip.avi\n",
    "reference": "[Reference]\nRef1=http://127.0.0.1:{port}/a.wmv\n",
    "dash": '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
    "<BaseURL>http://127.0.0.1:{port}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_video_file_opens_no_connection_and_no_other_file(kind: str, tmp_path: Path) -> None:
    from fer_utils.live.stream.clip import SyntheticClip

    SyntheticClip(("happy",), seconds=0.2).write(tmp_path / "clip.avi")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        text = PLAYLISTS[kind].format(port=server.getsockname()[1], folder=tmp_path)
        (tmp_path / "film.mp4").write_text(text)
        with pytest.raises(SourceError, match="not a video"):
            VideoFile(tmp_path / "film.mp4")
        with pytest.raises(TimeoutError):
            server.accept()


# What is installed


def test_installed_is_what_was_locked() -> None:
    if not Path(sys.prefix).is_relative_to(ROOT):
        pytest.skip("an environment of the user's own")
    lock = "requirements-gpu.lock" if (ROOT / ".venv/ready-gpu").exists() else "requirements.lock"
    wrong = []
    for line in (ROOT / lock).read_text().splitlines():
        if not (match := re.match(r"([A-Za-z0-9._-]+==[^\\]+)", line)):
            continue
        requirement = Requirement(match[1].strip())
        if requirement.marker is None or requirement.marker.evaluate():
            try:
                version = metadata.version(requirement.name)
            except metadata.PackageNotFoundError:
                version = "none"
            if not requirement.specifier.contains(version, prereleases=True):
                wrong.append(f"{requirement}: {version} is installed")
    assert wrong == [], "run `make test`, which installs the lock, or remove .venv"


def test_the_makefile_installs_hashed_files_alone() -> None:
    text = (ROOT / "Makefile").read_text()
    installs = [line for line in text.splitlines() if "pip install" in line and "$(VENV)/audit" not in line]
    assert installs and all(
        "--require-hashes" in line or "--no-deps --no-build-isolation -e ." in line for line in installs
    )


def test_the_lab_listens_on_this_machine_with_a_token() -> None:
    text = (ROOT / "Makefile").read_text()
    (command,) = re.findall(r"^.*jupyterlab .*$", text, re.MULTILINE)
    assert "--ip=127.0.0.1" in command
    assert not re.search(r"token=|password=|allow_origin|allow_remote|disable_check_xsrf|0\.0\.0\.0", command)


def test_a_table_of_arrays_is_read_without_copies_that_stay() -> None:
    """A reader that keeps bytes and arrays would need twice the memory."""
    import tracemalloc

    from fer_utils.files import reading

    buffer = io.BytesIO()
    np.savez(buffer, array=np.zeros(10_000_000, np.uint8))
    tracemalloc.start()
    found = reading.arrays(buffer, "The test", 20_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["array"].size == 10_000_000 and peak < 15_000_000


def test_an_audit_says_what_it_found_or_that_it_could_not() -> None:
    report = runpy.run_path(str(ROOT / ".ci/audit"))["report"]
    text, code = report([])
    assert code == 0 and text.startswith("No database") and text.endswith(".")
    sound, known = {"name": "a", "version": "1", "vulns": []}, {"id": "CVE-1", "fix_versions": ["2"]}
    assert report([sound]) == ("1 packages audited, 0 known vulnerabilities.", 0)
    text, code = report([sound, {"name": "b", "version": "1", "vulns": [known]}])
    assert code == 1 and text.splitlines()[0] == "b 1: CVE-1, mended in 2"
