"""The data dictionary says of every feature what it is, and of nothing else."""

import csv

from leukstudy.imaging.dictionary import FEATURES


def test_every_feature_has_a_row_with_unit_meaning_and_method(root):
    with (root / "docs" / "data-dictionary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(FEATURES)
    assert all(value.strip() for row in rows for value in row.values())
    assert all(row["name"].startswith(f"{row['family']}_") for row in rows)
    assert {row["family"] for row in rows} == {"colour", "corner", "morph", "texture", "quality"}
