"""Networks pre-trained on ImageNet, taking one grey channel in [0, 1] (xavengers2025)."""

import os
import warnings
from pathlib import Path

import keras
import numpy as np

from fer_utils.models.common import Layers, Settings, derived_seed, initializer, require_choice

BACKBONES: tuple[str, ...] = ("resnet50",)
MEANS_RGB = np.array([123.68, 116.779, 103.939])  # of ImageNet at 0-255; ResNet50 expects (BGR - means)
WEIGHTS_FILE = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
WEIGHTS_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/resnet/{WEIGHTS_FILE}"
WEIGHTS_MD5 = "4d473c1dd8becc155b73f8504c6f6626"


def resnet_transfer(
    settings: Settings, weights: str | Path | None = None, backbone: str = "resnet50"
) -> keras.Model:
    """ResNet50 with a one-channel input and a new head: the kind of network `xavengers2025` fine-tuned.

    The report gives no depth: ResNet50 is *ours*. The network brings ImageNet's input convention itself:
    on a grey image it equals the RGB network on that image in three equal channels. Its padding of zeros
    comes after the means are subtracted, which no bias can say at the border; so the first convolution sees
    two planes, the grey image at 0-255 less the average mean and a plane of ones (`inside`). The kernel on
    the former is the sum of the RGB kernels, the one on the latter holds what the three means differ by.

    Args:
        settings: Common settings; `initializer` and `seed` hold for the kernels not loaded.
        weights: None (random), "imagenet" (Keras's file, fetched once into its cache), or the path of
            Keras's RGB `resnet50_..._notop.h5` or of a `.weights.h5` of that network.
        backbone: "resnet50".

    Raises:
        ValueError: If the backbone is unknown, or `weights` names no file or one that does not fit.
        RuntimeError: If "imagenet" cannot be fetched; says what to download and where to put it.
    """
    require_choice("backbone", backbone, BACKBONES)
    pretrained = None if weights is None else _rgb_network(weights)
    make = Layers(settings)
    image = make.image()
    grey = keras.layers.Rescaling(255.0, -float(MEANS_RGB.mean()), name="grey")(image)
    inside = keras.layers.Rescaling(0.0, 1.0, name="inside")(image)
    planes = keras.layers.Concatenate(name="planes")([grey, inside])
    network = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=planes)
    _start(network, settings)
    if pretrained is not None:
        _adapt(pretrained, network)
    features = keras.layers.GlobalAveragePooling2D(name="pool")(network.output)
    return make.model(image, make.dropout(features, "dropout"))


def _start(network: keras.Model, settings: Settings) -> None:
    """Gives every convolution its seeded start values, and every normalisation the momentum asked for."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            values = initializer(settings.initializer, derived_seed(settings.seed, layer.name))
            layer.kernel.assign(values(layer.kernel.shape))
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = settings.batch_norm_momentum


def _rgb_network(weights: str | Path) -> keras.Model:
    """ResNet50 as Keras offers it, three channels, without head, with the weights asked for."""
    path = _imagenet_file() if weights == "imagenet" else Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(
            f"weights must be None, 'imagenet' or the path of a file; there is none at {str(weights)!r}. "
            f"Download {WEIGHTS_URL} and pass its path."
        )
    network = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(None, None, 3))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns of layers left at random
            network.load_weights(path)
    except Exception as error:
        raise ValueError(
            f"weights must be those of Keras's RGB ResNet50 without its head; {path} does not fit ({error}). "
            f"Download {WEIGHTS_URL} and pass its path."
        ) from error
    return network


def _imagenet_file() -> Path:
    """Path of ImageNet's weights in Keras's cache, fetched if they are not there."""
    try:
        path = keras.utils.get_file(WEIGHTS_FILE, WEIGHTS_URL, cache_subdir="models", file_hash=WEIGHTS_MD5)
    except Exception as error:  # Keras raises a plain Exception when the network fails
        folder = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
        raise RuntimeError(
            f"weights='imagenet' needs a file that could not be fetched ({error}). Download {WEIGHTS_URL} "
            f"and put it into {folder}, or pass its path as weights; weights=None starts at random."
        ) from error
    return Path(path)


def _adapt(rgb: keras.Model, grey: keras.Model) -> None:
    """Copies the weights of the RGB network, its first kernel reduced to the planes grey and inside."""
    for layer in rgb.layers:
        if layer.weights and layer.name != "conv1_conv":
            grey.get_layer(layer.name).set_weights(layer.get_weights())
    kernel, bias = rgb.get_layer("conv1_conv").get_weights()  # (7, 7, 3, 64), channels B, G, R
    per_channel = MEANS_RGB.mean() - MEANS_RGB[::-1]
    planes = [kernel.sum(axis=2), np.einsum("hwco,c->hwo", kernel, per_channel)]
    grey.get_layer("conv1_conv").set_weights([np.stack(planes, axis=2).astype(np.float32), bias])
