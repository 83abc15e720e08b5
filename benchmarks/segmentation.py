"""Segmentation against truth masks: Dice, IoU and, where cells are numbered, precision, recall and panoptic quality.

    python benchmarks/segmentation.py assets/phantom
    python benchmarks/segmentation.py path/to/zheng-wbc-1
    python benchmarks/segmentation.py path/to/bccd
    leukstudy phantom --help                draws fields of view, whose cells are numbered

Truth: 0 background, 128 cytoplasm, 255 nucleus (nucleus > 192, cell > 64), in `_truth/<class>/<name>.png` (phantom; with
`_truth/instances/...` for fields) or, as Zheng delivers it, in `NNN.png` beside `NNN.bmp`, cell types in labels.csv. BCCD's
masks are third-party (nucleus_masks_banik): called nuclei, they are outlined around whole cells, as a look at them shows,
so both are compared with them; its boxes of white cells say how many cells are found.
"""

import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from leukstudy.imaging.dictionary import QUALITY
from leukstudy.imaging.io import read_image
from leukstudy.imaging.quality import judge
from leukstudy.imaging.segment import label_cells, segment_cells, segment_nuclei
from leukstudy.study.methods import SEGMENTATIONS

ZHENG_TYPES = {1: "neutrophil", 2: "lymphocyte", 3: "monocyte", 4: "eosinophil", 5: "basophil"}
WORST = 8


@dataclass(frozen=True)
class Case:
    """An image with its truth; `cells` (H, W) int labels and `boxes` (left, top, right, bottom) where they are known."""

    name: str
    kind: str
    rgb: np.ndarray
    nucleus: np.ndarray
    cell: np.ndarray
    cells: np.ndarray | None = None
    boxes: tuple[tuple[int, ...], ...] | None = None


def phantom(folder: Path) -> Iterator[Case]:
    truths, instances = folder / "_truth", folder / "_truth" / "instances"
    about = pd.read_csv(folder / "metadata.csv", keep_default_na=False).set_index("path")
    for path in sorted(truths.glob("*/*.png")):
        name = path.relative_to(truths)
        truth = read_image(path)[:, :, 0]
        numbered = instances / name
        cells = cv2.imread(str(numbered), cv2.IMREAD_UNCHANGED).astype(int) if numbered.exists() else None
        kind = about.loc[name.as_posix(), "cell_type"] or name.parent.name
        yield Case(name.as_posix(), kind, read_image(folder / name), truth > 192, truth > 64, cells)


def zheng(folder: Path) -> Iterator[Case]:
    types = pd.read_csv(folder / "labels.csv").set_index("image ID")["class label"]
    for path in sorted(folder.glob("*.bmp")):
        truth = read_image(path.with_suffix(".png"))[:, :, 0]
        kind = ZHENG_TYPES.get(int(types.get(int(path.stem), 0)), "unlabelled")
        yield Case(path.stem, kind, read_image(path), truth > 192, truth > 64)


def bccd(folder: Path) -> Iterator[Case]:
    for path in sorted((folder / "nucleus_masks_banik").glob("*.png")):
        image = folder / "JPEGImages" / f"BloodImage_{path.stem[-5:]}.jpg"
        if not image.exists():
            continue
        mask = read_image(path)[:, :, 0] > 127
        boxes = []
        for item in ET.parse(folder / "Annotations" / f"{image.stem}.xml").iter("object"):
            if item.findtext("name") == "WBC":
                boxes.append(
                    tuple(int(item.findtext(f"bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax"))
                )
        yield Case(image.stem, "field", read_image(image), mask, mask, None, tuple(boxes))


def cases(folder: Path) -> Iterator[Case]:
    if (folder / "_truth").is_dir():
        return phantom(folder)
    if (folder / "nucleus_masks_banik").is_dir():
        return bccd(folder)
    if any(folder.glob("*.bmp")):
        return zheng(folder)
    sys.exit(f"{folder} has neither _truth/ nor nucleus_masks_banik/ nor *.bmp with *.png beside them")


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two masks; 1 where both are empty."""
    total = int(mask.sum()) + int(truth.sum())
    return 2 * int((mask & truth).sum()) / total if total else 1.0


def matches(labels: np.ndarray, truth: np.ndarray) -> tuple[int, int, int, float]:
    """Cells matched at IoU above 0.5 (Kirillov et al. 2019), cells found, true cells, and the sum of matched IoU."""
    truth = np.unique(truth, return_inverse=True)[1].reshape(truth.shape)
    table = np.zeros((labels.max() + 1, truth.max() + 1))
    np.add.at(table, (labels.ravel(), truth.ravel()), 1)
    union = table.sum(axis=1)[:, None] + table.sum(axis=0)[None] - table
    iou = (table / np.maximum(union, 1))[1:, 1:]
    return int((iou > 0.5).sum()), int(labels.max()), int(truth.max()), float(iou[iou > 0.5].sum())


def boxed(labels: np.ndarray, boxes: tuple[tuple[int, ...], ...]) -> tuple[int, int, int, float]:
    """The same of boxes around the cells found and given ones, matched one to one, the best pair first."""
    pairs = []
    for k in range(1, labels.max() + 1):
        rows, columns = np.nonzero(labels == k)
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        for number, other in enumerate(boxes):
            width = min(box[2], other[2]) - max(box[0], other[0])
            height = min(box[3], other[3]) - max(box[1], other[1])
            both = max(width, 0) * max(height, 0)
            area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (box, other))
            pairs.append((both / max(area - both, 1), k, number))
    taken, total = set(), 0.0
    for iou, k, number in sorted(pairs, reverse=True):
        if iou > 0.5 and ("found", k) not in taken and ("true", number) not in taken:
            taken |= {("found", k), ("true", number)}
            total += iou
    return len(taken) // 2, int(labels.max()), len(boxes), total


def measure(case: Case) -> tuple[dict, dict, np.ndarray | None]:
    """Scores of every method, flags, and the counts of `matches`."""
    row: dict = {"name": case.name, "kind": case.kind}
    nuclei = segment_nuclei(case.rgb)
    for method in SEGMENTATIONS:
        mask = nuclei if method == "stain" else segment_nuclei(case.rgb, method)
        row[f"nuclei, {method}"] = dice(mask, case.nucleus)
    cells = segment_cells(case.rgb, nuclei)
    labels = label_cells(case.rgb, nuclei, cells)
    row["cells, stain (nuclei included)"] = dice(cells, case.cell)
    row["cells found"] = int(labels.max())
    counts = None
    if case.cells is not None:
        counts = np.array(matches(labels, case.cells))
    elif case.boxes is not None:
        counts = np.array(boxed(labels, case.boxes))
    return row, judge(case.rgb, nuclei, labels), counts


def main() -> None:
    """Measure all methods on the folder of the command line."""
    cv2.setNumThreads(1)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "assets/phantom")
    measured = [measure(case) for case in cases(folder)]
    scores = pd.DataFrame([row for row, _, _ in measured])
    columns = [name for name in scores.columns if ", " in name]
    print(f"`{folder.name}`: {len(scores)} images\n")
    print(
        "| what | mean Dice | median | 5th percentile | mean IoU | below 0.5 |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    )
    for name in columns:
        d = scores[name]
        iou = (d / (2 - d)).mean()
        print(
            f"| {name} | {d.mean():.4f} | {d.median():.4f} | {d.quantile(0.05):.4f} | {iou:.4f} | {(d < 0.5).sum()} |"
        )

    nuclei, cells = "nuclei, stain", "cells, stain (nuclei included)"
    print("\n| kind | images | nuclei, mean Dice | 5th percentile | cells, mean Dice | 5th percentile |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for kind, group in scores.groupby("kind"):
        n, c = group[nuclei], group[cells]
        print(
            f"| {kind} | {len(group)} | {n.mean():.4f} | {n.quantile(0.05):.4f} | {c.mean():.4f} | {c.quantile(0.05):.4f} |"
        )

    print(f"\nWorst nuclei: {named(scores, nuclei)}.\n\nWorst cells: {named(scores, cells)}.")
    print_cells([counts for _, _, counts in measured if counts is not None], folder)
    flags = pd.DataFrame([judged for _, judged, _ in measured])
    print("\n| flag | images | mean nucleus Dice with it | without |\n| --- | ---: | ---: | ---: |")
    for name in (name for name in QUALITY if name != "quality_cells"):
        on = flags[name].to_numpy() > 0
        with_it = f"{scores[nuclei][on].mean():.4f}" if on.any() else ""
        without = f"{scores[nuclei][~on].mean():.4f}" if (~on).any() else ""
        print(f"| {name} | {on.sum()} | {with_it} | {without} |")


def named(scores: pd.DataFrame, column: str) -> str:
    worst = scores.nsmallest(WORST, column)
    return ", ".join(f"{name} {value:.2f}" for name, value in zip(worst["name"], worst[column], strict=True))


def print_cells(counts: list[np.ndarray], folder: Path) -> None:
    """Print what became of single cells, all images together."""
    if not counts:
        return
    matched, segmented, true, quality = np.sum(counts, axis=0)
    truth_form = "boxes" if (folder / "nucleus_masks_banik").is_dir() else "masks"
    print(
        "\n| single cells | true | found | precision | recall | panoptic quality | mean IoU of the matched |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    print(
        f"| by {truth_form}, IoU above 0.5 | {true:.0f} | {segmented:.0f} | {matched / max(segmented, 1):.3f} | {matched / max(true, 1):.3f} "
        f"| {quality / max((segmented + true) / 2, 1):.3f} | {quality / max(matched, 1):.3f} |"
    )


if __name__ == "__main__":
    main()
