"""What others reported, to be quoted beside our results and never to be compared with them.

The papers' numbers come from splits by image, so that images of one patient may be on both sides. Every row says how its
data were split, as far as is known.
"""

from pathlib import Path

import pandas as pd

TABLE = Path(__file__).with_suffix(".csv")
"""A row a result: question, model, data, split_level, metrics as proportions (empty where not reported), note, source."""

CITATIONS = {
    "Paper A": "A CNN-driven deep learning approach for detecting leukemia in microscopic images.",
    "Paper B": "Leukemia detection using deep learning: a DenseNet201-based approach.",
}
"""The titles of the two papers that this study reproduces."""
NOT_COMPARABLE = (
    "Published numbers are quoted, not compared: they were measured on other data, most of them on splits by "
    "image, where images of one patient may be on both sides."
)


def published(question: str | None = None) -> pd.DataFrame:
    """Give the quoted results, all of them or those of one question (detection, typing, stage, other).

    Columns: question, model, data, split_level, auroc, accuracy, precision, recall, specificity, f1
    (proportions, NaN where not reported), note, source, citation (title of the two papers, else empty). A
    question nobody published on gives an empty table.
    """
    table = pd.read_csv(TABLE).fillna({"note": ""})
    table = table.assign(citation=table["source"].map(CITATIONS).fillna(""))
    return table if question is None else table[table["question"] == question].reset_index(drop=True)
