"""DenseNet169 and DenseNet201 (Huang et al. 2017, Densely connected convolutional networks), from keras.applications."""

from __future__ import annotations

from typing import Any

from leukstudy.models.networks.applications import application

_UNNAMED = {"zero_padding2d": "stem_padding"}


def densenet169(scaled: Any, *, weights: str) -> Any:
    """Feature map (N, H/32, W/32, 1664) of scaled images (N, H, W, 3); weights and errors as in `application`."""
    return application(scaled, "DenseNet169", weights=weights, model="densenet169", names=_UNNAMED).output


def densenet201(scaled: Any, *, weights: str) -> Any:
    """Feature map (N, H/32, W/32, 1920) of scaled images (N, H, W, 3); weights and errors as in `application`."""
    return application(scaled, "DenseNet201", weights=weights, model="densenet201", names=_UNNAMED).output
