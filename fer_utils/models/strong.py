"""The stronger system's networks, trained from scratch: a residual one and a plain one."""

import keras

from fer_utils.models.common import Layers, Settings, scaled
from fer_utils.models.compact import residual_stages

RESIDUAL_STAGES: tuple[tuple[int, int], ...] = ((64, 2), (128, 2), (256, 2), (512, 2))
"""Channels and residual blocks: the ResNet18 of small images (He et al. 2016)."""

PLAIN_STAGES: tuple[int, ...] = (64, 128, 256, 512)
"""Channels of the four pairs of convolutions (the short VGG that works on FER2013)."""


def strong_residual(settings: Settings, width: float = 1.0) -> keras.Model:
    """ResNet18 with a 3x3 stem at full resolution and shortcuts that pool: 11.2 M parameters.

    Eight residual blocks of two 3x3 convolutions at 48, 24, 12 and 6 pixels (for 48 x 48 images), global average
    pooling, dropout. Any size of at least 16, or None. `width` is a factor of all channels; with 0.625 the network has
    4.37 M parameters, whose float16 file is below 10 MB.
    """
    make = Layers(settings)
    image = make.image()
    stages = tuple((scaled(filters, width), blocks) for filters, blocks in RESIDUAL_STAGES)
    x = make.conv(image, stages[0][0], 3, "stem_conv", bias=False)
    x = make.relu(make.norm(x, "stem_norm"), "stem_relu")
    return make.model(image, residual_stages(make, x, stages))


def strong_plain(settings: Settings) -> keras.Model:
    """Eight 3x3 convolutions in pairs of 64, 128, 256 and 512 channels, each pair pooled: 4.7 M parameters.

    Every convolution is normalised; global average pooling and dropout before the head. Any size of at least 16, or
    None.
    """
    make = Layers(settings)
    x = image = make.image()
    for stage, filters in enumerate(PLAIN_STAGES, start=1):
        for number in (1, 2):
            x = make.conv(x, filters, 3, f"stage{stage}_conv{number}", bias=False)
            x = make.relu(make.norm(x, f"stage{stage}_norm{number}"), f"stage{stage}_relu{number}")
        x = keras.layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return make.model(image, make.dropout(x, "dropout"))
