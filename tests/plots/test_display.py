"""How a notebook shows figures: kind of image, size, sharpness, alternative text."""

from __future__ import annotations

from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

from fer_utils import plots
from fer_utils.plots import display

NAMES = ("angry", "happy")


def test_bars_are_svg_and_images_png() -> None:
    bars = plots.class_distribution([0, 1, 1], NAMES, profile="quick")
    data, metadata = display.bundle(bars)
    root = ElementTree.fromstring(data["image/svg+xml"])
    assert root.tag.endswith("svg") and set(metadata) == {"image/svg+xml"}
    matrix = plots.heatmap(np.eye(2), ["a", "b"], ["c", "d"])
    data, metadata = display.bundle(matrix)
    assert data["image/png"].startswith(b"\x89PNG") and set(metadata) == {"image/png"}


def test_images_have_more_dots_than_the_page_pixels() -> None:
    data, metadata = display.bundle(plots.heatmap(np.eye(2), ["a", "b"], ["c", "d"]))
    height, width = cv2.imdecode(np.frombuffer(data["image/png"], np.uint8), cv2.IMREAD_GRAYSCALE).shape
    shown = metadata["image/png"]
    assert width / shown["width"] == pytest.approx(1.7, rel=0.01)
    assert height / shown["height"] == pytest.approx(1.7, rel=0.01)


def test_too_many_marks_become_a_png() -> None:
    figure = plots.new_figure(4, 3)
    rng = np.random.default_rng(0)
    figure.add_subplot().scatter(*rng.random((2, 9000)))
    assert "image/png" in display.bundle(figure)[0]


def test_the_alternative_text_tells_title_axes_series_and_caption() -> None:
    figure = plots.new_figure(4, 3)
    ax = figure.add_subplot()
    ax.plot([0, 1], label="Model 1")
    ax.plot([1, 0], label="Model 2")
    ax.legend()
    ax.set(xlabel="Epoch", ylabel="Loss", title="Two runs")
    plots.note(figure, "One seed.")
    assert display.alternative_text(figure) == (
        "Two runs; across: Epoch; upwards: Loss; shown are Model 1, Model 2. One seed."
    )
    data, metadata = display.bundle(plots.described(figure, "Two lines  cross\nonce."))
    assert data["text/plain"] == metadata["image/svg+xml"]["alt"] == "Two lines cross once."
    with pytest.raises(ValueError, match="what is to be seen"):
        plots.described(figure, " ")


def test_the_same_figure_gives_the_same_bytes() -> None:
    first, second = (display.bundle(plots.class_distribution([0, 1, 1], NAMES)) for _ in range(2))
    assert first == second


def test_a_notebook_gets_both() -> None:
    data, metadata = DisplayFormatter().format(plots.class_distribution([0, 1, 1], NAMES))
    assert metadata["image/svg+xml"]["alt"] == data["text/plain"]


def test_the_stamp_is_in_the_picture_and_not_only_in_the_figure() -> None:
    figures = [plots.class_distribution([0, 1, 1], NAMES, profile=profile) for profile in (None, "quick")]
    plain, stamped = (ElementTree.fromstring(display.bundle(figure)[0]["image/svg+xml"]) for figure in figures)
    heights = [float(root.attrib["height"].removesuffix("pt")) for root in (plain, stamped)]
    assert heights[1] >= heights[0] + 7


def test_a_picture_that_would_be_large_gets_fewer_dots_and_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = plots.heatmap(np.eye(2), ["a", "b"], ["c", "d"])
    sharp, shown = display.bundle(figure)
    monkeypatch.setattr(display, "LARGEST_PNG", 100)
    small, still = display.bundle(figure)
    assert len(small["image/png"]) < len(sharp["image/png"])
    assert abs(still["image/png"]["width"] - shown["image/png"]["width"]) <= 1
