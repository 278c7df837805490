"""psg2025: Xception for 48x48 faces, with attention between middle and exit flow."""

import keras

from fer_utils.models.attention import attend
from fer_utils.models.common import Layers, Settings, require_depth, scaled


def psg2025(settings: Settings, attention: str = "spatial", width: float = 1.0, depth: int = 8) -> keras.Model:
    """The Xception of `psg2025`: 20,894,696 parameters with spatial attention and 7 classes.

    Entry flow (stem, then 128, 256, 728 channels), eight residual middle blocks with dropout 0.5,
    attention, exit flow to 2,048 features, global average pooling, a head with L2 0.01. Every convolution
    has a bias, Keras's default (without them the count would be 20,867,432); Chollet 2017 is the network
    without attention.

    Args:
        settings: Common settings.
        attention: One of `attention.KINDS`; the report's is "spatial".
        width: Factor of all channels, in (0, 4]; the report's is 1.
        depth: Middle blocks, in 0..16; the report's is 8.

    Raises:
        ValueError: For a width or depth out of range.
    """
    require_depth(depth, 0, 16)
    make = Layers(settings)
    image = make.image()
    x = _stem(make, image, width)
    for number, filters in enumerate((128, 256, 728), start=1):
        x = _reduce(make, x, (scaled(filters, width),) * 2, f"entry{number}")
    for number in range(1, depth + 1):
        x = _middle(make, x, f"middle{number}")
    x = attend(make, x, attention)
    x = _reduce(make, x, (scaled(728, width), scaled(1024, width)), "exit1")
    for number, filters in enumerate((scaled(1536, width), scaled(2048, width)), start=1):
        x = make.separable(x, filters, f"exit2_conv{number}")
        x = make.relu(make.norm(x, f"exit2_norm{number}"), f"exit2_relu{number}")
    return make.model(image, keras.layers.GlobalAveragePooling2D(name="pool")(x))


def _stem(make: Layers, x: keras.KerasTensor, width: float) -> keras.KerasTensor:
    """Two convolutions, the first with stride 2: (b, s, s, 1) to (b, s/2, s/2, 64 times width)."""
    for number, (filters, strides) in enumerate(((32, 2), (64, 1)), start=1):
        x = make.conv(x, scaled(filters, width), 3, f"stem_conv{number}", strides=strides)
        x = make.relu(make.norm(x, f"stem_norm{number}"), f"stem_relu{number}")
    return x


def _unit(make: Layers, x: keras.KerasTensor, filters: int, name: str, number: int) -> keras.KerasTensor:
    """ReLU, separable convolution, batch normalisation."""
    x = make.separable(make.relu(x, f"{name}_relu{number}"), filters, f"{name}_conv{number}")
    return make.norm(x, f"{name}_norm{number}")


def _reduce(make: Layers, x: keras.KerasTensor, filters: tuple[int, int], name: str) -> keras.KerasTensor:
    """Two units and max pooling, plus a 1x1 convolution of the input: halves height and width."""
    shortcut = make.conv(x, filters[-1], 1, f"{name}_shortcut", strides=2)
    for number, width in enumerate(filters, start=1):
        x = _unit(make, x, width, name, number)
    x = keras.layers.MaxPooling2D(3, 2, "same", name=f"{name}_pool")(x)
    return keras.layers.Add(name=f"{name}_add")([x, shortcut])


def _middle(make: Layers, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Three units with as many channels as the input and dropout, plus the input."""
    y = x
    for number in range(1, 4):
        y = _unit(make, y, x.shape[-1], name, number)
    return keras.layers.Add(name=f"{name}_add")([make.dropout(y, f"{name}_dropout"), x])
