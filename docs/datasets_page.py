"""`python docs/datasets_page.py`: write docs/datasets.md anew from the registry."""

from pathlib import Path

from leukstudy.data.registry import GATES, LABEL_KINDS, SOURCES, Source, facts_of

_HEAD = """\
# Datasets

<!-- Made from leukstudy/data/registry.yaml by `python docs/datasets_page.py`: change the registry, not this page. -->

What the study knows of each source. Facts are the publishers', or were seen in public code that reads the files; **a "?"
marks what nobody here has verified**, and only the sources tested on real files were ever seen here. `leukstudy data get`
fetches a source or says how, `leukstudy data verify` compares a delivery with this page, and
`leukstudy data use NAME=PATH [NAME=PATH ...]` puts one or several behind the study. Bibliographic details were not checked
at the publishers; check them before you cite.
"""
_TERMS = """\
## What was tested, and on what

"Fabricated" means a miniature of the layout that `tests/fabricate_sources.py` writes, odd cases included
(`tests/unit/test_adapters.py`); real files are used by `tests/real/` where they lie beside the project. Nothing is
downloaded by a test: **no address on this page has been fetched by one.**
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD, _overview(), _words(), _TERMS, _tested(), "## Source by source\n"]
    parts += [_section(source) for source in SOURCES.values()]
    return "\n".join(parts)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join([_row(*head), _row(*["---"] * len(head)), *(_row(*row) for row in rows)]) + "\n"


def _overview() -> str:
    return _table(
        ("source", "title", "labels", "images", "size", "groups", "gate", "licence"),
        [
            (
                f"[{s.name}](#{s.name})", s.title, s.label_kind, f"{s.images:,}" if s.images else "?", s.image_size,
                s.group_level, s.gate, s.licence,
            )
            for s in SOURCES.values()
        ],
    )  # fmt: skip


def _words() -> str:
    words = {
        **{f"labels: {k}": v for k, v in LABEL_KINDS.items()},
        **{f"gate: {k}": v for k, v in GATES.items()},
    }
    return "\n".join(f"- **{word}**: {meaning}." for word, meaning in words.items()) + (
        "\n- **groups**: what may never stand on both sides of a split, the finest level that the source knows.\n"
    )


def _tested() -> str:
    return _table(("source", "tested on"), [(s.name, s.tested) for s in SOURCES.values()])


def _section(source: Source) -> str:
    lines = [f"### {source.name}\n"]
    lines += [f"- **{name}**: {_plain(text)}" for name, text in facts_of(source)]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    if text.startswith("https://"):
        return f"<{text}>"
    for letter in "\\*_<>[]":
        text = text.replace(letter, f"\\{letter}")
    return text


if __name__ == "__main__":
    Path(__file__).with_name("datasets.md").write_text(page(), encoding="utf-8")
