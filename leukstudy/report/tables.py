"""Tables for people: all results of a task in one, as HTML and as Markdown, with how to read it below."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from leukstudy.evaluate.published import NOT_COMPARABLE
from leukstudy.evaluate.record import Estimate, Record, Unscored
from leukstudy.report.curves import METRIC_NAMES, interval_text

# Balanced accuracy is in the JSON: with several classes it equals the recall beside it.
METRICS = ("auroc", "accuracy", "precision", "recall", "specificity", "f1")
COLUMNS = {metric: METRIC_NAMES[metric][0].upper() + METRIC_NAMES[metric][1:] for metric in METRICS}
KINDS = {"model": "model", "ensemble": "ensemble", "baseline": "shortcut baseline"}
PUBLISHED = "published, not comparable"
ABSENT = "–"
SYNTHETIC = "SYNTHETIC DATA"


@dataclass(frozen=True)
class Section:
    """A table and the sentences below it, to be written as HTML or as Markdown."""

    table: pd.DataFrame | None
    notes: list[str]
    synthetic: bool = False
    """Writes SYNTHETIC DATA in bold between the two: the images are drawings."""
    caption: str = ""

    def html(self) -> str:
        """Write the section as HTML, all text escaped."""
        parts = [] if self.table is None else [to_html(self.table, caption=self.caption)]
        if self.synthetic:
            parts.append(f'<p class="synthetic"><strong>{SYNTHETIC}</strong></p>')
        return "\n".join([*parts, *map(note_html, self.notes)])

    def markdown(self) -> str:
        """Write the section as GitHub Markdown, all text escaped, its caption as a heading."""
        parts = [f"#### {_markdown(self.caption)}\n"] if self.caption else []
        parts += [] if self.table is None else [to_markdown(self.table)]
        if self.synthetic:
            parts.append(f"**{SYNTHETIC}**\n")
        return "\n".join([*parts, *(f"{_markdown(note)}\n" for note in self.notes)])


def results(
    records: Sequence[Record], published: pd.DataFrame | None = None, *, caption: str = ""
) -> Section:
    """Give the results of a task: the table of `results_table`, and below it the `notes`."""
    synthetic = any(record.synthetic for record in records)
    return Section(results_table(records, published), notes(records, published), synthetic, caption)


def external(records: Sequence[Record]) -> list[Section]:
    """Give what the experiments of a task reach on sources they never saw: a section a source."""
    sections = []
    for source in dict.fromkeys(source for record in records for source in record.external):
        caption = f"{records[0].task}: external validation on {source}"
        outcomes = [record.external[source] for record in records if source in record.external]
        scored = [outcome for outcome in outcomes if isinstance(outcome, Record)]
        reasons = dict.fromkeys(outcome.unscored for outcome in outcomes if isinstance(outcome, Unscored))
        section = results(scored, caption=caption) if scored else Section(None, [], caption=caption)
        section.notes.extend(f"{caption}: {reason}" for reason in reasons)
        sections.append(section)
    return sections


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
    rows = [
        {
            "Experiment": record.experiment,
            "Model": record.model,
            "Kind": KINDS[record.kind],
            **{
                COLUMNS[name]: estimate_text(record.metrics[name])
                for name in METRICS
                if name in record.metrics
            },
            "Seeds": str(len(record.seeds) or ABSENT),
            "Split level": record.group_level,
            "Groups": str(record.groups),
            "Images": str(record.images),
        }
        for record in sorted(records, key=lambda record: list(KINDS).index(record.kind))
    ]
    rows += [
        {
            "Experiment": f"{row['source']} ({'; '.join(filter(None, (row['data'], row['note'])))})",
            "Model": row["model"],
            "Kind": PUBLISHED,
            **{COLUMNS[name]: f"{row[name]:.3f}" for name in METRICS if pd.notna(row[name])},
            "Split level": row["split_level"],
        }
        for row in ([] if published is None else published.to_dict("records"))
    ]
    columns = ["Experiment", "Model", "Kind", *COLUMNS.values(), "Seeds", "Split level", "Groups", "Images"]
    table = pd.DataFrame(rows, columns=columns).dropna(axis="columns", how="all").fillna(ABSENT)
    return table if _several_seeds(records) else table.drop(columns="Seeds")


def _several_seeds(records: Sequence[Record]) -> bool:
    return any(len(record.seeds) > 1 for record in records)


def estimate_text(estimate: Estimate) -> str:
    """Write an estimate with its interval and, of several seeds, the lowest and highest: `0.953 [0.912, 0.981] (0.941–0.962)`."""
    if not estimate.range:
        return interval_text(estimate)
    low, high = estimate.range
    return f"{interval_text(estimate)} ({low:.3f}–{high:.3f})"


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
    noun = level if record.groups == 1 else f"{level}s"
    groups = "" if level == "image" else f" of {record.groups:,} {noun}"
    text = f"Split level: {level} ({APART[level]}). The {record.split} split holds {record.images:,} images{groups}."
    if any(estimate.low is not None for estimate in record.metrics.values()):
        return (
            f"{text} In brackets: {record.confidence:.0%} bootstrap intervals from {record.resamples:,} "
            f"resamples of whole {level}s."
        )
    return f"{text} No intervals: a class has a single {level} in this split, and one {level} cannot be resampled."


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
        sentences += (cited["source"] + ": " + cited["citation"]).tolist()
    return list(dict.fromkeys(sentences))


def shorten(table: pd.DataFrame, rows: int = 20) -> pd.DataFrame:
    """Give the first `rows` rows of a long table, and a last row that says how many more there are."""
    if len(table) <= rows:
        return table
    rest = [f"and {len(table) - rows:,} more", *[""] * (table.shape[1] - 1)]
    short = table.head(rows).astype(object)
    return pd.concat([short, pd.DataFrame([rest], columns=table.columns, index=["…"])])


def to_html(table: pd.DataFrame, *, caption: str = "") -> str:
    """Write a table as HTML, in a box that scrolls sideways on a narrow screen: first column as row heads, all text escaped.

    Rows get the class `kind-<first word of Kind>` where the table has that column.
    """
    lines = ['<div class="scroll">', '<table class="data">']
    if caption:
        lines.append(f"<caption>{html.escape(caption)}</caption>")
    heads = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in table.columns)
    lines += [f"<thead><tr>{heads}</tr></thead>", "<tbody>"]
    kinds = [re.split(r"\W", kind)[0] for kind in table.get("Kind", [""] * len(table))]
    for kind, row in zip(kinds, table.itertuples(index=False, name=None), strict=True):
        mark = f' class="kind-{kind}"' if kind else ""
        head, *values = map(_cell, row)
        cells = "".join(f"<td>{value}</td>" for value in values)
        lines.append(f'<tr{mark}><th scope="row">{head}</th>{cells}</tr>')
    return "\n".join([*lines, "</tbody></table>", "</div>"])


def _cell(value: object) -> str:
    # Interval and range go on lines of their own, and names may break at their joints: seven estimates fit a page that way.
    text = re.sub(r"(?<=[a-z0-9])([_-])(?=[a-z])", r"\1<wbr>", html.escape(str(value)))
    if not re.fullmatch(r"\d\.\d+( \[\d\.\d+, \d\.\d+\])?( \(\d\.\d+–\d\.\d+\))?", text):
        return text
    return re.sub(r"(\[.*?\]|\(.*?\))", r'<span class="interval">\1</span>', text)


def note_html(note: str) -> str:
    """Write a sentence below a table as HTML, escaped."""
    return f'<p class="note">{html.escape(note)}</p>'


def to_markdown(table: pd.DataFrame) -> str:
    """Write a table as GitHub Markdown; what Markdown or HTML would take for markup in a cell is escaped."""
    rows = [table.columns, ["---"] * len(table.columns), *table.itertuples(index=False, name=None)]
    return "".join(f"| {' | '.join(map(_markdown, row))} |\n" for row in rows)


def _markdown(cell: object) -> str:
    text = html.escape(" ".join(str(cell).split()), quote=False)
    return re.sub(r"([\\|*`_\[\]~])", r"\\\1", text)
