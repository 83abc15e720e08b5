"""The report copies what `params.yaml` asks for, ensembles with the experiments, and leftovers of neither."""

import json
from types import SimpleNamespace

import pytest

from leukstudy.report import compose


@pytest.fixture
def evaluated(tmp_path):
    folder = tmp_path / "evaluate"
    (folder / "roc").mkdir(parents=True)
    (folder / "summary.json").write_text("{}")
    for name in ("forest", "both", "leftover"):
        (folder / f"{name}.json").write_text(json.dumps({"experiment": name}))
        (folder / "roc" / f"{name}.csv").write_text("fpr,tpr\n")
    return folder


STUDY = SimpleNamespace(train={"forest": None}, ensembles={"both": None})


def test_ensembles_are_read_after_the_experiments(evaluated):
    assert [record["experiment"] for record in compose.read_records(evaluated, STUDY)] == ["forest", "both"]


def test_metrics_of_ensembles_are_copied_and_leftovers_are_not(evaluated, tmp_path):
    out = tmp_path / "metrics"
    out.mkdir()
    (out / "old.json").write_text("{}")
    compose.copy_metrics(evaluated, tmp_path / "models", out, STUDY)
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*")) == [
        "both.json", "forest.json", "roc/both.csv", "roc/forest.csv", "summary.json",
    ]  # fmt: skip


def test_predictions_of_the_test_split_are_copied_to_the_digit(tmp_path):
    table = "image_id,split,p_ALL\n007,train,0.1\nNA,test,0.123450\n"
    for name in ("predictions/forest", "ensembles/both", "predictions/leftover"):
        file = tmp_path / f"{name}.csv"
        file.parent.mkdir(exist_ok=True)
        file.write_text(table)
    out = tmp_path / "out"
    compose.copy_predictions(tmp_path / "predictions", tmp_path / "ensembles", out, STUDY)
    assert sorted(path.name for path in out.iterdir()) == ["both.csv", "forest.csv"]
    assert (out / "both.csv").read_text() == "image_id,split,p_ALL\nNA,test,0.123450\n"
