"""The findings of the audit in pictures: some images of each, so that a reader can judge for themselves."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from leukstudy.imaging.io import BadImage, read_image
from leukstudy.report.pictures import plot_sheet


def plot_evidence(details: pd.DataFrame, manifest: pd.DataFrame, root: Path, *, per_check: int = 3) -> Figure:
    """Show the first `per_check` images, or pairs side by side, of each finding that has any.

    `details` is that of `audit.run.run_audit`, `manifest` says where the images are below `root`. A title names the
    check, the image and the note. Files that cannot be read are passed over; without a finding the figure says so.
    """
    path = manifest.set_index("image_id")["path"]
    images, titles = [], []
    for row in details.groupby("check", sort=False).head(per_check).itertuples():
        for image_id in filter(None, (row.image_id, row.other_id)):
            try:
                images.append(read_image(Path(root) / path[image_id]))
            except BadImage:
                continue
            titles.append(f"{row.check.replace('_', ' ')}\n{image_id}\n{row.note}")
    return plot_sheet(images, titles)
