"""EfficientNet-B3 (Tan & Le 2019, EfficientNet: rethinking model scaling), from keras.applications.

Keras' network begins with layers that scale 0-255 images themselves. Here scaling is the study's own first layer, as for
every network, so theirs are kept (a Keras weights file has arrays for them) and made to change nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leukstudy.models.architectures.applications import application

_UNNAMED = {"rescaling": "stem_rescaling", "normalization": "stem_normalization"}


def backbone(scaled: Any, *, weights: str) -> Any:
    """Feature map (N, H/32, W/32, 1536) of scaled images (N, H, W, 3); weights and errors as in `application`."""
    network = application(scaled, "EfficientNetB3", weights=weights, model="efficientnet_b3", names=_UNNAMED)
    network.get_layer("stem_rescaling1").scale = 1.0
    normalization = network.get_layer("stem_normalization1")
    normalization.set_weights([np.zeros(3, np.float32), np.ones(3, np.float32), np.array(0)])
    normalization.finalize_state()
    return network.output
