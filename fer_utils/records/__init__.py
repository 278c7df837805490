"""What a training is and what it leaves behind: configurations, records of runs and of measurements, their checks.

Comes in: a `RunConfig`, a training's history and predictions. Goes out: a folder that anyone can read and verify, and
`Record` and `Measurement`, which read it. Metrics are computed from what is stored, never from what a caller says.

`config` says what a run is, `store` finds, writes and verifies records, `schema` and `contents` say what may stand in
them.
"""

from fer_utils.records.store import (
    Measurement,
    Record,
    find,
    find_all,
    half_path,
    identify,
    is_done,
    measure,
    measured,
    verify,
    weights_path,
    write,
)

__all__ = [
    "Measurement",
    "Record",
    "find",
    "find_all",
    "half_path",
    "identify",
    "is_done",
    "measure",
    "measured",
    "verify",
    "weights_path",
    "write",
]
