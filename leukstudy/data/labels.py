"""From the labels of images to the classes of a task."""

import numpy as np
import pandas as pd


def rows_of_task(
    manifest: pd.DataFrame, classes: dict[str, list[str]], *, task: str
) -> tuple[np.ndarray, np.ndarray]:
    """Find the images that a task asks about.

    Gives the positions (n,) int64 of the kept manifest rows (those not excluded, in manifest order, as `prepare`
    stores them) whose label belongs to the task, and their class index (n,) int64 in the order of `classes`.
    Raises ValueError where the task names a label that no kept image has.
    """
    kept = manifest[manifest["excluded"] == ""]
    present = sorted(kept["label"].unique())
    index = {label: i for i, labels in enumerate(classes.values()) for label in labels}
    missing = [label for label in index if label not in present]
    if missing:
        raise ValueError(
            f"tasks.{task}.classes names the label '{missing[0]}', which no image has; data/ has {', '.join(present)}. "
            "Name the class folders of data/ in params.yaml (`leukstudy preset` lists ready-made variants)."
        )
    y = kept["label"].map(index)
    positions = np.flatnonzero(y.notna().to_numpy())
    return positions, y.iloc[positions].to_numpy(dtype=np.int64)
