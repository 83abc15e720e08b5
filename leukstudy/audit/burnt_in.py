"""The check `overlay`: where something is burnt in, which classes have it, and whether it tells them apart."""

from pathlib import Path

import pandas as pd

from leukstudy.audit.boxes import overlay_table
from leukstudy.audit.findings import Finding, Thresholds, count
from leukstudy.audit.overlay import corner_mask, find_overlays, has_mark, marks, merge
from leukstudy.audit.shortcuts import shortcut

# Strokes at different places: in this share of a class, where smears show drawn-looking strokes in a few per cent.
_STROKES, _FEWEST = 0.25, 8


def overlay_finding(
    kept: pd.DataFrame, root: Path, thresholds: Thresholds, *, workers: int | None = None
) -> tuple[Finding, pd.DataFrame]:
    """Text, scale bars and frames: at one place (`overlay.find_overlays`), or strokes that move from image to image.

    `kept` has the manifest's columns and those of `MEASURES`. The verdict is fail where the patch alone tells a
    class from the rest, on held-out groups and above chance, or where classes differ in having it by a half or more.
    Gives the finding and the table of boxes (`boxes.OVERLAYS`); strokes at no fixed place have no box.
    """
    groups = merge(find_overlays(kept, root, workers=workers))
    if not groups:
        return _moving(kept), overlay_table([])
    words, details, confounded, masks, overlays = [], [], False, [], []
    for box, templates in groups:
        seen = marks(kept, root, box, templates, workers=workers)
        marked = has_mark(seen["match"])
        share = marked.groupby(kept["label"]).mean()
        text = (
            f"Hard edges that stand still at x {box.left:.2f} to {box.right:.2f}, y {box.top:.2f} to {box.bottom:.2f} "
            f"(from the top left), in {count(int(marked.sum()), 'image')}: "
            f"{', '.join(f'{label} {part:.0%}' for label, part in share.items())}"
        )
        features = tuple(f"patch_{name}" for name in seen.columns[1:])
        patch = seen.iloc[:, 1:].set_axis(list(features), axis=1)
        reached = shortcut(pd.concat([kept, patch], axis=1), features, threshold=thresholds.shortcut_auroc)
        if reached is not None:
            label = max(reached.classes, key=reached.classes.get)
            text += f"; that patch alone tells {label} from the rest with AUROC {reached.best:.2f} on held-out groups"
            confounded |= reached.best >= thresholds.shortcut_auroc and reached.p <= thresholds.shortcut_p
        confounded |= bool(share.max() - share.min() >= 0.5)
        words.append(text)
        mask = corner_mask(box)
        masks.append(
            f"set prepare.mask_corner to {{corner: {mask['corner']}, width: {mask['width']:g}, height: {mask['height']:g}}}"
            if mask
            else "crop the pictures where it lies in no corner"
        )
        overlays.append((box, kept[marked]))
        details += [
            (image, "", float(match), f"{label}: {match:.0%} of its edges at {box.outwards()}")
            for image, label, match in zip(
                kept["image_id"][marked], kept["label"][marked], seen["match"][marked], strict=True
            )
        ]
    advice = f"set prepare.mask_boxes to auto, or {'; '.join(masks)}.".capitalize()
    advice += " Then look at the corner baseline again."
    finding = Finding("overlay", "fail" if confounded else "warn", "; ".join(words) + ".", advice, details)
    return finding, overlay_table(overlays)


def _moving(kept: pd.DataFrame) -> Finding:
    """Drawn-looking strokes (`measure.longest_stroke`) in many images of a class, at whatever place."""
    drawn = kept["stroke"] > 0
    share, size = drawn.groupby(kept["label"]).mean(), kept.groupby("label").size()
    many = share[(share >= _STROKES) & (size >= _FEWEST)]
    if many.empty:
        return Finding(
            "overlay",
            "pass",
            f"Nothing stands still in the pictures; {count(int(drawn.sum()), 'image')} with a thin straight stroke.",
        )
    found = "Thin straight strokes, at no fixed place: " + ", ".join(
        f"{label} {part:.0%}" for label, part in share.items()
    )
    tied = bool(share.max() - share.min() >= 0.5)
    rows = kept[drawn].sort_values(["stroke", "image_id"], ascending=[False, True])
    details = [
        (row.image_id, "", float(row.stroke), f"{row.label}: at x {row.stroke_x:.2f}, y {row.stroke_y:.2f}")
        for row in rows.itertuples()
    ]
    advice = "Look at them; crop or paint over what was drawn in, in every class in the same way."
    return Finding("overlay", "fail" if tied else "warn", found + ".", advice, details)
