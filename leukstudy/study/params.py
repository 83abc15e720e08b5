"""The study's parameters: `params.yaml`, checked before anything runs, and the part of it that each stage is handed."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from leukstudy.study import experiments, paths, schema
from leukstudy.study.schema import Block, Name, unknown
from leukstudy.study.stages import STAGES
from leukstudy.study.tune import Tune
from leukstudy.study.tune import check as check_tune


class BadParams(ValueError):
    """`params.yaml` cannot be used; the message names the file, the key, what was found and what is expected."""


class Study(Block):
    """All of `params.yaml`, or the part of it that a stage was handed (the rest is None)."""

    data: schema.Data | None = None
    split: schema.Split | None = None
    audit: schema.Audit | None = None
    tasks: dict[Name, schema.Task] | None = None
    explore: schema.Explore | None = None
    prepare: schema.Prepare | None = None
    train: dict[Name, experiments.AnyExperiment] | None = None
    ensembles: dict[Name, experiments.Ensemble] | None = None
    evaluate: schema.Evaluate | None = None
    interpret: schema.Interpret | None = None
    errors: schema.Errors | None = None
    report: schema.Report | None = None
    tune: Tune | None = None
    plots: schema.Plots | None = None

    @model_validator(mode="before")
    @classmethod
    def _complete_experiments(cls, values: Any) -> Any:
        """Lay each experiment over the defaults that it is like; a stage is handed complete ones, and no defaults."""
        if not isinstance(values, dict) or not isinstance(values.get("defaults"), dict):
            return values
        values = dict(values)
        defaults = values.pop("defaults")
        for name, keys in defaults.items():
            if not isinstance(keys, dict):
                raise ValueError(f"defaults.{name} holds {keys!r}, expected keys of an experiment")
            for key in keys:
                if key not in experiments.KEYS:
                    raise ValueError(f"defaults.{name}: {unknown(str(key), experiments.KEYS, 'key')}")
        if isinstance(values.get("train"), dict):
            values["train"] = {
                name: experiments.completed(f"train.{name}", keys, defaults)
                for name, keys in values["train"].items()
            }
        return values

    @classmethod
    def of(cls, params: dict | None) -> "Study":
        """Give the study from what papermill handed over, or from `params.yaml` where a notebook runs by hand."""
        return load() if params is None else parse(params, "the parameters handed to the notebook")


def fingerprint(block: Block) -> str:
    """Hash a block's values (16 hex digits); the same values give the same hash, in whatever order they stand."""
    text = json.dumps(block.model_dump(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load(path: Path | None = None) -> Study:
    """Read and check a whole `params.yaml`.

    Raises BadParams where the file is missing, is no YAML, misses a block, or holds a key or value that it may not.
    """
    path = path or paths.PARAMS
    restore = "`git checkout params.yaml` brings it back."
    try:
        raw = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadParams(f"{path}: no such file. {restore}") from None
    except YAMLError as error:
        raise BadParams(f"{path} is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise BadParams(f"{path} holds no blocks. {restore}")
    study = parse(raw, path.name)
    if missing := [name for name in (*Study.model_fields, "defaults") if raw.get(name) is None]:
        raise BadParams(f"{path.name}: block '{missing[0]}' is missing. {restore}")
    try:
        _check_experiments(study)
        check_tune(study.tune, study.train)
        _check_sources(study)
    except ValueError as error:
        raise BadParams(f"{path.name}: {error}") from None
    return study


def _check_experiments(study: Study) -> None:
    """Raise ValueError for unknown or idle tasks, and for ensembles of what does not belong together."""
    for name, experiment in study.train.items():
        if experiment.task not in study.tasks:
            raise ValueError(f"train.{name}.task: {unknown(experiment.task, study.tasks, 'task')}")
    for name, ensemble in study.ensembles.items():
        key = f"ensembles.{name}"
        if name in study.train:
            raise ValueError(f"{key}: an experiment has the same name")
        if ensemble.task not in study.tasks:
            raise ValueError(f"{key}.task: {unknown(ensemble.task, study.tasks, 'task')}")
        for member in ensemble.members:
            if member not in study.train:
                raise ValueError(f"{key}.members: {unknown(member, study.train, 'experiment')}")
            task = study.train[member].task
            if task != ensemble.task:
                raise ValueError(f"{key}.members: {member} answers the task {task}, not {ensemble.task}")
            if study.train[member].baseline:
                raise ValueError(
                    f"{key}.members: {member} is a shortcut baseline, which a model must not lean on"
                )
    if idle := set(study.tasks) - {experiment.task for experiment in study.train.values()}:
        raise ValueError(
            f"no experiment asks tasks.{min(idle)}. Remove the task, or add an experiment to train."
        )


def _check_sources(study: Study) -> None:
    """Raise ValueError for sources that are kept out and unknown, or where too few are left to learn from."""
    split, sources = study.split, study.data.sources
    kept_out = [("external", name) for name in split.external] + [("held_out", split.held_out)]
    for key, name in kept_out:
        if name is not None and name not in sources:
            raise ValueError(f"split.{key}: {unknown(name, sources, 'source')}")
    if split.scheme == "leave_one_source_out" and len(sources) < 2 + len(split.external):
        raise ValueError("split.scheme: leave_one_source_out needs two sources to learn from and test on")
    if set(split.external) == set(sources):
        raise ValueError("split.external holds every source: none is left to learn from")


def parse(raw: dict, where: str) -> Study:
    """Check a mapping of blocks. Raises BadParams that lists every fault as `block.key: what is wrong`."""
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            # the tags of the two kinds of experiment are pydantic's, not the user's
            keys = [str(key) for key in fault["loc"] if key not in ("classical", "network")]
            place = f"{'.'.join(keys)}: " if keys else ""
            value = "" if fault["type"] in ("value_error", "missing") else f" (found {fault['input']!r})"
            faults.append(f"  {place}{fault['msg'].removeprefix('Value error, ')}{value}")
        raise BadParams(f"{where} cannot be used:\n" + "\n".join(faults)) from None


def stage_params(study: Study, stage: str, experiment: str | None = None) -> dict:
    """Give the part of the study that `stage` declares, as plain data that papermill can hand to its notebook.

    Raises BadParams where `train` is asked for an experiment that `params.yaml` does not have.
    """
    if stage not in STAGES:
        raise BadParams(unknown(stage, STAGES, "stage"))
    blocks = study.model_dump(include=set(STAGES[stage].blocks))
    if stage == "tune":
        experiment = study.tune.experiment
    if stage in ("train", "tune"):
        if experiment not in study.train:
            raise BadParams(f"params.yaml: {unknown(str(experiment), study.train, 'experiment')}")
        task = study.train[experiment].task
        blocks["train"] = {experiment: blocks["train"][experiment]}
        blocks["tasks"] = {task: blocks["tasks"][task]}
    return blocks
