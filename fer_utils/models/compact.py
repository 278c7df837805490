"""The study's own small networks: `compact` for CPUs and the live demo, `tiny` for quick runs and tests."""

import keras

from fer_utils.models.common import Layers, Settings, scaled

STAGES: tuple[tuple[int, int], ...] = ((48, 1), (96, 2), (192, 1), (320, 1))
"""Channels and residual blocks."""


def compact(settings: Settings, width: float = 1.0) -> keras.Model:
    """Residual CNN of 2.40 M parameters; 99.8 M multiply-adds at 48 x 48 pixels, 73.5 M at 40 x 40.

    A 3x3 convolution and max pooling, then residual blocks of two 3x3 convolutions: 48, 96 (two blocks), 192 and
    320 channels at 24, 12, 6 and 3 pixels. Pooling comes before the stem's normalisation, so that this runs on a
    quarter of the pixels. The last stage is narrow: its weights would otherwise be most of the file, which as
    float16 must stay below 5 MB. Any size of at least 16, or None. `width` is a factor of all channels; with 1.4 the
    network has 4.69 M parameters and costs 194 M multiply-adds.
    """
    make = Layers(settings)
    image = make.image()
    stages = tuple((scaled(filters, width), blocks) for filters, blocks in STAGES)
    x = make.conv(image, stages[0][0], 3, "stem_conv", bias=False)
    x = keras.layers.MaxPooling2D(2, name="stem_pool")(x)
    x = make.relu(make.norm(x, "stem_norm"), "stem_relu")
    return make.model(image, residual_stages(make, x, stages))


def residual_stages(make: Layers, x: keras.KerasTensor, stages: tuple[tuple[int, int], ...]) -> keras.KerasTensor:
    """Stages of (channels, residual blocks), global average pooling and dropout: features (batch, last channels)."""
    for stage, (filters, blocks) in enumerate(stages, start=1):
        for block in range(1, blocks + 1):
            x = _residual(make, x, filters, f"stage{stage}_block{block}")
    return make.dropout(keras.layers.GlobalAveragePooling2D(name="pool")(x), "dropout")


def _residual(make: Layers, x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions plus the input; where the channels change, height and width halve.

    The shortcut then averages 2x2 pixels before its 1x1 convolution (He et al. 2019, ResNet-D): no pixel
    is left out.
    """
    halve = x.shape[-1] != filters
    shortcut = x
    if halve:
        shortcut = keras.layers.AveragePooling2D(2, padding="same", name=f"{name}_shortcut_pool")(x)
        shortcut = make.conv(shortcut, filters, 1, f"{name}_shortcut_conv", bias=False)
        shortcut = make.norm(shortcut, f"{name}_shortcut_norm")
    y = make.conv(x, filters, 3, f"{name}_conv1", strides=2 if halve else 1, bias=False)
    y = make.relu(make.norm(y, f"{name}_norm1"), f"{name}_relu1")
    y = make.norm(make.conv(y, filters, 3, f"{name}_conv2", bias=False), f"{name}_norm2")
    y = keras.layers.Add(name=f"{name}_add")([y, shortcut])
    return make.relu(y, f"{name}_relu2")


def tiny(settings: Settings, width: float = 1.0) -> keras.Model:
    """Three convolutions of 16, 32 and 64 filters, each normalised and pooled, and a head on 6 x 6 x 64.

    About 40 thousand parameters and 5.7 M multiply-adds at 48 pixels: seconds of training. The head sees
    places (Flatten rather than global pooling), because faces are aligned and a few steps must do. `width` is a
    factor of the filters.
    """
    make = Layers(settings)
    x = image = make.image()
    for number, filters in enumerate((16, 32, 64), start=1):
        x = make.conv(x, scaled(filters, width), 3, f"block{number}_conv1", bias=False)
        x = keras.layers.MaxPooling2D(2, name=f"block{number}_pool")(x)
        x = make.relu(make.norm(x, f"block{number}_norm1"), f"block{number}_relu1")
    x = make.dropout(keras.layers.Flatten(name="flatten")(x), "dropout")
    return make.model(image, x)
