"""Images that show little: out of focus, over- or underexposed, nearly empty.

Each is judged against the median of its source and size, and against an absolute limit: a set of dark fields, or of
cells cut out on black, is not a set of bad images.
"""

import numpy as np
import pandas as pd

from leukstudy.audit.findings import Finding, Thresholds, count

# A flat picture, in grey levels (standard deviation).
_FLAT = 3.0


def poor_images(kept: pd.DataFrame, thresholds: Thresholds) -> list[Finding]:
    """The checks out_of_focus, exposure and nearly_empty, of rows with the manifest's columns and `MEASURES`."""
    stratum = kept.groupby(["source", "width", "height"])
    usual = {
        name: stratum[name].transform("median")
        for name in ("sharpness", "brightness", "bright", "dark", "foreground")
    }
    flat = kept["contrast"] < _FLAT
    empty = flat | (
        (kept["foreground"] < thresholds.empty) & (kept["foreground"] < 0.25 * usual["foreground"])
    )
    white = (kept["bright"] >= thresholds.clipped) & (kept["bright"] - usual["bright"] >= 0.3)
    black = (kept["dark"] >= thresholds.clipped) & (kept["dark"] - usual["dark"] >= 0.3)
    dim = (kept["brightness"] < 60) & (kept["brightness"] < 0.5 * usual["brightness"])
    glaring = (kept["brightness"] > 250) & (kept["brightness"] > usual["brightness"] + 20)
    ratio = kept["sharpness"] / usual["sharpness"].clip(lower=1e-9)
    blurred = (ratio < thresholds.blur) & ~empty
    exposure = np.select([white | glaring, black | dim], ["overexposed", "underexposed"], "")
    return [
        _finding(
            "out_of_focus", kept[blurred], ratio[blurred], "sharpness {:.2f} of the usual", kept,
            f"Sharpness is at least {thresholds.blur:.0%} of the median of its source and size everywhere.",
        ),
        _finding(
            "exposure", kept[exposure != ""], kept["brightness"][exposure != ""], "mean grey {:.0f}", kept,
            "No image is far brighter, darker or more clipped than the others.",
            notes=exposure[exposure != ""],
        ),
        _finding(
            "nearly_empty", kept[empty], kept["foreground"][empty], "{:.1%} is not background", kept,
            "Every image shows something.",
        ),
    ]  # fmt: skip


def _finding(check, rows, values, form, kept, clean, notes=None) -> Finding:  # noqa: PLR0917
    if rows.empty:
        return Finding(check, "pass", clean)
    by_class = rows["label"].value_counts().sort_index()
    shares = ", ".join(f"{label} {number}" for label, number in by_class.items())
    found = f"{count(len(rows), 'image')} of {len(kept):,} ({shares})"
    found += (
        ": " + ", ".join(f"{number} {word}" for word, number in _counts(notes)) if notes is not None else ""
    )
    order = np.lexsort((rows["image_id"].to_numpy(), values.to_numpy()))
    details = []
    for place in order:
        note = form.format(values.iloc[place])
        note = note if notes is None else f"{notes[place]}, {note}"
        details.append((rows["image_id"].iloc[place], "", float(values.iloc[place]), note))
    advice = "Look at them. Leave out what no one could read, by a rule that is stated and does not look at the label."
    return Finding(check, "warn", found + ".", advice, details)


def _counts(words: np.ndarray) -> list[tuple[str, int]]:
    return sorted(pd.Series(words).value_counts().items())
