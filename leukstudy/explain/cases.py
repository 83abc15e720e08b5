"""Which test images are looked at: a stated choice, so that nobody picks the pretty ones."""

import pandas as pd

from leukstudy.evaluate.mistakes import with_confidence


def choose(predictions: pd.DataFrame, per_outcome: int) -> pd.DataFrame:
    """Choose test rows: of each true class the `per_outcome` surest right and the `per_outcome` surest wrong ones.

    Gives the predictions' columns with `confidence` and `title`, right cases before wrong ones within each class;
    ties are broken by image_id, so the choice depends on the predictions alone.
    """
    test = with_confidence(predictions[predictions["split"] == "test"])
    test = test.assign(wrong=test["y_true"] != test["y_pred"])
    order = {"y_true": True, "wrong": True, "confidence": False, "image_id": True}
    ordered = test.sort_values(list(order), ascending=list(order.values()))
    return ordered.groupby(["y_true", "wrong"], sort=False).head(per_outcome).drop(columns="wrong")
