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
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

import pandas as pd

from leukstudy.data import DataProblem
from leukstudy.data.adapters.layout import (
    as_rows,
    disagree,
    folders_of,
    listing,
    read_text_table,
    refuse_twice,
)

LABELS = {"all": "ALL", "hem": "HEM"}
_UID = re.compile(r"UID_(H?\d+)_(\d+)_(\d+)_(all|hem)", re.IGNORECASE)
_CSV = ("patient_id", "new_names", "labels")


def rows(root: Path) -> pd.DataFrame:
    """One row a labelled cell: label ALL or HEM, subject, and the official split (folds train, preliminary test).

    Subjects are in upper case (h12 is H12: taking two subjects for one leaks nothing, the reverse would).
    `original_id` is the field that the cell was cut from, where the name says so. Left out and counted: the
    final test set, preliminary images that no CSV names, and files with other names.

    Raises DataProblem: a class folder that contradicts the name, a UID delivered twice, a CSV that gives one
    name two labels, or nothing found.
    """
    root = Path(root)
    images, others = listing(root)
    named, spelling = _named_cells(root, [path for path in others if path.lower().endswith(".csv")])
    records, left_out, prelim, used = [], Counter(), 0, set()
    for path in images:
        name = PurePosixPath(path).name
        found = _UID.fullmatch(name[: name.rindex(".")])
        if found:
            spelling[found[1].upper()].add(found[1])
            records.append(_training_cell(root, path, found))
        elif _is_final(path):
            left_out["final test set, without labels"] += 1
        elif not re.fullmatch(r"\d+", name[: name.rindex(".")]):
            left_out["a name of no known form"] += 1
        elif name.casefold() not in named:
            left_out["numbered image that no CSV names"] += 1
        elif name.casefold() in used:
            raise DataProblem(
                f"{root}: {name!r} of the preliminary test set stands twice, e.g. {path!r}; keep one copy"
            )
        else:
            used.add(name.casefold())
            records.append({"path": path, "official_split": "test", **named[name.casefold()]})
            prelim += 1
    refuse_twice(root, [r["path"] for r in records if r["official_split"] == "train"], "cell's name")
    notes = [f"{len(spellings)} spellings of one subject: {', '.join(sorted(spellings))}"
             for _, spellings in sorted(spelling.items()) if len(spellings) > 1]  # fmt: skip
    missing = len(named) - prelim
    if missing:
        notes.append(f"the CSV names {missing} image(s) that are not there")
    labels = pd.DataFrame(records, columns=["patient_id", "label"]).drop_duplicates()
    both = labels[labels["patient_id"].duplicated()]["patient_id"]
    if len(both):
        notes.append(f"{len(both)} subject(s) hold cells of both classes, e.g. {both.iloc[0]}")
    return as_rows(
        root, records, left_out=left_out, notes=notes,
        expected="UID_<subject>_<image>_<cell>_{all,hem}.bmp at any depth, and the preliminary test set with its CSV",
    )  # fmt: skip


def _is_final(path: str) -> bool:
    """Whether the nearest folder that names a test set names the final one."""
    for folder in folders_of(path):
        if "prelim" in folder or "validation" in folder:
            return False
        if "final" in folder or "testing" in folder:
            return True
    return False


def _training_cell(root: Path, path: str, uid: re.Match) -> dict[str, str]:
    label = LABELS[uid[4].lower()]
    folder = next((name for name in folders_of(path) if name in LABELS), None)
    if folder and LABELS[folder] != label:
        raise disagree(root, path, label, LABELS[folder])
    return {"path": path, "label": label, "official_split": "train", **_subject(uid)}


def _subject(uid: re.Match) -> dict[str, str]:
    subject = uid[1].upper()
    return {"patient_id": subject, "original_id": f"{subject}_{uid[2]}"}


def _named_cells(root: Path, files: list[str]) -> tuple[dict[str, dict[str, str]], dict[str, set[str]]]:
    """What the CSVs say of each numbered image (by its name in lower case), and how they spell subjects."""
    named: dict[str, dict[str, str]] = {}
    spelling: dict[str, set[str]] = defaultdict(set)
    for file in files:
        table = read_text_table(root / file)
        table.columns = table.columns.str.casefold()
        if not set(_CSV) <= set(table.columns):
            continue  # another publisher's table, which names no image of ours
        for patient, name, label in table[list(_CSV)].itertuples(index=False):
            said = _said(root / file, patient.strip(), name.strip(), label.strip(), spelling)
            if named.setdefault(name.strip().casefold(), said) != said:
                raise DataProblem(
                    f"{root / file}: {name!r} stands twice, with two labels or subjects; mend it"
                )
    return named, spelling


def _said(file: Path, patient: str, name: str, label: str, spelling: dict[str, set[str]]) -> dict[str, str]:
    if label not in ("0", "1"):
        raise DataProblem(f"{file}: the label of {name!r} is {label!r}; expected 1 (ALL) or 0 (HEM)")
    label = "ALL" if label == "1" else "HEM"
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
    return {"label": label, **(_subject(uid) if uid else {"patient_id": subject.upper(), "original_id": ""})}
