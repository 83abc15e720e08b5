"""ResNet50 (He et al. 2016, Deep residual learning for image recognition), from keras.applications."""

from __future__ import annotations

from typing import Any

from leukstudy.models.networks.applications import application


def backbone(scaled: Any, *, weights: str) -> Any:
    """Feature map (N, H/32, W/32, 2048) of scaled images (N, H, W, 3); weights and errors as in `application`."""
    return application(scaled, "ResNet50", weights=weights, model="resnet50").output
