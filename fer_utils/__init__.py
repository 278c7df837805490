"""Facial-expression recognition, measured: the package behind the study's notebooks.

    from fer_utils import EmotionRecognizer, RunConfig, build, load, run, run_study
    from fer_utils.training import Phase

    faces = load("ckplus")                      # a dataset, whatever layout it lies in
    record = run(RunConfig("tiny", "synthetic", phases=(Phase(5, 1e-3),)))
    EmotionRecognizer()("photo.jpg")            # faces with their predicted expressions

The rooms, in the order in which data passes through them (imports run one way, `make lint` holds it):
`files`, `evaluation`; `data`, `models`; `records`; `training`; `study`; `analysis`; `report`. `plots` draws,
`live` recognises faces in pictures, videos and cameras.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_utils.data import load
    from fer_utils.live import EmotionRecognizer
    from fer_utils.models import build
    from fer_utils.records.config import Phase, RunConfig
    from fer_utils.study import run_study
    from fer_utils.training import run

from fer_utils.files import hushing

__version__ = "0.1.0"

_HOMES = {
    "EmotionRecognizer": "fer_utils.live",
    "Phase": "fer_utils.records.config",
    "RunConfig": "fer_utils.records.config",
    "build": "fer_utils.models",
    "load": "fer_utils.data",
    "run": "fer_utils.training",
    "run_study": "fer_utils.study",
}
__all__ = ["EmotionRecognizer", "Phase", "RunConfig", "build", "load", "run", "run_study"]

# ONNX Runtime 1.29 and later reports its sessions to its maker and writes an identifier into the user's home, unless
# this is set before it is first used. This package promises that nothing is sent anywhere.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# TensorFlow, where the study uses it, greets with lines about the machine that tell a reader nothing.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
hushing.hush("tensorflow")


def __getattr__(name: str) -> Any:
    """The public names, each imported when it is first asked for: `import fer_utils` itself costs next to nothing."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
