"""The model zoo, as data: what each name in `model:` stands for.

Adding a network is one file in `architectures/` with a `backbone` function, and one entry here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from leukstudy.models.networks import (
    cnn,
    densenet,
    efficientnet_b3,
    efficientnet_lite0,
    hybrid_vit,
    mobilenet_v2,
    resnet34,
    resnet50,
    vgg16,
)


class Scaling(NamedTuple):
    """How a pixel of 0-255 becomes the network's input: pixel * scale + offset, each of R, G, B; then the order."""

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    order: str = "RGB"
    """'BGR' where the network reads blue first."""


_UNIT = Scaling((1 / 255,) * 3, (0.0,) * 3)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Three of the forms that keras.applications knows, by its names 'torch', 'caffe' and 'tf'; each family has its own.
_TORCH = Scaling(
    tuple(1 / (255 * std) for std in _STD),
    tuple(-mean / std for mean, std in zip(_MEAN, _STD, strict=True)),
)
_CAFFE = Scaling((1.0,) * 3, (-123.68, -116.779, -103.939), "BGR")
_TF = Scaling((1 / 127.5,) * 3, (-1.0,) * 3)
_LITE = Scaling((1 / 128,) * 3, (-127 / 128,) * 3)


class UnknownModel(ValueError):
    """A model name that is not in the zoo; the message gives the nearest one and the whole list."""


@dataclass(frozen=True)
class ModelSpec:
    """One model of the zoo."""

    name: str
    kind: str
    """'classical' (scikit-learn, on features or embeddings) or 'network' (images)."""
    takes: tuple[str, ...] = ()
    """The settings that shape this model and no other one of its kind needs."""
    backbone: Callable[..., Any] | None = None
    """(scaled Keras tensor, *, weights, and what `takes` names) -> feature map."""
    scalings: dict[str, Scaling] | None = None
    """By the name used in `scaling:`; 'imagenet' is what the published weights were trained with."""
    pool: str = "gap"
    """'gap' (global average) or 'flatten' between feature map and head."""
    embedding_width: int = 0
    """Length of a pooled embedding; 0 where it depends on the settings."""
    smallest: int = 1
    """Pixels; the smallest image_size that the network can take."""
    imagenet: str | None = None
    """Checksum of the published ImageNet weights; None where there are none."""


def _classical(name: str, *takes: str) -> ModelSpec:
    return ModelSpec(name=name, kind="classical", takes=takes)


def _network(name: str, backbone: Callable[..., Any], own: Scaling, **others: Any) -> ModelSpec:
    scalings = {"unit": _UNIT, "imagenet": own}
    return ModelSpec(name=name, kind="network", backbone=backbone, scalings=scalings, **others)


ZOO: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        _classical("logistic", "c"),
        _classical("tree", "max_depth", "min_images_leaf"),
        _classical("forest", "trees", "min_images_leaf"),
        _classical("svm", "c", "gamma"),
        _classical("boosting", "rounds", "learning_rate", "max_leaves", "min_images_leaf"),
        _network("cnn", cnn.backbone, _TORCH, takes=("filters", "squeeze_excite"), pool="flatten"),
        _network("resnet34", resnet34.backbone, _TORCH, embedding_width=512, smallest=32),
        _network(
            "densenet169",
            densenet.densenet169,
            _TORCH,
            embedding_width=1664,
            smallest=32,
            imagenet="md5:b8c4d4c20dd625c148057b9ff1c1176b",  # BSD-3-Clause
        ),
        _network(
            "densenet201",
            densenet.densenet201,
            _TORCH,
            embedding_width=1920,
            smallest=32,
            imagenet="md5:c13680b51ded0fb44dff2d8f86ac8bb1",  # BSD-3-Clause
        ),
        _network(
            "vgg16",
            vgg16.backbone,
            _CAFFE,
            embedding_width=512,
            smallest=32,
            imagenet="md5:6d6bbae143d832006294945121d1f1fc",  # CC-BY-4.0
        ),
        _network(
            "resnet50",
            resnet50.backbone,
            _CAFFE,
            embedding_width=2048,
            smallest=32,
            imagenet="md5:4d473c1dd8becc155b73f8504c6f6626",  # MIT
        ),
        _network(
            "mobilenet_v2",
            mobilenet_v2.backbone,
            _TF,
            embedding_width=1280,
            smallest=32,
            # Keras publishes no checksum of this one: its name, which holds width and size, has to do.
            imagenet="name:mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",  # Apache-2.0
        ),
        _network(
            "efficientnet_b3",
            efficientnet_b3.backbone,
            _TORCH,
            embedding_width=1536,
            smallest=32,
            imagenet="md5:af6d107764bb5b1abb91932881670226",  # Apache-2.0
        ),
        _network(
            "efficientnet_lite0",
            efficientnet_lite0.backbone,
            _LITE,
            embedding_width=efficientnet_lite0.HEAD,
            smallest=16,
            imagenet=f"sha256:{efficientnet_lite0.SHA256}",  # Apache-2.0
        ),
        _network("hybrid_vit", hybrid_vit.backbone, _TORCH, embedding_width=hybrid_vit.HEAD, smallest=16),
    )
}
"""The licence beside a checksum is that of the weights; all but Lite0's were converted by Keras from the authors' releases."""


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
