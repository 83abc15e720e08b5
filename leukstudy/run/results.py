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
    """The results of one run."""

    stages: dict[str, dict]
    """Stage -> its entry of dvc.lock, in the order of dvc.yaml, without experiments that params.yaml has no more."""
    params: dict
    records: dict[str, dict]
    """Experiment -> its record of metrics."""
    predictions: dict[str, dict[str, dict[str, str]]]
    """Experiment -> image_id -> row."""
    files: dict[str, bytes]
    """Path -> content of everything in reports/metrics and reports/predictions."""

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
    unknown = f"git has no commit '{commit}'. `git log --oneline` lists the commits"
    name = f"{commit}^{{commit}}"
    revision = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", name, refusal=unknown)
    revision = revision.decode().strip()
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", revision, "--", *FILES, METRICS, PREDICTIONS)
    paths = filter(None, listed.decode().split("\0"))
    contents = {path: _git(root, "show", f"{revision}:./{path}") for path in paths}
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
    """Sort files, path -> content. `complaint` and `advice` frame the error where some are missing."""
    records, predictions = {}, {}
    for path, content in contents.items():
        folder, experiment = Path(path).parent.as_posix(), Path(path).stem
        if folder == METRICS and path.endswith(".json") and experiment != "summary":
            records[experiment] = json.loads(content)
        elif folder == PREDICTIONS:
            rows = csv.DictReader(io.StringIO(content.decode()))
            predictions[experiment] = {row["image_id"]: row for row in rows}
    missing = [name for name in FILES if name not in contents] or ([] if records else [METRICS])
    if missing:
        raise NotComparable(f"{complaint}: {missing[0]} is missing. {advice}.")
    pipeline, lock, params = (YAML(typ="safe").load(contents[name]) for name in FILES)
    # DVC leaves the entries of removed experiments in its lock
    experiments = ["", *(f"@{name}" for name in params.get("train") or {})]
    names = [f"{stage}{experiment}" for stage in pipeline["stages"] for experiment in experiments]
    stages = {name: lock["stages"][name] for name in names if name in lock["stages"]}
    files = {path: content for path, content in contents.items() if path not in FILES}
    return Results(stages, params, records, predictions, files)
