"""docs/data-dictionary.csv says what the code says, of every feature and of nothing else."""

import csv

from leukstudy.imaging import dictionary
from leukstudy.imaging.features import FEATURES


def test_the_file_is_what_the_code_writes(root):
    path = root / "docs" / "data-dictionary.csv"
    assert path.read_text(encoding="utf-8") == dictionary.text(), (
        "docs/data-dictionary.csv is not what FEATURES says; write it anew: python -m leukstudy.imaging.dictionary"
    )


def test_every_feature_has_a_row_with_unit_meaning_and_method(root):
    with (root / "docs" / "data-dictionary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(FEATURES)
    assert all(value.strip() for row in rows for value in row.values())
    assert {row["family"] for row in rows} == {"colour", "corner", "morph", "texture", "quality"}
    units = {row["unit"]: row["unit_where_pixel_size_is_known"] for row in rows}
    assert units["pixel"] == "um" and units["pixel2"] == "um2" and units["0-255"] == "0-255"


def test_writing_replaces_the_file_whole(tmp_path):
    path = tmp_path / "dictionary.csv"
    path.write_text("old")
    dictionary.write(path)
    assert path.read_text(encoding="utf-8") == dictionary.text() and list(tmp_path.iterdir()) == [path]
