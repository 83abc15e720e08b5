"""What the block `tune` of `params.yaml` may hold: which settings of a frozen network's head are searched, and how."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from leukstudy.study.experiments import Experiment, NetworkSettings
from leukstudy.study.schema import Block, unknown

KEYS = (
    "head_units", "dropout", "epochs", "early_stopping", "batch_size", "optimiser", "learning_rate", "weight_decay",
    "clip_norm", "schedule", "plateau_patience", "plateau_factor", "loss", "focal_gamma", "label_smoothing",
    "class_weight", "resample",
)  # fmt: skip
"""The settings that may be searched: all that a head has of its own. The others decide what is embedded."""
SCALES = ("head_units", "batch_size", "learning_rate", "weight_decay")
"""Settings whose ranges are drawn on a logarithmic scale: twice as much is as large a step everywhere."""


def _number(value: Any) -> Any:
    """YAML takes 1e-4 for text: it is a number all the same."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Scalar = Annotated[int | float | str, BeforeValidator(_number)]


class Tune(Block):
    """A search, by cross-validation on the training and validation rows, for settings of one experiment."""

    experiment: str
    method: Literal["none", "grid", "optuna"]
    grid: dict[str, Annotated[list[Scalar], Field(min_length=1)]] = Field(min_length=1)
    trials: int = Field(ge=1)
    ranges: dict[str, Annotated[list[Scalar], Field(min_length=2)]] = Field(min_length=1)
    metric: Literal["auroc", "log_loss", "accuracy"]
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _keys_of_a_head(self) -> "Tune":
        for block, values in (("grid", self.grid), ("ranges", self.ranges)):
            for key in (key for key in values if key not in KEYS):
                if key not in NetworkSettings.model_fields:
                    raise ValueError(f"{block}: {unknown(key, KEYS, 'setting')}")
                raise ValueError(
                    f"{block}.{key} is no setting of a head alone, and embeddings stay as they are in a search; known: "
                    f"{', '.join(KEYS)}"
                )
        for key, values in self.ranges.items():
            if is_range(values) and values[0] >= values[1]:
                raise ValueError(
                    f"ranges.{key} is {values}; expected [lowest, highest], or more than two values to choose among"
                )
            if is_range(values) and key in SCALES and values[0] <= 0:
                raise ValueError(
                    f"ranges.{key} is drawn on a logarithmic scale, so it starts above 0 (found {values[0]}); more than "
                    "two values are a choice, and may hold 0"
                )
        return self

    @property
    def keys(self) -> list[str]:
        """The settings that are searched, in the order of `KEYS`, whatever their order in the file."""
        return [key for key in KEYS if key in (self.grid if self.method == "grid" else self.ranges)]


def is_range(values: Sequence[Any]) -> bool:
    """Whether values of `ranges` are a lowest and a highest number; all else is a choice."""
    return len(values) == 2 and not any(isinstance(value, str) for value in values)


def grid_points(values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the values, keys in the order of `KEYS`."""
    keys = [key for key in KEYS if key in values]
    for combination in itertools.product(*(values[key] for key in keys)):
        yield dict(zip(keys, combination, strict=True))


def at_point(settings: NetworkSettings, point: Mapping[str, Any]) -> NetworkSettings:
    """The experiment's settings with those of a point in their place; raises pydantic's ValidationError."""
    return type(settings).model_validate({**settings.model_dump(), **point})


def check(tune: Tune, train: Mapping[str, Experiment]) -> None:
    """Raise ValueError, which names the key, for a search that its experiment cannot be asked for."""
    if tune.experiment not in train:
        raise ValueError(f"tune.experiment: {unknown(tune.experiment, train, 'experiment')}")
    if tune.method == "none":
        return
    settings = train[tune.experiment]
    frozen = [name for name, experiment in train.items() if getattr(experiment, "mode", "") == "frozen"]
    if tune.experiment not in frozen:
        kind = f"mode: {settings.mode}" if isinstance(settings, NetworkSettings) else "no network"
        raise ValueError(
            f"tune.experiment: {tune.experiment} is {kind}, and a search trains heads of a frozen network; expected one of "
            f"{', '.join(frozen) or '(none here: set tune.method: none)'}"
        )
    block = "grid" if tune.method == "grid" else "ranges"
    for point in grid_points(getattr(tune, block)):  # of a range its two ends
        try:
            at_point(settings, point)
        except ValidationError as error:
            fault = error.errors()[0]
            key = "".join(f"{part}: " for part in fault["loc"][:1])
            message = fault["msg"].removeprefix("Value error, ")
            raise ValueError(f"tune.{block} at {point}: {key}{message}") from None
