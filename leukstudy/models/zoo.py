"""The model zoo, as data: what each name in `model:` stands for.

Adding a model is one file in `architectures/` with a `backbone` function, and one entry here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from leukstudy.models.architectures import cnn, densenet201, efficientnet_lite0

Scaling = tuple[tuple[float, float, float], tuple[float, float, float]]
"""(scale, offset) of R, G, B: a pixel of 0-255 becomes pixel * scale + offset."""

_UNIT: Scaling = ((1 / 255,) * 3, (0.0,) * 3)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STANDARDISED: Scaling = (
    tuple(1 / (255 * std) for std in _STD),
    tuple(-mean / std for mean, std in zip(_MEAN, _STD, strict=True)),
)  # what keras.applications calls mode 'torch': DenseNet's own
_LITE: Scaling = ((1 / 128,) * 3, (-127 / 128,) * 3)


class UnknownModel(ValueError):
    """A model name that is not in the zoo; the message gives the nearest one and the whole list."""


@dataclass(frozen=True)
class ModelSpec:
    """One model of the zoo."""

    name: str
    kind: str
    """'classical' (hand-crafted features) or 'network' (images)."""
    citation: str
    licence: str
    """Of the published weights; of the library where there are none."""
    backbone: Callable[..., Any] | None = None
    """(scaled Keras tensor, *, weights, filters) -> feature map."""
    scalings: dict[str, Scaling] | None = None
    """By the name used in `scaling:`."""
    pool: str = "gap"
    """'gap' (global average) or 'flatten' between feature map and head."""
    embedding_width: int = 0
    """Length of a pooled embedding; 0 where it depends on the settings."""
    imagenet: str | None = None
    """Checksum of the published ImageNet weights; None where there are none."""


ZOO: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="logistic",
            kind="classical",
            citation="Cox 1958, The regression analysis of binary sequences, J R Stat Soc B 20:215",
            licence="BSD-3-Clause (scikit-learn)",
        ),
        ModelSpec(
            name="forest",
            kind="classical",
            citation="Breiman 2001, Random forests, Machine Learning 45:5",
            licence="BSD-3-Clause (scikit-learn)",
        ),
        ModelSpec(
            name="cnn",
            kind="network",
            citation="Paper A of this study: Conv2D, ReLU and pooling blocks, flatten, dense",
            licence="Apache-2.0 (this project)",
            backbone=cnn.backbone,
            scalings={"unit": _UNIT, "imagenet": _STANDARDISED},
            pool="flatten",
        ),
        ModelSpec(
            name="densenet201",
            kind="network",
            citation="Huang et al. 2017, Densely connected convolutional networks, CVPR",
            licence="BSD-3-Clause (weights converted by Keras from the authors' release)",
            backbone=densenet201.backbone,
            scalings={"unit": _UNIT, "imagenet": _STANDARDISED},
            embedding_width=1920,
            imagenet="md5:c13680b51ded0fb44dff2d8f86ac8bb1",
        ),
        ModelSpec(
            name="efficientnet_lite0",
            kind="network",
            citation="Tan and Le 2019, EfficientNet, ICML; its Lite variant in TensorFlow's release of 2020",
            licence="Apache-2.0",
            backbone=efficientnet_lite0.backbone,
            scalings={"unit": _UNIT, "imagenet": _LITE},
            embedding_width=efficientnet_lite0.HEAD,
            imagenet=f"sha256:{efficientnet_lite0.SHA256}",
        ),
    )
}


CLASSICAL_KEYS: dict[str, tuple[str, ...]] = {
    "logistic": ("c",),
    "tree": ("max_depth", "min_images_leaf"),
    "forest": ("trees", "min_images_leaf"),
    "svm": ("c", "gamma"),
    "boosting": ("rounds", "learning_rate", "max_leaves", "min_images_leaf"),
}
"""What each scikit-learn model is set by, beside what all of them take."""


def model_spec(name: str, kind: str | None = None) -> ModelSpec:
    """The zoo's entry for a name; with `kind`, only if it is of that kind.

    Raises UnknownModel, naming the nearest name and all names that would do.

    >>> model_spec("efficientnet_lite0").embedding_width
    1280
    """
    names = sorted(spec.name for spec in ZOO.values() if kind in (None, spec.kind))
    if name in names:
        return ZOO[name]
    if name in ZOO:
        raise UnknownModel(f"'{name}' is a {ZOO[name].kind} model where a {kind} one is needed: {names}.")
    near = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise UnknownModel(f"unknown model '{name}'.{hint} Known models: {', '.join(names)}.")
