"""What one experiment of `params.yaml` may hold: one task, one model and the settings it is trained with.

An experiment says what is its own; the rest it takes from the entry of `defaults` that its key `like` names.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    PositiveInt,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from leukstudy.study import zoo
from leukstudy.study.schema import Block, Name, unknown


class Augment(Block):
    """Random changes of training images, drawn anew each epoch; of a frozen network's, for its augmented views."""

    flip: bool
    rotate: bool
    zoom: float = Field(ge=0, le=0.5)
    brightness: float = Field(ge=0, le=0.5)
    stain: float = Field(ge=0, le=0.5)
    blur: float = Field(ge=0, le=5)
    mixup: float = Field(ge=0, le=2)
    views: int = Field(ge=0, le=50)


class Embedding(Block):
    """A frozen network whose embeddings a scikit-learn model reads in place of hand-crafted features."""

    model: str
    weights: str
    scaling: Literal["imagenet", "unit"]
    image_size: int = Field(ge=16, le=1024)

    @model_validator(mode="after")
    def _pretrained(self) -> "Embedding":
        networks = [spec.name for spec in zoo.ZOO.values() if spec.kind == "network"]
        if self.model not in networks:
            raise ValueError(unknown(self.model, networks, "network"))
        if self.weights == "none":
            raise ValueError(
                "an embedding by weights: none is made of random numbers; use imagenet or a path"
            )
        return self


class Experiment(Block):
    """What every experiment says."""

    task: str
    model: str
    baseline: bool
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _seeds_apart(self) -> "Experiment":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: {self.seeds} holds a seed twice, and would count its model twice")
        return self

    @property
    def kind(self) -> Literal["model", "baseline"]:
        """What the tables call it: a baseline sees only what should not matter."""
        return "baseline" if self.baseline else "model"

    @property
    def seed(self) -> int:
        """The first seed: its model is the one that is kept."""
        return self.seeds[0]

    @property
    def augments(self) -> bool:
        """Whether its training sees changed images."""
        return False

    def at(self, seed: int) -> "Experiment":
        """Give the same experiment with one seed."""
        return self.model_copy(update={"seeds": [seed]})

    @model_serializer(mode="wrap")
    def _without_the_others(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the keys of other models: a record holds what its model was given."""
        return {key: value for key, value in dump(self).items() if value is not None}


class ClassicalSettings(Experiment):
    """A scikit-learn model on columns of the feature table, or on a frozen network's embedding."""

    features: list[Literal["colour", "corner", "morph", "texture"]]
    embedding: Embedding | None = None
    c: float | None = Field(None, gt=0)
    gamma: Literal["scale"] | Annotated[float, Field(gt=0)] | None = None
    trees: int | None = Field(None, ge=1)
    rounds: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    max_depth: int | None = Field(None, ge=1)
    max_leaves: int | None = Field(None, ge=2)
    min_images_leaf: int | None = Field(None, ge=1)
    class_weight: Literal["balanced", "none"]
    resample: Literal["none", "oversample", "smote"]

    @model_validator(mode="after")
    def _complete(self) -> "ClassicalSettings":
        if bool(self.features) == (self.embedding is not None):
            raise ValueError(
                f"a classical model reads `features` or an `embedding`, one of the two; found features: {self.features} with "
                f"embedding: {'given' if self.embedding else 'null'} (for an embedding write `features: []`)"
            )
        if lacking := [key for key in zoo.ZOO[self.model].takes if getattr(self, key) is None]:
            raise ValueError(f"model: {self.model} needs the key '{lacking[0]}'")
        return self


class NetworkSettings(Experiment):
    """A neural network: trained from scratch, a head on a frozen backbone, or fine-tuned."""

    mode: Literal["scratch", "frozen", "fine_tune"]
    weights: str
    scaling: Literal["imagenet", "unit"]
    image_size: int = Field(ge=16, le=1024)
    filters: list[PositiveInt] | None = Field(None, min_length=1)
    squeeze_excite: bool | None = None
    head_units: int = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)
    unfreeze: str
    head_epochs: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    optimiser: Literal["adam", "adamw", "sgd"]
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0, lt=1)
    clip_norm: float = Field(ge=0)
    schedule: Literal["constant", "plateau", "cosine", "one_cycle"]
    plateau_patience: int = Field(ge=1)
    plateau_factor: float = Field(gt=0, lt=1)
    early_stopping: int = Field(ge=0)
    loss: Literal["cross_entropy", "focal"]
    focal_gamma: float = Field(ge=0, le=10)
    label_smoothing: float = Field(ge=0, lt=1)
    class_weight: Literal["balanced", "none"]
    resample: Literal["none", "oversample", "smote"]
    mixed_precision: bool
    xla: bool
    augment: Augment

    @model_validator(mode="after")
    def _possible(self) -> "NetworkSettings":
        if self.mode != "frozen" and self.resample == "smote":
            raise ValueError(
                "resample: smote works on embeddings (mode: frozen); pixels of cells cannot be interpolated"
            )
        if self.mode != "scratch" and self.weights == "none":
            raise ValueError(
                f"mode: {self.mode} with weights: none would start from frozen random numbers; use weights: imagenet or a path, "
                "or mode: scratch"
            )
        if self.optimiser == "adam" and self.weight_decay:
            raise ValueError("weight_decay goes with optimiser: adamw or sgd; with adam set it to 0.0")
        return self

    @property
    def backbone(self) -> dict[str, Any]:
        """What decides an embedding: model, weights, scaling and image_size, as `embed` takes them."""
        return self.model_dump(include={"model", "weights", "scaling", "image_size"})

    @property
    def augments(self) -> bool:
        """Whether its training sees changed images: a frozen network's does for its views alone."""
        changes = self.augment.model_dump(exclude={"views"})
        return any(changes.values()) and (self.mode != "frozen" or self.augment.views > 0)


KEYS = tuple(dict.fromkeys([*ClassicalSettings.model_fields, *NetworkSettings.model_fields]))
"""All keys that an experiment may hold, whatever its model."""


def keys_of(model: str) -> set[str]:
    """Give the keys that an experiment with this model may hold; a key of another model's is unknown to it."""
    spec = zoo.ZOO[model]
    fields = ClassicalSettings if spec.kind == "classical" else NetworkSettings
    own_to_some = {key for other in zoo.ZOO.values() if other.kind == spec.kind for key in other.takes}
    return set(fields.model_fields) - own_to_some | set(spec.takes)


def completed(name: str, keys: Any, defaults: Any) -> Any:
    """An experiment's own keys laid over those of its `defaults.<like>`; anything that is no mapping is passed through.

    Raises ValueError for a key that its model does not have, and for a `like` that `defaults` does not have.
    """
    if not isinstance(keys, dict):
        return keys
    own = dict(keys)
    like = own.pop("like", None)
    if like is None:
        raise ValueError(f"{name}: the key 'like' is missing; it names the defaults: {', '.join(defaults)}")
    if like not in defaults:
        raise ValueError(f"{name}: {unknown(str(like), defaults, 'defaults')}")
    model = own.get("model", defaults[like].get("model"))
    if model not in zoo.ZOO:
        raise ValueError(f"{name}: {unknown(str(model), zoo.ZOO, 'model')}")
    allowed = keys_of(model)
    for key in own:
        if key not in allowed:
            raise ValueError(f"{name}: {model}: {unknown(str(key), sorted(allowed), 'key')}")
    inherited = {key: value for key, value in defaults[like].items() if key in allowed}
    return _laid_over(inherited, own)


def _laid_over(below: dict, above: dict) -> dict:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _kind(value: Any) -> str:
    name = value.get("model") if isinstance(value, dict) else getattr(value, "model", None)
    return zoo.ZOO[name].kind if name in zoo.ZOO else "network"


AnyExperiment = Annotated[
    Annotated[ClassicalSettings, Tag("classical")] | Annotated[NetworkSettings, Tag("network")],
    Discriminator(_kind),
]


class Ensemble(Block):
    """Experiments of one task whose probabilities are combined: their mean, or a model stacked on them."""

    task: str
    members: list[Name] = Field(min_length=2)
    combine: Literal["mean", "stacked"]
