"""Diagrams of networks say the sizes that they were given."""

from __future__ import annotations

import pandas as pd
import pytest

from fer_utils import plots


def texts(figure) -> str:
    return " ".join(text.get_text() for ax in figure.axes for text in [*ax.texts, ax.title])


def test_a_separable_convolution_has_fewer_weights() -> None:
    said = texts(plots.separable_convolution(5))
    assert "= 180 weights" in said and "= 36 weights" in said and "= 20 weights" in said
    with pytest.raises(ValueError, match="got 7"):
        plots.separable_convolution(7)


def test_a_chain_names_each_part_with_output_and_weights() -> None:
    parts = pd.DataFrame({"output": [(48, 48, 1), (7,)], "weights": [0, 1_230_000]}, index=["image", "logits"])
    figure = plots.network_chain(parts, ["input", "sum"], marked="image")
    assert "48×48×1" in texts(figure) and "1.23 M" in texts(figure)
    small = plots.network_chain(parts.assign(weights=[0, 729]), ["input", "sum"])
    assert "7\n729" in texts(small), "a small part is not called 0.00 M"
    with pytest.raises(ValueError, match="got 0 and 2"):
        plots.network_chain(parts.iloc[:0], ["input", "sum"])
