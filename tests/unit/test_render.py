"""Pages: they open with no network, hold no script, escape what comes from the data, and are the same bytes."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
from nbformat import v4

from leukstudy.report.render import (
    NotebookLink,
    Page,
    Picture,
    RenderError,
    TaskSection,
    network_references,
    render_index,
    render_notebook,
)
from leukstudy.report.style import save_figure
from leukstudy.report.tables import to_html

ODD = '<script>alert("x")</script> & "A$B"'


class Parsed(HTMLParser):
    """Collects the tags, the text and the attributes of a page, as a browser reads it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags, self.text, self.attributes = [], "", []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def png(tmp_path) -> bytes:
    fig, ax = plt.subplots(figsize=(3, 2), dpi=100)
    ax.plot([1, 2])
    return save_figure(fig, tmp_path / "figures" / "roc curve #1.png").read_bytes()


def notebook(*cells) -> nbformat.NotebookNode:
    book = v4.new_notebook(cells=list(cells))
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    return book


def executed(png: bytes) -> nbformat.NotebookNode:
    """A notebook as papermill leaves it: text, a stream, a table, a figure, and a widget with a fallback."""
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "0"}, "text/plain": "progress: done"}
    outputs = [
        v4.new_output("stream", text="epoch 1/3 loss 0.5 <b>\n"),
        v4.new_output(
            "execute_result", data={"text/html": pd.DataFrame({ODD: [7]}).to_html(), "text/plain": "-"}
        ),
        v4.new_output(
            "display_data", data={"image/png": base64.b64encode(png).decode(), "text/plain": "<Figure>"}
        ),
        v4.new_output("display_data", data=widget),
    ]
    return notebook(
        v4.new_markdown_cell(
            "# What do the images look like?\n\nSee [the data card](https://example.org/card).\n\n$x < 1$"
        ),
        v4.new_code_cell("import numpy as np\nprint(1 < 2)", outputs=outputs, execution_count=1),
        v4.new_code_cell("", outputs=[]),
    )


TABLE = to_html(pd.DataFrame({"Experiment": [ODD], "AUROC": ["0.9"]}))


def report(*, table_html: str = TABLE, flow: str = "figures/roc curve #1.png", **changes) -> Page:
    figures = [Picture("figures/roc curve #1.png", f"ROC of {ODD}")]
    fields = {
        "title": "Leukaemia & smears",
        "question": "Does it work?",
        "synthetic": True,
        "data": {"Images": "820", ODD: ODD},
        "flow_figure": Picture(flow, "What became of the images."),
        "tasks": [TaskSection(ODD, f"Is it {ODD}?", table_html, figures)],
        "notebooks": [NotebookLink("Acquire", "notebooks/01 a.html", "notebooks/01 a.ipynb")],
        "hashes": {"Data": "abc123", "Parameters": "def456"},
    }
    return Page(**fields | changes)


def test_notebook_is_one_self_contained_page(tmp_path, png):
    nbformat.write(executed(png), tmp_path / "n.ipynb")
    links = [("Report", "../index.html"), ("Next", "03 x#y.html")]
    out = render_notebook(tmp_path / "n.ipynb", tmp_path / "deep" / "n.html", f"02 {ODD}", links=links)
    page, html = Parsed(out), out.read_text(encoding="utf-8")
    assert network_references(html) == []
    assert not re.search(
        r"<script|@import|mathjax|require\.js|jsdelivr|cdnjs|googleapis", html, re.IGNORECASE
    )
    assert base64.b64encode(png).decode() in html
    assert "details" in page.tags
    assert page.tags.count("details") == 1  # an empty cell leaves nothing
    for text in ("What do the images look like?", "print", "epoch 1/3 loss 0.5 <b>", ODD, "progress: done"):
        assert text in page.text
    assert ("a", "href", "../index.html") in page.attributes
    assert ("a", "href", "03%20x%23y.html") in page.attributes
    assert ("a", "href", "https://example.org/card") in page.attributes
    assert [path.name for path in out.parent.iterdir()] == ["n.html"]
    assert out.stat().st_size < len(png) * 4 / 3 + 30_000


def test_notebook_bytes_do_not_depend_on_random_cell_ids(tmp_path, png):
    pages = []
    for name in ("a", "b"):
        nbformat.write(executed(png), tmp_path / "n.ipynb")  # new cells, new ids
        pages.append(render_notebook(tmp_path / "n.ipynb", tmp_path / f"{name}.html", "n").read_bytes())
    assert pages[0] == pages[1]


def test_local_pictures_of_a_notebook_are_embedded(tmp_path, png):
    nbformat.write(
        notebook(v4.new_markdown_cell("![roc](figures/roc%20curve%20%231.png)")), tmp_path / "n.ipynb"
    )
    (tmp_path / "plain.png").write_bytes(png)
    nbformat.write(notebook(v4.new_markdown_cell("![roc](plain.png)")), tmp_path / "n.ipynb")
    html = render_notebook(tmp_path / "n.ipynb", tmp_path / "n.html", "n").read_text(encoding="utf-8")
    assert base64.b64encode(png).decode() in html


@pytest.mark.parametrize(
    ("markup", "names"),
    [
        ('<img src="https://example.org/x.png">', "example.org"),
        ('<script>fetch("x")</script>', "script"),
        ('<iframe src="//example.org"></iframe>', "iframe"),
        ("<style>@import 'https://example.org/a.css';</style>", "example.org/a.css"),
    ],
)
def test_notebook_that_needs_the_network_is_refused_and_nothing_is_written(tmp_path, markup, names):
    output = v4.new_output("display_data", data={"text/html": markup, "text/plain": "-"})
    nbformat.write(notebook(v4.new_code_cell("show()", outputs=[output])), tmp_path / "n.ipynb")
    with pytest.raises(RenderError, match=names):
        render_notebook(tmp_path / "n.ipynb", tmp_path / "n.html", "n")
    assert not (tmp_path / "n.html").exists()


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"cells": []}'])
def test_what_is_no_notebook_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "broken.ipynb").write_text(content)
    with pytest.raises(RenderError, match=r"broken\.ipynb"):
        render_notebook(tmp_path / "broken.ipynb", tmp_path / "n.html", "n")


@pytest.mark.parametrize(
    ("html", "count"),
    [
        ('<a href="https://example.org">x</a>', 0),
        ('<img src="data:image/png;base64,AAAA"><img src="figures/x.png">', 0),
        ('<link rel="stylesheet" href="https://example.org/a.css">', 1),
        ('<IMG SRC="HTTP://example.org/a.png">', 1),
        ('<div style="background: url(https://example.org/a.png)"></div>', 1),
        ("<style>p { background: url('//example.org/a.png') }</style>", 1),
        ("<p>url(https://example.org/only-text)</p>", 0),
        ('<svg><image xlink:href="http://example.org/a.svg"/></svg>', 1),
        ('<video poster="https://example.org/a.png" src="https://example.org/a.mp4"></video>', 2),
    ],
)
def test_network_references_are_what_a_browser_would_load(html, count):
    assert len(network_references(html)) == count


def test_index_shows_everything_and_escapes_what_comes_from_data(tmp_path, png):
    out = render_index(tmp_path / "index.html", report())
    page = Parsed(out)
    assert "script" not in page.tags
    assert page.text.count(ODD) >= 5  # navigation, heading, question, caption, data, table
    for text in (
        "Leukaemia & smears",
        "Does it work?",
        "SYNTHETIC DATA.",
        "abc123",
        "make study",
    ):
        assert text in page.text
    assert ("img", "alt", f"ROC of {ODD}") in page.attributes
    assert ("img", "src", "figures/roc%20curve%20%231.png") in page.attributes
    assert (
        "img",
        "width",
        str(plt.imread(tmp_path / "figures" / "roc curve #1.png").shape[1]),
    ) in page.attributes
    assert ("a", "href", "notebooks/01%20a.html") in page.attributes
    assert page.tags.count("h1") == 1
    assert out.read_bytes() == render_index(tmp_path / "index.html", report()).read_bytes()


def test_index_of_real_data_has_no_banner(tmp_path, png):
    out = render_index(tmp_path / "index.html", report(synthetic=False))
    assert "SYNTHETIC" not in Parsed(out).text


def test_links_inside_the_index_lead_somewhere(tmp_path, png):
    page = Parsed(render_index(tmp_path / "index.html", report()))
    ids = {value for _, name, value in page.attributes if name == "id"}
    inner = [v[1:] for tag, name, v in page.attributes if tag == "a" and name == "href" and v.startswith("#")]
    assert inner
    assert set(inner) <= ids


def test_index_refuses_missing_figures_and_a_page_that_needs_the_network(tmp_path, png):
    with pytest.raises(RenderError, match=r"none\.png"):
        render_index(tmp_path / "index.html", report(flow="figures/none.png"))
    (tmp_path / "figures" / "text.png").write_text("not a picture")
    with pytest.raises(RenderError, match=r"text\.png is no picture"):
        render_index(tmp_path / "index.html", report(flow="figures/text.png"))
    with pytest.raises(RenderError, match="network"):
        render_index(tmp_path / "index.html", report(table_html='<img src="https://example.org/a.png">'))
    assert not (tmp_path / "index.html").exists()
    with pytest.raises(TypeError, match="sintetic"):
        report(sintetic=True)
