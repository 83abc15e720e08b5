"""Classes that come from one source, camera, size, format or range of file sizes: the label without a look."""

import pandas as pd

from leukstudy.audit.findings import Finding, Thresholds, count

# A value counts as belonging to one class where it holds this share of the value's images: a few strays excuse nothing.
_PURE = 0.98
_NAMES = {
    "class_by_source": ("source", "source"),
    "class_by_camera": ("camera", "camera"),
    "class_by_size": ("size", "image size"),
    "class_by_format": ("format", "file format"),
}
_ADVICE = {
    "class_by_source": "Add sources that hold the other classes too, or compare classes within one source only.",
    "class_by_camera": "Compare classes within one camera, or hold a camera out as the test.",
}


def confounds(kept: pd.DataFrame, thresholds: Thresholds) -> list[Finding]:
    """The five checks `class_by_...`; `kept` has the manifest's columns and those of `MEASURES`."""
    rows = kept.assign(size=kept["width"].astype("str") + " x " + kept["height"].astype("str"))
    rows["camera"] = rows["camera"].where(rows["camera"] != "", "none named")
    return [*(_confined(rows, check, thresholds) for check in _NAMES), _file_sizes(rows)]


def _confined(rows: pd.DataFrame, check: str, thresholds: Thresholds) -> Finding:
    """Whether values of a column give the class away.

    Two ways: a value holds images of one class only, and a notable share of that class; or a class has one value
    only, while a notable share of all the others have other values.
    """
    column, noun = _NAMES[check]
    counts = pd.crosstab(rows[column], rows["label"])
    if len(counts) < 2:
        value = counts.index[0] if len(counts) else "none"
        return Finding(check, "pass", f"All images have one {noun}: {value}.")
    words, telling = [], pd.Series(False, index=rows.index)
    total = counts.sum(axis=0)
    owner, pure = counts.idxmax(axis=1), counts.max(axis=1) / counts.sum(axis=1) >= _PURE
    for value in counts.index[pure]:
        share = counts.loc[value, owner[value]] / total[owner[value]]
        if share >= thresholds.confined_share:
            words.append(f"{value} in {owner[value]} only ({share:.0%} of it)")
            telling |= rows[column] == value
    only: dict[str, list[str]] = {}
    for label in counts.columns:
        value = counts[label].idxmax()
        others = counts.drop(columns=label).sum(axis=1)
        elsewhere = 1 - others[value] / max(others.sum(), 1)
        if counts.loc[value, label] / total[label] >= _PURE and elsewhere >= thresholds.confined_share:
            only.setdefault(value, []).append(label)
            telling |= rows["label"] == label
    words += [f"nothing but {value} in {', '.join(labels)}" for value, labels in only.items()]
    if not words:
        return Finding(check, "pass", f"{count(len(counts), noun)}, none of which gives a class away.")
    text = f"{count(len(counts), noun)}: {'; '.join(words)}. It tells something of the label of {telling.mean():.0%} of the images."
    usual = f"Bring all images to one {noun} before anything is learnt, and ask why the classes differ in it."
    advice = _ADVICE.get(check, usual)
    details = [
        (row.image_id, "", 1.0, f"{row.label}: {getattr(row, column)}") for row in rows[telling].itertuples()
    ]
    return Finding(check, "fail", text, advice, details)


def _file_sizes(rows: pd.DataFrame) -> Finding:
    """Whether a class's file sizes (1st to 99th percentile) lie apart from those of every other class."""
    check = "class_by_file_size"
    by_label = rows.groupby("label")["bytes"]
    low, high = by_label.quantile(0.01), by_label.quantile(0.99)
    alone = [
        label
        for label in low.index
        if ((high[label] < low.drop(label)) | (low[label] > high.drop(label))).all() and len(low) > 1
    ]
    if not alone:
        text = f"The ranges overlap ({low.min():,.0f} to {high.max():,.0f} bytes in all)."
        return Finding(check, "pass", text)
    words = [f"{label} has {low[label]:,.0f} to {high[label]:,.0f} bytes" for label in alone]
    text = f"{'; '.join(words)}: ranges that no other class has."
    advice = "Ask how the files of these classes were saved; save all in one way, from the least compressed originals."
    apart = rows[rows["label"].isin(alone)]
    details = [(row.image_id, "", float(row.bytes), row.label) for row in apart.itertuples()]
    return Finding(check, "fail", text, advice, details)
