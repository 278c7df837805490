"""The widget's panel alone, on a page of its own: on narrow screens, with tall pictures and with many faces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from fer_utils.live.interface.webcam import LiveView

PANEL = LiveView._esm.replace("export default { render };", "window.Panel = Panel;")
NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SHOW = """([faces, width, height]) => {
  const values = { kind: "kernel", colours: {}, mirrored: false, notice: "Nothing is stored." };
  const panel = new Panel({ get: (name) => values[name] });
  document.body.append(panel.root);
  panel.running("faces found");
  Object.assign(panel.picture, { width, height });
  panel.speed.textContent = "28 frames/s, 12 ms from frame to answer";
  const plates = [], write = panel.plate.bind(panel);
  panel.plate = (...words) => { const place = write(...words); plates.push(place); return place; };
  panel.stage.hidden = false;
  panel.draw(faces, width, height);
  return plates;
}"""

pytestmark = pytest.mark.browser
Show = Callable[..., tuple[Page, list[list[float]]]]


def face(box: list[int], label: str = "happy") -> dict[str, Any]:
    shares = dict.fromkeys(NAMES, 0.1) | {label: 0.4}
    return {"box": box, "label": label, "answer": label, "sure": True, "share": 0.4, "probabilities": shares}


@pytest.fixture
def show(new_page: Callable[..., Page]) -> Show:
    """Draws faces on a frame of a size, on a screen of a width; the page, and where the labels are."""

    def make(faces: list[dict[str, Any]], frame: tuple[int, int], width: int) -> tuple[Page, list[list[float]]]:
        page = new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.set_content(f"<style>body {{ margin: 0 }} {LiveView._css}</style><body><script>{PANEL}</script></body>")
        return page, page.evaluate(SHOW, [faces, *frame])

    return make


def apart(one: list[float], other: list[float]) -> bool:
    (x, y, w, h), (left, top, wide, high) = one, other
    return x >= left + wide or left >= x + w or y >= top + high or top >= y + h


def test_nothing_is_clipped_on_a_narrow_screen(show: Show) -> None:
    page, _ = show([face([40, 60, 120, 150]), face([300, 60, 90, 90], "surprise")], (640, 480), 340)
    beyond = "[...document.querySelectorAll('.fer-live *')].filter((e) => e.getBoundingClientRect().right > 341).length"
    assert page.evaluate(beyond) == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 340


def test_a_tall_picture_keeps_the_bars_in_view(show: Show) -> None:
    page, _ = show([face([120, 80, 160, 220])], (480, 1000), 700)
    assert page.evaluate("document.querySelector('.fer-faces').getBoundingClientRect().bottom") < 900


def test_labels_cover_no_other_face_and_no_other_label(show: Show) -> None:
    boxes = [[20 + 150 * (i % 4), 40 + 150 * (i // 4), 60 + 12 * i, 70] for i in range(8)]
    _, plates = show([face(box, "surprise") for box in boxes], (640, 480), 700)
    assert len(plates) == 8
    for i, plate in enumerate(plates):
        assert all(apart(plate, box) for j, box in enumerate(boxes) if j != i)
        assert all(apart(plate, other) for other in plates[:i])
