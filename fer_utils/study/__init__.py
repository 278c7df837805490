"""Many runs: the reports' recipes and protocols, what trains them, and what they say together.

Comes in: names of systems, datasets and protocols. Goes out: configurations, their records, and pooled results.
`protocols` turns a report into configurations, `runs` trains or loads many through any executor, `pooling` says what
they say together, `queue` orders what is still missing, `tuning` searches, `notebooks` executes the lessons under a
profile.
"""

from fer_utils.study.executors import process_pool
from fer_utils.study.pooling import Pooled, by_configuration, by_name, by_seed, pool, result, results_table
from fer_utils.study.runs import (
    StudyError,
    available,
    comparable,
    cost,
    free_store,
    listing,
    matching,
    not_measured,
    on_record,
    rerun,
    run_study,
    shipped,
    siblings,
    with_weights,
)

__all__ = [
    "Pooled",
    "StudyError",
    "available",
    "by_configuration",
    "by_name",
    "by_seed",
    "comparable",
    "cost",
    "free_store",
    "listing",
    "matching",
    "not_measured",
    "on_record",
    "pool",
    "process_pool",
    "rerun",
    "result",
    "results_table",
    "run_study",
    "shipped",
    "siblings",
    "with_weights",
]
