"""ALL-IDB1: fields of view im/ImNNN_Y.jpg (Y=1: a patient with ALL), and the centres of blasts in xyc/ImNNN_Y.xyc."""

import re
from pathlib import Path

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.layout import listing, refuse_twice, rows_of_images, stem
from leukstudy.imaging.io import BadImage, image_header

_NAME = re.compile(r"Im(\d+)_([01])", re.IGNORECASE)
_EXPECTED = "im/ImNNN_1.jpg (ALL) and im/ImNNN_0.jpg (healthy)"


def rows(root: Path) -> pd.DataFrame:
    """One row a field: label ALL or healthy; `original_id` is its number (ImNNN), since fields may overlap.

    Raises DataProblem where a field stands twice, or where none is found.
    """
    return numbered(root, _EXPECTED, keep_number=True)


def numbered(root: Path, expected: str, *, keep_number: bool) -> pd.DataFrame:
    """The rows of files named ImNNN_Y, in ALL-IDB1 and ALL-IDB2; files of other names are left out and counted."""

    def describe(path: str) -> dict[str, str] | str:
        name = _NAME.fullmatch(stem(path))
        if not name:
            return "a name other than ImNNN_0 or ImNNN_1"
        number = f"Im{int(name[1]):03d}" if keep_number else ""
        return {"label": ("healthy", "ALL")[int(name[2])], "original_id": number}

    table = rows_of_images(root, describe, expected=expected)
    refuse_twice(root, table["path"])
    return table


def centres(root: Path) -> pd.DataFrame:
    """The marked blasts: path, x, y (pixels, as in the file); none for a healthy field.

    `attrs["bad"]` names the marks that are not used: no two numbers, or outside the image. Raises DataProblem
    where there is no .xyc file at all.
    """
    root = Path(root)
    fields = {stem(path).casefold(): path for path in rows(root)["path"]}
    files = [path for path in listing(root)[1] if path.lower().endswith(".xyc")]
    if not files:
        raise DataProblem(
            f"{root}: no .xyc file found; expected xyc/ImNNN_Y.xyc, a line 'x y' for each blast"
        )
    marks, bad = [], []
    for file in files:
        field = fields.get(Path(file).stem.casefold())
        if field is None:
            bad.append(f"{file}: no such field")
            continue
        try:
            header = image_header(root / field)
        except BadImage as error:
            bad.append(f"{file}: its field cannot be read ({error.reason})")
            continue
        text = (root / file).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            mark = re.fullmatch(r"\s*(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)\s*", line)
            if mark and float(mark[1]) < header.width and float(mark[2]) < header.height:
                marks.append((field, float(mark[1]), float(mark[2])))
            else:
                why = f"outside {header.width} x {header.height}" if mark else "no two numbers"
                bad.append(f"{file}, line {number}: {line.strip()[:40]!r}, {why}")
    table = pd.DataFrame(marks, columns=["path", "x", "y"])
    table.attrs["bad"] = bad
    return table
