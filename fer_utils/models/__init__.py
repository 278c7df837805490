"""Networks by family, their losses, and weights read safely: `build(name)` gives any network, `names()` lists them.

Comes in: a name and options. Goes out: a Keras model from images in [0, 1] to logits. `own` builds what a user's own
module defines, `common` holds what all families share, `summary` says what a network consists of.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from fer_utils.models import compact, plain, strong, transfer, xception
from fer_utils.models.common import COMMON_OPTIONS, INITIALIZERS, Settings
from fer_utils.models.own import build_own, is_own
from fer_utils.models.summary import cost_by_part, graph_hash, multiply_adds, receptive_fields, summary_table

__all__ = [
    "COMMON_OPTIONS",
    "INITIALIZERS",
    "build",
    "cost_by_part",
    "graph_hash",
    "is_own",
    "multiply_adds",
    "names",
    "options",
    "receptive_fields",
    "summary_table",
]


@dataclass(frozen=True)
class _Family:
    """One network: its builder, where its values differ from `Settings`, its own options, its sizes."""

    builder: Callable[..., keras.Model]
    values: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)
    least_size: int = 16
    any_size: bool = False


_IITK2023 = {"dropout": 0.25, "initializer": "gaussian_fan_in"}
_OURS = {"batch_norm_momentum": 0.9, "initializer": "he_normal"}
_FAMILIES: Mapping[str, _Family] = {
    "cutm2024": _Family(plain.cutm2024, {"dropout": 0.4}, {"dense_layers": 1}, least_size=20),
    "iitk2023_model1": _Family(plain.iitk2023_model1, _IITK2023, least_size=36),
    "iitk2023_model2": _Family(plain.iitk2023_model2, _IITK2023, {"width": 1.0, "depth": 4}, least_size=18),
    "colab2023": _Family(plain.colab2023, {"dropout": 0.25}),
    "psg2025": _Family(
        xception.psg2025,
        {"dropout": 0.5, "head_l2": 0.01},
        {"attention": "spatial", "width": 1.0, "depth": 8},
        any_size=True,
    ),
    "resnet_transfer": _Family(
        transfer.resnet_transfer,
        {"initializer": "he_normal"},
        {"weights": None, "backbone": "resnet50"},
        least_size=32,
        any_size=True,
    ),
    "compact": _Family(compact.compact, {"dropout": 0.3, **_OURS}, {"width": 1.0}, any_size=True),
    "strong_residual": _Family(strong.strong_residual, {"dropout": 0.4, **_OURS}, {"width": 1.0}, any_size=True),
    "strong_plain": _Family(strong.strong_plain, {"dropout": 0.4, **_OURS}, any_size=True),
    "tiny": _Family(compact.tiny, {"dropout": 0.2, **_OURS}, {"width": 1.0}),
}


def names() -> tuple[str, ...]:
    """Names that `build` knows."""
    return tuple(_FAMILIES)


def options(name: str) -> dict[str, Any]:
    """The options of one network with the values it takes when nothing is said.

    Raises:
        ValueError: If `name` is not one of `names()`; what a user's own function takes is not known.
    """
    family = _family(name)
    settings = Settings(name, **family.values)
    return {option: getattr(settings, option) for option in COMMON_OPTIONS} | dict(family.own)


def build(name: str, n_classes: int = 7, size: int | None = 48, **options: Any) -> keras.Model:
    """Builds one of the study's networks.

    Input `image`: float32 in [0, 1], (batch, size, size, 1). Output of the last layer, `logits`: float32
    scores (batch, n_classes), no softmax. The graph is flat (no model inside the model), every layer has a
    descriptive name, and all initial weights and dropout masks follow from `seed` (for one backend).

    Args:
        name: One of `names()`, or `"module:function"` for a network of the user's own, see `own.build_own`.
        n_classes: Number of scores, at least 2.
        size: Height and width in pixels; None (any) where the network ends in global pooling.
        **options: For every network `dropout`, `initializer` (key of `INITIALIZERS`), `head_l2`,
            `batch_norm_momentum` and `seed`; None stands for the network's own value, see `options(name)`.
            For iitk2023_model2, psg2025, compact, strong_residual and tiny also `width`, a factor of all channels, and
            for the first two `depth`, their number of (middle) blocks. For psg2025 also `attention` ("spatial",
            "none", "se", "cbam"), for cutm2024 `dense_layers`, for resnet_transfer `weights` (None, "imagenet", or a
            path) and `backbone` ("resnet50", "vgg16", "efficientnetb0").

    Raises:
        ValueError: For an unknown name, option or value; says which there are.

    Example:
        >>> model = build("cutm2024")
        >>> model.input_shape, model.output_shape, model.count_params()
        ((None, 48, 48, 1), (None, 7), 1375175)
    """
    if is_own(name):
        return build_own(name, n_classes, size, **{k: v for k, v in options.items() if k != "seed"})
    family = _family(name)
    allowed = (*COMMON_OPTIONS, *family.own)
    unknown = [option for option in options if option not in allowed]
    if unknown:
        raise ValueError(
            f"Options of {name!r} must be among {', '.join(allowed)}; got {', '.join(unknown)}. "
            "Leave out or correct the others."
        )
    _check_size(name, size, family)
    common = {k: v for k, v in options.items() if k in COMMON_OPTIONS and v is not None}
    settings = Settings(name, n_classes, size, **{**family.values, **common})
    own = {k: v for k, v in options.items() if k in family.own and v is not None}
    return family.builder(settings, **own)


def _family(name: str) -> _Family:
    if name not in _FAMILIES:
        raise ValueError(
            f"The network must be one of {', '.join(_FAMILIES)}, or a function of your own as 'module:function'; "
            f"got {name!r}. Choose one of these."
        )
    return _FAMILIES[name]


def _check_size(name: str, size: int | None, family: _Family) -> None:
    if size is None and not family.any_size:
        raise ValueError(f"The size of {name!r} must be given (it flattens its features); got None.")
    if isinstance(size, int) and size < family.least_size:
        raise ValueError(
            f"The size of {name!r} must be at least {family.least_size} pixels; got {size!r}. "
            "Pass larger images, or another network."
        )
