"""Pages that open with no network: each notebook as HTML, and the one page of the report.

No page has a script, and nothing is loaded from elsewhere; pages hold no date and no random id, so that the
same run gives the same bytes.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from html.parser import HTMLParser
from pathlib import Path

from leukstudy.study.notebooks import nbformat  # isort: skip - before nbconvert, which would import it slowly
import jinja2
import PIL.Image
from markupsafe import Markup
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

from leukstudy.study.files import write_atomically

TEMPLATES = Path(__file__).with_name("templates")
# Without the interactive kinds, which need scripts: a widget falls back to its text.
DISPLAYED = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/plain")
WIDE = 720  # pixels: figures wider than this get the whole width of the page
_ELSEWHERE = re.compile(r"^\s*([a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_IN_STYLE = re.compile(r"""(?:url\(|@import)\s*['"]?\s*((?:[a-z][a-z0-9+.-]*:)?//[^'")\s]*)""", re.IGNORECASE)
_LOADING = ("src", "srcset", "poster", "data", "background")  # `href` loads in <link> alone


class RenderError(ValueError):
    """A page that cannot be written as promised; the message says what is wrong with it."""


@dataclass(frozen=True)
class Picture:
    """A figure on the report's page: its file, relative to the page (`figures/flow.png`), and what it shows."""

    file: str
    caption: str


@dataclass(frozen=True)
class TaskSection:
    """What the page says of one task; `table_html` is HTML from `report.tables` and is not escaped again."""

    name: str
    question: str
    table_html: str
    figures: list[Picture]


@dataclass(frozen=True)
class NotebookLink:
    """A rendered notebook, and its source: addresses relative to the page."""

    title: str
    html: str
    ipynb: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """The report's page; text is escaped when it is written, since class names may hold anything."""

    title: str
    question: str
    synthetic: bool
    """Shows the banner."""
    data: dict[str, str]
    """Name -> value (images, groups, split level, licence, ...), listed in this order."""
    flow_figure: Picture
    tasks: list[TaskSection]
    notebooks: list[NotebookLink]
    hashes: dict[str, str]
    """Name -> hash, of the data and of each experiment's parameters."""
    audit_html: str = ""
    """HTML of the audit's findings, not escaped again."""


class _References(HTMLParser):
    """Collects what a browser would load from elsewhere, and scripts, which nobody can check."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.references.append("<script>")
        for name, value in attrs:
            loads = name in _LOADING or (name in ("href", "xlink:href") and tag in ("link", "image", "use"))
            if loads and _ELSEWHERE.match(value or ""):
                self.references.append(f"<{tag} {name}={value}>")
            elif name == "style":
                self.references += _IN_STYLE.findall(value or "")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style":
            self.references += _IN_STYLE.findall(data)


def network_references(html: str) -> list[str]:
    """List what the page would load from the network (images, styles, frames), and its scripts, in order.

    Plain links, which load only when somebody follows them, are not listed.
    """
    parser = _References()
    parser.feed(html)
    parser.close()
    return parser.references


def render_notebook(
    ipynb: Path, html: Path, title: str, *, links: Sequence[tuple[str, str]] = (("Report", "index.html"),)
) -> Path:
    """Render an executed notebook as one self-contained HTML file: images embedded, code foldable, no script.

    `links` are (name, relative address) pairs for the top and the foot: home, previous, next. Raises
    RenderError where the notebook cannot be read or would load something from the network.
    """
    notebook = _read_notebook(ipynb)
    notebook.nbformat_minor = 4  # the last version whose cells have no ids: they are random, and unused here
    for cell in notebook.cells:
        cell.pop("id", None)
    page = {
        "title": title,
        "css": _css(),
        "code_css": HtmlFormatter(style="default").get_style_defs(".highlight"),
        "navigation": _environment().get_template("navigation.html.j2").render(links=list(links)),
    }
    resources = {"page": page, "metadata": {"path": str(ipynb.parent), "name": title}}
    return _write_page(html, _exporter().from_notebook_node(notebook, resources)[0])


@cache  # it compiles its templates anew otherwise, a quarter of the time that a page takes
def _exporter() -> HTMLExporter:
    return HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": list(DISPLAYED)}}),
        template_file=str(TEMPLATES / "notebook.html.j2"),
        embed_images=True,
        mathjax_url="",
        require_js_url="",
        exclude_anchor_links=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )


def _read_notebook(ipynb: Path) -> nbformat.NotebookNode:
    advice = "run its stage again"
    try:
        raw = json.loads(ipynb.read_text(encoding="utf-8"))
        if not isinstance(raw, dict) or "nbformat" not in raw:
            raise RenderError(f"{ipynb} is JSON but no notebook; {advice}.")
        return nbformat.reads(json.dumps(raw), as_version=4)
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, nbformat.ValidationError) as error:
        raise RenderError(f"{ipynb} cannot be read as a notebook ({error}); {advice}.") from error


def render_index(out: Path, page: Page) -> Path:
    """Write the report's page. Raises RenderError for a figure that is not there, or a page that needs the network."""
    template, size = _environment().get_template("index.html.j2"), partial(_size, out.parent)
    return _write_page(out, template.render(vars(page), css=_css(), wide=WIDE, size=size))


def _size(folder: Path, file: str) -> tuple[int, int]:
    """A figure's width and height in pixels: with them a page does not jump while it loads."""
    try:
        with PIL.Image.open(folder / file) as picture:
            return picture.size
    except OSError:
        raise RenderError(f"figure {file} is no picture in {folder}; write it before its page.") from None


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    strict = {"autoescape": True, "undefined": jinja2.StrictUndefined}
    return jinja2.Environment(loader=loader, keep_trailing_newline=True, **strict)


def _css() -> Markup:
    return Markup((TEMPLATES / "page.css").read_text(encoding="utf-8").strip())


def _write_page(path: Path, text: str) -> Path:
    if references := network_references(text):
        raise RenderError(
            f"{path.name} would need the network or a script: {references[:5]}; embed it or leave it out."
        )
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path
