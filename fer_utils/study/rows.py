"""The trainings that the study wants, in the order in which it wants them: `items()` says which question each answers.

First come the rows of the main figure, each system at its report's own budget, then what the notebooks promise beside
them. Every item can be trained on any machine. What a row needs that no report describes is declared here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fer_utils import records
from fer_utils.data.splits import SplitSpec
from fer_utils.files.paths import store_for
from fer_utils.records.config import Phase, RunConfig
from fer_utils.study import protocols, recipes

if TYPE_CHECKING:
    from fer_utils.study.tuning import Search

SEEDS = (0, 1, 2)
LOSSES = ("cross_entropy", "l2_svm", "weston_watkins", "crammer_singer")
BACKBONES = ("resnet50", "vgg16", "efficientnetb0")
ATTENTIONS = ("none", "se", "cbam")
"""Kinds of attention beside the report's own, `"spatial"`."""

REDUCED = {"psg2025": (12, 4, 2)}
"""Epochs on FER2013, by phase, of the systems whose report's budget is beyond a CPU: what two cores of an Intel Xeon
train in two and a half hours or less. Such a row is shown as reduced."""

_MODELS = ("iitk2023_model1", "iitk2023_model2")
_MODEL1, _MODEL2 = _MODELS


@dataclass(frozen=True)
class Item:
    """Trainings that answer one question.

    Attributes:
        name: short, as `--items` takes it.
        question: what they answer.
        configs: the runs, in order.
        searches: searches for hyper-parameters, after the runs.
        figure: whether the runs are rows of the main figure.
        by_cost: whether its runs may be reordered, the cheapest first.
    """

    name: str
    question: str
    configs: tuple[RunConfig, ...] = ()
    searches: tuple[Search, ...] = ()
    figure: bool = False
    by_cost: bool = False


def items() -> list[Item]:
    """All items: the main figure's rows, what the notebooks promise in order of value, and what needs most time."""
    return [*_figure(), *_promised(), *_large()]


def _figure() -> Iterator[Item]:
    """One seed of every system at its report's own epochs, as reported and under the sound protocol."""
    ckplus = {"model1-ckplus": _MODEL1, "model2-ckplus": _MODEL2, "psg-ckplus": "psg2025"}
    for name, model in ckplus.items():
        yield _item(name, f"{model} on CK+48, as reported and sound", _both(model, "ckplus"), figure=True)
    fer2013 = {"cutm-fer2013": "cutm2024", "model1-fer2013": _MODEL1, "model2-fer2013": _MODEL2,
               "colab-fer2013": "colab2023"}  # fmt: skip
    for name, model in fer2013.items():
        yield _item(name, f"{model} on FER2013, as reported and sound", _both(model, "fer2013"), figure=True)
    for name, model in {"resnet-fer2013": "resnet_transfer", "psg-fer2013": "psg2025"}.items():
        budget = ", reduced budget" if model in REDUCED else ""
        yield _item(name, f"{model} on FER2013{budget}", _once(model, (0,)), figure=True)


def _promised() -> Iterator[Item]:
    """What the notebooks speak of beside the main figure, most valuable first."""
    (plain,) = _configs(_MODEL1, "fer2013", "sound", (0,))
    seeds = [_both(model, "ckplus", (1, 2)) for model in _MODELS]
    yield _item("seeds-ckplus", "seeds 1 and 2 of Models 1 and 2 on CK+48", *seeds)
    yield _item(
        "precision", "what bfloat16 costs: Model 2 on CK+48 with three seeds, Model 1 on FER2013",
        _quicker(_configs(_MODEL2, "ckplus", "reported")), _quicker([plain]),
    )  # fmt: skip
    small = (protocols.compact(SEEDS), _transfer())
    yield _item("compact", "the small network on FER2013, and its transfer to CK+48", *small)
    kinds = "without attention, with channel attention, with CBAM"
    yield _item("attention", f"psg2025's first block {kinds}", _attention((0,)))
    yield _item("losses-ckplus", "Model 2: four losses on CK+48, both protocols", _losses("ckplus", (0,)))
    yield Item("searches", "Model 2 on CK+48: random and Bayesian search", searches=_searches())
    yield _item("losses-model1", "Model 1 on FER2013: cross-entropy against L2-SVM", [plain], [_svm(0)])
    yield _item("augmentation", "Model 2 on FER2013: augmentation off and on", _augmentation((0,)))
    yield _item("copies", "Model 1 on all of Training, with and without the copies of test images", copies(_MODEL1))
    yield _item("psg-folds", "psg2025 on CK+48 in five stratified folds of images", stratified("ckplus"))
    smaller = [held_out(model, 0.15, (0,)) for model in _MODELS]
    yield _item("test-size", "Models 1 and 2 on CK+48 with 148 test images", *smaller)
    yield replace(_item("seeds", "seeds 1 and 2 of everything above", *_more_seeds()), by_cost=True)


def _more_seeds() -> Iterator[list[RunConfig]]:
    more = (1, 2)
    for model, data in (("psg2025", "ckplus"), ("cutm2024", "fer2013"), (_MODEL1, "fer2013"), (_MODEL2, "fer2013"),
                        ("colab2023", "fer2013")):  # fmt: skip
        yield _both(model, data, more)
    yield from (_once(model, more) for model in ("resnet_transfer", "psg2025"))
    yield from (_attention(more), _losses("ckplus", more), _augmentation(more), [_svm(seed) for seed in more])
    yield from (held_out(model, 0.15, more) for model in _MODELS)


def _large() -> Iterator[Item]:
    """Large networks, five seeds, and folds of FER2013."""
    yield _item("losses", "Model 2 on FER2013: four losses, five seeds", _losses("fer2013", range(5)))
    trials = [trial.config for trial in recipes.TRIALS]
    yield _item("recipes", "the stronger system's recipe, by short trainings that differ in one thing", trials)
    backbones = (_configs("resnet_transfer", "fer2013", "sound", model_options={"backbone": b}) for b in BACKBONES)
    yield _item("backbones", "large networks on FER2013 from random weights", *backbones)
    yield _item("strong", "the stronger system on FER2013, before it is declared final", recipes.full_length())
    yield _item("distilled", "a slimmer compact, taught by the stronger system", _distilled())
    yield _item("ferplus", "the stronger system on FER+", protocols.stronger("strong_residual", SEEDS, "ferplus"))
    yield _item("psg-folds-fer2013", "psg2025 in five folds of FER2013", stratified("fer2013"))


def _item(name: str, question: str, *groups: Sequence[RunConfig], figure: bool = False) -> Item:
    return Item(name, question, tuple(config for group in groups for config in group), figure=figure)


def _configs(model: str, dataset: str, protocol: str, seeds: Sequence[int] = SEEDS, **changes: Any) -> list[RunConfig]:
    return protocols.configs(model, dataset, protocol, seeds=seeds, **changes)


def _both(model: str, dataset: str, seeds: Sequence[int] = (0,), **changes: Any) -> list[RunConfig]:
    return [c for p in ("reported", "sound") for c in _configs(model, dataset, p, seeds, **changes)]


def _once(model: str, seeds: Sequence[int]) -> list[RunConfig]:
    """One training serves both protocols: both go by Usage and choose on validation.

    The ResNet starts from ImageNet's weights where Keras's file of them is on this machine, else from random ones.
    """
    from fer_utils.models import transfer  # and with it Keras

    pretrained = model == "resnet_transfer" and transfer.imagenet_file("resnet50").is_file()
    options = {"model_options": {"weights": "imagenet"}} if pretrained else {}
    return _configs(model, "fer2013", "reported", seeds, epochs=REDUCED.get(model), **options)


def _quicker(configs: Sequence[RunConfig]) -> list[RunConfig]:
    return [replace(config, precision="mixed_bfloat16", protocol=protocols.VARIANT) for config in configs]


def _losses(dataset: str, seeds: Sequence[int]) -> list[RunConfig]:
    """On FER2013 the same training answers for both protocols."""
    both = ("reported", "sound") if dataset == "ckplus" else ("sound",)
    return [c for loss in LOSSES for p in both for c in _configs(_MODEL2, dataset, p, seeds, loss=loss)]


def _svm(seed: int) -> RunConfig:
    return _configs(_MODEL1, "fer2013", "sound", (seed,), loss="l2_svm")[0]


def _augmentation(seeds: Sequence[int]) -> list[RunConfig]:
    off = _configs(_MODEL2, "fer2013", "sound", seeds, augmentation="none")
    return off + _configs(_MODEL2, "fer2013", "sound", seeds)


def _attention(seeds: Sequence[int]) -> list[RunConfig]:
    """The variants that notebook 05 compares: the first block, the first fold, validation only."""
    changes = {"epochs": protocols.recipe("psg2025", "ckplus").epochs, "keep": ("last",), "score_test": False}
    found = []
    for kind in ATTENTIONS:
        runs = _configs("psg2025", "ckplus", "sound", seeds, model_options={"attention": kind}, **changes)
        found += [replace(c, phases=c.phases[:1]) for c in runs if c.split.fold == 0]
    return found


def _searches() -> tuple[Search, ...]:
    """The two methods that notebook 08 compares with Hyperband, at its cost."""
    from fer_utils.study import tuning

    options = {"max_epochs": 10, "model_options": {"batch_norm_momentum": 0.9}}
    return tuple(tuning.plan(_MODEL2, "ckplus", method, **options) for method in ("random", "bayesian"))


def _transfer() -> list[RunConfig]:
    """As notebook 09 declares it: folds of persons, the head alone and then all layers, beside random weights."""
    at_once = (Phase(12, 1e-3, "cosine", warmup_epochs=1),)
    in_two = (Phase(3, 1e-3, trainable="head"), Phase(9, 3e-4, "cosine"))
    found = []
    for config in protocols.compact(SEEDS):
        base = RunConfig(
            "compact", "ckplus", at_once, score_test=True, batch_size=16, augmentation="light", seed=config.seed
        )
        starts = [base]
        if parent := expected_id(config):
            starts.append(replace(base, phases=in_two, start_from=parent))
        found += [replace(start, split=split) for start in starts for split in protocols.sound_splits("ckplus")]
    return found


def _distilled() -> list[RunConfig]:
    """`compact` at 0.9 of its channels; 0.7 of each label comes from the stronger system."""
    changes = {"model_options": {"width": 0.9}, "label_smoothing": 0.0, "precision": "mixed_bfloat16"}
    teacher = expected_id(protocols.stronger()[0])
    return protocols.compact(teachers=(teacher,), teaching=0.7, score_test=False, **changes) if teacher else []


def expected_id(config: RunConfig) -> str:
    """The id of a run's record, also before it is trained; `""` where no other record tells the data's fingerprint."""
    store = store_for(config.dataset)
    if found := records.find(config, store):
        return found.id
    others = sorted(path.name for path in store.glob(f"{config.dataset}-*") if records.is_done(path))
    return records.identify(config, others[0].rpartition("-")[2]) if others else ""


def stratified(dataset: str) -> list[RunConfig]:
    """psg2025's five stratified folds (its Table 5.8); that persons may stand in several is our reading."""
    (base,) = _configs("psg2025", dataset, "reported", (0,))
    base = replace(base, monitor="test", keep=("last", "block_1", "block_2", "best_test"))
    return [replace(base, split=split) for split in SplitSpec("kfold", n_folds=5).folds()]


def held_out(model: str, test_size: float, seeds: Sequence[int] = SEEDS) -> list[RunConfig]:
    """A system on CK+48 as reported but for the size of its test part, which the report does not state."""
    runs = _configs(model, "ckplus", "reported", seeds)
    return [replace(run, split=replace(run.split, test_size=test_size), protocol=protocols.VARIANT) for run in runs]


def copies(model: str, seeds: Sequence[int] = SEEDS, epochs: int = 20) -> list[RunConfig]:
    """Two trainings on all of FER2013's Training that differ in the copies of PrivateTest's images alone."""
    base = RunConfig(
        model, "fer2013", (Phase(epochs, 1e-3),), keep=("best_validation", "last", "best_test"), score_test=True,
        protocol="shortcut",
    )  # fmt: skip
    splits = [SplitSpec("usage", test_copies=copies) for copies in ("all", "none")]
    return [replace(base, split=split, seed=seed) for seed in seeds for split in splits]
