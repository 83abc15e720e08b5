"""docs/datasets.md, made from the registry (`leukstudy data docs`)."""

from pathlib import Path

from leukstudy.data.registry import ENTRIES, GATES, LABEL_KINDS, Source

_HEAD = """\
# Datasets

<!-- Made from leukstudy/data/registry by `leukstudy data docs`: change the registry, not this page. -->

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
    parts += [_section(source) for source in ENTRIES]
    return "\n".join(parts)


def write(path: Path) -> Path:
    """Write the page; gives its path."""
    path.write_text(page(), encoding="utf-8")
    return path


def facts_of(source: Source) -> list[tuple[str, str]]:
    """What the registry says of a source, as pairs of a name and a text, empty facts left out."""
    counts = ", ".join(
        f"{label} {'?' if n is None else format(n, ',')}" for label, n in source.classes.items()
    )
    facts = [
        ("title", source.title),
        ("synthetic", "yes: these are drawings" if source.synthetic else "no"),
        ("licence", source.licence),
        ("gate", f"{source.gate}: {GATES[source.gate]}"),
        ("access", source.access),
        ("home", source.home),
        ("doi", source.doi),
        ("citation", source.citation),
        ("labels", f"{source.label_kind}: {LABEL_KINDS[source.label_kind]}"),
        ("images", f"{source.images:,}" if source.images else "?"),
        ("counts", counts or "?"),
        ("image size", source.image_size),
        ("group level", source.group_level),
        ("groups", source.groups),
        ("layout", source.layout),
        ("adapter", source.adapter),
        *(("checksum", f"{file} {known}") for file, known in source.checksums.items()),
        ("kaggle", source.kaggle),
        *(("download", url) for url in source.download),
        ("overlaps with", ", ".join(source.overlaps)),
        *(("left out", f"{pattern}: {why}") for pattern, why in source.exclusions.items()),
        *(("one group", ", ".join(members)) for members in source.same_group),
        *(("caution", caution) for caution in source.cautions),
        ("tested on", source.tested),
    ]
    return [(name, text) for name, text in facts if text]


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
            for s in ENTRIES
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
    return _table(("source", "tested on"), [(s.name, s.tested) for s in ENTRIES])


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
