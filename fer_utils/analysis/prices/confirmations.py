"""Which runs on record follow a report, and the price of a random split with the reports' own networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fer_utils import study
from fer_utils.analysis.prices.experiments import Price, price
from fer_utils.records.config import RunConfig, in_words
from fer_utils.study import protocols
from fer_utils.study.pooling import complete, of_common_seeds, right_answers

COMPARED = "one random hold-out{} − folds of subjects{}, last epochs"
"""What is subtracted from what; in the places stand the seeds of both sides where their numbers differ."""


def prices(model: str, store: Path | None = None) -> list[Price]:
    """Random images minus folds by subject for a network of the reports on CK+48: last epochs, all seeds, from records.

    One price for each budget and setting that is on record under both protocols: none is left out, whatever it scores.
    """
    sides = []
    for protocol in ("reported", "sound"):
        template = protocols.configs(model, "ckplus", protocol)[0]
        found = study.on_record(model, "ckplus", protocol, store=store)
        found = [r for r in found if follows(r.config, template) and _splits_alike(r.config, template)]
        own = [r for r in found if "last" in r.kept]
        sides.append({_settings(g[0].config): g for g in complete(own)})
    shared = sorted(set(sides[0]) & set(sides[1]), key=lambda key: (-sum(key[0]), key))
    rest = "chance of training where there is one seed; the two trainings' validation parts differ"
    found = []
    for epochs, modified in shared:
        runs = of_common_seeds(*(side[epochs, modified] for side in sides))
        one, other = (right_answers(side, "last") for side in runs)
        seeds = [f" ({n} seed{'s' * (n > 1)})" for n in (len(one.accuracy), len(other.accuracy))]
        compared = COMPARED.format(*(seeds if seeds[0] != seeds[1] else ("", "")))
        name = f"Random split of images, {model}, {sum(epochs)} epochs{modified}"
        found.append(price(name, compared, one, other, "leak", rest))
    return found


def _settings(config: RunConfig) -> tuple[tuple[int, ...], str]:
    """Epochs of each phase, and what is not the report's own, in words."""
    options = in_words(config.model_options)
    changed = f", modified ({options})" if options else ""
    return tuple(phase.epochs for phase in config.phases), config.precision_note + changed


def _splits_alike(config: RunConfig, template: RunConfig) -> bool:
    """Whether both hold out a share of images of the same size, or both go round in as many folds."""
    one, other = config.split, template.split
    size = "test_size" if one.kind == "random" else "n_folds"
    return one.kind == other.kind and getattr(one, size) == getattr(other, size)


def follows(config: RunConfig, template: RunConfig) -> bool:
    """Whether a run is `template` but for budget, precision, split, seed, watched part, kept epochs and momentum.

    So a run that was tuned, weighted or started from other weights does not answer for a report's description.
    """
    rates = tuple(phase.learning_rate for phase in config.phases)
    options = {k: v for k, v in config.model_options.items() if k != "batch_norm_momentum"}
    alike = replace(
        config, phases=template.phases, split=template.split, seed=template.seed, keep=template.keep,
        monitor=template.monitor, model_options=options, precision=template.precision,
    )  # fmt: skip
    return alike.key == template.key and rates == tuple(phase.learning_rate for phase in template.phases)
