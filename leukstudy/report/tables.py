"""Tables for people: all results of a task in one, as HTML and as Markdown, with how to read it below."""

import html
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from leukstudy.evaluate.published import NOT_COMPARABLE
from leukstudy.evaluate.record import Estimate, Record, Unscored
from leukstudy.report.curves import METRIC_NAMES, interval_text

# Balanced accuracy is in the JSON: with several classes it equals the recall beside it.
METRICS = ("auroc", "accuracy", "precision", "recall", "specificity", "f1")
KINDS = {"model": "model", "ensemble": "ensemble", "baseline": "shortcut baseline"}
PUBLISHED = "published, not comparable"
ABSENT = "–"
SEEDS = "Seeds"
SYNTHETIC = "SYNTHETIC DATA"


def column_name(metric: str) -> str:
    """Give a metric's heading: its name with a capital first letter."""
    name = METRIC_NAMES.get(metric, metric)
    return name[0].upper() + name[1:]


def results_table(records: Sequence[Record], published: pd.DataFrame | None = None) -> pd.DataFrame:
    """Lay out the results of one task: our models, ensembles of them, our shortcut baselines, then what others published.

    Records keep their order within a kind; `published` is a table of `evaluate.published.published`. Every cell is text,
    `0.953 [0.912, 0.981] (0.941–0.962)` where there are an interval and several seeds, a dash where there is no value.
    Columns: Experiment, Model, Kind, one a metric, Seeds (their number), Split level, Groups, Images. Metrics that nobody
    has are left out, and so is Seeds where every experiment has one. Raises ValueError without a record.
    """
    if not records:
        raise ValueError("no experiment to put into the table of results; evaluate at least one.")
    # A stable sort: the ensembles go below what they combine, the baselines below what they call into question.
    ordered = sorted(records, key=lambda record: list(KINDS).index(record.kind))
    rows = [_our_row(record) for record in ordered]
    rows += [_published_row(row) for row in ([] if published is None else published.to_dict("records"))]
    table = pd.DataFrame(rows)
    nobody = [name for name in map(column_name, METRICS) if (table[name] == ABSENT).all()]
    return table.drop(columns=nobody if _several_seeds(records) else [*nobody, SEEDS])


def _several_seeds(records: Sequence[Record]) -> bool:
    return any(len(record.seeds) > 1 for record in records)


def _our_row(record: Record) -> dict[str, str]:
    metrics = record.metrics
    return {
        "Experiment": record.experiment,
        "Model": record.model,
        "Kind": KINDS[record.kind],
        **{
            column_name(name): estimate_text(metrics[name]) if name in metrics else ABSENT for name in METRICS
        },
        SEEDS: str(len(record.seeds) or ABSENT),
        "Split level": record.group_level,
        "Groups": str(record.groups),
        "Images": str(record.images),
    }


def estimate_text(estimate: Estimate) -> str:
    """Write an estimate with its interval and, of several seeds, the lowest and highest: `0.953 [0.912, 0.981] (0.941–0.962)`."""
    if not estimate.range:
        return interval_text(estimate)
    low, high = estimate.range
    return f"{interval_text(estimate)} ({low:.3f}–{high:.3f})"


def _published_row(row: dict[str, Any]) -> dict[str, str]:
    described = "; ".join(filter(None, (row["data"], row["note"])))
    return {
        "Experiment": f"{row['source']} ({described})",
        "Model": row["model"],
        "Kind": PUBLISHED,
        **{column_name(name): f"{row[name]:.3f}" if pd.notna(row[name]) else ABSENT for name in METRICS},
        SEEDS: ABSENT,
        "Split level": row["split_level"],
        "Groups": ABSENT,
        "Images": ABSENT,
    }


APART = {
    "patient": "no patient has images in more than one of training, validation and test",
    "slide": "no slide is in more than one of training, validation and test; a patient with several slides may be",
    "original": "copies made of one original image are kept together; other images of the same person may be on "
    "both sides: read the numbers as optimistic",
    "cluster": "only images that look nearly the same are kept together, so images of one person may be on both "
    "sides: read the numbers as optimistic",
    "block": "these data name no patients; blocks of consecutive file numbers are kept together, and "
    "images of one person may still be on both sides",
    "image": "single images were split, so images of one person may be on both sides: read the numbers "
    "as optimistic",
}
"""What a split at each level keeps apart, and what it does not."""


def split_statement(record: Record) -> str:
    """Say in words at which level the data were split, on how much it rests, and what the brackets are.

    The word patient is used for the split only where `group_level` is patient.
    """
    level = record.group_level
    apart = APART.get(level, f"no {level} is in more than one of training, validation and test")
    noun = level if record.groups == 1 else f"{level}s"
    groups = "" if level == "image" else f" of {record.groups:,} {noun}"
    text = f"Split level: {level} ({apart}). The {record.split} split holds {record.images:,} images{groups}."
    if any(estimate.low is not None for estimate in record.metrics.values()):
        return text + (
            f" In brackets: {record.confidence:.0%} bootstrap intervals from {record.resamples:,} "
            f"resamples of whole {level}s."
        )
    return (
        text
        + f" No intervals: a class has a single {level} in this split, and one {level} cannot be resampled."
    )


def notes(records: Sequence[Record], published: pd.DataFrame | None = None) -> list[str]:
    """Give the sentences below the table: split level, cautions, seeds, ensembles, baselines, published numbers."""
    sentences = [split_statement(record) for record in records]
    sentences += [caution for record in records for caution in record.cautions]
    if _several_seeds(records):
        level = records[0].group_level
        sentences.append(
            "Experiments with several seeds were trained once with each: the value is the mean over the seeds, and the lowest "
            f"and highest seed stand in parentheses. Brackets and parentheses are two kinds of luck: that of the {level}s "
            f"drawn (the same resampled {level}s for all seeds), and that of the training."
        )
    kinds = {record.kind for record in records}
    if "ensemble" in kinds:
        sentences.append(
            "Ensembles combine the probabilities of the experiments they name, each the mean over its seeds. The weights of a "
            "stacked one were fitted on the validation split alone. What went wrong and where networks looked is shown of "
            "their members."
        )
    if "baseline" in kinds:
        sentences.append(
            "Shortcut baselines see only what should not tell the classes apart (colour, corners): a "
            "model close to them may have learnt the same shortcut."
        )
    if published is not None and len(published):
        sentences.append(NOT_COMPARABLE)
        cited = published[published["citation"] != ""]
        sentences += [f"{row['source']}: {row['citation']}" for row in cited.to_dict("records")]
    return list(dict.fromkeys(sentences))


def shorten(table: pd.DataFrame, rows: int = 20) -> pd.DataFrame:
    """Give the first `rows` rows of a long table, and a last row that says how many more there are."""
    if len(table) <= rows:
        return table
    rest = [f"and {len(table) - rows:,} more", *[""] * (table.shape[1] - 1)]
    short = table.head(rows).astype(object)
    return pd.concat([short, pd.DataFrame([rest], columns=table.columns, index=["…"])])


def to_html(table: pd.DataFrame, *, caption: str = "", wide: bool = True) -> str:
    """Write a table as HTML: first column as row heads, all text escaped.

    Rows get the class `kind-<first word of Kind>` where the table has that column. `wide` wraps the table in
    a box that scrolls sideways on a narrow screen.
    """
    lines = ['<table class="data">']
    if caption:
        lines.append(f"<caption>{html.escape(caption)}</caption>")
    heads = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in table.columns)
    lines.append(f"<thead><tr>{heads}</tr></thead>\n<tbody>")
    for row in table.itertuples(index=False, name=None):
        values = [_cell(value) for value in row]
        kind = row[list(table.columns).index("Kind")] if "Kind" in table.columns else ""
        mark = (
            f' class="kind-{re.sub(r"[^a-z]", "", str(kind).split(maxsplit=1)[0].lower())}"' if kind else ""
        )
        cells = "".join(f"<td>{value}</td>" for value in values[1:])
        lines.append(f'<tr{mark}><th scope="row">{values[0]}</th>{cells}</tr>')
    lines.append("</tbody></table>")
    text = "\n".join(lines)
    return f'<div class="scroll">\n{text}\n</div>' if wide else text


def _cell(value: object) -> str:
    # Interval and range go on lines of their own, and names may break at their joints: seven estimates fit a page that way.
    text = re.sub(r"(?<=[a-z0-9])([_-])(?=[a-z])", r"\1<wbr>", html.escape(str(value)))
    estimate = re.fullmatch(r"(\d\.\d+)( \[\d\.\d+, \d\.\d+\])?( \(\d\.\d+–\d\.\d+\))?", text)
    if not estimate:
        return text
    value, *further = (part.strip() for part in estimate.groups() if part)
    return " ".join([value, *(f'<span class="interval">{part}</span>' for part in further)])


def to_markdown(table: pd.DataFrame) -> str:
    """Write a table as GitHub Markdown; what Markdown or HTML would take for markup in a cell is escaped."""
    lines = [_markdown_row(table.columns), "|" + " --- |" * len(table.columns)]
    lines += [_markdown_row(row) for row in table.itertuples(index=False, name=None)]
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Sequence) -> str:
    return "| " + " | ".join(_markdown(cell) for cell in cells) + " |"


def _markdown(cell: object) -> str:
    text = html.escape(" ".join(str(cell).split()), quote=False)
    return re.sub(r"([\\|*`_\[\]~])", r"\\\1", text)


def results_html(
    records: Sequence[Record],
    published: pd.DataFrame | None = None,
    *,
    synthetic: bool,
    caption: str = "",
) -> str:
    """Write the results of a task as HTML: the table, SYNTHETIC DATA in bold where they are drawings, and the notes."""
    table = to_html(results_table(records, published), caption=caption)
    return "\n".join([table, *synthetic_html(synthetic), *map(note_html, notes(records, published))])


def results_markdown(
    records: Sequence[Record], published: pd.DataFrame | None = None, *, synthetic: bool
) -> str:
    """Write the same as Markdown, without the caption."""
    parts = [to_markdown(results_table(records, published))]
    if synthetic:
        parts.append(f"**{SYNTHETIC}**\n")
    parts += [f"{_markdown(note)}\n" for note in notes(records, published)]
    return "\n".join(parts)


def synthetic_html(synthetic: bool) -> list[str]:
    """The paragraph that calls drawings drawings, or none."""
    return [f'<p class="synthetic"><strong>{SYNTHETIC}</strong></p>'] if synthetic else []


def note_html(note: str) -> str:
    """A sentence below a table, escaped."""
    return f'<p class="note">{html.escape(note)}</p>'


def external_html(records: Sequence[Record]) -> str:
    """Write what the experiments of a task reach on sources they never saw, a table a source; '' without any."""
    parts = []
    for caption, scored, reasons in _external(records):
        if scored:
            parts.append(results_html(scored, synthetic=scored[0].synthetic, caption=caption))
        parts += [note_html(f"{caption}: {reason}") for reason in reasons]
    return "\n".join(parts)


def external_markdown(records: Sequence[Record]) -> str:
    """Write the same as Markdown, under a heading a source."""
    parts = []
    for caption, scored, reasons in _external(records):
        parts.append(f"#### {_markdown(caption)}\n")
        if scored:
            parts.append(results_markdown(scored, synthetic=scored[0].synthetic))
        parts += [f"{_markdown(reason)}\n" for reason in reasons]
    return "\n".join(parts)


def _external(records: Sequence[Record]) -> list[tuple[str, list[Record], list[str]]]:
    """Of each external source: a caption, the records that could be scored, and why others could not."""
    sources = []
    for source in dict.fromkeys(source for record in records for source in record.external):
        own = [record.external[source] for record in records if source in record.external]
        reasons = dict.fromkeys(each.unscored for each in own if isinstance(each, Unscored))
        scored = [each for each in own if isinstance(each, Record)]
        sources.append((f"{records[0].task}: external validation on {source}", scored, list(reasons)))
    return sources
