"""The timeline of a video: stretches of equal answers, per person, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fer_utils.live import Box, Face
from fer_utils.live.interface.drawing import colour
from fer_utils.live.stream import timeline
from fer_utils.live.stream.timeline import Stretch, Timeline


def face(track: int, shares: Sequence[float], unsure_below: float = 0.5) -> Face:
    names = ("happy", "sad")
    return Face(Box(0, 0, 9, 9), names[int(np.argmax(shares))], np.array(shares), names, track, unsure_below)


def test_stretches_end_where_the_answer_changes_or_the_person_is_away() -> None:
    found = Timeline(10.0)
    for i, share in enumerate([0.9, 0.7, 0.45, 0.2]):
        found.add([face(0, (share, 1 - share), 0.6), *([face(3, (0.8, 0.2))] if i != 2 else [])], i / 10)
    found.add([face(3, (0.8, 0.2))], 2.0)
    stretches = found.stretches()
    assert [(s.person, round(s.start, 2), round(s.end, 2), s.answer) for s in stretches] == [
        (0, 0.0, 0.2, "happy"), (0, 0.2, 0.3, "unsure"), (0, 0.3, 0.4, "sad"),
        (3, 0.0, 0.4, "happy"), (3, 2.0, 2.1, "happy"),
    ]  # fmt: skip
    assert stretches[0].share == pytest.approx(0.8)
    assert Timeline(25.0).stretches() == []


def test_the_picture_shows_each_stretch_in_the_expressions_colour() -> None:
    picture = timeline.drawn([Stretch(0, 0.0, 5.0, "happy", 0.9), Stretch(7, 5.0, 10.0, "unsure", 0.4)])
    band = picture[timeline._TOP + timeline._ROW - 10]
    assert (band[300] == colour("happy")).all() and (band[900] == 255).all()
    assert (picture[timeline._TOP + 2 * timeline._ROW - 10, 900] == 205).all()
    assert timeline.drawn([]).shape[1] == picture.shape[1]
    assert timeline.drawn([Stretch(i, 0.0, 1.0, "sad", 0.5) for i in range(100)]).shape[0] < 3000
