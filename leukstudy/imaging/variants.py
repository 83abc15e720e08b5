"""The steps of preprocessing, each at a usual setting: what the figure of the steps shows and the ablation measures."""

from typing import Any

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
