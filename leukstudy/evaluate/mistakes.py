"""What went wrong on the test split: how often, how surely, and in whose images."""

from collections.abc import Mapping

import pandas as pd

SURE = 0.9  # probability from which a decision counts as sure


def wrong_cases(predictions: pd.DataFrame) -> pd.DataFrame:
    """Give the misclassified test rows, with the columns of `with_confidence`."""
    test = predictions[predictions["split"] == "test"]
    return with_confidence(test[test["y_true"] != test["y_pred"]])


def with_confidence(predictions: pd.DataFrame) -> pd.DataFrame:
    """Add `confidence` (the probability of the predicted class) and a `title` that names truth and, where wrong, prediction."""
    confidence = predictions.filter(regex="^p_").max(axis=1)
    outcomes = zip(predictions["y_true"], predictions["y_pred"], confidence, strict=True)
    titles = [
        f"{truth}\n{'' if guess == truth else f'as {guess}, '}{share:.2f}" for truth, guess, share in outcomes
    ]
    return predictions.assign(confidence=confidence, title=pd.Series(titles, predictions.index, dtype="str"))


def surest(predictions: pd.DataFrame, most: int) -> pd.DataFrame:
    """Give at most `most` wrong test rows, the surest first, ties by image_id."""
    wrong = wrong_cases(predictions)
    return wrong.sort_values(["confidence", "image_id"], ascending=[False, True]).head(most)


def counts(predictions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Count the errors of each experiment: images, errors, sure errors, groups, and groups that hold half of them."""
    rows = {}
    for name, table in predictions.items():
        test, wrong = table[table["split"] == "test"], wrong_cases(table)
        by_group = wrong["group_id"].value_counts()
        in_worse_groups = by_group.cumsum().shift(fill_value=0)
        rows[name] = {
            "test images": len(test),
            "errors": len(wrong),
            f"errors with p >= {SURE}": int((wrong["confidence"] >= SURE).sum()),
            "test groups": test["group_id"].nunique(),
            "groups with errors": len(by_group),
            "groups that hold half of the errors": int((in_worse_groups < len(wrong) / 2).sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment")
