"""Draws docs/figures/rooms.svg: the rooms of `leukstudy/`, their lines of code, and who imports whom.

    python docs/figures/rooms.py

The arrows are read from the imports, so the drawing cannot say what the code does not do. The same code gives the same
bytes.
"""

import ast
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "leukstudy"
LAYERS = (
    ("cli", "runner"),
    ("commands",),
    ("run",),
    ("report",),
    ("explain",),
    ("search", "evaluate"),
    ("models",),
    ("audit", "phantom"),
    ("data",),
    ("imaging", "statistics"),
    ("study",),
)
"""The rooms from top to bottom: a room imports only from layers below its own."""

COLUMNS = {  # where the middle of a box lies, from 0 to 10, chosen so that no arrow passes behind a box
    "cli": 3.8, "runner": 7.0, "commands": 3.8, "run": 7.0, "report": 4.8, "explain": 2.0, "search": 4.1,
    "evaluate": 6.3, "models": 1.8, "audit": 6.7, "phantom": 2.7, "data": 5.8, "imaging": 1.3, "statistics": 4.1,
    "study": 8.2,
}  # fmt: skip
WIDTH, HEIGHT = 1.7, 0.56  # of a box, where layers are 1 apart

Arrow = tuple[str, str]


def room_of(module: str) -> str:
    """Give the room of a module: `leukstudy.models.network` is in `models`; `leukstudy.cli` is its own room."""
    return module.split(".")[1]


def lines_of_code(package: Path = PACKAGE) -> dict[str, int]:
    """Count the lines of all Python files: room -> lines. A module directly in the package is a room."""
    lines: dict[str, int] = {}
    for file in _files(package):
        room = room_of(_module(file, package))
        lines[room] = lines.get(room, 0) + len(file.read_text(encoding="utf-8").splitlines())
    return lines


def arrows(package: Path = PACKAGE) -> dict[Arrow, set[tuple[str, str]]]:
    """Read the imports between rooms: (importing room, imported room) -> (importing module, imported name)."""
    crossing: dict[Arrow, set[tuple[str, str]]] = {}
    for file in _files(package):
        module = _module(file, package)
        for name in imported_names(file.read_text(encoding="utf-8")):
            if name.startswith(f"{package.name}.") and room_of(name) != room_of(module):
                crossing.setdefault((room_of(module), room_of(name)), set()).add((module, name))
    return crossing


def imported_names(source: str) -> set[str]:
    """Give the full names that Python source imports, wherever in the file: `from a.b import c` is `a.b.c`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def without_short_cuts(edges: set[Arrow]) -> set[Arrow]:
    """Leave out an arrow where other arrows lead to the same room (transitive reduction of an acyclic graph)."""
    below = {room: {target for source, target in edges if source == room} for edge in edges for room in edge}

    def reachable(room: str) -> set[str]:
        return below[room].union(*(reachable(target) for target in below[room]))

    return {
        (source, target)
        for source, target in edges
        if not any(target in reachable(other) for other in below[source] - {target})
    }


def draw(path: Path) -> None:
    """Draw the rooms as an SVG of 900 pixels in width; an arrow that runs up is dashed."""
    lines = lines_of_code()
    rows = {room: -row for row, layer in enumerate(LAYERS) for room in layer}
    down = {edge for edge in arrows() if rows[edge[0]] > rows[edge[1]]}
    up = set(arrows()) - down
    style = {"svg.hashsalt": "leukstudy", "font.family": "DejaVu Sans", "font.size": 11}
    with mpl.rc_context(style):
        figure, axes = plt.subplots(figsize=(9.375, 9.0))  # inches of 96 pixels
        figure.subplots_adjust(left=0, right=1, bottom=0, top=1)
        axes.set(xlim=(-0.2, 10.2), ylim=(-len(LAYERS) + 0.4, 0.6))
        axes.axis("off")
        for edge in sorted(without_short_cuts(down)):
            _draw_arrow(axes, edge, rows, wrong=False)
        for edge in sorted(up):
            _draw_arrow(axes, edge, rows, wrong=True)
        for room, row in rows.items():
            x = COLUMNS[room]
            box = mpl.patches.FancyBboxPatch(
                (x - WIDTH / 2, row - HEIGHT / 2), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.1",
                facecolor="0.94", edgecolor="0.25", linewidth=1.2, zorder=3,
            )  # fmt: skip
            axes.add_patch(box)
            axes.text(x, row + 0.1, room, ha="center", va="center", weight="bold", zorder=4)
            axes.text(x, row - 0.14, f"{lines[room]:,} lines", ha="center", va="center", size=9, zorder=4)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def _draw_arrow(axes: Axes, edge: Arrow, rows: dict[str, int], *, wrong: bool) -> None:
    source, target = edge
    side = HEIGHT / 2 if rows[source] > rows[target] else -HEIGHT / 2
    axes.annotate(
        "",
        xy=(COLUMNS[target], rows[target] + side),
        xytext=(COLUMNS[source], rows[source] - side),
        arrowprops={
            "arrowstyle": "-|>",
            "color": "firebrick" if wrong else "0.25",
            "linestyle": "--" if wrong else "-",
            "connectionstyle": "arc3,rad=0.15" if wrong else "arc3",
            "linewidth": 1.1,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


def _files(package: Path) -> list[Path]:
    return [file for file in sorted(package.rglob("*.py")) if file != package / "__init__.py"]


def _module(file: Path, package: Path) -> str:
    return ".".join(file.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".svg"))
