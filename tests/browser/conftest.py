"""A JupyterLab of its own on loopback, and Debian's Chromium with a camera that is a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from lab import CHROMIUM, REMOTE_NAME, ROOT, Lab
from playwright.sync_api import Browser, Page, Playwright, sync_playwright


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = "no Chromium: `apt-get install chromium`, then `make browser-test`"
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with a token, in an empty folder and with empty settings."""
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def camera_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake camera shows: the bundled picture's face, 190 pixels wide, swaying about the pixel (320, 200).

    Uncompressed, at 20 frames a second.
    """
    picture = cv2.imread(str(ROOT / "fer_utils/live/pictures/astronaut.jpg"))
    path = tmp_path_factory.mktemp("camera") / "face.y4m"
    with path.open("wb") as film:
        film.write(b"YUV4MPEG2 W640 H480 F20:1 Ip A1:1 C420jpeg\n")
        for phase in np.linspace(0, 2 * np.pi, 40, endpoint=False):
            enlarged = np.float32([[2, 0, -128 + 12 * np.sin(phase)], [0, 2, -26 + 6 * np.cos(phase)]])
            frame = cv2.warpAffine(picture, enlarged, (640, 480))
            film.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Drives browsers."""
    with sync_playwright() as running:
        yield running


@pytest.fixture
def new_page(playwright: Playwright, camera_film: Path) -> Iterator[Callable[..., Page]]:
    """Opens pages, each in a Chromium of its own; `cameras` are plugged in, and may be used if `allowed`."""
    opened: list[Browser] = []

    def make(cameras: int = 1, allowed: bool = True) -> Page:
        options = ["--disable-gpu", f"--host-resolver-rules=MAP {REMOTE_NAME} 127.0.0.1",
                   f"--use-fake-device-for-media-stream=device-count={cameras}"]  # fmt: skip
        options += [f"--use-file-for-fake-video-capture={camera_film}"] if cameras else []
        options += ["--use-fake-ui-for-media-stream"] if allowed else []
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        opened.append(playwright.chromium.launch(executable_path=CHROMIUM, args=options))
        context = opened[-1].new_context(viewport={"width": 1280, "height": 1000}, permissions=None if allowed else [])
        page = context.new_page()
        page.set_default_timeout(60_000)
        return page

    yield make
    for browser in opened:
        browser.close()
