"""The plain CNNs of three reports, as their tables print them (convolutions, pooling, dense layers).

The ReLU belongs to the convolution or dense layer and comes before the batch normalisation: Table 4.2 of iitk2023
and section 3.3 of cutm2024 say so, and no printed table lists activations as layers of their own. That colab2023
used ReLU is *ours*: it names no activation. The last layer gives logits.
"""

import keras

from fer_utils.models.common import Layers, Settings, require_depth, scaled

Convolution = tuple[int, int, str]  # filters, kernel, padding


def _block(
    make: Layers, x: keras.KerasTensor, name: str, *convolutions: Convolution, norm: str
) -> keras.KerasTensor:
    """Convolutions with ReLU, BatchNorm after `norm` = "each" | "last" | "none", 2x2 max pooling, dropout."""
    for i, (filters, kernel, padding) in enumerate(convolutions, start=1):
        x = make.conv(x, filters, kernel, f"{name}_conv{i}", padding=padding, activation="relu")
        if norm == "each" or (norm == "last" and i == len(convolutions)):
            x = make.norm(x, f"{name}_norm{i}")
    x = keras.layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    return make.dropout(x, f"{name}_dropout")


def _dense(make: Layers, x: keras.KerasTensor, units: int, name: str) -> keras.KerasTensor:
    """Dense layer with ReLU, then BatchNorm and dropout: (batch, features) to (batch, units)."""
    x = make.norm(make.dense(x, units, name), f"{name}_norm")
    return make.dropout(x, f"{name}_dropout")


def cutm2024(settings: Settings, dense_layers: int = 1) -> keras.Model:
    """The CNN of `cutm2024` (Figure 8): 1,375,175 parameters at 48 pixels and 7 classes.

    Two blocks of two valid convolutions (64 at 5x5, 128 at 3x3), each with dropout 0.4, and one dense
    layer of 128. No batch normalisation.

    Args:
        settings: Common settings.
        dense_layers: Dense layers of 128 before the scores, in 1..4. The printed summary has 1, the text of
            section 3.3 has 2 (16,512 parameters more).

    Raises:
        ValueError: For a number of dense layers out of range.
    """
    if dense_layers not in range(1, 5):
        raise ValueError(f"cutm2024 has 1 to 4 dense layers; got {dense_layers!r}. Its summary has 1, its text 2.")
    make = Layers(settings)
    image = make.image()
    x = _block(make, image, "block1", (64, 5, "valid"), (64, 5, "valid"), norm="none")
    x = _block(make, x, "block2", (128, 3, "valid"), (128, 3, "valid"), norm="none")
    x = keras.layers.Flatten(name="flatten")(x)
    for number in range(1, dense_layers + 1):
        x = make.dense(x, 128, f"dense{number}")
    return make.model(image, x)


def iitk2023_model1(settings: Settings) -> keras.Model:
    """Model 1 of `iitk2023` (Table 4.1): 824,679 parameters at 48 pixels and 7 classes.

    The table prints 71,655 parameters for the last layer, where 1024 x 7 + 7 = 7,175: its rows sum to
    889,159 with the former and to 824,679 with the latter. The text names one more dense layer than the
    table; we build the table.
    """
    make = Layers(settings)
    image = make.image()
    x = _block(make, image, "block1", (32, 3, "valid"), (32, 3, "valid"), norm="last")
    x = _block(make, x, "block2", (64, 3, "valid"), (64, 3, "valid"), norm="each")
    x = _block(make, x, "block3", (128, 3, "valid"), (128, 3, "valid"), norm="each")
    x = keras.layers.Flatten(name="flatten")(x)
    return make.model(image, _dense(make, x, 1024, "dense1"))


def _five_convolutions(settings: Settings, first_padding: str, width: float = 1.0, depth: int = 4) -> keras.Model:
    """The network that iitk2023 Model 2 and colab2023 share up to the padding of the first convolution."""
    make = Layers(settings)
    image = make.image()
    first, second, third, wide, dense1, dense2 = (scaled(n, width) for n in (32, 64, 128, 512, 256, 512))
    x = _block(make, image, "block1", (first, 3, first_padding), (second, 3, "same"), norm="last")
    x = _block(make, x, "block2", (third, 5, "same"), norm="last")
    for number in range(3, depth + 1):
        x = _block(make, x, f"block{number}", (wide, 3, "same"), norm="last")
    x = keras.layers.Flatten(name="flatten")(x)
    x = _dense(make, x, dense1, "dense1")
    return make.model(image, _dense(make, x, dense2, "dense2"))


def iitk2023_model2(settings: Settings, width: float = 1.0, depth: int = 4) -> keras.Model:
    """Model 2 of `iitk2023` (Table 4.2): 3,841,543 parameters at 48 pixels and 7 classes (3.8 M claimed).

    Args:
        settings: Common settings.
        width: Factor of all channels and dense units, in (0, 4]; the report's is 1.
        depth: Blocks, each of which halves height and width, in 2..5; the report's is 4. All from the third on
            have 512 channels.

    Raises:
        ValueError: For a width or depth out of range, or blocks that leave no pixel.
    """
    require_depth(depth, 2, 5)
    if settings.size - 2 < 2**depth:
        raise ValueError(
            f"{depth} blocks halve the image {depth} times and need at least {2**depth + 2} pixels; "
            f"got {settings.size}. Pass larger images or a smaller depth."
        )
    return _five_convolutions(settings, "valid", width, depth)


def colab2023(settings: Settings) -> keras.Model:
    """The CNN of `colab2023`: 4,496,903 parameters, 4,492,935 of them trainable, at 48 pixels and 7 classes.

    It is iitk2023's Model 2 with a padded first convolution, so that 3 x 3 x 512 features are flattened
    instead of 2 x 2 x 512. The report gives no dropout rate: 0.25 is *ours*.
    """
    return _five_convolutions(settings, "same")
