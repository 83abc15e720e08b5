"""Experiments that DVC queues: the commands of docs/tuning.md and the README make the studies that they say."""

import re
import shlex

import pytest
from conftest import ROOT, make_clone

from leukstudy.study import params

pytestmark = pytest.mark.slow
COMMANDS = re.findall(
    r"^    (dvc exp run --queue .+)$", (ROOT / "docs" / "tuning.md").read_text("utf-8"), re.M
)
COMMANDS += [
    command.replace("run", "run --queue")
    for command in re.findall(r"^(dvc exp run -S .+?) #", (ROOT / "README.md").read_text("utf-8"), re.M)
]
NETWORK = "detection-efficientnet_lite0"


@pytest.fixture(scope="module")
def queued(tmp_path_factory):
    """The study of each queued entry, in the order of the commands, and what the clone says of itself afterwards."""
    clone = make_clone(tmp_path_factory.mktemp("queue") / "leukstudy")
    each = [shlex.split(command)[1:] for command in COMMANDS]  # in one process: DVC takes a second to start
    clone.run("python", "-c", f"from dvc.cli import main\nfor given in {each}: assert main(given) == 0")
    entries = clone.git("reflog", "show", "refs/exps/celery/stash", "--format=%H").split()[::-1]
    studies = []
    for number, entry in enumerate(entries):
        file = clone.folder.parent / f"{number}.yaml"
        file.write_text(clone.git("show", f"{entry}:params.yaml"), encoding="utf-8")
        studies.append(params.load(file))
    return studies, clone.git("status", "--porcelain")


def test_the_documented_commands_queue_the_studies_that_they_name(queued):
    studies, changed = queued
    given = params.load()
    assert len(COMMANDS) == 6 and len(studies) == 9
    assert studies[0].tune == given.tune.model_copy(update={"method": "optuna"})
    assert [study.tune.experiment for study in studies[1:3]] == [NETWORK, "typing-efficientnet_lite0"]
    assert studies[3].tune.grid == given.tune.grid | {"dropout": [0.0, 0.2, 0.4, 0.6]}
    assert [study.train[NETWORK].dropout for study in studies[4:6]] == [0.3, 0.5]
    assert [study.train["typing-cnn"].learning_rate for study in studies[6:8]] == [0.0003, 0.001]
    assert studies[8].train["typing-cnn"].learning_rate == 0.0003
    assert studies[8].train[NETWORK] == given.train[NETWORK], "one experiment, not its defaults"
    others = [name for name in given.train if name != NETWORK]
    assert all(study.train[name] == given.train[name] for study in studies[:6] for name in others)
    assert changed == "", "the user's own files stay as they are"
