"""How far hand-crafted measurements get on a phantom: grouped five-fold cross-validation over its patients.

    python benchmarks/phantom_hardness.py assets/phantom

Prints the AUROC of leukaemia against health, of pictures and of patients (mean over their pictures), and the balanced
accuracy of the class, for colour alone and for the shape and chromatin of the cell by true and by found masks.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from leukstudy.imaging.features import colour_features, corner_features, morphology_features
from leukstudy.imaging.io import read_image
from leukstudy.imaging.segment import segment_cells, segment_nuclei


def measured(folder: Path, paths: list[str]) -> dict[str, pd.DataFrame]:
    """The features of every picture, by what was given to measure them."""
    rows: dict[str, list] = {"colour and corners": [], "cells, true masks": [], "cells, found masks": []}
    for path in paths:
        picture, truth = read_image(folder / path), read_image(folder / "_truth" / path)[:, :, 0]
        rows["colour and corners"].append(colour_features(picture) | corner_features(picture))
        rows["cells, true masks"].append(morphology_features(picture, truth == 255, truth > 0))
        nuclei = segment_nuclei(picture)
        rows["cells, found masks"].append(
            morphology_features(picture, nuclei, segment_cells(picture, nuclei))
        )
    return {name: pd.DataFrame(records).fillna(0) for name, records in rows.items()}


def main() -> None:
    """Measure and print the table."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "assets/phantom")
    table = pd.read_csv(folder / "metadata.csv", keep_default_na=False)
    label = table["path"].str.split("/").str[0]
    ill, patients = (label != "healthy").to_numpy(), table["patient_id"]
    folds = {"groups": patients, "cv": StratifiedGroupKFold(5, shuffle=True, random_state=0)}
    print("| measured | detection, pictures | detection, patients | class, balanced accuracy |")
    print("| --- | ---: | ---: | ---: |")
    for name, features in measured(folder, table["path"].tolist()).items():
        forest = RandomForestClassifier(400, class_weight="balanced", random_state=0, n_jobs=-1)
        score = cross_val_predict(forest, features, ill, method="predict_proba", **folds)[:, 1]
        predicted = cross_val_predict(forest, features, label, **folds)
        mean = pd.DataFrame({"score": score, "ill": ill}).groupby(np.asarray(patients)).mean()
        print(
            f"| {name} ({features.shape[1]}) | {roc_auc_score(ill, score):.2f} |"
            f" {roc_auc_score(mean['ill'] > 0.5, mean['score']):.2f} | {balanced_accuracy_score(label, predicted):.2f} |"
        )


if __name__ == "__main__":
    main()
