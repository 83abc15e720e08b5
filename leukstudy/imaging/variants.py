"""The steps of preprocessing, each at a usual setting: what the figure of the steps shows and the ablation measures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from leukstudy.imaging.batch import prepare_image

VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "Gaussian, sigma 1": {"gaussian_sigma": 1.0},
    "equalised, global": {"equalise": "global"},
    "equalised, CLAHE": {"equalise": "clahe"},
    "contrast 1.3": {"contrast": 1.3},
    "brightness +0.1": {"brightness": 0.1},
    "light evened": {"illumination": True},
    "grey world": {"stain": "grey_world"},
    "Reinhard": {"stain": "reinhard"},
    "Macenko": {"stain": "macenko"},
    "paper B: Gaussian, global": {"gaussian_sigma": 1.0, "equalise": "global"},
    "view: masked": {"view": "masked"},
    "view: cell": {"view": "cell"},
    "view: side by side": {"view": "side_by_side"},
}
"""Name -> arguments of `batch.prepare_all` that differ from its defaults."""


def each_step(images: Sequence[np.ndarray], chain: Mapping[str, Any]) -> dict[str, list[np.ndarray]]:
    """Images as delivered, as `chain` (arguments of `batch.prepare_image`) prepares them, and under each step alone.

    `images` are (H, W, 3) uint8 RGB. Steps alone share the chain's size and masks. Name -> images, in that order.
    """
    plain = {name: chain[name] for name in ("size", "mask_corner", "mask_boxes")}
    ways = {"as this study prepares it": dict(chain)}
    ways |= {name: plain | changes for name, changes in VARIANTS.items() if changes}
    shown = {name: [prepare_image(image, **changes)[0] for image in images] for name, changes in ways.items()}
    return {"as delivered": list(images)} | shown
