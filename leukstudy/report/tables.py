"""Tables for people: all results of a task in one, as HTML and as Markdown, with how to read it below."""

import html
import re
from collections.abc import Mapping, Sequence

import pandas as pd

from leukstudy.evaluate.published import NOT_COMPARABLE
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


def results_table(summaries: Sequence[Mapping], published: pd.DataFrame | None = None) -> pd.DataFrame:
    """Lay out the results of one task: our models, ensembles of them, our shortcut baselines, then what others published.

    `summaries` are the records of `evaluate.summary.evaluate_experiment`, kept in their order within a kind;
    `published` is a table of `evaluate.published.published`. Every cell is text, `0.953 [0.912, 0.981] (0.941–0.962)`
    where there are an interval and several seeds, a dash where there is no value. Columns: Experiment, Model, Kind, one a
    metric, Seeds (their number), Split level, Groups, Images. Metrics that nobody has are left out, and so is Seeds where
    every experiment has one. Raises ValueError without a record.
    """
    if not summaries:
        raise ValueError("no experiment to put into the table of results; evaluate at least one.")
    # A stable sort: the ensembles go below what they combine, the baselines below what they call into question.
    ordered = sorted(summaries, key=lambda record: list(KINDS).index(record["kind"]))
    rows = [_our_row(record) for record in ordered]
    rows += [_published_row(row) for row in ([] if published is None else published.to_dict("records"))]
    table = pd.DataFrame(rows)
    nobody = [name for name in map(column_name, METRICS) if (table[name] == ABSENT).all()]
    return table.drop(columns=nobody if _several_seeds(summaries) else [*nobody, SEEDS])


def _several_seeds(summaries: Sequence[Mapping]) -> bool:
    return any(len(record.get("seeds", [])) > 1 for record in summaries)


def _our_row(record: Mapping) -> dict[str, str]:
    metrics = record["metrics"]
    cells = {
        column_name(name): estimate_text(metrics[name]) if name in metrics else ABSENT for name in METRICS
    }
    row = {"Experiment": record["experiment"], "Model": record["model"], "Kind": KINDS[record["kind"]]}
    cells[SEEDS] = str(len(record.get("seeds", [])) or ABSENT)
    return row | cells | _extent(record["group_level"], str(record["groups"]), str(record["images"]))


def estimate_text(estimate: Mapping) -> str:
    """Write an estimate with its interval and, of several seeds, the lowest and highest: `0.953 [0.912, 0.981] (0.941–0.962)`."""
    if "range" not in estimate:
        return interval_text(estimate)
    low, high = estimate["range"]
    return f"{interval_text(estimate)} ({low:.3f}–{high:.3f})"


def _published_row(row: Mapping) -> dict[str, str]:
    cells = dict.fromkeys(map(column_name, METRICS), ABSENT)
    cells |= {column_name(name): f"{row[name]:.3f}" for name in METRICS if pd.notna(row[name])}
    cells[SEEDS] = ABSENT
    said = "; ".join(filter(None, (row["data"], row["note"])))
    first = {"Experiment": f"{row['source']} ({said})", "Model": row["model"], "Kind": PUBLISHED}
    return first | cells | _extent(row["split_level"], ABSENT, ABSENT)


def _extent(level: str, groups: str, images: str) -> dict[str, str]:
    return {"Split level": level, "Groups": groups, "Images": images}


def split_statement(record: Mapping) -> str:
    """Say in words at which level the data were split, on how much it rests, and what the brackets are.

    The word patient is used for the split only where `group_level` is patient.
    """
    level, count = record["group_level"], record["groups"]
    noun = level if count == 1 else f"{level}s"
    said = {
        "patient": "no patient has images in more than one of training, validation and test",
        "slide": "no slide is in more than one of training, validation and test; a patient with several "
        "slides may be",
        "original": "copies made of one original image are kept together; other images of the same person may be on "
        "both sides: read the numbers as optimistic",
        "cluster": "only images that look nearly the same are kept together, so images of one person may be on both "
        "sides: read the numbers as optimistic",
        "block": "these data name no patients; blocks of consecutive file numbers are kept together, and "
        "images of one person may still be on both sides",
        "image": "single images were split, so images of one person may be on both sides: read the numbers "
        "as optimistic",
    }.get(level, f"no {level} is in more than one of training, validation and test")
    held = "" if level == "image" else f" of {count:,} {noun}"
    text = (
        f"Split level: {level} ({said}). The {record['split']} split holds {record['images']:,} images{held}."
    )
    if any(estimate.get("low") is not None for estimate in record["metrics"].values()):
        return text + (
            f" In brackets: {record['confidence']:.0%} bootstrap intervals from {record['resamples']:,} "
            f"resamples of whole {level}s."
        )
    return (
        text
        + f" No intervals: a class has a single {level} in this split, and one {level} cannot be resampled."
    )


def notes(summaries: Sequence[Mapping], published: pd.DataFrame | None = None) -> list[str]:
    """Give the sentences below the table: split level, cautions, seeds, ensembles, baselines, published numbers."""
    said = [split_statement(record) for record in summaries]
    said += [caution for record in summaries for caution in record["cautions"]]
    if _several_seeds(summaries):
        level = summaries[0]["group_level"]
        said.append(
            "Experiments with several seeds were trained once with each: the value is the mean over the seeds, and the lowest "
            f"and highest seed stand in parentheses. Brackets and parentheses are two kinds of luck: that of the {level}s "
            f"drawn (the same resampled {level}s for all seeds), and that of the training."
        )
    if any(record["kind"] == "ensemble" for record in summaries):
        said.append(
            "Ensembles combine the probabilities of the experiments they name, each the mean over its seeds. The weights of a "
            "stacked one were fitted on the validation split alone. What went wrong and where networks looked is shown of "
            "their members."
        )
    if any(record["kind"] == "baseline" for record in summaries):
        said.append(
            "Shortcut baselines see only what should not tell the classes apart (colour, corners): a "
            "model close to them may have learnt the same shortcut."
        )
    if published is not None and len(published):
        said.append(NOT_COMPARABLE)
        cited = published[published["citation"] != ""]
        said += [f"{row['source']}: {row['citation']}" for row in cited.to_dict("records")]
    return list(dict.fromkeys(said))


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
    summaries: Sequence[Mapping],
    published: pd.DataFrame | None = None,
    *,
    synthetic: bool,
    caption: str = "",
) -> str:
    """Write the results of a task as HTML: the table, SYNTHETIC DATA in bold where told so, and the notes."""
    parts = [to_html(results_table(summaries, published), caption=caption)]
    if synthetic:
        parts.append(f'<p class="synthetic"><strong>{SYNTHETIC}</strong></p>')
    parts += [f'<p class="note">{html.escape(note)}</p>' for note in notes(summaries, published)]
    return "\n".join(parts)


def external_html(summaries: Sequence[Mapping]) -> str:
    """Write what the experiments of a task reach on sources they never saw, a table a source; '' without any.

    `summaries` are records that hold, under `external`, those of `evaluate.external.external_records`.
    """
    parts = []
    for caption, scored, why in _external(summaries):
        if scored:
            parts.append(results_html(scored, synthetic=scored[0]["synthetic"], caption=caption))
        parts += [f'<p class="note">{html.escape(f"{caption}: {reason}")}</p>' for reason in why]
    return "\n".join(parts)


def external_markdown(summaries: Sequence[Mapping]) -> str:
    """Write the same as Markdown, under a heading a source."""
    parts = []
    for caption, scored, why in _external(summaries):
        parts.append(f"#### {_markdown(caption)}\n")
        if scored:
            parts.append(results_markdown(scored, synthetic=scored[0]["synthetic"]))
        parts += [f"{_markdown(reason)}\n" for reason in why]
    return "\n".join(parts)


def _external(summaries: Sequence[Mapping]) -> list[tuple[str, list[Mapping], list[str]]]:
    """Of each external source: a caption, the records that could be scored, and why others could not."""
    found = []
    for source in dict.fromkeys(source for record in summaries for source in record.get("external", {})):
        mine = [record["external"][source] for record in summaries if source in record.get("external", {})]
        why = dict.fromkeys(record["unscored"] for record in mine if "unscored" in record)
        scored = [record for record in mine if "unscored" not in record]
        found.append((f"{summaries[0]['task']}: external validation on {source}", scored, list(why)))
    return found


def results_markdown(
    summaries: Sequence[Mapping], published: pd.DataFrame | None = None, *, synthetic: bool
) -> str:
    """Write the results of a task as Markdown: the table, **SYNTHETIC DATA** where told so, and the notes."""
    parts = [to_markdown(results_table(summaries, published))]
    if synthetic:
        parts.append(f"**{SYNTHETIC}**\n")
    parts += [f"{_markdown(note)}\n" for note in notes(summaries, published)]
    return "\n".join(parts)
