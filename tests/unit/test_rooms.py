"""The rooms of leukstudy/: imports run down only, the drawing of them is true, and names say what they hold."""

import ast
import importlib.util
import json
import xml.etree.ElementTree as ET

import pytest

from leukstudy.study import paths

BELOW_MODELS = {"study", "imaging", "statistics", "data", "audit", "phantom"}
ALLOWED = {
    "study": set(),
    "imaging": {"study"},
    "statistics": {"study"},
    "data": {"study", "imaging"},
    "phantom": {"study", "imaging", "data"},
    "audit": {"study", "imaging", "data", "statistics"},
    "models": {"study", "imaging", "statistics", "data"},
    "search": {*BELOW_MODELS, "models"},
    "evaluate": {*BELOW_MODELS, "models"},
    "explain": {*BELOW_MODELS, "models", "evaluate"},
    "report": {*BELOW_MODELS, "models", "search", "evaluate", "explain"},
}
ALLOWED["run"] = {*ALLOWED, "report"}
ALLOWED["commands"] = set(ALLOWED)
ALLOWED |= {"cli": set(ALLOWED), "runner": set(ALLOWED) - {"commands"}}
"""Room -> the rooms that it may import, from the lowest room to the two doors."""

GRAMMAR_WORDS = {"one", "given", "how", "told", "asked", "known"}


@pytest.fixture(scope="module")
def rooms():
    spec = importlib.util.spec_from_file_location("rooms", paths.ROOT / "docs" / "figures" / "rooms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_imports_run_down(rooms):
    wrong = [
        f"{module} imports {name}: {source} is below {target}, or beside it"
        for (source, target), imports in rooms.arrows().items()
        for module, name in imports
        if target not in ALLOWED[source]
    ]
    assert wrong == []


def test_models_read_nothing_of_data_but_labels(rooms):
    names = rooms.arrows().get(("models", "data"), set())
    assert [name for _, name in names if not name.startswith("leukstudy.data.labels")] == []


def test_every_room_has_its_place_in_the_order_and_in_the_drawing(rooms):
    assert set(rooms.lines_of_code()) == set(ALLOWED) == set(rooms.COLUMNS)
    layer = {room: number for number, layer in enumerate(rooms.LAYERS) for room in layer}
    assert set(layer) == set(ALLOWED)
    assert [(room, low) for room, lows in ALLOWED.items() for low in lows if layer[low] <= layer[room]] == []


def test_an_arrow_is_left_out_where_a_longer_way_leads_to_the_same_room(rooms):
    edges = {("report", "models"), ("models", "study"), ("report", "study"), ("report", "audit")}
    assert rooms.without_short_cuts(edges) == edges - {("report", "study")}


def test_the_drawing_names_all_rooms_and_is_the_same_twice(rooms, tmp_path):
    files = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for file in files:
        rooms.draw(file)
    assert files[0].read_bytes() == files[1].read_bytes()
    comments = {
        (element.text or "").strip()
        for element in ET.parse(files[0], ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))).iter()
        if element.tag is ET.Comment
    }
    assert set(ALLOWED) <= comments  # matplotlib writes each text as a comment before its outlines


def defined_names(source: str) -> set[tuple[int, str]]:
    """Line and name of every variable, parameter, function and class that a source binds."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add((node.lineno, node.id))
        elif isinstance(node, ast.arg):
            names.add((node.lineno, node.arg))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add((node.lineno, node.name))
        elif isinstance(node, ast.alias) and node.asname:
            names.add((node.lineno, node.asname))
    return names


def test_names_are_found_wherever_they_are_bound():
    source = (
        "import a as b\ndef c(d, *e):\n    for f in g: pass\n    return lambda h: [i for i in (j := 1,)]\n"
    )
    assert {name for _, name in defined_names(source)} == {"b", "c", "d", "e", "f", "h", "i", "j"}


def test_no_name_is_a_word_of_grammar():
    sources = {
        file.relative_to(paths.ROOT).as_posix(): file.read_text(encoding="utf-8")
        for folder in ("leukstudy", "benchmarks")
        for file in sorted((paths.ROOT / folder).rglob("*.py"))
    }
    wrong = [f"{name}: a module" for name in sources if name.rsplit("/", 1)[-1][:-3] in GRAMMAR_WORDS]
    for file in sorted(paths.NOTEBOOKS.glob("*.ipynb")):
        for number, cell in enumerate(json.loads(file.read_text(encoding="utf-8"))["cells"]):
            if cell["cell_type"] == "code":
                sources[f"notebooks/{file.name}[{number}]"] = "".join(cell["source"])
    for file, source in sources.items():
        names = sorted(defined_names(source))
        wrong += [f"{file}:{line}: {name}" for line, name in names if name in GRAMMAR_WORDS]
    assert wrong == []
