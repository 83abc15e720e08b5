"""Single cells: touching ones are parted, the lobes of one granulocyte are not, and numbers follow reading order."""

import cv2
import numpy as np
import pytest
from fabricate import blob_cell

from leukstudy.imaging.instances import nuclear_parts, split_cells
from leukstudy.imaging.segment import label_cells, segment_cells, segment_nuclei
from leukstudy.phantom.draw import draw_field
from leukstudy.phantom.patients import enrol


def disc(shape: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def pair(apart: float, *, cell: float = 20, nucleus: float = 14) -> tuple[np.ndarray, np.ndarray]:
    """Two cells with centres so far apart: nuclei and cells, (80, 120) bool."""
    places = [(60 - apart / 2, 40), (60 + apart / 2, 40)]
    nuclei, cells = np.zeros((2, 80, 120), bool)
    for x, y in places:
        nuclei |= disc((80, 120), x, y, nucleus)
        cells |= disc((80, 120), x, y, cell)
    return nuclei, cells


@pytest.mark.parametrize("apart", [44, 38, 34, 30])
def test_touching_and_overlapping_cells_are_parted(apart):
    labels = split_cells(*pair(apart))
    assert labels.max() == 2 and labels.dtype == np.int32
    areas = np.bincount(labels.ravel())[1:]
    assert areas.min() > 0.9 * areas.max()
    assert labels[40, 60 - apart // 2] == 1 and labels[40, 60 + apart // 2] == 2


def test_touching_nuclei_of_two_cells_are_parted():
    nuclei, cells = pair(27)
    assert cv2.connectedComponents(nuclei.astype(np.uint8))[0] == 2  # one piece
    assert nuclear_parts(nuclei).max() == 2 and split_cells(nuclei, cells).max() == 2


@pytest.mark.parametrize("lobes", [2, 3, 4, 5])
@pytest.mark.parametrize("filament", [False, True])
def test_the_lobes_of_a_granulocyte_stay_one_cell(lobes, filament):
    shape = (90, 90)
    cell = disc(shape, 45, 45, 28)
    turns = np.linspace(0.3, 0.3 + 1.6 * np.pi, lobes)
    places = [(45 + 14 * np.cos(turn), 45 + 14 * np.sin(turn)) for turn in turns]
    nucleus = np.zeros(shape, np.uint8)
    for x, y in places:
        nucleus |= disc(shape, x, y, 7).astype(np.uint8)
    if filament:
        cv2.polylines(nucleus, [np.int32(np.round(places))], False, 1, 2)
    assert split_cells(nucleus > 0, cell).max() == 1


def test_a_granulocyte_beside_a_lymphocyte():
    shape = (90, 140)
    cells = disc(shape, 45, 45, 28) | disc(shape, 91, 45, 20)
    lobes = disc(shape, 33, 38, 8) | disc(shape, 55, 36, 8) | disc(shape, 44, 58, 8)
    labels = split_cells(lobes | disc(shape, 91, 45, 15), cells)
    assert labels.max() == 2
    assert len(np.unique(labels[lobes])) == 1 and labels[45, 91] not in labels[lobes]


def test_numbers_follow_reading_order_and_pieces_without_a_nucleus_are_no_cell():
    shape = (60, 120)
    places = [(95, 12), (20, 30), (60, 45)]
    nuclei, cells = np.zeros((2, *shape), bool)
    for x, y in places:
        nuclei |= disc(shape, x, y, 6)
        cells |= disc(shape, x, y, 10)
    cells |= disc(shape, 20, 8, 6)
    labels = split_cells(nuclei, cells)
    assert [labels[y, x] for x, y in places] == [1, 2, 3] and labels[8, 20] == 0


def test_of_images():
    rgb, _ = blob_cell(np.random.default_rng(2), size=96)
    two = np.hstack([rgb, rgb])
    labels = label_cells(two)
    assert labels.shape == (96, 192) and labels.max() == 2
    assert np.array_equal(labels > 0, segment_cells(two))
    nuclei = segment_nuclei(two)
    assert np.array_equal(labels, label_cells(two, nuclei, segment_cells(two, nuclei)))
    with pytest.raises(ValueError, match=r"cells of shape \(96, 192\) and dtype uint8"):
        label_cells(two, nuclei, nuclei.astype(np.uint8))
    with pytest.raises(ValueError, match="nuclei of shape"):
        label_cells(two, nuclei[:50])


def quality(found: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """Matched at IoU > 0.5, found, true."""
    table = np.zeros((found.max() + 1, truth.max() + 1))
    np.add.at(table, (found.ravel(), truth.ravel()), 1)
    union = table.sum(axis=1)[:, None] + table.sum(axis=0)[None] - table
    return int((table[1:, 1:] / union[1:, 1:] > 0.5).sum()), int(found.max()), int(truth.max())


def test_fields_of_the_phantom():
    patients = enrol(11, {"healthy": 1, "CLL": 1, "AML": 1, "CML": 1}, 2)
    matched = found = true = 0
    for number, patient in enumerate(patients):
        drawn = draw_field(patient, np.random.default_rng(number), (300, 400))
        # Of a cell that the image cuts, whose nucleus is (nearly) out of view, there is nothing to find.
        areas = np.bincount(drawn.nuclei.ravel(), minlength=drawn.cells.max() + 1)
        truth = np.where(areas[drawn.cells] > 0.2 * areas[1:].max(), drawn.cells, 0)
        counts = quality(label_cells(drawn.picture), truth)
        matched, found = matched + counts[0], found + counts[1]
        true += len(np.unique(truth)) - 1
    assert true >= 8 and matched >= 0.9 * true and matched >= 0.9 * found


def test_of_the_true_masks_the_cells_are_the_true_ones():
    patients = enrol(12, {"CLL": 2, "CML": 2}, 2)
    for number, patient in enumerate(patients):
        drawn = draw_field(patient, np.random.default_rng(number), (300, 400))
        labels = split_cells(drawn.nuclei > 0, drawn.cells > 0)
        matched, found, _ = quality(labels, drawn.cells)
        with_nucleus = len(np.unique(drawn.cells[drawn.nuclei > 0]))
        assert matched >= with_nucleus - 1 and found <= with_nucleus + 1
