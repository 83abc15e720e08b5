"""A miniature of each source's layout, with the odd things that deliveries hold; nothing is copied from a source."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Expected:
    """What an adapter must make of a miniature."""

    labels: dict[str, int]
    splits: dict[str, int] = field(default_factory=dict)
    patients: set[str] = field(default_factory=lambda: {""})
    groups: int = 1  # different values of original_id
    left_out: int = 0
    notes: tuple[str, ...] = ()
    excluded: int = 0


def picture(path: Path, *, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Path:
    """Write a small picture whose pixels follow from its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.name.encode()))
    width, height = size
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8), mode).save(path, format=_format(path))
    return path


def _format(path: Path) -> str:
    suffix = path.suffix.lower()
    return {".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}[
        suffix
    ]


def litter(folder: Path) -> None:
    """What operating systems leave behind."""
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "._UID_1_1_1_all.bmp"):
        (folder / name).write_bytes(b"\x00")
    picture(folder / "__MACOSX" / "x.png")


def c_nmc_tcia(root: Path) -> Expected:
    train = root / "C-NMC_training_data"
    for name in ("fold_0/all/UID_11_1_1_all", "fold_0/all/UID_11_1_2_all", "fold_1/all/UID_12_4_1_all",
                 "fold_0/hem/UID_H12_1_1_hem", "fold_1/hem/UID_h12_2_1_hem", "fold_2/hem/UID_H3_1_1_hem"):  # fmt: skip
        picture(train / f"{name}.bmp")
    prelim = root / "C-NMC_test_prelim_phase_data"
    for number in (1, 2, 3, 4):
        picture(prelim / f"{number}.bmp")
    for number in (1, 2):
        picture(root / "C-NMC_test_final_phase_data" / f"{number}.bmp")
    (root / "C-NMC_test_prelim_phase_data_labels.csv").write_text(
        "Patient_ID,new_names,labels\nUID_57_29_1_all.bmp,1.bmp,1\nH58,2.bmp,0\n59, 3.bmp ,1\n60,99.bmp,1\n"
    )
    litter(train)
    return Expected(
        labels={"ALL": 5, "HEM": 4}, splits={"train": 6, "test": 3}, groups=7,
        patients={"11", "12", "H12", "H3", "57", "H58", "59"}, left_out=3,
        notes=("2 spellings of one subject: H12, h12", "names 1 image(s) that are not there"),
    )  # fmt: skip


def c_nmc_kaggle(root: Path) -> Expected:
    root = root / "final download" / "C-NMC_Leukemia"
    for name in ("fold_0/fold_0/all/UID_1_1_1_all.bmp", "fold_1/fold_1/hem/UID_H2_1_1_hem.BMP"):
        picture(root / "training_data" / name)
    for number in (1, 2):
        picture(root / "validation_data" / "C-NMC_test_prelim_phase_data" / f"{number}.bmp")
        picture(root / "testing_data" / "C-NMC_test_final_phase_data" / f"{number}.bmp")
    (root / "validation_data" / "C-NMC_test_prelim_phase_data_labels.csv").write_text(
        "Patient_ID,new_names,labels\r\nUID_3_1_1_all.bmp,1.bmp,1\r\nUID_H4_1_1_hem.bmp,2.bmp,0\r\n",
        encoding="utf-8-sig",
    )
    return Expected(
        labels={"ALL": 2, "HEM": 2}, splits={"train": 2, "test": 2}, patients={"1", "H2", "3", "H4"}, groups=4,
        left_out=2,
    )  # fmt: skip


def c_nmc_without_csv(root: Path) -> Expected:
    picture(root / "fold_0" / "all" / "UID_1_1_1_all.bmp")
    picture(root / "fold_0" / "hem" / "UID_H2_1_1_hem.bmp")
    for number in (1, 2, 3):
        picture(root / "C-NMC_test_prelim_phase_data" / f"{number}.bmp")
    return Expected(
        labels={"ALL": 1, "HEM": 1}, splits={"train": 2}, patients={"1", "H2"}, groups=2, left_out=3
    )


def all_idb1(root: Path) -> Expected:
    for name in ("Im001_1", "Im009_1", "Im010_1", "Im036_0", "Im102_0", "Im103_0"):
        picture(root / "im" / f"{name}.jpg", size=(40, 30))
    picture(root / "im" / "Im003_1.JPG", size=(40, 30))
    picture(root / "im" / "cover.jpg")
    litter(root / "im")
    (root / "xyc").mkdir()
    (root / "xyc" / "Im001_1.xyc").write_text("12\t7\r\n 20 11 \r\n\r\n41 3\r\nabc\r\n")
    (root / "xyc" / "Im003_1.xyc").write_text("1 2\n")
    (root / "xyc" / "Im099_1.xyc").write_text("1 2\n")
    return Expected(labels={"ALL": 4, "healthy": 3}, groups=4, left_out=1)


def all_idb2(root: Path) -> Expected:
    for name in ("Im001_1.tif", "Im002_1.tif", "Im131_0.tif", "Im132_0.TIF"):
        picture(root / "ALL_IDB2" / "img" / name)
    return Expected(labels={"ALL": 2, "healthy": 2})


def taleqani(root: Path) -> Expected:
    for part in ("Original", "Segmented"):
        for label in ("Benign", "Early", "Pre", "Pro"):
            stem = "WBC-Benign" if label == "Benign" else f"WBC-Malignant-{label}"
            for number in (1, 2):
                picture(root / part / label / f"{stem}-{number:03d}.jpg")
    picture(root / "Original" / "Pro" / "copy of 7.JPG")
    litter(root / "Original" / "Pro")
    return Expected(
        labels={"Benign": 2, "Early": 2, "Pre": 2, "Pro": 3}, left_out=8, notes=("1 file(s) are not named",)
    )


def taleqani_flat(root: Path) -> Expected:
    picture(root / "Benign" / "WBC-Benign-001.jpg")
    picture(root / "Pro" / "WBC-Malignant-Pro-001.jpg")
    picture(root / "poster.png")
    return Expected(labels={"Benign": 1, "Pro": 1}, left_out=1)


def blood_cell_cancer(root: Path) -> Expected:
    for label in ("Benign", "[Malignant] early Pre-B", "[Malignant] Pre-B", "[Malignant] Pro-B"):
        picture(root / label / "Snap_001.jpg")
    return Expected(
        labels=dict.fromkeys(
            ("Benign", "[Malignant] early Pre-B", "[Malignant] Pre-B", "[Malignant] Pro-B"), 1
        )
    )


def aml_lmu(root: Path) -> Expected:
    base = root / "AML-Cytomorphology_LMU" / "AML-Cytomorphology"
    for name in ("MYO/MYO_0001.tiff", "MYO/MYO_0002.tiff", "LYT/LYT_0001.tiff", "NGS/NGS_0001.tiff.tiff"):
        picture(base / name, mode="RGBA")
    picture(base / "figures" / "overview.png")
    (base.parent / "annotations.dat").write_text(
        "MYO/MYO_0001.tiff MYO MYO MOB\nMYO/MYO_0002.tiff MON nan nan\nLYT/LYT_0001.tiff LYT\n"
    )
    return Expected(
        labels={"MYO": 2, "LYT": 1, "NGS": 1}, left_out=1,
        notes=("gives 1 cell(s) another type", "does not name 1 cell(s)"),
    )  # fmt: skip


def aml_mll(root: Path) -> Expected:
    for name in ("CBFB_MYH11/AQK/image_0", "CBFB_MYH11/AQK/image_1", "CBFB_MYH11/BBB/image_0", "control/CCC/image_0",
                 "NPM1/BBB/image_7"):  # fmt: skip
        picture(root / "data" / f"{name}.tif")
    picture(root / "logo.png")
    (root / "metadata.csv").write_text("patient_id,sex\nAQK,f\n")
    return Expected(
        labels={"CBFB_MYH11": 3, "control": 1, "NPM1": 1}, patients={"AQK", "BBB", "CCC"}, left_out=1,
        notes=("1 patient(s) stand under two labels, e.g. BBB",),
    )  # fmt: skip


def pbc(root: Path) -> Expected:
    base = root / "PBC_dataset_normal_DIB"
    for name in (
        "basophil/BA_47.jpg",
        "ig/MMY_1.jpg",
        "ig/PMY_2.jpg",
        "neutrophil/SNE_1.jpg",
        "neutrophil/BNE_9.jpg",
    ):
        picture(base / name)
    picture(base / "neutrophil" / "tmp.jpg").rename(base / "neutrophil" / ".DS_169665.jpg")
    return Expected(labels={"basophil": 1, "ig": 2, "neutrophil": 2})


def bloodmnist(root: Path) -> Expected:
    from leukstudy.data.adapters.bloodmnist import unpack

    root.mkdir(parents=True, exist_ok=True)
    unpack(bloodmnist_npz(root.parent / "bloodmnist.npz"), root)
    return Expected(
        labels={"basophil": 2, "eosinophil": 2, "ig": 1, "platelet": 1},
        splits={"train": 4, "val": 1, "test": 1},
    )


def bloodmnist_npz(path: Path, *, side: int = 28) -> Path:
    rng = np.random.default_rng(0)
    labels = {"train": [0, 1, 7, 3], "val": [0], "test": [1]}
    arrays = {f"{split}_labels": np.array(given, np.uint8)[:, None] for split, given in labels.items()}
    for split, given in labels.items():
        arrays[f"{split}_images"] = rng.integers(0, 256, (len(given), side, side, 3), dtype=np.uint8)
    np.savez_compressed(path, **arrays)
    return path


def raabin(root: Path) -> Expected:
    base = root / "Cropped_double_labeled"
    for part, label in (
        ("Train", "Basophil"),
        ("Train", "Neutrophil"),
        ("TestA", "Basophil"),
        ("TestB", "neutrophil"),
    ):
        picture(base / part / label / f"{part}_{label}_1.jpg")
    picture(base / "Extra" / "Basophil" / "x.jpg")
    return Expected(labels={"Basophil": 2, "Neutrophil": 2}, splits={"train": 2, "test": 2}, left_out=1)


def bccd(root: Path) -> Expected:
    for number in (0, 1, 2):
        picture(root / "JPEGImages" / f"BloodImage_{number:05d}.jpg", size=(64, 48))
        if number < 2:
            picture(
                root / "nucleus_masks_banik" / f"BloodImage_Mask_{number:05d}.png", size=(64, 48), mode="L"
            )
    picture(root / "nucleus_masks_banik" / "BloodImage_Mask_00099.png", mode="L")
    picture(root / "example.jpg")
    notes = root / "Annotations"
    notes.mkdir()
    good = ("WBC", 3, 4, 30, 40), ("RBC", 1, 1, 64, 48), ("Platelets", 10, 10, 12, 12)
    bad = ("RBC", 5, 5, 5, 9), ("RBC", 60, 1, 65, 9), ("WBC", "a", 1, 2, 2), ("Parasite", 1, 1, 9, 9)
    notes.joinpath("BloodImage_00000.xml").write_text(_voc(good + bad))
    notes.joinpath("BloodImage_00001.xml").write_text(_voc(good[:1])[:-20])
    notes.joinpath("BloodImage_00077.xml").write_text(_voc(good))
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "train.txt").write_text("BloodImage_00000\n")
    (root / "ImageSets" / "Main" / "test.txt").write_text("BloodImage_00001\n")
    return Expected(
        labels={"unlabelled": 3},
        splits={"train": 1, "test": 1, "": 1},
        left_out=4,
        notes=("1 field(s) have no annotation",),
    )


def _voc(objects) -> str:
    parts = [
        f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d in objects
    ]
    return f"<annotation><size><width>0</width></size>{''.join(parts)}</annotation>"


def segmentation_wbc(root: Path) -> Expected:
    for dataset, numbers in (("Dataset 1", (1, 2, 139)), ("Dataset 2", (1, 2))):
        for number in numbers:
            picture(root / dataset / f"{number:03d}.bmp")
            if number != 2:
                mask = np.zeros((10, 12), np.uint8)
                mask[2:8, 2:8], mask[4:6, 4:6] = 128, 255
                Image.fromarray(mask).save(root / dataset / f"{number:03d}.png")
        picture(root / f"{dataset}.png")
    (root / "Class Labels of Dataset 1.csv").write_text("image ID,class label\n1,2\n139,1\n5,1\n")
    (root / "Class Labels of Dataset 2.csv").write_text("image ID,class\n1,1\n2,3\n")
    return Expected(
        labels={"type 1": 2, "type 2": 1, "type 3": 1}, left_out=1, notes=("names 1 image(s)",), excluded=1
    )


def segmentation_wbc_flat(root: Path) -> Expected:
    for number in (1, 2):
        picture(root / f"{number:03d}.bmp")
        picture(root / f"{number:03d}.png", mode="L")
    (root / "labels.csv").write_text("image ID,class label\n1,2\n2,1\n")
    return Expected(labels={"type 1": 1, "type 2": 1})


def five_class(root: Path) -> Expected:
    for name in ("ALL_train/ALL_original_Im1_1.jpg_0a1b-22.jpg", "ALL_test/ALL_original_Im1_1.jpg_ffee-1.jpg",
                 "ALL_train/Im1_1.jpg", "H/H_original_12_77aa.jpg", "CML-2/CML_original_12_abc.jpg",
                 "Healthy/H_original_12_78aa.jpg"):  # fmt: skip
        picture(root / "set" / name)
    picture(root / "set" / "allergy" / "x.jpg")
    return Expected(labels={"ALL": 3, "H": 2, "CML": 1}, groups=3, left_out=1)


def own_folder(root: Path) -> Expected:
    for name in ("ALL/a.png", "ALL/deep/b.PNG", "healthy/c.png"):
        picture(root / name)
    (root / "metadata.csv").write_text(
        "path,patient_id,original_id,official_split\nALL/a.png,P1,o1,train\nALL/deep/b.PNG,P2,o1,test\n"
    )
    litter(root / "ALL")
    return Expected(
        labels={"ALL": 2, "healthy": 1}, splits={"train": 1, "test": 1, "": 1}, patients={"P1", "P2", ""}, groups=2,
        left_out=2,
    )  # fmt: skip


MINIATURES: dict[str, tuple[str, Callable[[Path], Expected]]] = {
    "folder": ("folder", own_folder),
    "phantom": ("phantom", own_folder),
    "c_nmc_2019": ("c_nmc_2019", c_nmc_tcia),
    "c_nmc_2019 as on Kaggle": ("c_nmc_2019", c_nmc_kaggle),
    "c_nmc_2019 without CSV": ("c_nmc_2019", c_nmc_without_csv),
    "all_idb1": ("all_idb1", all_idb1),
    "all_idb2": ("all_idb2", all_idb2),
    "taleqani": ("taleqani", taleqani),
    "taleqani flat": ("taleqani", taleqani_flat),
    "blood_cell_cancer_4class": ("blood_cell_cancer_4class", blood_cell_cancer),
    "aml_lmu": ("aml_lmu", aml_lmu),
    "aml_mll": ("aml_mll", aml_mll),
    "pbc": ("pbc", pbc),
    "bloodmnist": ("bloodmnist", bloodmnist),
    "raabin": ("raabin", raabin),
    "bccd": ("bccd", bccd),
    "segmentation_wbc": ("segmentation_wbc", segmentation_wbc),
    "segmentation_wbc flat": ("segmentation_wbc", segmentation_wbc_flat),
    "five_class_augmented": ("five_class_augmented", five_class),
}
"""Name of the miniature -> the source it is one of, and the function that writes it."""
