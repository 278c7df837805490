"""Notebook 15's camera in a real JupyterLab and a real Chromium, whose camera is a film of the bundled picture."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from lab import REMOTE_NAME, ROOT, Lab
from playwright.sync_api import Page, expect

WIDGET = """
from fer_utils.live import EmotionRecognizer
from fer_utils.live.interface.webcam import LiveView
view = LiveView(EmotionRecognizer(), {source})
view
"""
LIVE = ".fer-live[data-kind=camera]"
BUTTON = f"{LIVE} .fer-button"
STATUS = f"{LIVE} .fer-status"
FACE = (320, 200)  # the face's middle in the film, see conftest.camera_film; the mirror leaves it where it is

NewPage = Callable[..., Page]


def write(lab: Lab, name: str, *sources: str) -> str:
    """A notebook of code cells in the lab's folder."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), lab.folder / name)
    return name


def opened(page: Page, lab: Lab, notebook: str, host: str = "127.0.0.1") -> Page:
    """The page with a notebook whose kernel is ready."""
    page.goto(lab.url(notebook, host))
    ready = "window.jupyterapp?.shell.currentWidget?.content?.model?.cells?.length > 0"
    page.wait_for_function(ready, timeout=90_000)
    page.evaluate("jupyterapp.shell.currentWidget.context.sessionContext.ready")
    return page


def run(page: Page, cell: int | None = None) -> None:
    """Run one cell, or all of them, and wait until the kernel has done so."""
    if cell is None:
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    else:
        page.evaluate(f"jupyterapp.shell.currentWidget.content.activeCellIndex = {cell}")
        page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")


def start(page: Page) -> None:
    page.click(BUTTON)
    expect(page.locator(LIVE)).to_have_attribute("data-state", "running", timeout=60_000)
    expect(page.locator(f"{LIVE} .fer-head").first).to_be_visible(timeout=30_000)


def hold_track(page: Page) -> None:
    """Keep a handle on the camera's track, to ask it later whether the camera is free."""
    page.evaluate(f"window.track = document.querySelector('{LIVE} video').srcObject.getVideoTracks()[0]")


def frame_rate(page: Page, seconds: float) -> float:
    """Answered frames per second, counted by redrawings of the overlay."""
    return page.evaluate(
        """async ([selector, seconds]) => {
          let count = 0;
          const watcher = new MutationObserver((changes) => {
            count += changes.some((change) => change.attributeName === "width");
          });
          watcher.observe(document.querySelector(selector), { attributes: true });
          const began = performance.now();
          await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
          watcher.disconnect();
          return (1000 * count) / (performance.now() - began);
        }""",
        [f"{LIVE} .fer-overlay", seconds],
    )


def distances_to_box(page: Page) -> list[int]:
    """From the face's middle to what is drawn left, right, above and below it, in pixels of the frame."""
    return page.evaluate(
        """([selector, x, y]) => {
          const pen = document.querySelector(selector).getContext("2d");
          const walk = ([dx, dy]) => {
            for (let far = 0; far < 640; far += 1) {
              if (pen.getImageData(x + far * dx, y + far * dy, 1, 1).data[3] > 200) return far;
            }
            return Infinity;
          };
          return [[-1, 0], [1, 0], [0, -1], [0, 1]].map(walk);
        }""",
        [f"{LIVE} .fer-overlay", *FACE],
    )


@pytest.fixture
def widget(lab: Lab, new_page: NewPage) -> Callable[..., Page]:
    """A page with one widget, not started."""

    def make(host: str = "127.0.0.1", source: str = "'camera'", **options: object) -> Page:
        name = write(lab, "widget.ipynb", WIDGET.format(source=source), "view.close()")
        page = opened(new_page(**options), lab, name, host)
        run(page, 0)
        expect(page.locator(".fer-live")).to_be_visible(timeout=120_000)
        return page

    return make


def press_and_read(page: Page, words: str) -> None:
    page.click(BUTTON)
    assert_idle_with(page, words)


def assert_idle_with(page: Page, words: str) -> None:
    """The widget says so in a sentence, no cell shows an error, and the kernel is free for other cells."""
    expect(page.locator(STATUS)).to_contain_text(words, timeout=30_000)
    expect(page.locator(LIVE)).to_have_attribute("data-state", "idle")
    expect(page.locator(f"{LIVE} .fer-trouble")).to_be_visible()
    assert_no_error(page)
    kernel = "jupyterapp.shell.currentWidget.context.sessionContext.session.kernel"
    reply = page.evaluate(f"{kernel}.requestExecute({{ code: '6 * 7' }}).done.then((reply) => reply.content.status)")
    assert reply == "ok"


def assert_no_error(page: Page) -> None:
    expect(page.locator(".jp-OutputArea-output[data-mime-type*=error], .jp-RenderedText[data-mime-type*=stderr]")
           ).to_have_count(0)  # fmt: skip


def track_state(page: Page) -> str:
    return page.evaluate("window.track.readyState")


def test_permission_refused_is_a_sentence(widget: Callable[..., Page]) -> None:
    press_and_read(widget(allowed=False), "was not allowed to use the camera")


def test_no_camera_is_a_sentence(widget: Callable[..., Page]) -> None:
    press_and_read(widget(cameras=0), "No camera was found")


def test_an_insecure_origin_is_a_sentence(widget: Callable[..., Page]) -> None:
    press_and_read(widget(host=REMOTE_NAME), "Browsers give no camera to a page that came over plain HTTP")


def test_a_camera_unplugged_in_the_middle_is_a_sentence_and_can_be_started_again(widget: Callable[..., Page]) -> None:
    page = widget()
    start(page)
    hold_track(page)
    page.evaluate("window.track.dispatchEvent(new Event('ended'))")
    assert_idle_with(page, "The camera was disconnected")
    assert track_state(page) == "ended"
    start(page)


def test_the_camera_is_freed_when_page_cell_or_widget_goes(widget: Callable[..., Page]) -> None:
    page = widget()
    start(page)
    hold_track(page)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange')); delete document.hidden;"
    )
    expect(page.locator(STATUS)).to_contain_text("Stopped because the page was hidden")
    assert track_state(page) == "ended"
    for cell in (0, 1):  # run the cell again; then `view.close()`
        start(page)
        hold_track(page)
        run(page, cell)
        page.wait_for_function("window.track.readyState === 'ended'")
    expect(page.locator(".fer-live")).to_have_count(0)
    assert_no_error(page)


def test_a_kernel_that_is_restarted_is_a_sentence_and_frees_the_camera(widget: Callable[..., Page]) -> None:
    page = widget()
    start(page)
    hold_track(page)
    page.evaluate("jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()")
    expect(page.locator(f"{LIVE} .fer-trouble")).to_contain_text("The kernel ", timeout=40_000)
    assert track_state(page) == "ended"


def test_a_picture_of_ones_own_and_a_file_that_is_none(widget: Callable[..., Page], tmp_path: Path) -> None:
    page = widget(source="'picture'")
    root = page.locator(".fer-live[data-kind=picture]")
    page.set_input_files(".fer-file", ROOT / "fer_utils/live/pictures/astronaut.jpg")
    expect(root.locator(".fer-head")).to_contain_text("predicted expression: ")
    page.set_input_files(".fer-file", {"name": "cat.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    expect(root.locator(".fer-trouble")).to_contain_text("not a picture that the browser can read")
    assert_no_error(page)


def test_a_video_on_the_kernels_machine_plays_to_its_end(widget: Callable[..., Page]) -> None:
    module = "__import__('fer_utils.live.stream.clip').live.stream.clip"
    clip = f"lambda: {module}.SyntheticClip(('happy', 'surprise'), rate=5)"
    page = widget(source=clip)
    root = page.locator(".fer-live[data-kind=kernel]")
    root.locator(".fer-button").click()
    expect(root.locator(".fer-head")).to_contain_text("predicted expression: ")
    expect(root.locator(".fer-status")).to_contain_text("The video is over", timeout=60_000)
    assert root.locator(".fer-picture").evaluate("(canvas) => [canvas.width, canvas.height]") == [640, 480]
    assert_no_error(page)


def test_notebook_15_with_a_camera(lab: Lab, new_page: NewPage) -> None:
    """Run all cells, start, see a box on the face and a label at 10 frames a second, stop, find the camera free."""
    requests: list[str] = []
    page = new_page()
    page.on("request", lambda request: requests.append(request.url))
    opened(page, lab, notebook_15(lab))
    run(page)
    page.wait_for_function(
        "jupyterapp.shell.currentWidget.content.widgets.every((cell) => cell.model.type !== 'code' "
        "|| cell.model.executionState === 'idle' && cell.model.executionCount > 0)", timeout=200_000,
    )  # fmt: skip
    assert_no_error(page)
    page.evaluate(
        "{ const { content } = jupyterapp.shell.currentWidget;"
        " content.scrollToCell(content.widgets.find((cell) => cell.model.id === 'browser')); }"
    )
    start(page)
    hold_track(page)
    assert_box_on_face(page)
    expect(page.locator(f"{LIVE} .fer-head").first).to_contain_text("predicted expression: ")
    expect(page.locator(f"{LIVE} .fer-speed")).to_contain_text("ms from frame to answer")
    rate = max(frame_rate(page, 3) for _ in range(3))
    page.click(BUTTON)
    expect(page.locator(STATUS)).to_have_text("Stopped; the camera is free.")
    assert track_state(page) == "ended"
    assert rate >= 10, f"{rate:.1f} frames/s"

    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    assert_no_frame_was_kept(lab)
    own = f"http://127.0.0.1:{lab.port}/"
    assert [url for url in requests if not url.startswith((own, "data:", "blob:"))] == []


def notebook_15(lab: Lab) -> str:
    """Its copy, in the quick profile and with the camera on."""
    notebook = nbformat.read(ROOT / "notebooks/15_live_demo.ipynb", 4)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    cell.source += "\nprofile, webcam, repeats, seconds = 'quick', True, 3, 0.4"
    nbformat.write(notebook, lab.folder / "15.ipynb")
    return "15.ipynb"


def assert_box_on_face(page: Page) -> None:
    distances = distances_to_box(page)
    assert all(60 < distance < 140 for distance in distances), distances


def assert_no_frame_was_kept(lab: Lab) -> None:
    """The notebook is saved with its figures (PNG) and no frame (JPEG), and no frame lies in any file of the lab."""
    path, deadline = lab.folder / "15.ipynb", time.monotonic() + 30
    while "image/png" not in path.read_text():
        assert time.monotonic() < deadline, "the notebook was not saved"
        time.sleep(0.2)
    saved = path.read_text()
    assert "image/jpeg" not in saved
    assert base64.b64encode(b"\xff\xd8\xff\xe0\x00\x10JFIF").decode()[:12] not in saved
    files = (file for file in lab.folder.parent.rglob("*") if file.is_file())
    assert [file for file in files if file.read_bytes().startswith(b"\xff\xd8\xff")] == []
