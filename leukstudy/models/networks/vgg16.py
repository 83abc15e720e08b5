"""VGG16 (Simonyan & Zisserman 2015, Very deep convolutional networks), from keras.applications."""

from __future__ import annotations

from typing import Any

from leukstudy.models.networks.applications import application


def backbone(scaled: Any, *, weights: str) -> Any:
    """Feature map (N, H/32, W/32, 512) of scaled images (N, H, W, 3); weights and errors as in `application`."""
    return application(scaled, "VGG16", weights=weights, model="vgg16").output
