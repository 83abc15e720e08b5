"""C-NMC 2019, as TCIA or the Kaggle mirror delivers it; the nesting of folders does not matter.

    C-NMC_training_data/fold_0/all/UID_11_10_1_all.bmp     subject 11, image 10, cell 1
    C-NMC_training_data/fold_2/hem/UID_H12_1_4_hem.bmp     subjects without leukaemia begin with H
    C-NMC_test_prelim_phase_data/1.bmp                     preliminary test set, named in a CSV
    C-NMC_test_prelim_phase_data_labels.csv                Patient_ID, new_names, labels (1 = ALL)
    C-NMC_test_final_phase_data/1.bmp                      without labels

Kaggle calls the three folders training_data, validation_data and testing_data. `Patient_ID` holds a subject or
the cell's UID name; both are read.
"""

import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.layout import (
    disagree,
    folders_of,
    label_above,
    listing,
    read_text_table,
    refuse_twice,
    rows_of_images,
)

LABELS = {"all": "ALL", "hem": "HEM"}
_UID = re.compile(r"UID_(H?\d+)_(\d+)_(\d+)_(all|hem)", re.IGNORECASE)
_CSV = ("patient_id", "new_names", "labels")
_EXPECTED = (
    "UID_<subject>_<image>_<cell>_{all,hem}.bmp at any depth, and the preliminary test set with its CSV"
)


def rows(root: Path) -> pd.DataFrame:
    """One row a labelled cell: label ALL or HEM, subject, and the official split (folds train, preliminary test).

    Subjects are in upper case (h12 is H12: taking two subjects for one leaks nothing, the reverse would).
    `original_id` is the field that the cell was cut from, where the name says so. Left out and counted: the
    final test set, preliminary images that no CSV names, and files with other names.

    Raises DataProblem: a class folder that contradicts the name, a UID delivered twice, a CSV that gives one
    name two labels, or nothing found.
    """
    root = Path(root)
    numbered, spelling = _numbered_cells(root)
    used = set()

    def describe(path: str) -> dict[str, str] | str:
        name = PurePosixPath(path).name
        bare = name[: name.rindex(".")]
        if uid := _UID.fullmatch(bare):
            spelling[uid[1].upper()].add(uid[1])
            return _training_cell(root, path, uid)
        if _is_final(path):
            return "final test set, without labels"
        if not re.fullmatch(r"\d+", bare):
            return "a name of no known form"
        if name.casefold() not in numbered:
            return "numbered image that no CSV names"
        if name.casefold() in used:
            raise DataProblem(
                f"{root}: {name!r} of the preliminary test set stands twice, e.g. {path!r}; keep one copy"
            )
        used.add(name.casefold())
        return {"official_split": "test", **numbered[name.casefold()]}

    table = rows_of_images(root, describe, expected=_EXPECTED)
    refuse_twice(root, table.loc[table["official_split"] == "train", "path"], "cell's name")
    notes = [
        f"{len(spellings)} spellings of one subject: {', '.join(sorted(spellings))}"
        for _, spellings in sorted(spelling.items())
        if len(spellings) > 1
    ]
    if len(used) < len(numbered):
        notes.append(f"the CSV names {len(numbered) - len(used)} image(s) that are not there")
    labels = table[["patient_id", "label"]].drop_duplicates()
    both = labels.loc[labels["patient_id"].duplicated(), "patient_id"]
    if len(both):
        notes.append(f"{len(both)} subject(s) hold cells of both classes, e.g. {both.iloc[0]}")
    table.attrs["notes"] = notes
    return table


def _is_final(path: str) -> bool:
    """Whether the nearest folder that names a test set names the final one."""
    for folder in folders_of(path):
        if "prelim" in folder or "validation" in folder:
            return False
        if "final" in folder or "testing" in folder:
            return True
    return False


def _training_cell(root: Path, path: str, uid: re.Match) -> dict[str, str]:
    label, folder = LABELS[uid[4].lower()], label_above(path, LABELS)
    if folder and folder != label:
        raise disagree(root, path, label, folder)
    return {"label": label, "official_split": "train", **_subject(uid)}


def _subject(uid: re.Match) -> dict[str, str]:
    subject = uid[1].upper()
    return {"patient_id": subject, "original_id": f"{subject}_{uid[2]}"}


def _numbered_cells(root: Path) -> tuple[dict[str, dict[str, str]], dict[str, set[str]]]:
    """What the CSVs say of each numbered image (by its name in lower case), and how they spell subjects."""
    numbered: dict[str, dict[str, str]] = {}
    spelling: dict[str, set[str]] = defaultdict(set)
    for file in [root / path for path in listing(root)[1] if path.lower().endswith(".csv")]:
        table = read_text_table(file)
        table.columns = table.columns.str.casefold()
        if not set(_CSV) <= set(table.columns):
            continue  # another publisher's table, which names no image of ours
        for patient, name, label in table[list(_CSV)].apply(lambda cells: cells.str.strip()).values:
            if label not in ("0", "1"):
                raise DataProblem(f"{file}: the label of {name!r} is {label!r}; expected 1 (ALL) or 0 (HEM)")
            record = {"label": "ALL" if label == "1" else "HEM"}
            record |= _subject_of(file, patient, name, record["label"], spelling)
            if numbered.setdefault(name.casefold(), record) != record:
                raise DataProblem(f"{file}: {name!r} stands twice, with two labels or subjects; mend it")
    return numbered, spelling


def _subject_of(
    file: Path, patient: str, name: str, label: str, spelling: dict[str, set[str]]
) -> dict[str, str]:
    """The subject in a Patient_ID, which is a subject alone or a cell's UID; its spelling is noted."""
    uid = _UID.fullmatch(re.sub(r"\.bmp$", "", patient, flags=re.IGNORECASE))
    bare = re.fullmatch(r"(?:UID_)?(H?\d+)", patient, re.IGNORECASE)
    if uid is None and bare is None:
        raise DataProblem(
            f"{file}: the Patient_ID of {name!r} is {patient!r}; expected e.g. 57, H12 or UID_57_29_1_all.bmp"
        )
    if uid and LABELS[uid[4].lower()] != label:
        raise DataProblem(
            f"{file}: {name!r} has the label {label}, but its Patient_ID {patient!r} says otherwise; mend it"
        )
    subject = (uid or bare)[1]
    spelling[subject.upper()].add(subject)
    return _subject(uid) if uid else {"patient_id": subject.upper(), "original_id": ""}
