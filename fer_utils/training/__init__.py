"""One training, from a configuration to a record; killed at any moment, it goes on where it was.

Comes in: a `RunConfig` and a dataset. Goes out: a `Record`, and beside it the weights of the kept epochs.

Read it in this order: `setup` builds what a configuration asks for, `loop` trains it epoch by epoch, `checkpoint` keeps
a training that may be killed, `scoring` predicts with the kept weights. `backend` and `devices` hold what Keras's
backends and several devices need, `faster_layers` makes a step on a CPU faster, `averaging` averages weights over
steps, `weights` finds trained ones again, `final` scores the test part of a run after it was chosen.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_utils.records.config import Phase, RunConfig
    from fer_utils.training.loop import run
    from fer_utils.training.scoring import predict_logits

_HOMES = {
    "Phase": "fer_utils.records.config",
    "RunConfig": "fer_utils.records.config",
    "predict_logits": "fer_utils.training.scoring",
    "run": "fer_utils.training.loop",
}
__all__ = ["Phase", "RunConfig", "predict_logits", "run"]


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for, since they bring Keras with them."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
