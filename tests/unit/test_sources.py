"""The registry: what every entry must say, how labels may be used, and that the page made of it is current."""

import re
import runpy

import pytest

from leukstudy.data import DataProblem
from leukstudy.data.download import file_name
from leukstudy.data.sources import (
    SOURCES,
    Source,
    adapter_of,
    check_label_map,
    external_conflicts,
    find_source,
    source_rows,
)  # fmt: skip


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_entry_says_what_a_reader_needs(source):
    assert callable(adapter_of(source).rows)
    assert source.layout and source.groups and source.access and source.licence
    assert source.tested != "nothing"
    if source.gate != "own files":
        assert source.home and (source.doi or source.citation or "aggle" in source.home)
    counts = [count for count in source.classes.values() if count is not None]
    if counts and source.images:
        assert sum(counts) == source.images
    assert set(source.overlaps) <= set(SOURCES) - {source.name}
    assert all(source.name in SOURCES[other].overlaps for other in source.overlaps)
    for file, known in source.checksums.items():
        algorithm, digest = known.split(":")
        assert len(digest) == {"md5": 32, "sha256": 64}[algorithm] and re.fullmatch(r"[0-9a-f]+", digest)
        assert file in [file_name(url) for url in source.download]
    members = [member for members in source.same_group for member in members]
    assert len(members) == len(set(members))


def test_the_sources_of_the_issue_are_there():
    assert {
        "phantom", "folder", "c_nmc_2019", "all_idb1", "all_idb2", "taleqani", "blood_cell_cancer_4class", "aml_lmu", "aml_mll",
        "pbc", "bloodmnist", "raabin", "bccd", "segmentation_wbc", "five_class_augmented",
    } == set(SOURCES)  # fmt: skip


def test_an_entry_may_be_short_but_uses_known_words():
    short = Source(
        name="x", title="X", adapter="folder", licence="?", home="", group_level="auto", groups="?"
    )
    assert short.classes == {} and short.images is None and not short.synthetic
    with pytest.raises(ValueError, match="group_level is 'cell'; known: patient"):
        Source(name="x", title="X", adapter="folder", licence="?", home="", group_level="cell", groups="?")


def test_cells_never_become_diagnoses_by_themselves():
    for source in SOURCES.values():
        if source.label_kind == "cell type":
            with pytest.raises(
                DataProblem, match=rf"cell types are not diagnoses.*data\.sources\.{source.name}\.labels"
            ):
                check_label_map(source, None)
        else:
            check_label_map(source, None)
    check_label_map(find_source("aml_lmu"), {"MYO": "AML", "LYT": "healthy"})
    check_label_map(find_source("folder"), {"anything": "ALL"})
    with pytest.raises(DataProblem, match=r"names 'MYP' \(did you mean 'MYO'\?\)"):
        check_label_map(find_source("aml_lmu"), {"MYP": "AML"})
    with pytest.raises(DataProblem, match="labels is empty"):
        check_label_map(find_source("pbc"), {})


def test_overlapping_sources_are_never_external():
    assert external_conflicts("taleqani", ["c_nmc_2019", "blood_cell_cancer_4class"]) == [
        "blood_cell_cancer_4class"
    ]
    assert external_conflicts("all_idb2", ["all_idb1"]) == ["all_idb1"]
    assert external_conflicts("c_nmc_2019", ["taleqani", "pbc"]) == []


def test_an_adapter_that_breaks_the_protocol_is_told_so(tmp_path, monkeypatch):
    from leukstudy.data.adapters import folder

    (tmp_path / "ALL").mkdir()
    from fabricate_sources import picture

    picture(tmp_path / "ALL" / "a.png")
    right = folder.rows(tmp_path)
    monkeypatch.setattr(folder, "rows", lambda root: right.drop(columns="official_split"))
    with pytest.raises(ValueError, match="gives the columns"):
        source_rows(find_source("folder"), tmp_path)
    monkeypatch.setattr(folder, "rows", lambda root: right.assign(official_split="training"))
    with pytest.raises(ValueError, match="gives the official split"):
        source_rows(find_source("folder"), tmp_path)


def test_the_page_is_made_from_the_registry_as_it_stands(root):
    written = (root / "docs" / "datasets.md").read_text(encoding="utf-8")
    page = runpy.run_path(str(root / "docs" / "datasets_page.py"))["page"]
    assert written == page(), "run `python docs/datasets_page.py`"
    for source in SOURCES.values():
        assert f"| {source.name} | {source.tested.replace('|', '')} |" in written
