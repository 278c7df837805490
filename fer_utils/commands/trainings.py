"""`queue` and `tune`: many trainings."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    """Add this module's commands to the command line."""
    _add_queue(commands)
    _add_tune(commands)


def _add_queue(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("queue", help="the full study's trainings, most valuable first, on any machine")
    parser.add_argument("--run", action="store_true", help="train what is missing")
    parser.add_argument("--probe", action="store_true", help="measure how fast each network trains here, and keep it")
    parser.add_argument("--items", nargs="+", default=(), metavar="ITEM", help="only these (default: all)")
    parser.add_argument("--workers", type=int, help="trainings side by side (default: as many as pay, measured)")
    parser.add_argument("--minutes", type=float, help="stop after so long; what is under way goes on at the next call")
    parser.add_argument("--float32", action="store_true", help="also what the study trains in bfloat16")
    parser.add_argument("--steps", type=int, default=6, help="timed steps of each network (default: 6)")
    parser.add_argument("--root", type=Path, help="where the datasets lie")
    parser.set_defaults(command=_queue)


def _add_tune(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("tune", help="search hyper-parameters, or go on with a search that was killed")
    parser.add_argument("model", help="iitk2023_model2, psg2025 or tiny")
    parser.add_argument("dataset", help="fer2013, ckplus or synthetic")
    parser.add_argument("--method", default="hyperband", help="hyperband (default), bayesian or random")
    parser.add_argument("--epochs", type=int, default=10, help="of the longest trial (default: 10)")
    parser.add_argument("--factor", type=int, default=3, help="of Hyperband: one in so many goes on (default: 3)")
    parser.add_argument("--trials", type=int, help="of a bayesian or random search (default: at Hyperband's cost)")
    parser.add_argument("--folds", type=int, default=5, help="folds of CK+48, the first of which is used")
    parser.add_argument("--momentum", type=float, default=0.9, help="batch_norm_momentum of the network (default: 0.9)")
    parser.add_argument("--subjects", type=int, help="number of synthetic people")
    parser.add_argument("--root", type=Path, help="where the dataset lies")
    parser.set_defaults(command=_tune)


def _queue(options: argparse.Namespace) -> int:
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the trainings' processes need the memory
    from fer_utils.study import queue, speed_probe

    found = queue.chosen(options.items)
    found = [queue.in_float32(item) for item in found] if options.float32 else found
    if options.run or options.probe:
        speed_probe.run(found, options.steps)
    found = queue.ordered(found, speed_probe.speeds())
    print(queue.table(found, speed_probe.speeds()).to_string(), flush=True)
    if not options.run:
        return 0
    from fer_utils.analysis import keepsakes
    from fer_utils.live.measurements import bench

    workers = options.workers or speed_probe.paying(found, options.steps)
    then, cores = (keepsakes.AFTERWARDS, bench.AFTERWARDS), speed_probe.shares(workers)
    state = queue.run(found, workers, options.minutes, options.root, cores=cores, then=then)
    counted = state.str.partition(":")[0].value_counts()
    print(counted.to_string(header=False) if len(state) else "Everything is on record.")
    return 1 if state.str.startswith("failed").any() else 0


def _tune(options: argparse.Namespace) -> int:
    from fer_utils.study import tuning

    plan = tuning.plan(
        options.model, options.dataset, options.method, max_epochs=options.epochs, trials=options.trials,
        factor=options.factor, n_folds=options.folds, model_options={"batch_norm_momentum": options.momentum},
        dataset_options={"n_subjects": options.subjects} if options.subjects else {},
    )  # fmt: skip
    if found := tuning.search(plan, root=options.root):
        print(tuning.trials(found).drop(columns=["run", "parent"]).to_string(index=False))
        print(f"{found.path}")
    return 0
