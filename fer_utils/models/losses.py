"""The study's four losses on scores: cross-entropy and three squared multi-class SVMs.

A loss takes labels y and scores s (n, k), never probabilities, and gives the mean over images. The machine's
penalty, half the squared norm of the weights, is the L2 of the network's last layer (`head_l2`).
"""

import math
from typing import Any

import keras
from keras import ops


class ScoreLoss(keras.losses.Loss):
    """A loss on integer labels and scores, for `compile(loss=...)` with or without `sample_weight`.

    Labels are integers in [0, k), shape (n,) or (n, 1); one outside makes the loss NaN, so that it shows.
    """

    soft_labels = False

    def __init__(self, name: str, **kwargs: Any) -> None:
        """Mean over images (of weight times loss, where weights are given)."""
        super().__init__(name=name, reduction="sum_over_batch_size", **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each image, (n,); `y_true` (n,) or (n, 1), `y_pred` scores (n, k)."""
        return self.per_image(self._targets(y_true, y_pred), y_pred)

    def get_config(self) -> dict[str, Any]:
        """What a compiled model stores of the loss."""
        return {"name": self.name}

    def per_image(self, targets: Any, scores: Any) -> Any:
        """Loss of each image, (n,), from one-hot (or soft) `targets` and `scores`, both (n, k)."""
        raise NotImplementedError

    def _targets(self, y_true: Any, scores: Any) -> Any:
        k = scores.shape[-1]
        is_soft = len(y_true.shape) == 2 and y_true.shape[-1] == k
        if is_soft and self.soft_labels:
            return ops.cast(y_true, scores.dtype)
        if is_soft:
            raise ValueError(
                f"Loss {self.name!r} takes integer labels of shape (n,) or (n, 1); got soft or one-hot "
                f"labels of shape {tuple(y_true.shape)}. Pass their argmax, or use 'cross_entropy'."
            )
        if len(y_true.shape) != 1 and tuple(y_true.shape[1:]) != (1,):
            raise ValueError(
                f"Labels must have shape (n,) or (n, 1), or (n, {k}) for soft ones; got "
                f"{tuple(y_true.shape)}. Pass one label per image."
            )
        hot = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), k, dtype=scores.dtype)
        return hot / ops.sum(hot, axis=-1, keepdims=True)  # 0 / 0 = NaN for a label outside [0, k)


@keras.saving.register_keras_serializable(package="fer_utils")
class CrossEntropy(ScoreLoss):
    """-sum_k t_k log softmax(s)_k; t one-hot or soft (n, k), mixed with 1/k by `label_smoothing`."""

    soft_labels = True

    def __init__(self, label_smoothing: float = 0.0, name: str = "cross_entropy", **kwargs: Any) -> None:
        """Takes the share of the uniform distribution in the targets, in [0, 1)."""
        super().__init__(name, **kwargs)
        self.label_smoothing = label_smoothing

    def get_config(self) -> dict[str, Any]:
        """What a compiled model stores of the loss."""
        return super().get_config() | {"label_smoothing": self.label_smoothing}

    def per_image(self, targets: Any, scores: Any) -> Any:
        """Loss of each image, (n,)."""
        targets = targets * (1.0 - self.label_smoothing) + self.label_smoothing / scores.shape[-1]
        return -ops.sum(targets * ops.log_softmax(scores, axis=-1), axis=-1)


class _MarginLoss(ScoreLoss):
    """A loss with a margin."""

    def __init__(self, margin: float, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.margin = margin

    def get_config(self) -> dict[str, Any]:
        """What a compiled model stores of the loss."""
        return super().get_config() | {"margin": self.margin}

    def _hinge(self, violation: Any) -> Any:
        """max(0, margin + violation)^2."""
        return ops.square(ops.maximum(violation + self.margin, 0.0))


@keras.saving.register_keras_serializable(package="fer_utils")
class L2SVM(_MarginLoss):
    """Tang 2013: sum_k max(0, margin - t_k s_k)^2, t = +1 for the true class and -1 for the others."""

    def per_image(self, targets: Any, scores: Any) -> Any:
        """Loss of each image, (n,)."""
        return ops.sum(self._hinge((1.0 - 2.0 * targets) * scores), axis=-1)


@keras.saving.register_keras_serializable(package="fer_utils")
class WestonWatkins(_MarginLoss):
    """iitk2023: 1/2 sum over k != y of max(0, margin + s_k - s_y)^2."""

    def per_image(self, targets: Any, scores: Any) -> Any:
        """Loss of each image, (n,)."""
        own = ops.sum(targets * scores, axis=-1, keepdims=True)
        return 0.5 * ops.sum((1.0 - targets) * self._hinge(scores - own), axis=-1)


@keras.saving.register_keras_serializable(package="fer_utils")
class CrammerSinger(_MarginLoss):
    """max(0, margin + max over k != y of s_k - s_y)^2."""

    def per_image(self, targets: Any, scores: Any) -> Any:
        """Loss of each image, (n,)."""
        own = ops.sum(targets * scores, axis=-1)
        rival = ops.max(ops.where(targets > 0.5, -math.inf, scores), axis=-1)
        return self._hinge(rival - own)


_MARGIN_LOSSES: dict[str, type[_MarginLoss]] = {
    "l2_svm": L2SVM,
    "weston_watkins": WestonWatkins,
    "crammer_singer": CrammerSinger,
}


def names() -> tuple[str, ...]:
    """Names that `get` knows."""
    return ("cross_entropy", *_MARGIN_LOSSES)


def get(name: str, margin: float = 1.0, label_smoothing: float = 0.0) -> ScoreLoss:
    """One of the study's losses, for `compile(loss=...)`.

    Args:
        name: "cross_entropy" (integer labels, or soft ones (n, k)), "l2_svm", "weston_watkins" or
            "crammer_singer" (integer labels only).
        margin: Margin of the SVM losses, > 0; cross-entropy has none.
        label_smoothing: For cross-entropy, in [0, 1); the SVM losses have none.

    Raises:
        ValueError: For an unknown name, a value out of range, or an option that the loss does not have.

    Example:
        The true class leads by 3, more than the margin of 1: an SVM is content, cross-entropy never quite.

        >>> import numpy as np
        >>> label, scores = np.array([0]), np.array([[4.0, 1.0, 0.0]], dtype="float32")
        >>> for name in ("cross_entropy", "weston_watkins"):
        ...     print(name, round(float(get(name)(label, scores)), 3))
        cross_entropy 0.066
        weston_watkins 0.0
    """
    if name not in names():
        raise ValueError(f"The loss must be one of {', '.join(names())}; got {name!r}. Choose one of these.")
    if not (math.isfinite(margin) and margin > 0.0):
        raise ValueError(f"margin must be a finite number > 0; got {margin!r}. The reports' is 1.")
    if not 0.0 <= label_smoothing < 1.0:
        raise ValueError(f"label_smoothing must be in [0, 1); got {label_smoothing!r}. Usual is 0.1.")
    if name == "cross_entropy":
        if margin != 1.0:
            raise ValueError(f"'cross_entropy' has no margin; got margin={margin!r}. Leave it at 1.")
        return CrossEntropy(label_smoothing)
    if label_smoothing:
        raise ValueError(
            f"label_smoothing belongs to 'cross_entropy' only; got {label_smoothing!r} with {name!r}. "
            "Leave it at 0."
        )
    return _MARGIN_LOSSES[name](margin, name)
