"""Known flaws, planted on purpose and one at a time, so that an audit can be shown to find them.

Some are planted while a picture is drawn or encoded (everything that ties a class to how its pictures were
made), some in the finished folder (what copies, moves or renames pictures). What was done to which file is
written to _truth/planted.csv (path, flaw, detail) beside the pictures.
"""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from leukstudy.phantom.cell_types import CLASSES

FLAWS: dict[str, str] = {
    "patients_in_two_classes": "pictures of two classes carry one patient's id",
    "duplicates": "copies under another patient's name: same bytes, same pixels, brighter, JPEG, flipped",
    "mislabelled": "all pictures of some patients stand in a wrong class, a few of them in the right one too",
    "scale_bar": "a scale bar is burnt into the pictures of all classes but the first",
    "stain": "the pictures of all classes but the first are stained more and lit warmer",
    "size": "the pictures of all classes but the first are a quarter larger",
    "format": "the pictures of all classes but the first are JPEG files",
    "camera": "all pictures are JPEG files whose EXIF names one camera for the first class, another for the rest",
    "file_size": "the PNG files of all classes but the first are not compressed; their pixels are untouched",
    "quality": "some pictures are far out of focus, over- or underexposed, or empty",
}
"""What can be planted, and what it is. "The first class" is the first in the order of CLASSES that is enrolled."""

# Shift of the tied stain, in standard deviations over all pictures of the `effects` of model.yaml.
STAIN_SHIFT = {"violet": 1.2, "eosin": 1.5, "haze": 2.5, "warmth": 2.0, "exposure": -1.0}
PATIENT_SHARE = 0.08  # share of a class's patients that a flaw of patients touches, at least one
IMAGE_SHARE = 0.06  # share of all pictures that a flaw of pictures touches, at least one of each kind
RIGHT_COPIES = 3  # pictures of a mislabelled patient that stand under the right label too


def check_flaw(flaw: str | None) -> None:
    """Raise ValueError, which names the known ones, for a flaw that cannot be planted."""
    if flaw is not None and flaw not in FLAWS:
        raise ValueError(f"unknown flaw {flaw!r}; the phantom can plant {', '.join(FLAWS)}")


def tied(label: str, labels: list[str]) -> bool:
    """Whether pictures of class `label` get what is tied to class: those of every class but the first."""
    return label != min(labels, key=CLASSES.index)


def scale_bar(picture: np.ndarray) -> np.ndarray:
    """Burn a black bar of a quarter of the width, with its length above, into the lower right corner."""
    picture = picture.copy()
    size = picture.shape[0]
    thick, margin = max(2, size // 48), max(3, size // 24)
    right, low = picture.shape[1] - margin, size - margin
    left = right - picture.shape[1] // 4
    picture[low - thick : low, left:right] = 0
    scale = size / 400
    cv2.putText(
        picture, "6 um", (left, low - thick - 2), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA
    )
    return picture


def camera_jpeg(picture: np.ndarray, camera: str) -> bytes:
    """Encode a picture (H, W, 3) uint8 RGB as a JPEG of quality 95 whose EXIF names its camera."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Phantom", camera  # Make, Model
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=95, exif=exif)
    return data.getvalue()


def plant(folder: Path, frame: pd.DataFrame, flaw: str, seed: int) -> pd.DataFrame:
    """Plant a flaw in a whole phantom in `folder`, or record the one it was drawn with; gives new metadata.

    `frame` is its metadata: path, patient_id, slide_id, ... one row a picture. Pictures, their truth masks and
    the rows are changed together. Writes _truth/planted.csv. Same arguments, same bytes.
    """
    check_flaw(flaw)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 4, list(FLAWS).index(flaw)]))
    frame = frame.assign(label=frame["path"].str.split("/").str[0])
    labels = sorted(frame["label"].unique(), key=CLASSES.index)
    in_folder = _IN_FOLDER.get(flaw)
    if in_folder is not None:
        frame, planted = in_folder(folder, frame, labels, rng)
    else:
        detail = FLAWS[flaw]
        chosen = frame["path"] if flaw == "camera" else frame["path"][frame["label"] != labels[0]]
        planted = [(path, detail) for path in chosen]
    record = pd.DataFrame(sorted(planted), columns=["path", "detail"])
    record.insert(1, "flaw", flaw)
    record.to_csv(folder / "_truth" / "planted.csv", index=False, lineterminator="\n")
    return frame.drop(columns="label").sort_values("path", ignore_index=True)


Planted = tuple[pd.DataFrame, list[tuple[str, str]]]


def _patients_in_two_classes(folder: Path, frame: pd.DataFrame, labels: list[str], rng) -> Planted:
    """Give patients of the first class the ids of patients of the others: as if these had come in remission too."""
    first = labels[0]
    guests = rng.permutation(_patients_of(frame, first)).tolist()
    if len(labels) < 2:
        raise ValueError(f"patients in two classes need two classes, found {labels}")
    hosts = [(host, label) for label in labels[1:] for host in _sampled_patients(frame, label, rng)]
    planted = []
    for guest, (host, label) in zip(guests, hosts, strict=False):
        for row in frame.index[frame["patient_id"] == guest]:
            old = Path(frame.at[row, "path"])
            new = f"{first}/{host}_r{old.stem.split('_')[1]}{old.suffix}"
            _move(folder, old.as_posix(), new)
            frame.loc[row, ["path", "patient_id"]] = new, host
            frame.at[row, "slide_id"] = frame.at[row, "slide_id"].replace(guest, host) + "r"
            planted.append((new, f"of {guest}, under the id of {host}, a patient of {label}"))
    return frame, planted


def _mislabelled(folder: Path, frame: pd.DataFrame, labels: list[str], rng) -> Planted:
    """Move patients to the class after their own.

    No audit can see from pixels alone that a label is wrong. So the patient is registered a second time, under
    the right label, with re-encoded copies of a few pictures: the same cell then stands under two labels.
    """
    if len(labels) < 2:
        raise ValueError(f"mislabelled patients need two classes, found {labels}")
    chosen = [
        (patient, label, other)
        for label, other in zip(labels, labels[1:] + labels[:1], strict=True)
        for patient in _sampled_patients(frame, label, rng)
    ]
    planted, copies = [], []
    for patient, label, other in chosen:
        for number, row in enumerate(frame.index[frame["patient_id"] == patient]):
            old = frame.at[row, "path"]
            new = f"{other}/{Path(old).name}"
            if number < RIGHT_COPIES:
                copy = f"{label}/{patient}R_{number:02d}.png"
                copies.append(_copy(folder, frame.loc[row], copy, patient=f"{patient}R", change="jpeg"))
                planted.append((copy, f"jpeg copy of {new} under the right label"))
            _move(folder, old, new)
            frame.loc[row, ["path", "label"]] = new, other
            planted.append((new, f"{patient} is a patient of {label}"))
    return pd.concat([frame, pd.DataFrame(copies)], ignore_index=True), planted


def _duplicates(folder: Path, frame: pd.DataFrame, labels: list[str], rng) -> Planted:
    """Add copies of pictures to another patient of the same class, the kinds in turn."""
    count = min(len(frame), max(len(_CHANGES), round(IMAGE_SHARE * len(frame))))
    ids = {label: _patients_of(frame, label) for label in labels}
    planted, copies = [], []
    for number, row in enumerate(sorted(rng.choice(len(frame), count, replace=False).tolist())):
        original = frame.iloc[row]
        change = list(_CHANGES)[number % len(_CHANGES)]
        # Another patient of the class, or the same one where the class has no other.
        homes = [other for other in ids[original["label"]] if other != original["patient_id"]]
        home = (homes or ids[original["label"]])[int(rng.random() * max(1, len(homes)))]
        copy = f"{original['label']}/{home}_d{number}.png"
        copies.append(_copy(folder, original, copy, patient=home, change=change))
        planted.append((copy, f"{change} copy of {original['path']}"))
    return pd.concat([frame, pd.DataFrame(copies)], ignore_index=True), planted


def _quality(folder: Path, frame: pd.DataFrame, labels: list[str], rng) -> Planted:
    """Spoil pictures in place, the ways in turn."""
    count = min(len(frame), max(len(_SPOILS), round(IMAGE_SHARE * len(frame))))
    planted = []
    for number, row in enumerate(sorted(rng.choice(len(frame), count, replace=False).tolist())):
        path, spoil = frame.iloc[row]["path"], list(_SPOILS)[number % len(_SPOILS)]
        cv2.imwrite(str(folder / path), _SPOILS[spoil](cv2.imread(str(folder / path))))
        planted.append((path, spoil))
    return frame, planted


_IN_FOLDER: dict[str, Callable[..., Planted]] = {
    "patients_in_two_classes": _patients_in_two_classes,
    "mislabelled": _mislabelled,
    "duplicates": _duplicates,
    "quality": _quality,
}


def _jpeg(picture: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)


# What a copy does to the picture; None copies the file as it is.
_CHANGES: dict[str, Callable[[np.ndarray], np.ndarray] | None] = {
    "bytes": None,
    "pixels": lambda picture: picture,
    "brighter": lambda picture: cv2.convertScaleAbs(picture, alpha=1.04),
    "jpeg": _jpeg,
    "flipped": lambda picture: picture[:, ::-1],
}
_SPOILS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "out of focus": lambda picture: cv2.GaussianBlur(picture, (0, 0), picture.shape[0] / 16),
    "overexposed": lambda picture: cv2.convertScaleAbs(picture, alpha=2.2),
    "underexposed": lambda picture: cv2.convertScaleAbs(picture, alpha=0.12),
    "empty": lambda picture: np.full_like(picture, np.median(picture[:4], axis=(0, 1)).astype(np.uint8)),
}


def _patients_of(frame: pd.DataFrame, label: str) -> list[str]:
    return sorted(frame.loc[frame["label"] == label, "patient_id"].unique())


def _sampled_patients(frame: pd.DataFrame, label: str, rng) -> list[str]:
    ids = _patients_of(frame, label)
    return sorted(rng.choice(ids, max(1, round(PATIENT_SHARE * len(ids))), replace=False).tolist())


def _move(folder: Path, old: str, new: str) -> None:
    for root in (folder, folder / "_truth"):
        (root / old).rename(root / new)


def _copy(folder: Path, original: pd.Series, path: str, *, patient: str, change: str) -> dict:
    """Copy a picture and its truth to `path` as one of `patient`; give the copy's row."""
    edit, old = _CHANGES[change], original["path"]
    if edit is None:
        shutil.copyfile(folder / old, folder / path)
    else:
        # Another level of compression than the original's: other bytes even where the pixels are the same.
        picture = edit(cv2.imread(str(folder / old)))
        cv2.imwrite(str(folder / path), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    truth = cv2.imread(str(folder / "_truth" / old), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(folder / "_truth" / path), truth[:, ::-1] if change == "flipped" else truth)
    label = path.split("/", maxsplit=1)[0]
    return {**original, "path": path, "label": label, "patient_id": patient, "slide_id": f"{patient}-A"}
