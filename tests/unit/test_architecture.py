"""docs/architecture.md names files, rooms and stages that exist, and all of them."""

import re

import pytest

from leukstudy.study import paths
from leukstudy.study.stages import STAGES

TEXT = (paths.ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MADE_BY_A_RUN = ("data/", "build/", "reports/predictions/")


def test_every_path_exists():
    in_code = set(re.findall(r"`([\w./-]+(?:/|\.(?:py|yaml|ipynb|lock)))`", TEXT))
    linked = {f"docs/{target}" for target in re.findall(r"\]\(([^)#]+)\)", TEXT)}
    assert len(in_code) > 30
    missing = [
        path
        for path in sorted(in_code | linked)
        if not path.startswith(MADE_BY_A_RUN) and not (paths.ROOT / path).exists()
    ]
    assert missing == []


def test_every_room_has_its_sentence():
    rooms = [file.parent.name for file in (paths.ROOT / "leukstudy").glob("*/__init__.py")]
    assert [room for room in rooms if f"| `leukstudy/{room}/` |" not in TEXT] == []


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_every_stage_is_in_the_flow(stage):
    assert f"| `notebooks/{stage.notebook()}.ipynb`" in TEXT
