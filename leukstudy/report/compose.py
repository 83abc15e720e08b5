"""Sets the report together: copies what people read into `reports/` and fills the page's template.

Nothing is computed here. What is copied is named by `params.yaml`: leftovers of other experiments stay out.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from leukstudy.data.provenance import data_hash, describe, is_synthetic, level_of, sources_of
from leukstudy.data.sources import find_source
from leukstudy.evaluate.published import published
from leukstudy.report import audit_table, tables
from leukstudy.report.render import render_notebook
from leukstudy.study import stages
from leukstudy.study.experiments import NetworkSettings
from leukstudy.study.params import Study, fingerprint


def read_records(folder: Path, study: Study) -> list[dict]:
    """Read the records that `evaluate` wrote, in the order of `params.yaml`, ensembles last."""
    names = [*study.train, *study.ensembles]
    return [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in names]


def copy_metrics(evaluate: Path, models: Path, out: Path, study: Study) -> None:
    """Fill `reports/metrics`: a JSON an experiment, the summary, ROC points, learning curves."""
    _empty(out)
    shutil.copyfile(evaluate / "summary.json", out / "summary.json")
    for name in [*study.train, *study.ensembles]:
        shutil.copyfile(evaluate / f"{name}.json", out / f"{name}.json")
        _copy_into(evaluate / "roc" / f"{name}.csv", out / "roc")
        history = models / name / "history.csv"
        if history.is_file():
            _copy_into(history, out / "history", f"{name}.csv")


def copy_predictions(predictions: Path, ensembles: Path, out: Path, study: Study) -> None:
    """Fill `reports/predictions`: the test rows of each experiment (first seed) and ensemble, a CSV each, as they are."""
    _empty(out)
    files = {name: predictions / f"{name}.csv" for name in study.train}
    files |= {name: ensembles / f"{name}.csv" for name in study.ensembles}
    for name, file in files.items():
        rows = pd.read_csv(file, dtype=str, keep_default_na=False)  # as text: no digit changes
        rows[rows["split"] == "test"].to_csv(out / f"{name}.csv", index=False, lineterminator="\n")


def copy_figures(figures: Path, out: Path) -> list[str]:
    """Fill `reports/figures` with `<stage>-<figure>.png` or `.jpg`; give the names."""
    _empty(out)
    names = []
    for file in sorted(file for file in figures.glob("*/*") if file.suffix in (".png", ".jpg")):
        name = f"{file.parent.name}-{file.name}"
        shutil.copyfile(file, out / name)
        names.append(name)
    return names


def render_notebooks(executed: Path, out: Path, study: Study) -> list[dict]:
    """Fill `reports/notebooks` with each executed notebook, as .ipynb and as .html; give what the page links to.

    The report's own notebook is not there yet while it runs: the runner adds it when it has ended.
    """
    _empty(out)
    files = stages.notebooks(list(study.train))
    for stem, _ in files[:-1]:
        shutil.copyfile(executed / f"{stem}.ipynb", out / f"{stem}.ipynb")
        render_one(out, stem, files)
    return [
        {"title": title, "html": f"notebooks/{stem}.html", "ipynb": f"notebooks/{stem}.ipynb"}
        for stem, title in files
    ]


def render_one(out: Path, stem: str, files: Sequence[tuple[str, str]]) -> None:
    """Render `<stem>.ipynb` of `reports/notebooks` beside itself, with links to the page and its neighbours."""
    stems = [name for name, _ in files]
    place = stems.index(stem)
    links = [("Report", "../index.html")]
    if place > 0:
        links.append(("Previous", f"{stems[place - 1]}.html"))
    if place < len(stems) - 1:
        links.append(("Next", f"{stems[place + 1]}.html"))
    render_notebook(out / f"{stem}.ipynb", out / f"{stem}.html", f"{stem}", links=links)


def context(
    study: Study,
    manifest: pd.DataFrame,
    audit: pd.DataFrame,
    records: Sequence[Mapping],
    notebooks: list[dict],
) -> dict:
    """Give what the page's template needs (see `render.render_index`); `audit` are the findings of the audit."""
    kept = manifest[manifest["excluded"] == ""]
    level = level_of(manifest)
    names = ", ".join(find_source(name).title for name in sources_of(manifest))
    data = {
        "Source": names,
        "Images": f"{len(manifest):,} found, {len(kept):,} kept",
        "Split level": f"{level} ({kept['group_id'].nunique():,} {level}s)",
        "Notes": describe(manifest),
    }
    flow_caption = (
        "From the folder to the splits: every image that was found, why some were left out, and how many images and "
        f"{level}s each class has in each split."
    )
    return {
        "title": study.report.title,
        "question": study.report.question,
        "synthetic": is_synthetic(manifest),
        "data": data,
        "audit_html": audit_table.notable_html(audit),
        "flow_figure": {"file": "figures/acquire-flow.png", "caption": flow_caption},
        "tasks": [_task(study, name, records, is_synthetic(manifest)) for name in study.tasks],
        "notebooks": notebooks,
        "hashes": {
            "Data": data_hash(manifest),
            **{
                f"Parameters of {name}": fingerprint(given)
                for name, given in {**study.train, **study.ensembles}.items()
            },
        },
    }


def _task(study: Study, name: str, records: Sequence[Mapping], synthetic: bool) -> dict:
    mine = [record for record in records if record["task"] == name]
    models = [record["experiment"] for record in mine if record["kind"] == "model"]
    ensembles = [record["experiment"] for record in mine if record["kind"] == "ensemble"]
    networks = [model for model in models if isinstance(study.train[model], NetworkSettings)]
    first = {  # what is shown of one model is that of the first seed
        record["experiment"]: f" (seed {record['seeds'][0]})" if len(record["seeds"]) > 1 else ""
        for record in mine
    }
    some = " Of several seeds, the first is shown." if any(first.values()) else ""
    figures = [
        (f"evaluate-forest-{name}.png", "AUROC on the test split with its interval, one line an experiment."),
        (f"evaluate-roc-{name}.png", f"ROC of all experiments on the test split.{some}"),
    ]
    if networks:
        figures.append(
            (f"evaluate-history-{name}.png", f"Learning curves: loss and accuracy after each epoch.{some}")
        )
    figures += [
        (f"evaluate-confusion-{model}.png", f"Confusion matrix of {model}{first[model]} on the test split.")
        for model in [*models, *ensembles]
    ]
    figures += [
        (
            f"interpret-gradcam-{model}.jpg",
            f"Grad-CAM of {model}{first[model]}: where in the image the evidence for its decision lies.",
        )
        for model in networks
    ]
    figures += [
        (
            f"errors-errors-{model}.jpg",
            f"The errors {model}{first[model]} was surest of, on the test split.",
        )
        for model in models
    ]
    return {
        "name": name,
        "question": study.tasks[name].question,
        "table_html": tables.results_html(mine, published(name), synthetic=synthetic)
        + tables.external_html(mine),
        "figures": [{"file": f"figures/{file}", "caption": caption} for file, caption in figures],
    }


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _copy_into(file: Path, folder: Path, name: str | None = None) -> None:
    folder.mkdir(exist_ok=True)
    shutil.copyfile(file, folder / (name or file.name))
