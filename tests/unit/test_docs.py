"""README.md, CHANGELOG.md and docs/*.md name only files, modules, commands and headings that exist."""

import pkgutil
import re

import pytest
import typer

from leukstudy.cli import app
from leukstudy.study import paths
from leukstudy.study.stages import STAGES

PAGES = [paths.ROOT / "README.md", paths.ROOT / "CHANGELOG.md", *sorted((paths.ROOT / "docs").glob("*.md"))]
FOLDERS = "leukstudy|notebooks|benchmarks|tests|presets|assets|docs"
COMMANDS = typer.main.get_command(app).commands
NAMES = COMMANDS.keys() | {f"data {name}" for name in COMMANDS["data"].commands}


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request):
    return request.param


@pytest.fixture
def text(page):
    return page.read_text(encoding="utf-8").replace("\\_", "_")


@pytest.fixture
def code(text):
    return "\n".join(re.findall(r"```.+?```|`[^`]+`|^    .+$", text, re.M | re.S))


def test_paths_exist(text):
    named = set(re.findall(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]*\w/?)", text))
    assert [path for path in sorted(named) if not (paths.ROOT / path).exists()] == []


def test_links_lead_to_files_and_headings(page, text):
    # what is in reports/ depends on the study that ran last
    for target in re.findall(r"\]\((?!https?:|reports/)([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.is_relative_to(paths.ROOT) and file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M)
            assert anchor in map(slug, headings), target


def test_modules_and_their_names_exist(code):
    for name in set(re.findall(r"(?<![\w./-])leukstudy(?:\.\w+)+", code)):
        pkgutil.resolve_name(name)


def test_notebooks_exist(code):
    assert set(re.findall(r"`(\d\d_[a-z]+)`", code)) <= {stage.notebook() for stage in STAGES.values()}


def test_commands_exist(code):
    assert set(re.findall(r"(?<![\w./-])leukstudy ((?:data )?[a-z]+)", code)) <= NAMES
