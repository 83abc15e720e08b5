"""The data dictionary: what every column of build/prepared/features.csv is, as docs/data-dictionary.csv.

python -m leukstudy.imaging.dictionary        writes the file anew, after `FEATURES` has changed
"""

import csv
import io
from pathlib import Path

from leukstudy.imaging.features import FEATURES
from leukstudy.study import paths
from leukstudy.study.files import write_atomically

COLUMNS = ("name", "unit", "unit_where_pixel_size_is_known", "family", "meaning", "method")
# Beginning of a name, or part of it after the family, to where its method comes from; the first that fits counts.
_METHODS = {
    "colour_": "statistics of channels; HSV of Smith 1978",
    "corner_": "statistics of channels, in a corner 35% wide and 15% high",
    "quality_": "rules of this study",
    "morph_nucleus_perimeter": "Benkrid and Crookes 2000 (scikit-image)",
    "morph_cell_perimeter": "Benkrid and Crookes 2000 (scikit-image)",
    "morph_nucleus_circularity": "Cox 1927",
    "morph_cell_circularity": "Cox 1927",
    "morph_nucleus_eccentricity": "image moments (Hu 1962)",
    "morph_cell_eccentricity": "image moments (Hu 1962)",
    "morph_nucleus_cleft": "convexity defects (Sklansky 1972; OpenCV)",
    "morph_nucleus_bending": "Young, Walker and Bowie 1974",
    "morph_nucleus_roughness": "Fourier descriptors (Zahn and Roskies 1972)",
    "morph_nucleus_azure": "colour deconvolution (Ruifrok and Johnston 2001)",
    "morph_nucleus_eosin": "colour deconvolution (Ruifrok and Johnston 2001)",
    "morph_cytoplasm_azure": "colour deconvolution (Ruifrok and Johnston 2001)",
    "morph_cytoplasm_eosin": "colour deconvolution (Ruifrok and Johnston 2001)",
    "morph_cytoplasm_basophilia": "colour deconvolution (Ruifrok and Johnston 2001)",
    "morph_": "pixel counts and means within the masks of leukstudy.imaging.segment",
    "texture_contrast": "grey co-occurrence (Haralick et al. 1973; scikit-image)",
    "texture_homogeneity": "grey co-occurrence (Haralick et al. 1973; scikit-image)",
    "texture_energy": "grey co-occurrence (Haralick et al. 1973; scikit-image)",
    "texture_correlation": "grey co-occurrence (Haralick et al. 1973; scikit-image)",
    "texture_entropy": "grey co-occurrence (Haralick et al. 1973)",
    "texture_chromatin_entropy": "Shannon 1948",
    "texture_lbp": "local binary patterns (Ojala et al. 2002; scikit-image)",
    "texture_dark_grain": "granulometry (Matheron 1975)",
    "texture_pale_grain": "granulometry (Matheron 1975)",
    "texture_nucleoli": "top hat (Meyer 1979) and rules of this study",
    "texture_granule": "closing top hat (Meyer 1979)",
    "texture_": "statistics of grey within the masks",
}
_PHYSICAL = {"pixel": "um", "pixel2": "um2"}


def rows() -> list[dict[str, str]]:
    """One row a feature, in the order of `FEATURES`, with `COLUMNS`."""
    return [
        {
            "name": name,
            "unit": unit,
            "unit_where_pixel_size_is_known": _PHYSICAL.get(unit, unit),
            "family": name.split("_")[0],
            "meaning": meaning,
            "method": next(method for beginning, method in _METHODS.items() if name.startswith(beginning)),
        }
        for name, (unit, meaning) in FEATURES.items()
    ]


def text() -> str:
    """The data dictionary as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows())
    return out.getvalue()


def write(path: Path) -> None:
    """Write the data dictionary; the file appears whole or not at all."""
    write_atomically(path, lambda temporary: temporary.write_text(text(), encoding="utf-8"))


if __name__ == "__main__":
    write(paths.ROOT / "docs" / "data-dictionary.csv")
