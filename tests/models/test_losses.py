"""Losses: hand-computed values, gradients against central differences, refusals; the same on JAX."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_utils.models import losses

SCORES = np.array([[2.0, 0.5, -1.0], [0.2, 0.1, 0.4], [-3.0, 1.5, 1.0]], np.float32)
LABELS = np.array([0, 1, 2])


def loss_value(name: str, labels: np.ndarray, scores: np.ndarray, **options: float) -> float:
    return float(keras.ops.convert_to_numpy(losses.get(name, **options)(labels, scores)))


# An independent reference in float64: one image at a time, written from the formulas.


def cross_entropy(s: np.ndarray, y: int, margin: float) -> float:
    return float(np.log(np.sum(np.exp(s - s.max()))) + s.max() - s[y])


def l2_svm(s: np.ndarray, y: int, margin: float) -> float:
    return sum(max(0.0, margin - (1 if k == y else -1) * s[k]) ** 2 for k in range(len(s)))


def weston_watkins(s: np.ndarray, y: int, margin: float) -> float:
    return 0.5 * sum(max(0.0, margin + s[k] - s[y]) ** 2 for k in range(len(s)) if k != y)


def crammer_singer(s: np.ndarray, y: int, margin: float) -> float:
    return max(0.0, margin + max(s[k] for k in range(len(s)) if k != y) - s[y]) ** 2


REFERENCES = {f.__name__: f for f in (cross_entropy, l2_svm, weston_watkins, crammer_singer)}


def reference_mean(name: str, labels: np.ndarray, scores: np.ndarray, margin: float = 1.0) -> float:
    rows = zip(scores.astype(np.float64), labels, strict=True)
    return float(np.mean([REFERENCES[name](s, y, margin) for s, y in rows]))


def central_differences(function: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    gradient = np.zeros(at.shape)
    for index in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[index] = 1e-5
        gradient[index] = (function(at + step) - function(at - step)) / 2e-5
    return gradient


def trained_gradient(loss: keras.losses.Loss, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Gradient of the loss in the scores on whatever backend runs: one SGD step at rate 1 on the scores."""
    n, k = scores.shape
    image = keras.Input((), dtype="int32")
    table = keras.layers.Embedding(n, k)
    model = keras.Model(image, table(image))
    table.set_weights([scores])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=loss, jit_compile=False)
    model.train_on_batch(np.arange(n, dtype=np.int32), labels)
    return scores - table.get_weights()[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # image 1: s = 2, .5, -1, y = 0; image 2: s = .2, .1, .4, y = 1; image 3: s = -3, 1.5, 1, y = 2
        ("cross_entropy", (0.241311 + 1.239831 + 0.980968) / 3),
        ("l2_svm", (0.0 + 1.5**2 + 0.0 + 1.2**2 + 0.9**2 + 1.4**2 + 0.0 + 2.5**2 + 0.0) / 3),
        ("weston_watkins", (0.0 + 0.5 * (1.1**2 + 1.3**2) + 0.5 * 1.5**2) / 3),
        ("crammer_singer", (0.0 + 1.3**2 + 1.5**2) / 3),
    ],
)
def test_values_computed_by_hand(name: str, expected: float) -> None:
    assert loss_value(name, LABELS, SCORES) == pytest.approx(expected, rel=1e-5)
    assert loss_value(name, LABELS[:, None], SCORES) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", losses.names())
def test_gradient_equals_central_differences(name: str) -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0.0, 2.0, (12, 7)).astype(np.float32)
    labels = rng.integers(0, 7, 12)
    margin = 1.0 if name == "cross_entropy" else 0.7
    loss = losses.get(name, margin=margin)
    assert loss_value(name, labels, scores, margin=margin) == pytest.approx(
        reference_mean(name, labels, scores, margin), rel=1e-5
    )
    expected = central_differences(
        lambda s: reference_mean(name, labels, s, margin), scores.astype(np.float64)
    )
    np.testing.assert_allclose(trained_gradient(loss, labels, scores), expected, rtol=1e-4, atol=2e-6)


def test_soft_labels_and_smoothing() -> None:
    soft = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5], [0.1, 0.0, 0.9]], np.float32)
    logs = np.log(np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True))
    assert loss_value("cross_entropy", soft, SCORES) == pytest.approx(-(soft * logs).sum(1).mean(), rel=1e-5)
    smooth = np.eye(3)[LABELS] * 0.9 + 0.1 / 3
    by_labels = loss_value("cross_entropy", LABELS, SCORES, label_smoothing=0.1)
    assert by_labels == pytest.approx(loss_value("cross_entropy", smooth, SCORES), rel=1e-6)
    np.testing.assert_allclose(
        trained_gradient(losses.get("cross_entropy"), soft, SCORES), (np.exp(logs) - soft) / 3, atol=1e-6
    )
    for name in ("l2_svm", "weston_watkins", "crammer_singer"):
        with pytest.raises(ValueError, match=rf"'{name}' takes integer labels.*cross_entropy"):
            losses.get(name)(soft, SCORES)


def test_relations_between_the_losses() -> None:
    rng = np.random.default_rng(2)
    scores, labels = rng.normal(size=(20, 7)).astype(np.float32), rng.integers(0, 7, 20)
    hinge = keras.losses.SquaredHinge()(2.0 * np.eye(7, dtype=np.float32)[labels] - 1.0, scores)
    assert loss_value("l2_svm", labels, scores) == pytest.approx(7 * float(hinge), rel=1e-5)
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, scores)
    assert loss_value("cross_entropy", labels, scores) == pytest.approx(float(sparse), rel=1e-5)
    strongest, summed = (loss_value(x, labels, scores) for x in ("crammer_singer", "weston_watkins"))
    assert strongest / 2 <= summed <= 3 * strongest  # one of six rivals against all six, halved
    two = scores[:, :2]
    pair = (loss_value(x, labels % 2, two) for x in ("crammer_singer", "weston_watkins"))
    assert next(pair) == pytest.approx(2 * next(pair), rel=1e-5)


def test_a_margin_that_is_kept_costs_nothing() -> None:
    far = np.array([[5.0, -5.0, -5.0]], np.float32)
    for name in ("l2_svm", "weston_watkins", "crammer_singer"):
        assert loss_value(name, np.array([0]), far, margin=2.0) == 0.0
        assert loss_value(name, np.array([1]), far, margin=2.0) > 0.0


def test_large_scores_stay_finite_and_bad_labels_show() -> None:
    large = np.array([[1e4, -1e4, 0.0]], np.float32)
    assert loss_value("cross_entropy", np.array([1]), large) == pytest.approx(2e4)
    assert np.all(np.isfinite(trained_gradient(losses.get("cross_entropy"), np.array([1]), large)))
    for name in losses.names():
        assert np.isfinite(loss_value(name, np.array([1]), large))
        assert np.isnan(loss_value(name, np.array([3]), large)), name


@pytest.mark.parametrize("name", losses.names())
def test_weights_and_names(name: str) -> None:
    loss = losses.get(name)
    assert isinstance(loss, keras.losses.Loss) and loss.name == name
    each = np.array([float(loss(LABELS[i : i + 1], SCORES[i : i + 1])) for i in range(3)])
    weights = np.array([1.0, 2.0, 0.5], np.float32)
    weighted = float(loss(LABELS, SCORES, sample_weight=weights))
    assert weighted == pytest.approx(float((weights * each).mean()), rel=1e-5)


@pytest.mark.parametrize(
    "loss", [losses.get("crammer_singer", margin=0.5), losses.get("cross_entropy", label_smoothing=0.1)]
)
def test_a_compiled_model_keeps_its_loss(loss: keras.losses.Loss, tmp_path: Path) -> None:
    image = keras.Input((2,))
    model = keras.Model(image, keras.layers.Dense(3)(image))
    model.compile(optimizer="sgd", loss=loss)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").loss
    assert type(again) is type(loss) and again.get_config() == loss.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "hinge"}, "must be one of cross_entropy, l2_svm.*got 'hinge'"),
        ({"name": "l2_svm", "margin": 0.0}, "margin must be a finite number > 0"),
        ({"name": "l2_svm", "margin": float("nan")}, "margin must be a finite number > 0"),
        ({"name": "cross_entropy", "margin": 0.5}, "has no margin"),
        ({"name": "cross_entropy", "label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\)"),
        ({"name": "crammer_singer", "label_smoothing": 0.1}, "belongs to 'cross_entropy' only"),
    ],
)
def test_refusals(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        losses.get(**arguments)


def test_labels_of_a_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Labels must have shape \(n,\) or \(n, 1\)"):
        losses.get("cross_entropy").call(np.zeros((3, 2)), SCORES)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_same_on_other_backends(backend: str) -> None:
    if os.environ.get("FER_OTHER_BACKEND") or keras.backend.backend() == backend:
        pytest.skip("already the inner run")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = os.environ | {"KERAS_BACKEND": backend, "FER_OTHER_BACKEND": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "-k"]
    command += ["hand or central", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
