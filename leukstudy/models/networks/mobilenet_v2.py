"""MobileNetV2 at width 1.0 (Sandler et al. 2018, Inverted residuals and linear bottlenecks), from keras.applications."""

from __future__ import annotations

from typing import Any

from leukstudy.models.networks.applications import application


def backbone(scaled: Any, *, weights: str) -> Any:
    """Feature map (N, H/32, W/32, 1280) of scaled images (N, H, W, 3); weights and errors as in `application`."""
    return application(scaled, "MobileNetV2", weights=weights, model="mobilenet_v2").output
