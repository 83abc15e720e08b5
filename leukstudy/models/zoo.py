"""The model zoo, as data: what each name in `model:` stands for.

Adding a network is one file in `architectures/` with a `backbone` function, and one entry here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from leukstudy.models.architectures import (
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

_SKLEARN, _OWN = "BSD-3-Clause (scikit-learn)", "Apache-2.0 (this project)"


class UnknownModel(ValueError):
    """A model name that is not in the zoo; the message gives the nearest one and the whole list."""


@dataclass(frozen=True)
class ModelSpec:
    """One model of the zoo."""

    name: str
    kind: str
    """'classical' (scikit-learn, on features or embeddings) or 'network' (images)."""
    citation: str
    licence: str
    """Of the published weights; of the library where there are none."""
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


def _classical(name: str, citation: str, *takes: str) -> ModelSpec:
    return ModelSpec(name=name, kind="classical", citation=citation, licence=_SKLEARN, takes=takes)


def _network(
    name: str, citation: str, licence: str, backbone: Callable[..., Any], own: Scaling, **others: Any
) -> ModelSpec:
    return ModelSpec(
        name=name, kind="network", citation=citation, licence=licence, backbone=backbone,
        scalings={"unit": _UNIT, "imagenet": own}, **others,
    )  # fmt: skip


ZOO: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        _classical(
            "logistic",
            "Cox 1958, The regression analysis of binary sequences, J R Stat Soc B 20:215",
            "c",
        ),
        _classical(
            "tree",
            "Breiman, Friedman, Olshen and Stone 1984, Classification and regression trees",
            "max_depth",
            "min_images_leaf",
        ),
        _classical(
            "forest", "Breiman 2001, Random forests, Machine Learning 45:5", "trees", "min_images_leaf"
        ),
        _classical(
            "svm", "Cortes and Vapnik 1995, Support-vector networks, Machine Learning 20:273", "c", "gamma"
        ),
        _classical(
            "boosting",
            "Friedman 2001, Greedy function approximation, Ann Stat 29:1189; on histograms, Ke et al. 2017, NeurIPS",
            "rounds",
            "learning_rate",
            "max_leaves",
            "min_images_leaf",
        ),
        _network(
            "cnn",
            "Paper A of this study: Conv2D, ReLU and pooling blocks, flatten, dense; with squeeze_excite, Hu et al. 2018",
            _OWN,
            cnn.backbone,
            _TORCH,
            takes=("filters", "squeeze_excite"),
            pool="flatten",
        ),
        _network(
            "resnet34",
            "He et al. 2016, Deep residual learning for image recognition, CVPR",
            _OWN,
            resnet34.backbone,
            _TORCH,
            embedding_width=512,
            smallest=32,
        ),
        _network(
            "densenet169",
            "Huang et al. 2017, Densely connected convolutional networks, CVPR",
            "BSD-3-Clause (weights converted by Keras from the authors' release)",
            densenet.densenet169,
            _TORCH,
            embedding_width=1664,
            smallest=32,
            imagenet="md5:b8c4d4c20dd625c148057b9ff1c1176b",
        ),
        _network(
            "densenet201",
            "Huang et al. 2017, Densely connected convolutional networks, CVPR",
            "BSD-3-Clause (weights converted by Keras from the authors' release)",
            densenet.densenet201,
            _TORCH,
            embedding_width=1920,
            smallest=32,
            imagenet="md5:c13680b51ded0fb44dff2d8f86ac8bb1",
        ),
        _network(
            "vgg16",
            "Simonyan and Zisserman 2015, Very deep convolutional networks for large-scale image recognition, ICLR",
            "CC-BY-4.0 (weights converted by Keras from the authors' release)",
            vgg16.backbone,
            _CAFFE,
            embedding_width=512,
            smallest=32,
            imagenet="md5:6d6bbae143d832006294945121d1f1fc",
        ),
        _network(
            "resnet50",
            "He et al. 2016, Deep residual learning for image recognition, CVPR",
            "MIT (weights converted by Keras from the authors' release)",
            resnet50.backbone,
            _CAFFE,
            embedding_width=2048,
            smallest=32,
            imagenet="md5:4d473c1dd8becc155b73f8504c6f6626",
        ),
        _network(
            "mobilenet_v2",
            "Sandler et al. 2018, MobileNetV2: inverted residuals and linear bottlenecks, CVPR",
            "Apache-2.0 (weights converted by Keras from the authors' release)",
            mobilenet_v2.backbone,
            _TF,
            embedding_width=1280,
            smallest=32,
            # Keras publishes no checksum of this one: its name, which holds width and size, has to do.
            imagenet="name:mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        ),
        _network(
            "efficientnet_b3",
            "Tan and Le 2019, EfficientNet: rethinking model scaling for convolutional neural networks, ICML",
            "Apache-2.0 (weights converted by Keras from the authors' release)",
            efficientnet_b3.backbone,
            _TORCH,
            embedding_width=1536,
            smallest=32,
            imagenet="md5:af6d107764bb5b1abb91932881670226",
        ),
        _network(
            "efficientnet_lite0",
            "Tan and Le 2019, EfficientNet, ICML; its Lite variant in TensorFlow's release of 2020",
            "Apache-2.0",
            efficientnet_lite0.backbone,
            _LITE,
            embedding_width=efficientnet_lite0.HEAD,
            smallest=16,
            imagenet=f"sha256:{efficientnet_lite0.SHA256}",
        ),
        _network(
            "hybrid_vit",
            "Xiao et al. 2021, Early convolutions help transformers see better, NeurIPS; Dosovitskiy et al. 2021, ICLR",
            _OWN,
            hybrid_vit.backbone,
            _TORCH,
            embedding_width=hybrid_vit.HEAD,
            smallest=16,
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
