"""`leukstudy reproduced`: a study whose numbers are changed by hand, compared with the ones in its git repository."""

import json
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from leukstudy import cli
from leukstudy.study import paths

EXPERIMENTS = ("forest", "cnn")
IMAGES = 100
PIPELINE = {"stages": {name: {"cmd": "true"} for name in ("acquire", "train", "evaluate", "report")}}
PARAMS = {"train": {"forest": {"trees": 100}, "cnn": {"epochs": 3}}, "plots": {"dpi": 100}}


def write_yaml(path: Path, content: dict) -> None:
    with path.open("w", encoding="utf-8") as stream:
        YAML().dump(content, stream)


def stage(*outputs: str, data: str | None = None, params: dict | None = None) -> dict:
    entry = {"cmd": "true", "outs": [{"path": path, "md5": f"hash of {path}"} for path in outputs]}
    entry |= {"params": {"params.yaml": params}} if params else {}
    return entry | ({"deps": [{"path": "data", "md5": data}]} if data else {})


def write_results(folder: Path, *, predictions: bool = True) -> None:
    for name in EXPERIMENTS:
        metric = {"value": 0.9, "low": 0.8, "high": None}
        record = {
            "experiment": name,
            "seeds": [7],
            "external": {},
            "metrics": {"auroc": metric, "accuracy": metric},
        }
        write_record(folder, name, record)
        if predictions:
            rows = [f"i{n},g,test,ALL,ALL,0.75,0.25" for n in range(IMAGES)]
            text = "\n".join(["image_id,group_id,split,y_true,y_pred,p_ALL,p_healthy", *rows, ""])
            file = folder / "reports" / "predictions" / f"{name}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    (folder / "reports" / "metrics" / "summary.json").write_text("{}", encoding="utf-8")
    locked = {
        "evaluate": stage("build/evaluate"),  # DVC appends a stage when it first runs
        "acquire": stage("build/manifest.csv", data="hash of data"),
        **{
            f"train@{name}": stage(
                f"build/predictions/{name}.csv", params={f"train.{name}": PARAMS["train"][name]}
            )
            for name in EXPERIMENTS
        },
        "train@removed": stage("build/predictions/removed.csv"),
    }
    write_yaml(folder / "dvc.lock", {"schema": "2.0", "stages": locked})
    write_yaml(folder / "dvc.yaml", PIPELINE)
    write_yaml(folder / "params.yaml", PARAMS)


def write_record(folder: Path, name: str, record: dict) -> None:
    file = folder / "reports" / "metrics" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record), encoding="utf-8")


def read_record(folder: Path, name: str) -> dict:
    return json.loads((folder / "reports" / "metrics" / f"{name}.json").read_text(encoding="utf-8"))


def git(folder: Path, *arguments: str) -> None:
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", *author, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """A study in git: `empty` is its state before any result, HEAD holds results, and so does the workspace."""
    folder = tmp_path / "study"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("build/\n", encoding="utf-8")
    write_yaml(folder / "params.yaml", PARAMS)
    write_yaml(folder / "dvc.yaml", PIPELINE)
    commit(folder, "before any result")
    git(folder, "tag", "empty")
    write_results(folder)
    commit(folder, "results")
    outputs = ["manifest.csv", "evaluate/summary.json", *(f"predictions/{name}.csv" for name in EXPERIMENTS)]
    for output in outputs:
        file = folder / "build" / output
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.setattr(paths, "ROOT", folder)
    return folder


def reproduced(*arguments: str) -> tuple[int, str, str]:
    """Exit code, the last line, and all that was printed."""
    done = CliRunner().invoke(cli.app, ["reproduced", *arguments], env={"COLUMNS": "120"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output.strip().splitlines()[-1], done.output


def move_metric(folder: Path, metric: str, end: str, by: float) -> None:
    record = read_record(folder, "cnn")
    record["metrics"][metric][end] += by
    write_record(folder, "cnn", record)


def change_predictions(folder: Path, before: str, after: str, count: int) -> None:
    file = folder / "reports" / "predictions" / "cnn.csv"
    file.write_text(file.read_text(encoding="utf-8").replace(before, after, count), encoding="utf-8")


def change_lock(folder: Path, before: str, after: str) -> None:
    file = folder / "dvc.lock"
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_equal_bytes(study):
    code, verdict, output = reproduced()
    assert (code, verdict) == (0, "reproduced: byte for byte")
    assert "first stage" not in output
    assert all(name in output for name in EXPERIMENTS)


def test_another_output_hash_alone_is_within_the_tolerance_and_its_first_stage_is_named(study):
    change_lock(study, "hash of build/evaluate", "other")
    change_lock(study, "hash of build/predictions/cnn.csv", "other")
    code, verdict, output = reproduced()
    assert code == 0
    assert verdict == (
        "reproduced within 0.002 AUROC: largest difference of a metric 0, of a probability 0, 0 labels of 200 changed"
    )
    assert "The first stage with other outputs than in HEAD: train@cnn" in output


@pytest.mark.parametrize("end", ["value", "low"])
def test_a_metric_moved_by_a_thousandth_is_reproduced_within_the_tolerance(study, end):
    move_metric(study, "auroc", end, 0.001)
    code, verdict, _ = reproduced()
    name = "auroc" if end == "value" else "auroc low"
    assert code == 0
    assert verdict.startswith(
        f"reproduced within 0.002 AUROC: largest difference of a metric 0.001 (cnn, {name}),"
    )


@pytest.mark.parametrize("metric", ["auroc", "accuracy"])
def test_a_metric_moved_by_a_hundredth_is_not_reproduced_unless_the_tolerance_allows_it(study, metric):
    move_metric(study, metric, "value", 0.01)
    code, verdict, _ = reproduced()
    assert code == 1
    assert verdict == f"not reproduced: cnn: {metric} is 0.91 here and 0.9 there, more than 0.002 apart"
    code, verdict, _ = reproduced("--tolerance", "0.01")
    assert code == 0
    assert verdict.startswith("reproduced within 0.01 AUROC:")


def test_an_interval_on_one_side_only_is_not_reproduced(study):
    record = read_record(study, "forest")
    record["metrics"]["auroc"]["high"] = 0.95
    write_record(study, "forest", record)
    code, verdict, output = reproduced()
    assert code == 1
    assert verdict.startswith("not reproduced: forest: auroc high is 0.95 here and absent there")
    assert "missing" in output


def test_an_external_source_is_compared_too(study):
    scored = {"metrics": {"auroc": {"value": 0.7, "low": None, "high": None}}}
    record = read_record(study, "cnn") | {"external": {"bccd": scored}}
    write_record(study, "cnn", record)
    commit(study, "an external source")
    scored["metrics"]["auroc"]["value"] = 0.75
    write_record(study, "cnn", record)
    assert "cnn: auroc on bccd is 0.75 here and 0.7 there" in reproduced()[1]


def test_a_changed_label_explains_a_changed_accuracy(study):
    change_predictions(study, "ALL,ALL,0.75,0.25", "ALL,healthy,0.49,0.51", 1)
    move_metric(study, "accuracy", "value", -0.01)
    code, verdict, _ = reproduced()
    assert code == 0
    assert verdict == (
        "reproduced within 0.002 AUROC: largest difference of a metric 0, of a metric that counts labels 0.01 (cnn, "
        "accuracy), of a probability 0.26 (cnn), 1 label of 200 changed"
    )


def test_many_changed_labels_are_not_reproduced(study):
    change_predictions(study, "ALL,ALL,0.75,0.25", "ALL,healthy,0.49,0.51", 3)
    code, verdict, output = reproduced()
    assert (code, verdict) == (1, "not reproduced: cnn: 3 labels of 100 changed, more than 2%")
    assert "3 of 100" in output


def test_a_moved_probability_is_told(study):
    change_predictions(study, "0.75,0.25", "0.747,0.253", 1)
    code, verdict, _ = reproduced()
    assert code == 0
    assert "of a probability 0.003 (cnn), 0 labels of 200 changed" in verdict


def test_other_test_images_are_not_reproduced(study):
    change_predictions(study, "i7,", "i700,", 1)
    assert reproduced()[:2] == (1, "not reproduced: cnn: 2 test images have a prediction on one side only")


@pytest.mark.parametrize(("committed", "side"), [(True, "the commit"), (False, "this workspace")])
def test_an_experiment_on_one_side_only_is_named(study, committed, side):
    record = study / "reports" / "metrics" / "cnn.json"
    text = record.read_text(encoding="utf-8")
    record.unlink()
    if not committed:
        commit(study, "without cnn")
        record.write_text(text, encoding="utf-8")
    assert reproduced()[:2] == (1, f"not reproduced: cnn: only {side} has results of it")


def test_the_worst_experiment_is_named_and_the_others_counted(study):
    move_metric(study, "auroc", "value", 0.01)
    record = read_record(study, "forest")
    record["metrics"]["auroc"]["value"] = 0.5
    write_record(study, "forest", record)
    verdict = reproduced()[1]
    assert verdict.startswith("not reproduced: forest: auroc is 0.5 here")
    assert verdict.endswith("(2 of 2 experiments differ)")


def test_other_parameters_are_another_study(study):
    text = (study / "params.yaml").read_text(encoding="utf-8")
    (study / "params.yaml").write_text("# a comment changes nothing\n" + text, encoding="utf-8")
    assert reproduced()[1] == "reproduced: byte for byte"
    (study / "params.yaml").write_text(text.replace("epochs: 3", "epochs: 4"), encoding="utf-8")
    code, verdict, _ = reproduced()
    assert code == 1
    assert verdict == (
        "not reproduced: another study was run than that of HEAD: train.cnn.epochs is 4 here and 3 there"
    )
    code, verdict, _ = reproduced("--if-unchanged")
    assert code == 0
    assert verdict.startswith("Not compared: another study was run than that of HEAD: train.cnn.epochs")


def test_results_of_other_parameters_are_seen_after_params_yaml_was_put_back(study):
    change_lock(study, "epochs: 3", "epochs: 4")
    assert "train.cnn.epochs is 4 here and 3 there" in reproduced()[1]


def test_other_data_are_another_study(study):
    change_lock(study, "hash of data", "other")
    assert (
        reproduced()[1] == "not reproduced: another study was run than that of HEAD: data/ holds other files"
    )


def test_a_commit_without_predictions_is_compared_by_metrics(study):
    predictions = study / "reports" / "predictions"
    predictions.rename(study / "predictions")
    commit(study, "without predictions")
    (study / "predictions").rename(predictions)
    code, verdict, _ = reproduced()
    assert code == 0
    assert verdict.endswith("no predictions in HEAD to compare")


def test_an_earlier_commit_can_be_named(study):
    move_metric(study, "auroc", "value", 0.01)
    commit(study, "other results")
    assert reproduced()[1] == "reproduced: byte for byte"
    assert reproduced("HEAD~1")[0] == 1


@pytest.mark.parametrize(
    ("commit_name", "says"),
    [("nowhere", "git has no commit 'nowhere'"), ("empty", "empty holds no results: dvc.lock is")],
)
def test_a_commit_that_cannot_be_compared_with_is_an_error(study, commit_name, says):
    code, _, output = reproduced(commit_name)
    assert code == 1
    assert says in output
    assert reproduced(commit_name, "--if-unchanged")[0] == 0


def test_a_stage_that_has_not_run_here_is_an_error(study):
    (study / "build" / "predictions" / "cnn.csv").unlink()
    code, verdict, _ = reproduced()
    assert code == 1
    assert verdict == (
        "no results yet: build/predictions/cnn.csv, an output of train@cnn, is missing. `dvc repro` runs the study."
    )


def test_a_study_outside_git_is_an_error(study, monkeypatch):
    (study / ".git").rename(study / ".git-away")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(study.parent))
    code, _, output = reproduced()
    assert code == 1
    assert "no git repository at" in output
    monkeypatch.setenv("PATH", "")
    assert "git is not installed" in reproduced()[2]
    assert reproduced("--if-unchanged")[0] == 0
