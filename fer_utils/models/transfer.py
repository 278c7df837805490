"""Networks pre-trained on ImageNet, taking one grey channel in [0, 1] (xavengers2025)."""

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from fer_utils.models.common import Layers, Settings, derived_seed, initializer, require_choice

_HOST = "https://storage.googleapis.com"
_BGR_MEANS = np.array([103.939, 116.779, 123.68])  # of ImageNet at 0-255
_RGB_MEANS, _RGB_SD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet at 0-1


@dataclass(frozen=True)
class Levels:
    """How a family turns a grey level v of 0..255 into its first convolution's inputs: (v - mean) / sd.

    Attributes:
        mean, sd: float (3,), one for each channel, in the order in which the convolution sees them.
    """

    mean: np.ndarray
    sd: np.ndarray


def _caffe(rgb: keras.Model, from_imagenet: bool) -> Levels:
    """Blue, green, red, less the means of ImageNet (ResNet50, VGG16): no layer of the network does it."""
    return Levels(_BGR_MEANS, np.ones(3))


def _normalised(rgb: keras.Model, from_imagenet: bool) -> Levels:
    """What EfficientNet's own layers do: / 255, (x - mean) / sqrt(variance), both of them weights.

    Keras divides by sqrt(sd) once more if and only if it loads its own ImageNet file, whose variances need it.
    """
    layer = next(layer for layer in rgb.layers if isinstance(layer, keras.layers.Normalization))
    mean, variance = (np.ravel(values).astype(np.float64) for values in layer.get_weights()[:2])
    sd = np.sqrt(variance) * (np.sqrt(_RGB_SD) if from_imagenet else 1.0)
    return Levels(255 * mean, 255 * sd)


@dataclass(frozen=True)
class Backbone:
    """One network of Keras Applications.

    Attributes:
        builder: makes it.
        first: name of its first convolution.
        grey: mean and standard deviation that the plane of grey levels is standardised by.
        divides: what the network itself divides its input by before anything else.
        levels: its input convention, given the RGB network and whether its weights are Keras's own.
        folder, file, md5: Keras's file of ImageNet weights without the head.
    """

    builder: Callable[..., keras.Model]
    first: str
    grey: tuple[float, float]
    divides: float
    levels: Callable[[keras.Model, bool], Levels]
    folder: str
    file: str
    md5: str

    @property
    def url(self) -> str:
        """Where Keras keeps that file."""
        return f"{_HOST}/{self.folder}/{self.file}"


_CAFFE = {"grey": (float(_BGR_MEANS.mean()), 1.0), "divides": 1.0, "levels": _caffe}
BACKBONES: Mapping[str, Backbone] = {
    "resnet50": Backbone(
        keras.applications.ResNet50, "conv1_conv", **_CAFFE, folder="tensorflow/keras-applications/resnet",
        file="resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", md5="4d473c1dd8becc155b73f8504c6f6626",
    ),
    "vgg16": Backbone(
        keras.applications.VGG16, "block1_conv1", **_CAFFE, folder="tensorflow/keras-applications/vgg16",
        file="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", md5="6d6bbae143d832006294945121d1f1fc",
    ),
    "efficientnetb0": Backbone(
        keras.applications.EfficientNetB0, "stem_conv", (255 * float(_RGB_MEANS.mean()), 255 * float(_RGB_SD.mean())),
        255.0, _normalised, "keras-applications", "efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d",
    ),
}  # fmt: skip
"""What `resnet_transfer` can be made of. The report names ResNet without a depth, VGG and EfficientNet: sizes ours."""


def resnet_transfer(
    settings: Settings, weights: str | Path | None = None, backbone: str = "resnet50"
) -> keras.Model:
    """A network of Keras Applications with a one-channel input and a new head, as `xavengers2025` fine-tuned one.

    The network brings ImageNet's input convention itself: on a grey image it equals the RGB network on that
    image in three equal channels. Zeros are padded after the channels are standardised, each in its own way,
    which no bias can say at the border; so the first convolution sees two planes, the standardised grey image and
    a plane of ones (`inside`). Its kernel on the former is the weighted sum of the RGB kernels, the one on the
    latter holds what the channels' means differ by.

    EfficientNetB0 pads by the size it is built for: built for any size it is not quite the network of one size.

    Args:
        settings: Common settings; `initializer` and `seed` hold for the kernels not loaded.
        weights: None (random), "imagenet" (Keras's file, fetched once into its cache), or the path of
            that file or of the weights of your own RGB network without head (`.h5` or `.weights.h5`).
        backbone: "resnet50", "vgg16" or "efficientnetb0".

    Raises:
        ValueError: If the backbone is unknown, or `weights` names no file or one that does not fit.
        RuntimeError: If "imagenet" cannot be fetched; says what to download and where to put it.
    """
    require_choice("backbone", backbone, BACKBONES)
    family = BACKBONES[backbone]
    pretrained = None if weights is None else _first_kernel(family, weights)
    make = Layers(settings)
    image = make.image()
    mean, sd = family.grey
    grey = keras.layers.Rescaling(family.divides * 255 / sd, -family.divides * mean / sd, name="grey")(image)
    inside = keras.layers.Rescaling(0.0, family.divides, name="inside")(image)
    planes = keras.layers.Concatenate(name="planes")([grey, inside])
    network = family.builder(include_top=False, weights=None, input_tensor=planes)
    _start(network, settings)
    if pretrained is not None:
        _adapt(*pretrained, network, family)
    features = keras.layers.GlobalAveragePooling2D(name="pool")(network.output)
    return make.model(image, make.dropout(features, "dropout"))


def _start(network: keras.Model, settings: Settings) -> None:
    """Gives every layer a name of its own, its seeded initial values, and normalisations the momentum asked for."""
    for layer in network.layers:
        if isinstance(layer, (keras.layers.Normalization, keras.layers.Rescaling)) and "_" in layer.name:
            layer.name = layer.name.split("_")[0]  # Keras counts the ones it has made before
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            _draw_kernel(layer, settings)
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign([derived_seed(settings.seed, layer.name), 0])
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = settings.batch_norm_momentum


def _draw_kernel(layer: keras.Layer, settings: Settings) -> None:
    """A depthwise kernel (h, w, c, 1) sees one channel: its fan-in is that of (h, w, 1, c)."""
    values = initializer(settings.initializer, derived_seed(settings.seed, layer.name))
    shape = tuple(layer.kernel.shape)
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        layer.kernel.assign(keras.ops.swapaxes(values((*shape[:2], shape[3], shape[2])), 2, 3))
    else:
        layer.kernel.assign(values(shape))


def _first_kernel(family: Backbone, weights: str | Path) -> tuple[keras.Model, Levels]:
    """The RGB network with the weights asked for, and how its first convolution sees a grey level."""
    path = _imagenet_file(family) if weights == "imagenet" else Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(
            f"weights must be None, 'imagenet' or the path of a file; there is none at {str(weights)!r}. "
            f"Download {family.url} and pass its path."
        )
    network = family.builder(include_top=False, weights=None, input_shape=(None, None, 3))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns of layers left at random
            network.load_weights(path)
    except Exception as error:
        raise ValueError(
            f"weights must be those of Keras's RGB {family.builder.__name__} without its head; {path} does not fit "
            f"({error}). Download {family.url} and pass its path."
        ) from error
    from_imagenet = weights == "imagenet" or hashlib.md5(path.read_bytes()).hexdigest() == family.md5
    return network, family.levels(network, from_imagenet)


def imagenet_file(backbone: str) -> Path:
    """Where Keras keeps a backbone's ImageNet weights on this machine, whether they are there or not."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models" / BACKBONES[backbone].file


def _imagenet_file(family: Backbone) -> Path:
    """Path of ImageNet's weights in Keras's cache, fetched if they are not there."""
    try:
        path = keras.utils.get_file(family.file, family.url, cache_subdir="models", file_hash=family.md5)
    except Exception as error:  # Keras raises a plain Exception when the network fails
        folder = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
        raise RuntimeError(
            f"weights='imagenet' needs a file that could not be fetched ({error}). Download {family.url} "
            f"and put it into {folder}, or pass its path as weights; weights=None starts at random."
        ) from error
    return Path(path)


def _adapt(rgb: keras.Model, levels: Levels, network: keras.Model, family: Backbone) -> None:
    """Copies the weights of the RGB network, its first kernel reduced to the planes grey and inside."""
    for layer in rgb.layers:
        if layer.weights and layer.name != family.first and not isinstance(layer, keras.layers.Normalization):
            network.get_layer(layer.name).set_weights(layer.get_weights())
    kernel, *bias = rgb.get_layer(family.first).get_weights()  # (h, w, 3, filters)
    mean, sd = family.grey
    per_plane = np.stack([sd / levels.sd, (mean - levels.mean) / levels.sd])  # (2, 3)
    planes = np.einsum("hwco,pc->hwpo", kernel, per_plane).astype(np.float32)
    network.get_layer(family.first).set_weights([planes, *bias])
