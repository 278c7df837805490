"""Where in a face a network finds its scores: Grad-CAM, attention maps, occlusion, and a check of such maps.

A map says which places carried the score of *this network* for *this image*. It does not say why, nor whether the
places would matter to a person. `cascade` asks what is left of a map when what the network has learnt is destroyed:
a map that stays was a picture of the input (Adebayo et al. 2018, "Sanity checks for saliency maps").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import keras
import numpy as np
from scipy import stats

from fer_utils.data import augmentation
from fer_utils.training import backend
from fer_utils.training.scoring import predict_logits

_BATCH = 64
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.SeparableConv2D, keras.layers.DepthwiseConv2D)


def last_convolution(model: keras.Model) -> str:
    """Name of the last convolution of a flat network that looks at neighbours (3x3 or more, so no attention gate).

    Raises:
        ValueError: the network has none.
    """
    for layer in reversed(model.layers):
        if isinstance(layer, _CONVOLUTIONS) and max(layer.kernel_size) > 1:
            return layer.name
    raise ValueError(f"Grad-CAM needs a feature map; {model.name!r} has no convolution. Name another layer.")


def grad_cam(
    model: keras.Model, images: np.ndarray, classes: np.ndarray, layer: str | None = None, rectified: bool = True
) -> np.ndarray:
    """Grad-CAM: which places of a feature map raise the score of a class (Selvaraju et al. 2017).

    With A_k the channels of the layer's output, the weight of a channel is the mean over its places of the gradient
    of the class's logit, and the map is max(0, sum_k weight_k A_k).

    Args:
        model: a flat network from float32 (n, s, s, 1) in [0, 1] to logits (n, k).
        images: uint8 (n, h, w).
        classes: int (n,), the class whose score is explained, per image.
        layer: name of a layer with output (n, h', w', c); None for `last_convolution`.
        rectified: False keeps the negative places too.

    Returns:
        float32 (n, h', w'), in units of the logit, not scaled; each image's map depends on that image alone.

    Raises:
        ValueError: no such layer, or its output is no feature map.
    """
    return GradCam(model, layer)(images, classes, rectified)


class GradCam:
    """`grad_cam` at one layer of a network, opened once: for many calls, also after its weights have changed."""

    def __init__(self, model: keras.Model, layer: str | None = None) -> None:
        """Takes what `grad_cam` takes."""
        self.model = model
        self._before, self._after = _opened(model, layer or last_convolution(model))

    def __call__(self, images: np.ndarray, classes: np.ndarray, rectified: bool = True) -> np.ndarray:
        """The maps, see `grad_cam`."""
        maps = []
        for pixels, chosen in _batches(self.model, images, classes):
            activations = keras.ops.convert_to_numpy(self._before(pixels, training=False))
            gradients = backend.gradient(_score(self._after, pixels, chosen), activations)
            weights = gradients.mean(axis=(1, 2), keepdims=True)
            maps.append((weights * activations).sum(axis=-1))
        found = np.concatenate(maps)
        return np.maximum(found, 0) if rectified else found


def attention_maps(model: keras.Model, images: np.ndarray, layer: str = "attention_gate") -> np.ndarray:
    """The gates in [0, 1] by which psg2025's attention multiplies each place: float32 (n, h', w').

    Args:
        model: a network whose layer `layer` has one channel.
        images: uint8 (n, h, w).
        layer: name of the gate's layer.

    Raises:
        ValueError: no such layer, or it has more than one channel.
    """
    gates = keras.Model(model.input, _layer(model, layer).output)
    if len(gates.output_shape) != 4 or gates.output_shape[-1] != 1:
        raise ValueError(f"An attention map has one channel; {layer!r} gives {gates.output_shape}. Name the gate.")
    pixels = _prepared(model, images)
    parts = (pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH))
    return np.concatenate([keras.ops.convert_to_numpy(gates(part, training=False))[..., 0] for part in parts])


def occlusion(
    model: keras.Model, images: np.ndarray, classes: np.ndarray, patch: int = 12, stride: int = 6
) -> np.ndarray:
    """How far the logit of a class falls when a grey square covers a place (Zeiler and Fergus 2014).

    Args:
        model, images, classes: as for `grad_cam`.
        patch: side of the square in pixels; it takes the image's mean grey level.
        stride: pixels between two squares.

    Returns:
        float32 (n, r, r), r = (h - patch) // stride + 1: logit without less logit with the square. Negative where
        covering *helps* the class.

    Raises:
        ValueError: a patch or stride that does not fit the images.
    """
    side = images.shape[1]
    if not (1 <= patch <= side and stride >= 1):
        raise ValueError(f"A patch has 1..{side} pixels and a stride at least 1; got {patch} and {stride}.")
    starts = range(0, side - patch + 1, stride)
    drops = [
        _covered(model, images[start : start + _BATCH], classes[start : start + _BATCH], patch, starts)
        for start in range(0, len(images), _BATCH)
    ]
    return np.concatenate(drops)


def scaled(maps: np.ndarray) -> np.ndarray:
    """Each map float (n, h, w) divided by its own maximum, negatives cut: in [0, 1]; an empty map stays empty."""
    positive = np.maximum(maps, 0)
    top = positive.max(axis=(1, 2), keepdims=True)
    return np.divide(positive, top, out=np.zeros_like(positive), where=top > 0)


def resized(maps: np.ndarray, side: int) -> np.ndarray:
    """Maps float (n, h, w) as float32 (n, side, side), bilinear."""
    maps = np.asarray(maps, np.float32)
    if maps.shape[1:] == (side, side):
        return maps
    return np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_LINEAR) for one in maps])


def class_means(maps: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Mean of the scaled maps of each class, float64 (k, h, w); NaN for a class without images."""
    small, means = scaled(maps), np.full((n_classes, *maps.shape[1:]), np.nan)
    for code in np.unique(labels):
        means[code] = small[labels == code].mean(axis=0)
    return means


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's correlation between the places of two maps of each image, float64 (n,).

    Args:
        a, b: float (n, h, w), the same places.

    Returns:
        In [-1, 1]; NaN where one of the two maps has the same value everywhere (an empty Grad-CAM, say).

    Raises:
        ValueError: shapes that differ.

    Example:
        >>> a = np.arange(4.0).reshape(1, 2, 2)
        >>> rank_correlation(a, a**2), rank_correlation(a, -a)
        (array([1.]), array([-1.]))
    """
    if a.shape != b.shape or a.ndim != 3:
        raise ValueError(f"Maps are compared place by place; got {a.shape} and {b.shape}. Use resized().")
    ranks = [stats.rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (a, b)]
    first, second = (values - values.mean(axis=1, keepdims=True) for values in ranks)
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.divide((first * second).sum(axis=1), size, out=np.full(len(a), np.nan), where=size > 0)


@contextmanager
def shuffled(model: keras.Model, layers: Sequence[str] | None = None, seed: int = 0) -> Iterator[None]:
    """Within this context the weights of the named layers (None: all) are shuffled, each array within itself.

    Shuffling destroys what was learnt and keeps each array's values, so that activations stay of the same size.
    """
    chosen = [layer for layer in model.layers if layer.weights and (layers is None or layer.name in layers)]
    kept = [layer.get_weights() for layer in chosen]
    try:
        for layer, arrays in zip(chosen, kept, strict=True):
            rng = np.random.default_rng([seed, model.layers.index(layer)])
            layer.set_weights([rng.permuted(array.ravel()).reshape(array.shape) for array in arrays])
        yield
    finally:
        for layer, arrays in zip(chosen, kept, strict=True):
            layer.set_weights(arrays)


class Cascade(NamedTuple):
    """What is left of maps as layers are shuffled from the head down.

    Attributes:
        layers: (m,) the layer that each step shuffles in addition to those before it.
        correlations: float64 (m, n), of each image's map with its map of the trained network; NaN where undefined.
    """

    layers: tuple[str, ...]
    correlations: np.ndarray


def cascade(model: keras.Model, maps: Callable[[], np.ndarray], seed: int = 0, kernels_only: bool = True) -> Cascade:
    """Cascading randomisation (Adebayo et al. 2018), by shuffling: layer after layer, head first, against trained maps.

    Args:
        model: the network; it is left as it came.
        maps: computes maps float (n, h, w) with the network's weights of the moment.
        seed: of the shuffling.
        kernels_only: one step per layer with a kernel, which also takes the layers above it without one; False:
            one step per layer with weights.

    Returns:
        The layers in the order of shuffling, and their rank correlations.
    """
    names = [layer.name for layer in model.layers if layer.weights][::-1]
    steps = [n for n in names if not kernels_only or max(len(w.shape) for w in model.get_layer(n).weights) > 1]
    trained, found = maps(), []
    for step in steps:
        with shuffled(model, names[: names.index(step) + 1], seed):
            found.append(rank_correlation(trained, maps()))
    return Cascade(tuple(steps), np.stack(found))


def _covered(model: keras.Model, images: np.ndarray, classes: np.ndarray, patch: int, starts: range) -> np.ndarray:
    """Drops of the logit, float32 (n, r, r): the clean images and all covered ones are predicted in one go."""
    grey = np.rint(images.mean(axis=(1, 2))).astype(np.uint8)[:, None, None]
    versions = [images]
    for top in starts:
        for left in starts:
            versions.append(images.copy())
            versions[-1][:, top : top + patch, left : left + patch] = grey
    logits = predict_logits(model, np.concatenate(versions)).reshape(len(versions), len(images), -1)
    scores = logits[:, np.arange(len(images)), classes]
    return (scores[0] - scores[1:]).T.reshape(len(images), len(starts), len(starts))


def _layer(model: keras.Model, name: str) -> keras.Layer:
    names = [layer.name for layer in model.layers]
    if name not in names:
        near = ", ".join(names[-8:])
        raise ValueError(f"The layer must be one of {model.name!r}; got {name!r}. Its last layers are: {near}.")
    return model.get_layer(name)


def _opened(model: keras.Model, name: str) -> tuple[keras.Model, keras.Model]:
    """Image to feature map, and (image, feature map) to logits: shortcuts past the layer start at the image."""
    output = _layer(model, name).output
    if len(output.shape) != 4:
        raise ValueError(f"Grad-CAM needs a layer with height and width; {name!r} gives {output.shape}. Name another.")
    return keras.Model(model.input, output), keras.Model([model.input, output], model.output)


def _score(after: keras.Model, pixels: np.ndarray, classes: np.ndarray) -> Callable[[object], object]:
    """The chosen logits as a function of the feature map."""
    image, chosen = keras.ops.convert_to_tensor(pixels), keras.ops.one_hot(classes, after.output_shape[-1])
    return lambda activations: after([image, activations], training=False) * chosen


def _prepared(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return augmentation.prepare(images, model.input_shape[1] or images.shape[1])


def _batches(
    model: keras.Model, images: np.ndarray, classes: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pixels and classes, in batches; ValueError if there is not one class per image."""
    classes, k = np.asarray(classes), model.output_shape[-1]
    if classes.shape != (len(images),) or len(images) == 0 or classes.min() < 0 or classes.max() >= k:
        raise ValueError(
            f"One class in 0..{k - 1} is explained per image; got {len(images)} images and classes of shape "
            f"{classes.shape}. Pass the labels, or the predictions."
        )
    for start in range(0, len(images), _BATCH):
        part = slice(start, start + _BATCH)
        yield _prepared(model, images[part]), classes[part]
