"""Sets the report together: copies what people read into `reports/` and fills the page's template.

Nothing is computed here. What is copied is named by `params.yaml`: leftovers of other experiments stay out.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from leukstudy.data.provenance import data_hash, describe, is_synthetic, level_of, sources_of
from leukstudy.data.sources import find_source
from leukstudy.evaluate.published import published
from leukstudy.evaluate.record import Record
from leukstudy.report import audit_table, tables
from leukstudy.report.render import NotebookLink, Page, Picture, TaskSection, render_notebook
from leukstudy.study import stages
from leukstudy.study.experiments import NetworkSettings
from leukstudy.study.params import Study, fingerprint


def read_records(folder: Path, study: Study) -> list[Record]:
    """Read the records that `evaluate` wrote, in the order of `params.yaml`, ensembles last."""
    return [Record.read(folder / f"{name}.json") for name in [*study.train, *study.ensembles]]


def copy_metrics(evaluate: Path, models: Path, out: Path, study: Study) -> None:
    """Fill `reports/metrics`: a JSON an experiment, the summary, ROC points, learning curves."""
    _empty(out, out / "roc", out / "history")
    shutil.copyfile(evaluate / "summary.json", out / "summary.json")
    for name in [*study.train, *study.ensembles]:
        shutil.copyfile(evaluate / f"{name}.json", out / f"{name}.json")
        shutil.copyfile(evaluate / "roc" / f"{name}.csv", out / "roc" / f"{name}.csv")
        if (history := models / name / "history.csv").is_file():
            shutil.copyfile(history, out / "history" / f"{name}.csv")


def copy_predictions(predictions: Path, ensembles: Path, out: Path, study: Study) -> None:
    """Fill `reports/predictions`: the test rows of each experiment (first seed) and ensemble, a CSV each, as they are."""
    _empty(out)
    folders = dict.fromkeys(study.train, predictions) | dict.fromkeys(study.ensembles, ensembles)
    for name, folder in folders.items():
        rows = pd.read_csv(
            folder / f"{name}.csv", dtype=str, keep_default_na=False
        )  # as text: no digit changes
        rows[rows["split"] == "test"].to_csv(out / f"{name}.csv", index=False, lineterminator="\n")


def copy_figures(figures: Path, out: Path) -> list[str]:
    """Fill `reports/figures` with `<stage>-<figure>.png` or `.jpg`; give the names."""
    _empty(out)
    files = sorted(file for file in figures.glob("*/*") if file.suffix in (".png", ".jpg"))
    return [shutil.copyfile(file, out / f"{file.parent.name}-{file.name}").name for file in files]


def render_notebooks(executed: Path, out: Path, study: Study) -> list[NotebookLink]:
    """Fill `reports/notebooks` with each executed notebook, as .ipynb and as .html; give what the page links to.

    The report's own notebook is not there yet while it runs: the runner adds it when it has ended.
    """
    _empty(out)
    files = stages.notebooks(list(study.train))
    for stem, _ in files[:-1]:
        shutil.copyfile(executed / f"{stem}.ipynb", out / f"{stem}.ipynb")
        render_one(out, stem, files)
    return [NotebookLink(title, f"notebooks/{stem}.html", f"notebooks/{stem}.ipynb") for stem, title in files]


def render_one(out: Path, stem: str, files: Sequence[tuple[str, str]]) -> None:
    """Render `<stem>.ipynb` of `reports/notebooks` beside itself, with links to the page and its neighbours."""
    stems = [name for name, _ in files]
    place = stems.index(stem)
    links = [("Report", "../index.html")]
    links += [("Previous", f"{name}.html") for name in stems[:place][-1:]]
    links += [("Next", f"{name}.html") for name in stems[place + 1 :][:1]]
    render_notebook(out / f"{stem}.ipynb", out / f"{stem}.html", stem, links=links)


def page(
    study: Study,
    manifest: pd.DataFrame,
    findings: pd.DataFrame,
    records: Sequence[Record],
    notebooks: list[NotebookLink],
) -> Page:
    """Lay out the report's page, for `render.render_index`; `findings` are those of the audit."""
    kept = manifest[manifest["excluded"] == ""]
    level, synthetic = level_of(manifest), is_synthetic(manifest)
    flow_caption = (
        "From the folder to the splits: every image that was found, why some were left out, and how many images and "
        f"{level}s each class has in each split."
    )
    experiments = {**study.train, **study.ensembles}
    return Page(
        title=study.report.title,
        question=study.report.question,
        synthetic=synthetic,
        data={
            "Source": ", ".join(find_source(name).title for name in sources_of(manifest)),
            "Images": f"{len(manifest):,} found, {len(kept):,} kept",
            "Split level": f"{level} ({kept['group_id'].nunique():,} {level}s)",
            "Notes": describe(manifest),
        },
        audit_html=audit_table.notable_html(findings),
        flow_figure=Picture("figures/acquire-flow.png", flow_caption),
        tasks=[_task_section(study, name, records) for name in study.tasks],
        notebooks=notebooks,
        hashes={"Data": data_hash(manifest)}
        | {f"Parameters of {name}": fingerprint(settings) for name, settings in experiments.items()},
    )


def _task_section(study: Study, task: str, records: Sequence[Record]) -> TaskSection:
    of_task = [record for record in records if record.task == task]
    external = "\n".join(section.html() for section in tables.external(of_task))
    return TaskSection(
        name=task,
        question=study.tasks[task].question,
        table_html=tables.results(of_task, published(task)).html() + external,
        figures=_task_figures(study, task, of_task),
    )


def _task_figures(study: Study, task: str, records: Sequence[Record]) -> list[Picture]:
    models = [record.experiment for record in records if record.kind == "model"]
    ensembles = [record.experiment for record in records if record.kind == "ensemble"]
    networks = [model for model in models if isinstance(study.train[model], NetworkSettings)]
    several = {record.experiment: record.seeds[0] for record in records if len(record.seeds) > 1}
    first = " Of several seeds, the first is shown." if several else ""
    titles = {
        name: f"{name} (seed {several[name]})" if name in several else name for name in models + ensembles
    }
    captions = {
        f"evaluate-forest-{task}.png": "AUROC on the test split with its interval, one line an experiment.",
        f"evaluate-roc-{task}.png": f"ROC of all experiments on the test split.{first}",
    }
    if networks:
        history = f"Learning curves: loss and accuracy after each epoch.{first}"
        captions[f"evaluate-history-{task}.png"] = history
    for name in models + ensembles:
        captions[f"evaluate-confusion-{name}.png"] = f"Confusion matrix of {titles[name]} on the test split."
    for name in networks:
        heat = f"Grad-CAM of {titles[name]}: where in the image the evidence for its decision lies."
        captions[f"interpret-gradcam-{name}.jpg"] = heat
    for name in models:
        captions[f"errors-errors-{name}.jpg"] = f"The errors {titles[name]} was surest of, on the test split."
    return [Picture(f"figures/{file}", caption) for file, caption in captions.items()]


def _empty(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
