"""The book as a browser gets it: every link, anchor and picture is there, and nothing comes from another host."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

bs4 = pytest.importorskip("bs4")
pytestmark = pytest.mark.book
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: `apt-get install chromium`")
LOADED = dict.fromkeys(("img", "script", "iframe", "source", "video", "embed"), "src") | {"link": "href", "use": "href"}
"""Elements whose address a browser asks for by itself."""


def pages(site: Path) -> list[Path]:
    """All of them; the theme leaves its own templates among the static files."""
    return [page for page in sorted(site.rglob("*.html")) if page.parent.name != "_static"]


@pytest.fixture(scope="module")
def read(site: Path) -> dict[Path, bs4.BeautifulSoup]:
    return {page: bs4.BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser") for page in pages(site)}


def test_there_is_a_page_for_every_notebook_and_report(site: Path) -> None:
    sources = [*(ROOT / "notebooks").glob("[0-9]*.ipynb"), *(ROOT / "notebooks").glob("*.md")]
    sources += [*(ROOT / "notebooks/solutions").glob("[0-9]*.ipynb"), *(ROOT / "reports").glob("*.md")]
    assert len(sources) > 15
    assert [p for p in sources if not (site / p.relative_to(ROOT)).with_suffix(".html").is_file()] == []


def test_every_link_anchor_and_picture_is_there(read: dict[Path, bs4.BeautifulSoup]) -> None:
    anchors = {page: {element["id"] for element in tree.find_all(id=True)} for page, tree in read.items()}
    inside, lost = 0, []
    for page, tree in read.items():
        for address in {element.get(name) for element in tree.find_all(True) for name in ("href", "src")} - {None, "#"}:
            parts = urlsplit(address)
            if parts.scheme:
                continue
            inside += 1
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors.get(target, ())):
                lost.append(f"{page.name}: {address}")
    assert inside > 1000
    assert lost == []


def test_no_page_loads_anything_from_another_host(site: Path, read: dict[Path, bs4.BeautifulSoup]) -> None:
    loads = [
        (page.name, element.get(LOADED[element.name]))
        for page, tree in read.items()
        for element in tree.find_all(list(LOADED))
        if element.get(LOADED[element.name])
    ]
    assert len(loads) > 100
    assert [(page, address) for page, address in loads if urlsplit(address).scheme not in ("", "data")] == []
    assert [(page, address) for page, address in loads if address.startswith("//")] == []
    for style in site.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", style.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", text), style


def test_every_picture_has_words(read: dict[Path, bs4.BeautifulSoup]) -> None:
    pictures = [(page.name, image) for page, tree in read.items() for image in tree.find_all("img")]
    assert len(pictures) > 100
    assert [(page, i["src"]) for page, i in pictures if not i.get("alt") or Path(i["src"]).name in i["alt"]] == []


def test_the_first_page_opens_with_the_results(site: Path, read: dict[Path, bs4.BeautifulSoup]) -> None:
    article = read[site / "index.html"].find("article")
    image, table, commands = article.find("img"), article.find("table"), article.find("div", class_="highlight")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"![{image['alt']}](reports/five_reports.png)" in readme
    assert table.find("th").text.strip() == "system" and "make reproduce" in commands.text
    order = [element for element in article.find_all(True) if element in (image, table, commands)]
    assert order == [image, table, commands]


def test_every_term_of_the_glossary_links_its_notebook(site: Path, read: dict[Path, bs4.BeautifulSoup]) -> None:
    terms = read[site / "notebooks/GLOSSARY.html"].find("article").find_all("li")
    there = {path.name[:2] for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    named = [(term, re.search(r"\((?:\[)?(\d\d)\]?\)$", term.text.strip())[1]) for term in terms]
    assert len(named) > 80
    assert [term.text for term, number in named if number in there and not term.find("a", string=number)] == []


def figure(kind: str, content: str, alt: str | None) -> dict[str, object]:
    metadata = {kind: {"alt": alt}} if alt else {}
    return {"output_type": "display_data", "metadata": metadata, "data": {kind: content, "text/plain": "<Figure>"}}


def test_figures_keep_their_words_code_is_folded_and_formulas_are_mathml(
    build: Callable[[Path], Path], edition: Callable[..., Path]
) -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><title>{}</title></svg>'
    outputs = [figure("image/svg+xml", svg.format(i), f"Words “{i}” & more") for i in range(2)]
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    outputs += [figure("image/png", png, "A point"), figure("image/png", png, None)]
    cell = {"cell_type": "code", "id": "b", "source": "1", "execution_count": 1, "outputs": outputs}
    title = "# 00 · A title\n\n**Question.** Why?\n\n## A section\n\nWith $x^2$ and\n\n$$\\frac{a}{b} \\Big( \\dots$$"
    folder = edition(
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": title},
        cell | {"metadata": {"jupyter": {"source_hidden": True}}},
    )
    page = build(folder) / "notebooks/00_the_whole_method.html"
    article = bs4.BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").find("article")
    words = ["Words “0” & more", "Words “1” & more", "A point", "Figure of the section “A section”"]
    assert [image["alt"] for image in article.find_all("img")] == words
    assert article.find("details").find("div", class_="cell_input") and not article.find("details").has_attr("open")
    assert [formula["display"] for formula in article.find_all("math")] == ["inline", "block"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as running:
        options = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=options)
        yield chromium
        chromium.close()


def lost(request: Request) -> list[str]:
    """What a failed request says; one that the next page cut short, as an icon's on a busy machine, says nothing."""
    return [] if "ERR_ABORTED" in request.failure else [f"not found: {request.url}"]


def complaints(page: Page) -> list[str]:
    """What the page will complain of, as it comes: errors, warnings, what is not found, and calls over the network."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.extend(lost(request)))
    page.on("request", lambda request: said.append(request.url) if request.url.startswith(("http", "ws")) else None)
    return said


@needs_chromium
@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 400)])
def test_chromium_shows_every_page_without_a_complaint(site: Path, browser: Browser, scheme: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said = complaints(page)
    for path in pages(site):
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
        page.wait_for_function("[...document.images].every(image => image.complete)")
        assert said == [], path
        assert page.evaluate("[...document.images].filter(image => !image.naturalWidth).map(i => i.src)") == [], path
        assert page.evaluate("document.documentElement.dataset.theme") == scheme, path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} is wider than the window"
    page.close()


@needs_chromium
def test_a_word_is_found_without_a_server(site: Path, browser: Browser) -> None:
    page = browser.new_page()
    said = complaints(page)
    page.goto((site / "search.html").as_uri() + "?q=bootstrap")
    page.wait_for_selector("ul.search li a")
    assert page.locator("ul.search li a").count() > 2 and said == []
    page.close()
