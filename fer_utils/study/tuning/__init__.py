"""Searches over hyper-parameters: what may vary, how it is searched, and what a search has found.

Comes in: a `Search`. Goes out: a measurement record of its trials, each of which is a run of its own.
`plans` says what may vary and which trials a method makes of it, `searches` carries a search out, loads and reads it,
`run_tuner` lets KerasTuner's oracles decide what is tried next.
"""

from fer_utils.study.tuning.plans import SPACES, Search, final, hyperband_plan, plan, space_table
from fer_utils.study.tuning.searches import available, full_length, on_record, search, trials, winner

__all__ = [
    "SPACES",
    "Search",
    "available",
    "final",
    "full_length",
    "hyperband_plan",
    "on_record",
    "plan",
    "search",
    "space_table",
    "trials",
    "winner",
]
