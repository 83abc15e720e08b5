"""What a run of the study left, read from the workspace or from a commit (without a checkout)."""

import csv
import io
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

FILES = ("dvc.yaml", "dvc.lock", "params.yaml")
METRICS, PREDICTIONS = "reports/metrics", "reports/predictions"


class NotComparable(Exception):
    """There is nothing to compare, or nothing to compare with; the message says what to do."""


@dataclass(frozen=True)
class Results:
    """The results of one run.

    stages: stage -> its entry of dvc.lock, in the order of dvc.yaml, without experiments that params.yaml has no more.
    params: params.yaml. records: experiment -> its record of metrics. predictions: experiment -> image_id -> row.
    files: path -> bytes of everything in reports/metrics and reports/predictions.
    """

    stages: dict[str, dict]
    params: dict
    records: dict[str, dict]
    predictions: dict[str, dict[str, dict[str, str]]]
    files: dict[str, bytes]

    def hashes(self, stage: str) -> dict[str, str]:
        """Give output path -> MD5 of a stage; empty where it has not run."""
        return {out["path"]: out["md5"] for out in self.stages.get(stage, {}).get("outs", [])}


def read_workspace(root: Path) -> Results:
    """Read the results in the study's folder. Raises NotComparable where a stage has not run here."""
    files = [root / name for name in FILES]
    files += [file for folder in (METRICS, PREDICTIONS) for file in (root / folder).rglob("*")]
    contents = {file.relative_to(root).as_posix(): file.read_bytes() for file in files if file.is_file()}
    advice = "`dvc repro` runs the study"
    results = _results(contents, "no results yet", advice)
    for stage in results.stages:
        for path in results.hashes(stage):
            if not (root / path).exists():
                raise NotComparable(f"no results yet: {path}, an output of {stage}, is missing. {advice}.")
    return results


def read_commit(commit: str, root: Path) -> Results:
    """Read the results in a commit.

    Raises NotComparable without git, for an unknown commit, or for a commit that holds no results.
    """
    _git(root, "rev-parse", "--git-dir", refusal=f"no git repository at {root} to compare with")
    revision = _git(
        root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}",
        refusal=f"git has no commit '{commit}'. `git log --oneline` lists the commits",
    ).decode().strip()  # fmt: skip
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", revision, "--", *FILES, METRICS, PREDICTIONS)
    names = [name for name in listed.decode().split("\0") if name]
    contents = {name: _git(root, "show", f"{revision}:./{name}") for name in names}
    return _results(contents, f"{commit} holds no results", "Name a commit with dvc.lock and reports/metrics")


def _git(root: Path, *arguments: str, refusal: str = "git cannot read the committed results") -> bytes:
    """What git prints. Raises NotComparable with `refusal` and git's reason where git refuses or is missing."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        raise NotComparable("git is not installed: committed results cannot be read.") from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise NotComparable(f"{refusal}{f' ({reason})' if reason else ''}.")
    return done.stdout


def _results(contents: Mapping[str, bytes], complaint: str, advice: str) -> Results:
    """Sort files into results, path -> bytes. `complaint` and `advice` frame the error where some are missing."""
    missing = [name for name in FILES if name not in contents]
    records = {
        Path(name).stem: json.loads(content)
        for name, content in contents.items()
        if Path(name).parent.as_posix() == METRICS and name.endswith(".json")
    }
    records.pop("summary", None)
    if missing or not records:
        raise NotComparable(f"{complaint}: {(missing or [METRICS])[0]} is missing. {advice}.")
    pipeline, lock, params = (YAML(typ="safe").load(contents[name]) for name in FILES)
    return Results(
        stages=_current_stages(list(pipeline["stages"]), lock["stages"], params.get("train") or {}),
        params=params,
        records=records,
        predictions={
            Path(name).stem: {row["image_id"]: row for row in csv.DictReader(io.StringIO(content.decode()))}
            for name, content in contents.items()
            if name.startswith(PREDICTIONS)
        },
        files={name: content for name, content in contents.items() if name not in FILES},
    )


def _current_stages(order: list[str], locked: Mapping[str, dict], experiments: Mapping) -> dict[str, dict]:
    """The entries of dvc.lock that count. DVC leaves entries of removed experiments in it."""
    stages = {}
    for stage in order:
        for name, entry in locked.items():
            base, _, experiment = name.partition("@")
            if base == stage and (not experiment or experiment in experiments):
                stages[name] = entry
    return stages
