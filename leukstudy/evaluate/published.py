"""What others reported, to be quoted beside our results and never to be compared with them.

The papers' own numbers come from splits by image, of data that were not named or not held apart by patient,
so that images of one patient may be on both sides. Every row says how its data were split, as far as is
known.
"""

import pandas as pd

PAPER_A = "Paper A"
PAPER_B = "Paper B"
CITED_BY_A = "Cited by paper A"
CITATIONS = {
    PAPER_A: "A CNN-driven deep learning approach for detecting leukemia in microscopic images.",
    PAPER_B: "Leukemia detection using deep learning: a DenseNet201-based approach.",
}
NOT_COMPARABLE = (
    "Published numbers are quoted, not compared: they were measured on other data, most of them on splits by "
    "image, where images of one patient may be on both sides."
)
UNNAMED = "image-level, unnamed data"
UNSTATED = "not stated"

# question, model, data, split level, metrics as proportions from 0 to 1, note, source
_ROWS: list[tuple[str, str, str, str, dict[str, float], str, str]] = [
    (
        "detection",
        "Logistic regression",
        "ALL-IDB, Kaggle and hospital images",
        UNNAMED,
        {"accuracy": 0.895, "precision": 0.83, "recall": 0.79, "f1": 0.81},
        "",
        PAPER_B,
    ),
    (
        "detection",
        "VGG16",
        "ALL-IDB, Kaggle and hospital images",
        UNNAMED,
        {"accuracy": 0.934, "precision": 0.88, "recall": 0.85, "f1": 0.86},
        "",
        PAPER_B,
    ),
    (
        "detection",
        "ResNet50",
        "ALL-IDB, Kaggle and hospital images",
        UNNAMED,
        {"accuracy": 0.951, "precision": 0.90, "recall": 0.89, "f1": 0.89},
        "",
        PAPER_B,
    ),
    (
        "detection",
        "DenseNet201",
        "ALL-IDB, Kaggle and hospital images",
        UNNAMED,
        {"accuracy": 0.972, "precision": 0.95, "recall": 0.94, "f1": 0.945, "auroc": 0.98},
        "converged around epoch 42",
        PAPER_B,
    ),
    (
        "detection",
        "C-NMC challenge winner",
        "C-NMC 2019, final test",
        "subject-level",
        {},
        "weighted F1 0.910",
        "C-NMC 2019 challenge",
    ),
    (
        "detection",
        "EfficientNet-B1",
        "C-NMC 2019",
        "subject-level",
        {"auroc": 0.913},
        "ECE 0.024; random splits inflate AUROC by about 0.04",
        "Leakage-aware study",
    ),
    ("typing", "CNN", "unnamed, five classes", UNNAMED, {"accuracy": 0.92}, "", PAPER_A),
    ("typing", "DenseNet169", "unnamed, five classes", UNNAMED, {"accuracy": 0.9762}, "", PAPER_A),
    (
        "typing",
        "CNN",
        "ALL-IDB, five classes",
        "image-level, 5-fold",
        {"accuracy": 0.817},
        "",
        "Five-class study",
    ),
    (
        "stage",
        "DenseNet201",
        "Taleqani ALL, four classes",
        "image-level",
        {"accuracy": 0.9985},
        "",
        "Image-level study",
    ),
    (
        "other",
        "MobileNetV2",
        "not named",
        UNSTATED,
        {"accuracy": 0.9658, "recall": 0.9517, "specificity": 0.9858},
        "",
        CITED_BY_A,
    ),
    (
        "other",
        "Squeeze-and-excitation CNN",
        "not named",
        UNSTATED,
        {},
        "97.57% / 96.41%",
        CITED_BY_A,
    ),
    ("other", "YOLOv3", "not named", UNSTATED, {}, "mAP 99.8%", CITED_BY_A),
    ("other", "Decision tree with explanations", "not named", UNSTATED, {"accuracy": 0.9745}, "", CITED_BY_A),
    (
        "other",
        "DenseNet, VGG, ResNet",
        "PBC (Barcelona), eight normal cell types",
        "image-level",
        {},
        "accuracy 91-95%",
        "Baselines on PBC",
    ),
    (
        "other",
        "ResNet50 trained on Raabin-WBC",
        "Raabin-WBC, then its TestB and LISC",
        "at home, then external",
        {"accuracy": 0.985},
        "34.6% on TestB, 23% on LISC",
        "Cross-laboratory study",
    ),
    (
        "other",
        "Best entry",
        "WBCBench 2026, cell types",
        "patient-level",
        {"f1": 0.777},
        "macro F1",
        "WBCBench 2026 challenge",
    ),
]

VALUES = ("auroc", "accuracy", "precision", "recall", "specificity", "f1")


def published(question: str | None = None) -> pd.DataFrame:
    """Give the quoted results, all of them or those of one question (detection, typing, stage, other).

    Columns: question, model, data, split_level, auroc, accuracy, precision, recall, specificity, f1
    (proportions, NaN where not reported), note, source, citation (title of the two papers, else empty). A
    question nobody published on gives an empty table.
    """
    rows = [
        {"question": asked, "model": model, "data": data, "split_level": level}
        | {name: values.get(name, float("nan")) for name in VALUES}
        | {"note": note, "source": source, "citation": CITATIONS.get(source, "")}
        for asked, model, data, level, values, note, source in _ROWS
    ]
    table = pd.DataFrame(rows)
    return table if question is None else table[table["question"] == question].reset_index(drop=True)
