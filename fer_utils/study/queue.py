"""The full study's trainings on a GPU, most valuable first: `python -m fer_utils queue`.

Several run side by side on the one device. The time at hand may be limited: what is under way then is stopped, and goes
on from its checkpoint at the next call. Notebooks load what is finished.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from fer_utils import records
from fer_utils.data.splits import SplitSpec
from fer_utils.files.paths import store_for
from fer_utils.records.config import Phase, RunConfig
from fer_utils.study import protocols

SEEDS = (0, 1, 2)
LOSSES = ("cross_entropy", "l2_svm", "weston_watkins", "crammer_singer")
PLAIN = ("cutm2024", "iitk2023_model1", "iitk2023_model2", "colab2023")
BACKBONES = ("resnet50", "vgg16", "efficientnetb0")
N_TRAIN = {"fer2013": 28_709, "ferplus": 25_060, "ckplus": 785, "synthetic": 756}
"""Training images of a run, to foresee its time; those of CK+48 are about what a fold leaves."""

_MODEL2 = "iitk2023_model2"
_CHECKPOINT_SECONDS = 20.0


@dataclass(frozen=True)
class Item:
    """Trainings that answer one question.

    Attributes:
        name: short, as `--items` takes it.
        question: what they answer.
        configs: the runs, in order.
    """

    name: str
    question: str
    configs: tuple[RunConfig, ...]


def items() -> list[Item]:
    """The queue, most valuable first. Tuning is not in it: `python -m fer_utils tune`."""
    losses = {data: _losses(data, "sound") for data in ("fer2013", "ckplus")}
    switched = [_configs(_MODEL2, "fer2013", "sound", augmentation=policy) for policy in ("none", "iitk2023")]
    backbones = [_configs("resnet_transfer", "fer2013", "sound", model_options={"backbone": b}) for b in BACKBONES]
    folds = _configs("psg2025", "ckplus", "sound")
    return [
        _item(
            "plain", "the plain CNNs of three reports on FER2013",
            *(_configs(model, "fer2013", protocol) for model in PLAIN for protocol in ("sound", "reported")),
        ),
        _item("losses", "Model 2: four losses, augmentation on and off, FER2013", losses["fer2013"], *switched),
        _item("losses-ckplus", "Model 2: four losses on CK+48", _losses("ckplus", "reported"), losses["ckplus"]),
        _item(
            "psg", "psg2025 on CK+48, and one seed on FER2013", _configs("psg2025", "ckplus", "reported"),
            _stratified("ckplus"), folds, _configs("psg2025", "fer2013", "sound", seeds=(0,)),
        ),
        _item("attention", "psg2025's first block without attention, with channel attention, with CBAM", _attention()),
        _item("backbones", "large networks on FER2013 from random weights", *backbones),
        _item("compact", "the small network on FER2013", protocols.compact(SEEDS)),
        _item("transfer", "the small network from FER2013 to CK+48, for each of its runs on record", _transfer()),
        _item("strong", "the stronger system on FER2013", *(protocols.stronger(m, SEEDS) for m in protocols.STRONG)),
        _item(
            "ferplus", "the stronger system on FER+",
            *(protocols.stronger(model, SEEDS, "ferplus") for model in protocols.STRONG),
        ),
        _item("psg-folds", "psg2025 in five folds of FER2013", _stratified("fer2013")),
    ]  # fmt: skip


def _item(name: str, question: str, *groups: Sequence[RunConfig]) -> Item:
    return Item(name, question, tuple(config for group in groups for config in group))


def _configs(model: str, dataset: str, protocol: str, seeds: Sequence[int] = SEEDS, **changes: Any) -> list[RunConfig]:
    return protocols.configs(model, dataset, protocol, seeds=seeds, **changes)


def _losses(dataset: str, protocol: str) -> list[RunConfig]:
    return [c for loss in LOSSES for c in _configs(_MODEL2, dataset, protocol, seeds=range(5), loss=loss)]


def _stratified(dataset: str) -> list[RunConfig]:
    """psg2025's five folds: of images, whoever is on them (its table 5.8)."""
    (base,) = _configs("psg2025", dataset, "reported", seeds=(0,))
    return [replace(base, split=split) for split in SplitSpec("kfold", n_folds=5).folds()]


def _attention() -> list[RunConfig]:
    """The variants that notebook 04 compares: the first block, the first fold, validation only."""
    first = {"epochs": protocols.recipe("psg2025", "ckplus").epochs, "keep": ("last",), "score_test": False}
    found = []
    for kind in ("none", "se", "cbam"):
        runs = _configs("psg2025", "ckplus", "sound", model_options={"attention": kind}, **first)
        found += [replace(c, phases=c.phases[:1]) for c in runs if c.split.fold == 0]
    return found


def _transfer() -> list[RunConfig]:
    """As notebook 07 declares it: folds of persons, the head alone and then all layers, beside random weights."""
    at_once = (Phase(12, 1e-3, "cosine", warmup_epochs=1),)
    in_two = (Phase(3, 1e-3, trainable="head"), Phase(9, 3e-4, "cosine"))
    found = []
    for config in protocols.compact(SEEDS):
        base = RunConfig(
            "compact", "ckplus", at_once, score_test=True, batch_size=16, augmentation="light", seed=config.seed
        )
        starts = [base]
        if parent := records.find(config, store_for("fer2013")):
            starts.append(replace(base, phases=in_two, start_from=parent.id))
        found += [replace(start, split=split) for start in starts for split in protocols.sound_splits("ckplus")]
    return found


def chosen(names: Sequence[str] = ()) -> list[Item]:
    """The items of these names in the queue's order; all without names.

    Raises:
        ValueError: no such item.
    """
    known = {item.name: item for item in items()}
    if unknown := set(names) - set(known):
        raise ValueError(f"Items of the queue are {', '.join(known)}; got {', '.join(sorted(unknown))}.")
    return [item for name, item in known.items() if not names or name in names]


def missing(item: Item) -> list[RunConfig]:
    """Its runs that are not on record, each once."""
    unique = {config.key: config for config in item.configs}
    return [c for c in unique.values() if not records.find(c, store_for(c.dataset))]


def table(found: Sequence[Item], speeds: Mapping[str, float] | None = None) -> pd.DataFrame:
    """One row per item: its runs, how many are missing, what they will take.

    Args:
        found: items.
        speeds: images per second by `speed_key`, see `fer_utils.study.speed_probe`; without, hours are not foreseen.
    """
    rows = []
    for item in found:
        left = missing(item)
        known = all(hours(config, speeds or {}) is not None for config in left)
        rows.append({
            "item": item.name, "question": item.question, "runs": len({c.key for c in item.configs}),
            "missing": len(left), "million images": round(sum(map(_images, left)) / 1e6, 1),
            "hours alone": f"{sum(hours(c, speeds) for c in left):.2f}" if known and speeds else "not measured",
        })  # fmt: skip
    return pd.DataFrame(rows).set_index("item")


def _images(config: RunConfig) -> int:
    return config.epochs * N_TRAIN[config.dataset]


def speed_key(config: RunConfig, size: int | None) -> str:
    """What the images per second of a phase depend on: network, side of the image, batch, augmentation."""
    options = "".join(f" {name}={value}" for name, value in sorted(config.model_options.items()))
    return f"{config.model}{options}, {size or 48} px, batch {config.batch_size}, {config.augmentation}"


def hours(config: RunConfig, speeds: Mapping[str, float]) -> float | None:
    """How long a run takes alone on the device, or None where its speed was not measured."""
    found = [(phase.epochs, speeds.get(speed_key(config, phase.size))) for phase in config.phases]
    if not all(speed for _, speed in found):
        return None
    return sum(epochs * N_TRAIN[config.dataset] / speed for epochs, speed in found) / 3600


def run(found: Sequence[Item], workers: int = 1, minutes: float | None = None, root: Path | None = None) -> pd.Series:
    """Train what is missing, in order, `workers` runs at a time.

    Args:
        found: items.
        workers: processes side by side on the one device.
        minutes: stop after so long; a run under way goes on from its checkpoint at the next call.
        root: where the datasets lie.

    Returns:
        What became of each run, by a readable name: `"done"`, `"under way"`, `"not begun"`, or an error.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several processes share the device's memory
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    end = time.monotonic() + 60 * minutes if minutes else None
    configs = {_name(config): config for item in found for config in missing(item)}
    state = dict.fromkeys(configs, "not begun")
    with multiprocessing.get_context("spawn").Pool(workers) as pool:  # leaving it ends what is under way
        answers = pool.imap_unordered(_train, [(name, c.to_dict(), root) for name, c in configs.items()])
        for _ in configs:
            try:
                name, what = answers.next(None if end is None else max(end - time.monotonic(), 0.0))
            except multiprocessing.TimeoutError:
                break
            state[name] = what
            print(f"{name}: {what}", flush=True)
    for name, config in configs.items():
        begun = any(path.is_dir() for path in store_for(config.dataset).glob(f"*-{config.key}-*"))
        state[name] = "under way" if state[name] == "not begun" and begun else state[name]
    return pd.Series(state, dtype=str)


def _name(config: RunConfig) -> str:
    return f"{config.dataset} {config.model} {config.split.kind} seed {config.seed} {config.key}"


def _train(job: tuple[str, dict[str, Any], Path | None]) -> tuple[str, str]:
    name, values, root = job
    try:
        from fer_utils.training import run as train

        train(RunConfig.from_dict(values), root=root, checkpoint_seconds=_CHECKPOINT_SECONDS)
    except Exception as error:  # whatever stops one run must not stop the others; it is named at the end
        return name, f"failed: {type(error).__name__}: {error}"
    return name, "done"
