"""Sphinx's settings for the book. Everything a page needs lies in the book: no page loads anything from the network."""

from __future__ import annotations

from docutils import nodes
from latex2mathml.converter import convert
from myst_nb.core.render import MimeData, NbElementRenderer
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.writers.html5 import HTML5Translator

project = "fer-study"
extensions = ["myst_nb"]
include_patterns = ["index.md", "README.md", "notebooks/**", "reports/*.md"]

nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_render_markdown_format = "gfm"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_disable_syntax = ["myst_block_break", "myst_line_comment", "myst_target"]  # a line of prose may begin with %
myst_heading_anchors = 4
myst_url_schemes = ("http", "https", "mailto")

html_theme = "sphinx_book_theme"
html_title = "fer-study"
html_favicon = "static/face.svg"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_copy_source = False
html_theme_options = {
    "use_download_button": False,
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "footer_content_items": "extra-footer.html",
    "extra_footer": "<p>These models predict the label that annotators gave to a picture of an expression. "
    "That is not an emotion felt, and they must not be used to judge people.</p>",
}
html_context = {"default_mode": "auto"}
html_math_renderer = "mathml"


def described(self: NbElementRenderer, data: MimeData) -> list[nodes.Element]:
    """A notebook's figure with the alternative text that its output carries, which myst-nb passes over.

    A figure that carries none is named after the section that shows it.
    """
    images = render_image(self, data)
    titles = [title.astext() for title in self.renderer.document.findall(nodes.title)]
    for image in images:
        told = data.output_metadata.get(data.mime_type, {}).get("alt")
        image["alt"] = told or f"Figure of the section “{titles[-1] if titles else 'without a title'}”"
    return images


render_image = NbElementRenderer.render_image
NbElementRenderer.render_image = described


def mathml(self: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers draw without a script."""
    block = isinstance(node, nodes.math_block)
    try:
        formula = convert(node.astext(), display="block" if block else "inline").replace(r"\_", "_")
    except Exception as error:  # the converter's own have no common parent
        raise SphinxError(f"A formula of {node.source} cannot be shown; mend {node.astext()!r}") from error
    self.body.append(f'<div class="math">{formula}</div>\n' if block else formula)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Tell Sphinx how formulas are written."""
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
