"""One file holds network, weights, classes and temperature; ONNX Runtime and Keras read it alike."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from made_records import CONFIG, written

from fer_utils import models, study
from fer_utils.__main__ import main
from fer_utils.evaluation import calibration
from fer_utils.live.network import engines, export, graph, modelfiles, networks
from fer_utils.live.network.description import Description
from fer_utils.models.attention import attend
from fer_utils.models.common import Layers, Settings
from fer_utils.records import Record
from fer_utils.records.config import Phase, RunConfig
from fer_utils.training import run

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(0)
FACES = RNG.random((3, 48, 48, 1), dtype=np.float32)
NAMES = tuple("abcdefg")


def lively(model: keras.Model) -> keras.Model:
    """Normalisation that is not the identity, as after a training."""
    for weight in model.weights:
        if "gamma" in weight.path or "variance" in weight.path:
            weight.assign(RNG.uniform(0.5, 2.0, weight.shape))
        elif "beta" in weight.path or "mean" in weight.path or "bias" in weight.path:
            weight.assign(RNG.normal(0, 0.3, weight.shape))
    return model


def separable(attention: str) -> keras.Model:
    """What Xception has that the others have not, in small: separable convolutions and attention."""
    make = Layers(Settings("separable", batch_norm_momentum=0.9))
    image = make.image()
    x = make.separable(make.conv(image, 16, 3, "stem", strides=2), 20, "separable")
    x = keras.layers.MaxPooling2D(3, 2, "same", name="pool1")(make.relu(make.norm(x, "norm"), "relu"))
    x = keras.layers.ZeroPadding2D(((1, 0), (0, 2)), name="padding")(attend(make, x, attention))
    return make.model(image, keras.layers.GlobalMaxPooling2D(name="pool2")(x))


def kinds() -> dict[str, Any]:
    return {name: lambda name=name: models.build(name) for name in ("tiny", "compact", "iitk2023_model1")} | {
        f"separable-{kind}": lambda kind=kind: separable(kind) for kind in ("none", "spatial", "se", "cbam")
    }


@pytest.mark.parametrize("name", kinds())
def test_the_file_gives_what_keras_gives_and_can_be_read_back(name: str) -> None:
    model = lively(kinds()[name]())
    content = export.to_bytes(model, Description(NAMES, model=model.name))
    expected = model.predict_on_batch(FACES)
    np.testing.assert_allclose(engines.OnnxEngine(content, 1)(FACES), expected, atol=1e-4)
    again = kinds()[name]()
    graph.read_weights(onnx.load_model_from_string(content), again)
    np.testing.assert_array_equal(again.predict_on_batch(FACES), expected)


def test_half_kernels_halve_the_file_and_change_scores_little() -> None:
    model = lively(models.build("tiny"))
    description = Description(NAMES, model="tiny")
    whole, half = (export.to_bytes(model, description, half) for half in (False, True))
    assert len(half) < 0.6 * len(whole)
    scores = engines.OnnxEngine(half, 1)(FACES)
    rounded, _ = networks.rebuilt(half)
    np.testing.assert_allclose(scores, rounded.predict_on_batch(FACES), atol=1e-4)
    np.testing.assert_allclose(scores, model.predict_on_batch(FACES), atol=0.02)
    assert not np.allclose(scores, model.predict_on_batch(FACES), atol=1e-6)
    kernel = next(w for w in model.weights if w.ndim == 4)
    kernel.assign(kernel * 1e9)
    with pytest.raises(ValueError, match="fit into float16"):
        export.to_bytes(model, description, half=True)


def test_a_network_without_dropout_at_run_time_and_any_batch() -> None:
    engine = engines.OnnxEngine(export.to_bytes(models.build("tiny", dropout=0.9), Description(NAMES)), 1)
    np.testing.assert_allclose(engine(FACES)[:1], engine(FACES[:1]), atol=1e-5)
    assert "Dropout" not in {node.op_type for node in onnx.load_model_from_string(
        export.to_bytes(models.build("tiny"), Description(NAMES))).graph.node}  # fmt: skip


def test_a_layer_without_a_form_here_is_named_and_runs_in_keras() -> None:
    image = keras.Input((48, 48, 1))
    x = keras.layers.Conv2DTranspose(2, 3, name="up")(image)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    with pytest.raises(ValueError, match="'up' is Conv2DTranspose"):
        graph.to_onnx(model, {})
    engine = engines.load(model, ("a", "b"))
    assert engine.name == "Keras" and engine(FACES).shape == (3, 2)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    config = RunConfig(
        model="tiny", dataset="synthetic", phases=(Phase(1, 1e-3),), dataset_options={"n_subjects": 10},
        model_options={"dropout": 0.1},
    )  # fmt: skip
    return run(config, store=tmp_path_factory.mktemp("reports") / "quick/runs")


def test_export_of_a_run_carries_what_the_demo_needs(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FER_REPORTS", str(record.path.parents[2]))
    assert main(["export", record.id, "--out", str(tmp_path / "a.onnx")]) == 0
    assert "a.onnx: " in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    assert main(["export", record.id]) == 0 and (tmp_path / f"{record.id}.onnx").is_file(), "not into the package"
    engine = engines.load(tmp_path / "a.onnx", threads=1)
    found, labels_and_scores = engine.description, record.predictions("validation")
    assert found.class_names == record.class_names and found.record == record.id and found.dataset == "synthetic"
    assert found.temperature == calibration.temperature(*labels_and_scores) != 1.0
    assert found.model == "tiny" and found.size == 48 and "MIT" in found.licence and "validation" in found.calibration
    by_id = engines.load(record.id, threads=1)
    np.testing.assert_allclose(by_id(FACES), export.network(record).predict_on_batch(FACES), atol=1e-4)
    np.testing.assert_allclose(by_id(FACES), engine(FACES), atol=0.02)
    assert by_id.description.temperature == found.temperature


def test_a_run_without_weights_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = written(tmp_path, CONFIG)
    with pytest.raises(FileNotFoundError, match=f"python -m fer_utils rerun {bare.id}"):
        engines.load(bare)
    assert main(["export", "no-such-run", "--out", str(tmp_path / "a.onnx")]) == 2
    assert "no-such-run" in capsys.readouterr().err and not (tmp_path / "a.onnx").exists()


def test_the_shipped_file_runs_in_keras_too() -> None:
    fast, (network, description) = engines.load(), networks.rebuilt(engines.shipped().read_bytes())
    assert fast.name == "ONNX Runtime" and fast.description == description
    np.testing.assert_allclose(networks.KerasEngine(network, description)(FACES), fast(FACES), atol=1e-4)


def test_without_the_package_onnx_the_shipped_file_runs_and_others_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.onnx"
    own.write_bytes(engines.shipped().read_bytes())
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert engines.load().name == "ONNX Runtime"
    with pytest.raises(ImportError, match="python -m pip install onnx"):
        engines.load(own)


def test_without_keras_a_run_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "fer_utils.live.network.networks", raising=False)
    monkeypatch.delattr("fer_utils.live.network.networks", raising=False)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ImportError, match=r"pip install .\.\[study,tensorflow\]"):
        engines.load("a-run")


def test_keras_never_predicts_per_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = networks.KerasEngine(models.build("tiny"), Description(NAMES))
    monkeypatch.setattr(keras.Model, "predict", lambda *a, **k: pytest.fail("predict costs tens of milliseconds"))
    assert engine(FACES).shape == (3, 7)


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    proto = graph.to_onnx(models.build("tiny"), {export.KEY: Description(NAMES).to_text()})
    tensor = proto.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "../../secret.bin")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    (tmp_path / "a.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(ValueError, match="in other files: refused"):
        engines.load(tmp_path / "a.onnx")
    del proto.graph.initializer[:]
    hidden = onnx.helper.make_node("Constant", [], ["c"], value=tensor)
    branch = onnx.helper.make_graph([hidden], "branch", [], [])
    proto.graph.node.append(onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))
    with pytest.raises(ValueError, match="in other files: refused"):
        modelfiles.parsed(proto.SerializeToString())


def test_foreign_and_broken_files_are_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proto = graph.to_onnx(models.build("tiny"), {})
    for name, content, word in (
        ("foreign", proto.SerializeToString(), "not written by this study"),
        ("broken", b"no model at all", "are not"),
    ):
        (tmp_path / f"{name}.onnx").write_bytes(content)
        with pytest.raises(ValueError, match=word):
            engines.load(tmp_path / f"{name}.onnx")
    wrong = export.to_bytes(models.build("tiny"), Description(NAMES[:5]))
    with pytest.raises(ValueError, match="gives 5 `logits`"):
        engines.OnnxEngine(wrong)
    with pytest.raises(FileNotFoundError, match="There is no model file"):
        engines.load(tmp_path / "missing.onnx")
    with pytest.raises(ValueError, match="Pickled files may run any program"):
        engines.load(tmp_path / "model.pkl")
    monkeypatch.setattr(engines, "LARGEST_FILE", 10)
    with pytest.raises(ValueError, match="at most 10 bytes"):
        engines.load(tmp_path / "foreign.onnx")


BAD = ("", "{}", "[1]", '{"class_names": ["a", "b"], "temperature": 0}', '{"class_names": []}')


@pytest.mark.parametrize("text", BAD)
def test_a_description_is_checked(text: str) -> None:
    with pytest.raises(ValueError, match="A description"):
        Description.from_text(text)


def test_a_keras_file_is_loaded_in_safe_mode(tmp_path: Path) -> None:
    image = keras.Input((48, 48, 1))
    unsafe = keras.Model(image, keras.layers.Lambda(lambda x: x[:, 0, :2, 0])(image))
    unsafe.save(tmp_path / "unsafe.keras")
    with pytest.raises(ValueError, match="Lambda"):
        engines.load(tmp_path / "unsafe.keras", ("a", "b"))
    model = lively(models.build("tiny"))
    model.save(tmp_path / "safe.keras")
    engine = engines.load(tmp_path / "safe.keras", NAMES)
    np.testing.assert_allclose(engine(FACES), model.predict_on_batch(FACES), atol=1e-4)
    with pytest.raises(ValueError, match="name the 7 scores"):
        engines.load(tmp_path / "safe.keras", NAMES[:6])


def test_shipped_models_are_small_and_say_what_they_are() -> None:
    synthetic = export.FOLDER / "synthetic.onnx"
    assert synthetic.stat().st_size < 200_000
    assert engines.load(synthetic).description.dataset == "synthetic"
    compact = export.FOLDER / "compact.onnx"
    assert engines.shipped() == (compact if compact.is_file() else synthetic)
    if compact.is_file():
        description = engines.load().description
        assert compact.stat().st_size <= 5_000_000 and description.dataset == "fer2013"
        assert description.record == study.shipped().id, "what protocols.ships() trains"
        assert description.temperature != 1.0 and description.licence
