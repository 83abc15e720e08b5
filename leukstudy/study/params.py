"""The study's parameters: `params.yaml`, checked before anything runs, and the part of it that each stage is given."""

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
    """All of `params.yaml`, or the part of it that one stage was given (the rest is None)."""

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
                name: experiments.completed(f"train.{name}", given, defaults)
                for name, given in values["train"].items()
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
    try:
        raw = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadParams(f"{path}: no such file. `git checkout params.yaml` brings it back.") from None
    except YAMLError as error:
        raise BadParams(f"{path} is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise BadParams(f"{path} holds no blocks. `git checkout params.yaml` brings it back.")
    missing = [name for name in (*Study.model_fields, "defaults") if raw.get(name) is None]
    study = parse(raw, path.name)
    if missing:
        raise BadParams(
            f"{path.name}: block '{missing[0]}' is missing. `git checkout params.yaml` brings it back."
        )
    for name, experiment in study.train.items():
        if experiment.task not in study.tasks:
            raise BadParams(
                f"{path.name}: train.{name}.task: {unknown(experiment.task, study.tasks, 'task')}"
            )
    check_ensembles(study, path.name)
    check_search(study, path.name)
    for where, names in (
        ("external", study.split.external),
        ("held_out", filter(None, [study.split.held_out])),
    ):
        for name in names:
            if name not in study.data.sources:
                raise BadParams(f"{path.name}: split.{where}: {unknown(name, study.data.sources, 'source')}")
    if study.split.scheme == "leave_one_source_out" and len(study.data.sources) < 2 + len(
        study.split.external
    ):
        raise BadParams(
            f"{path.name}: split.scheme: leave_one_source_out needs two sources to learn from and test on"
        )
    if set(study.split.external) == set(study.data.sources):
        raise BadParams(f"{path.name}: split.external holds every source: none is left to learn from")
    idle = set(study.tasks) - {experiment.task for experiment in study.train.values()}
    if idle:
        raise BadParams(
            f"{path.name}: no experiment asks tasks.{min(idle)}. Remove the task, or add an experiment to train."
        )
    return study


def check_ensembles(study: Study, where: str) -> None:
    """Raise BadParams for an ensemble whose task or members are unknown, of another task, or shortcut baselines."""
    for name, ensemble in study.ensembles.items():
        here = f"{where}: ensembles.{name}"
        if name in study.train:
            raise BadParams(f"{here}: an experiment has the same name")
        if ensemble.task not in study.tasks:
            raise BadParams(f"{here}.task: {unknown(ensemble.task, study.tasks, 'task')}")
        for member in ensemble.members:
            if member not in study.train:
                raise BadParams(f"{here}.members: {unknown(member, study.train, 'experiment')}")
            if study.train[member].task != ensemble.task:
                raise BadParams(
                    f"{here}.members: {member} answers the task {study.train[member].task}, not {ensemble.task}"
                )
            if study.train[member].baseline:
                raise BadParams(
                    f"{here}.members: {member} is a shortcut baseline, which a model must not lean on"
                )


def check_search(study: Study, where: str) -> None:
    """Raise BadParams for a search of an experiment that is unknown or not frozen, or at a setting that it cannot have."""
    try:
        check_tune(study.tune, study.train)
    except ValueError as error:
        raise BadParams(f"{where}: {error}") from None


def parse(raw: dict, where: str) -> Study:
    """Check a mapping of blocks. Raises BadParams that lists every fault as `block.key: what is wrong`."""
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            # the tags of the two kinds of experiment are pydantic's, not the user's
            keys = [str(k) for k in fault["loc"] if k not in ("classical", "network")]
            found = f" (found {fault['input']!r})" if fault["type"] not in ("value_error", "missing") else ""
            place = f"{'.'.join(keys)}: " if keys else ""
            faults.append(f"  {place}{fault['msg'].removeprefix('Value error, ')}{found}")
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
