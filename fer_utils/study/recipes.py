"""Recipes for the stronger system, tried by short trainings that differ from the first in one thing each.

All are trained on Training and judged on PublicTest alone; none scores PrivateTest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from fer_utils.records.config import Phase, RunConfig, in_words
from fer_utils.study import protocols

_LABELS = ("model", "dataset", "split", "seed", "report", "protocol", "score_test", "keep")


def changed(config: RunConfig) -> str:
    """How the recipe of one of the study's own networks differs from `protocols.compact`, in words; "" if not at all.

    Example:
        >>> changed(replace(protocols.compact()[0], cutmix=1.0, model_options={"width": 1.4}))
        'width 1.4, cutmix 1'
    """
    (plain,) = protocols.compact()
    names = [spec.name for spec in fields(config) if spec.name not in _LABELS]
    differing = {name: getattr(config, name) for name in names if getattr(config, name) != getattr(plain, name)}
    words = [in_words(differing.pop(name, {})) for name in ("model_options", "dataset_options")]
    if phases := differing.pop("phases", ()):
        sizes = "/".join(dict.fromkeys(f"{phase.size or 48}" for phase in phases))
        words.append(f"{config.epochs} epochs at {sizes} px")
    if teachers := differing.pop("teachers", ()):
        words.append(f"taught by {len(teachers)} network{'s' * (len(teachers) > 1)}")
    words += [config.precision_note.strip(", ")] if differing.pop("precision", "") else []
    words += [f"{name.replace('_', ' ')} {value:g}" if isinstance(value, (int, float)) else f"{name} {value}".strip()
              for name, value in differing.items()]  # fmt: skip
    return ", ".join(filter(None, words))


SHORT = (
    Phase(6, 0.1, "cosine", warmup_epochs=1, size=32, final_rate=0.05),
    Phase(5, 0.05, "cosine", size=40, final_rate=0.02),
    Phase(5, 0.02, "cosine"),
)
"""The phases of `protocols.compact`, 16 epochs instead of 72."""


@dataclass(frozen=True)
class Trial:
    """One change of the recipe.

    Attributes:
        change: in words.
        changes: fields of `RunConfig` that are set otherwise than in the first trial.
    """

    change: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> RunConfig:
        """The short training, in bfloat16 unless that is the change; the test part is not scored."""
        base = {"phases": SHORT, "precision": "mixed_bfloat16", "score_test": False}
        (config,) = protocols.compact(**base, protocol=protocols.VARIANT)
        return replace(config, **self.changes)


_TWICE = tuple(replace(phase, epochs=2 * phase.epochs) for phase in SHORT)
TRIALS: tuple[Trial, ...] = (
    Trial("compact, 16 epochs"),
    Trial("1.4 times as many channels", {"model_options": {"width": 1.4}}),
    Trial("the plain network of 8 convolutions", {"model": "strong_plain"}),
    Trial(
        "the residual network of 17 convolutions, narrowed",
        {"model": "strong_residual", "model_options": {"width": 0.625}},
    ),
    Trial("mixup, alpha 0.2", {"mixup": 0.2}),
    Trial("cutmix, alpha 1", {"cutmix": 1.0}),
    Trial("labels half FER+'s votes (other data)", {"dataset_options": {"labels": "votes"}}),
    Trial("moving average of the weights, 0.999", {"weight_averaging": 0.999}),
    Trial("no label smoothing", {"label_smoothing": 0.0}),
    Trial("augmentation *light*", {"augmentation": "light"}),
    Trial("48 pixels from the first epoch", {"phases": tuple(replace(phase, size=None) for phase in SHORT)}),
    Trial("32 epochs", {"phases": _TWICE}),
    Trial("float32", {"precision": "float32"}),
)
"""In the order in which they are trained."""


def full_length() -> list[RunConfig]:
    """The two best at full length: the residual network with three seeds, the wider `compact` with one.

    They are chosen between by PublicTest; the one that is declared final then scores PrivateTest
    (`training.final.declare`).
    """
    unread = {"score_test": False, "keep": ("best_validation", "last")}
    wide = protocols.stronger("compact", (0,), model_options={"width": 1.4}, **unread)
    return [*protocols.stronger("strong_residual", (0, 1, 2), **unread), *wide]
