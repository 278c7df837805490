"""The parts of README.md and of the pages in reports/ that print what records hold, and what they must print."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from independent import measured, pages, systems
from independent.arithmetic import difference
from independent.pages import Lines
from independent.pricing import Price, all_prices, counts, points
from independent.stored import REPORTS, Run, runs

ROOT = REPORTS.parent


class Region(NamedTuple):
    """Part of a page: where it stands, how to cut it out, how many cells name a row, what must stand there."""

    page: str
    name: str
    cut: Callable[[str], str]
    keys: int
    expected: Lines

    def text(self) -> str:
        return self.cut((ROOT / self.page).read_text(encoding="utf-8"))

    def problems(self, text: str) -> list[str]:
        return pages.problems(text, self.expected, self.keys)


class Computed:
    """What the stored records say; everything is computed once."""

    @cached_property
    def runs(self) -> list[Run]:
        return runs()

    @cached_property
    def priced(self) -> tuple[list[Price], list[list[str]]]:
        return all_prices(self.runs)

    @cached_property
    def regions(self) -> list[Region]:
        shipped = measured.shipped(self.runs)
        blocks = {
            "summary": (2, systems.summary(self.runs)),
            "claims": (2, systems.claims(self.runs)),
            "results": (3, systems.results(self.runs)),
            "prices": (2, prices(*self.priced)),
            "card": (1, measured.card(shipped, self.runs)),
            "speed": (1, measured.speed()),
            "growth": (1, measured.growth()),
            "harness": (1, measured.harness()),
            "precision": (2, precision(self.runs)),
        }
        places = {
            "README.md": ("summary",),
            "reports/README.md": ("claims", "results", "prices", "growth", "harness", "precision"),
            "reports/model_card.md": ("card",), "reports/recognizer.md": ("speed",),
        }  # fmt: skip
        found = [Region(page, name, _block(name), *blocks[name]) for page, names in places.items() for name in names]
        verdicts, page = measured.verdicts(self.runs, self.priced[0]), "reports/recognizer.md"
        return [
            *found,
            Region(page, "the model that ships", _paragraph("The model that ships"), 0, measured.shipping()),
            Region(page, "upright faces", _paragraph("Faces are found by"), 0, measured.finding()),
            Region(page, "detectors", _table("| detector |"), 1, measured.detectors()),
            Region("reports/the_five_reports.md", "verdicts", measured.recorded, 2, verdicts),
        ]


def prices(found: Sequence[Price], remarks: Sequence[list[str]]) -> Lines:
    """The price list and the remarks below it."""
    rows = {"data | shortcut": ["points of accuracy [95 % interval]", "compared", "seeds"]}
    for price in found:
        seeds = "–" if price.seeds is None else str(price.seeds)
        rows[f"{price.data} | {price.shortcut}"] = [" ".join(points(price.value)), price.compared, seeds]
    return rows | {f"text {i + 1}": [" ".join(numbers)] for i, numbers in enumerate(remarks)}


def precision(found: Sequence[Run]) -> Lines:
    """What bfloat16 costs: pairs of runs that differ in precision alone."""
    shown = {"ckplus": "CK+48", "fer2013": "FER2013"}
    said = {"best_validation": "epoch chosen on validation", "last": "last epoch", "best_test": "epoch CHOSEN ON TEST"}
    rows = {"network, data | accuracy of": ["seeds", "float32, %", "bfloat16, %", "difference, points [95 %]"]}
    for quick, exact in precision_pairs(found):
        for kept in (name for name in said if name in quick[0].config["keep"]):
            a, b = counts(quick, kept), counts(exact, kept)
            name = f"{quick[0].config['model']}, {shown[quick[0].config['dataset']]} | {said[kept]}"
            means = [f"{100 * side.scores.mean():.1f}" for side in (b, a)]
            rows[name] = [str(len(a.scores)), *means, " ".join(points(difference(a, b)))]
    return rows if len(rows) > 1 else {"text 1": ["Not measured yet."]}


def precision_pairs(found: Sequence[Run]) -> list[tuple[list[Run], list[Run]]]:
    """Groups of final runs in bfloat16, and the runs in float32 that are equal but for precision and labels."""
    labels = ("precision", "protocol", "report")
    exact = {_without(run, labels): run for run in found if run.config.get("precision", "float32") == "float32"}
    pairs: dict[str, list[tuple[Run, Run]]] = {}
    for run in found:
        twin = exact.get(_without(run, labels))
        if run.config.get("precision") == "mixed_bfloat16" and run.config["score_test"] and twin:
            pairs.setdefault(_without(run, (*labels, "seed")), []).append((run, twin))
    return [tuple(map(list, zip(*group, strict=True))) for group in pairs.values()]


def _without(run: Run, names: Sequence[str]) -> str:
    return json.dumps({k: v for k, v in run.config.items() if k not in names}, sort_keys=True)


def _block(name: str) -> Callable[[str], str]:
    return lambda page: pages.block(page, name)


def _paragraph(opening: str) -> Callable[[str], str]:
    """A paragraph on one line, without its first words, without what stands between its backticks and in its links."""
    return lambda page: pages.unmarked(pages.between(page, f"\n\n{opening}", "\n\n").replace("\n", " "))


def _table(opening: str) -> Callable[[str], str]:
    return lambda page: opening + pages.between(page, opening, "\n\n")
