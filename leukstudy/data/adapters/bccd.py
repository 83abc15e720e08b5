"""BCCD: fields JPEGImages/BloodImage_NNNNN.jpg with Pascal VOC boxes of red cells, white cells and platelets."""

import xml.etree.ElementTree as ET
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data.adapters.layout import listing, pair_masks, refuse_twice, rows_of_images, stem
from leukstudy.imaging.io import BadImage, image_header

CELLS = ("RBC", "WBC", "Platelets")
LABEL = "unlabelled"
"""The label of every field: the set gives no diagnosis and no type to a field."""
_EXPECTED = "JPEGImages/BloodImage_NNNNN.jpg with Annotations/BloodImage_NNNNN.xml"
_MASKS = "nucleus_masks_banik"


def rows(root: Path) -> pd.DataFrame:
    """One row a field, with the official split of ImageSets/Main where it is there.

    Raises DataProblem where a field stands twice, or where none is found.
    """
    root = Path(root)
    others = listing(root)[1]
    splits = {
        line.casefold(): PurePosixPath(file).stem
        for file in others
        if PurePosixPath(file).name in ("train.txt", "val.txt", "test.txt")
        for line in (root / file).read_text(encoding="utf-8", errors="replace").split()
    }

    def describe(path: str) -> dict[str, str] | str:
        name = stem(path).casefold()
        if "mask" in name:
            return "mask"
        if not name.startswith("bloodimage_"):
            return "another picture"
        return {"label": LABEL, "official_split": splits.get(name, "")}

    table = rows_of_images(root, describe, expected=_EXPECTED)
    refuse_twice(root, table["path"])
    annotated = {PurePosixPath(path).stem.casefold() for path in others if path.lower().endswith(".xml")}
    bare = sum(stem(path).casefold() not in annotated for path in table["path"])
    if bare:
        table.attrs["notes"] = [f"{bare} field(s) have no annotation"]
    return table


def boxes(root: Path) -> pd.DataFrame:
    """The annotated cells: path, cell (RBC, WBC, Platelets), x0, y0, x1, y1 (float pixels, as in the file).

    Whether the file counts pixels from 0 or 1 is not known. `attrs["bad"]` says which boxes are not used, and
    why: no area, outside the image, no four numbers, an unknown cell, or an annotation that cannot be read or
    has no image.
    """
    root = Path(root)
    fields = {stem(path).casefold(): path for path in rows(root)["path"]}
    cells, bad = [], []
    for file in listing(root)[1]:
        if not file.lower().endswith(".xml"):
            continue
        field = fields.get(PurePosixPath(file).stem.casefold())
        try:
            if field is None:
                raise ValueError("no such image")
            header = image_header(root / field)
            objects = list(ET.parse(root / file).getroot().iter("object"))
        except (ValueError, BadImage, ET.ParseError, OSError) as error:
            bad.append(f"{file}: {error}")
            continue
        for number, item in enumerate(objects, start=1):
            cell = (item.findtext("name") or "").strip()
            try:
                box = tuple(float(item.findtext(f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax"))
            except (TypeError, ValueError):
                box = None
            why = _why_not(cell, box, header.width, header.height)
            if why:
                bad.append(f"{file}, object {number} ({cell or 'nameless'}): {why}")
            else:
                cells.append((field, cell, *box))
    table = pd.DataFrame(cells, columns=["path", "cell", "x0", "y0", "x1", "y1"])
    table.attrs["bad"] = bad
    return table


def masks(root: Path) -> pd.DataFrame:
    """Third-party nucleus masks of the fields that have one: path, mask_path. Most are greys: threshold at 128."""
    masks_ = [path for path in listing(root)[0] if _MASKS in PurePosixPath(path).parts]
    by_field = {stem(path).casefold().replace("_mask_", "_"): path for path in masks_}
    return pair_masks(rows(root)["path"], by_field, lambda path: stem(path).casefold())


def _why_not(cell: str, box: tuple[float, ...] | None, width: int, height: int) -> str:
    if cell not in CELLS:
        return f"an unknown kind of cell; known: {', '.join(CELLS)}"
    if box is None or not all(abs(number) < 1e6 for number in box):  # NaN and infinity fail too
        return "no four numbers"
    x0, y0, x1, y1 = box
    if x0 >= x1 or y0 >= y1:
        return "no area"
    return f"outside {width} x {height}" if x0 < 0 or y0 < 0 or x1 > width or y1 > height else ""
