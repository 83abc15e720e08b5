"""What `params.yaml` may hold, block by block: each class is one block, or a part of one.

Unknown keys are refused and the nearest known key is named. What a value does stands beside it in `params.yaml`.
"""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from leukstudy.study.checks import CHECKS
from leukstudy.study.methods import (
    CORNERS,
    EQUALISATIONS,
    SEGMENTATIONS,
    STAIN_NORMALISATIONS,
    VIEWS,
    unknown,
)


class Block(BaseModel):
    """A block of `params.yaml` that refuses keys it does not know and names the near miss."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _name_the_near_miss(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in values:
                if key not in cls.model_fields:
                    raise ValueError(unknown(str(key), cls.model_fields, "key"))
        return values


class Fractions(Block):
    """Shares of the images in the three splits; they must add up to 1."""

    train: float = Field(gt=0, lt=1)
    val: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _sum_to_one(self) -> "Fractions":
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + val + test is {total:g}, expected 1")
        return self


# Names of sources, tasks and experiments become names of files, of DVC stages and of groups.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class SourceUse(Block):
    """One source of the study: where under data/ it lies, and what the study calls its labels."""

    folder: str
    labels: dict[str, str] | None

    @model_validator(mode="after")
    def _inside(self) -> "SourceUse":
        parts = PurePosixPath(self.folder).parts
        if PurePosixPath(self.folder).is_absolute() or ".." in parts:
            raise ValueError(
                f"folder '{self.folder}' does not lie in data/; name a folder of it, or . for all of it"
            )
        return self


class Data(Block):
    """Stage `acquire`: what data/ holds, and which of its images are looked at."""

    sources: dict[Name, SourceUse] = Field(min_length=1)
    min_side: int = Field(ge=1)
    max_groups_per_class: int | None = Field(ge=3)

    @model_validator(mode="after")
    def _apart(self) -> "Data":
        folders = {name: PurePosixPath(use.folder) for name, use in self.sources.items()}
        for name, folder in folders.items():
            for other, outer in folders.items():
                if name != other and folder.is_relative_to(outer):
                    raise ValueError(
                        f"sources.{name}.folder '{folder}' lies in that of {other} ('{outer}'): each image would be read "
                        "twice; give each source a folder of its own"
                    )
        return self


class Split(Block):
    """Stage `acquire`: what may never stand on both sides, and who goes where."""

    scheme: Literal["grouped", "official", "leave_one_source_out"]
    group_by: Literal["auto", "patient", "slide", "original", "cluster", "block"]
    block_size: int = Field(ge=1)
    join_near_duplicates: bool
    fractions: Fractions
    folds: int = Field(ge=2)
    external: list[Name]
    held_out: Name | None
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _held_out(self) -> "Split":
        if (self.scheme == "leave_one_source_out") != (self.held_out is not None):
            raise ValueError(
                "held_out names the source that leave_one_source_out tests on, and is null for the other schemes; found "
                f"scheme: {self.scheme} with held_out: {self.held_out or 'null'}"
            )
        if self.held_out in self.external:
            raise ValueError(f"'{self.held_out}' cannot be both held_out and external")
        return self


class Audit(Block):
    """Stage `acquire`: what is looked for in the data, and what ends the stage."""

    fail_on: list[Literal["fail", *CHECKS]]
    shortcut_auroc: float = Field(gt=0.5, le=1)
    shortcut_p: float = Field(gt=0, le=0.5)
    confined_share: float = Field(gt=0, le=1)
    blur: float = Field(gt=0, lt=1)
    clipped: float = Field(gt=0, le=1)
    empty: float = Field(ge=0, lt=1)
    min_groups: int = Field(ge=1)


class Task(Block):
    """A question put to the images: classes in order, each the union of labels; `positive` for a binary task."""

    question: str
    classes: dict[str, list[str]]
    positive: str | None

    @model_validator(mode="after")
    def _consistent(self) -> "Task":
        if len(self.classes) < 2:
            raise ValueError(f"{len(self.classes)} class, expected two or more")
        labels = [label for group in self.classes.values() for label in group]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"label {twice[0]!r} stands in more than one class")
        if len(self.classes) == 2 and self.positive not in self.classes:
            raise ValueError(f"a task of two classes needs `positive`, one of {list(self.classes)}")
        if len(self.classes) > 2 and self.positive is not None:
            raise ValueError(
                f"`positive` is for two classes; this task has {len(self.classes)}: set it to null"
            )
        if self.positive is not None and list(self.classes)[1] != self.positive:
            raise ValueError(f"the positive class must stand second: {list(self.classes)}")
        return self


class Plots(Block):
    """How figures look; changing it draws figures again and trains nothing."""

    palette: Literal[
        "colorblind",
        "deep",
        "muted",
        "bright",
        "dark",
        "pastel",
        "Set1",
        "Set2",
        "Set3",
        "Dark2",
        "tab10",
        "Paired",
    ]
    dpi: int = Field(ge=40, le=400)


class Explore(Block):
    """Stage `explore`: what the images look like before anything is done to them."""

    images_per_class: int = Field(ge=1, le=20)
    sample: int = Field(ge=10)
    seed: int = Field(ge=0)


class MaskCorner(Block):
    """A corner painted over with the image's background, in fractions of width and height."""

    corner: Literal[*CORNERS]
    width: float = Field(gt=0, le=1)
    height: float = Field(gt=0, le=1)


# A part of the image: left, top, right and bottom as fractions of its width and height.
Box = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=4, max_length=4)]


class Prepare(Block):
    """Stage `prepare`: one size, the papers' filters, masks, features."""

    size: int = Field(ge=16, le=1024)
    mask_corner: MaskCorner | None
    mask_boxes: list[Box] | Literal["auto"]
    illumination: bool
    stain: Literal[*STAIN_NORMALISATIONS]
    gaussian_sigma: float = Field(ge=0, le=10)
    equalise: Literal[*EQUALISATIONS]
    contrast: float = Field(gt=0, le=10)
    brightness: float = Field(ge=-1, le=1)
    segmentation: Literal[*SEGMENTATIONS]
    view: Literal[*VIEWS]
    overlay_images: int = Field(ge=1, le=12)


class Evaluate(Block):
    """Stage `evaluate`: estimates on the test split, with intervals."""

    resamples: int = Field(ge=20)
    confidence: float = Field(gt=0.5, lt=1)
    seed: int = Field(ge=0)


class Interpret(Block):
    """Stage `interpret`: Grad-CAM."""

    images_per_outcome: int = Field(ge=1, le=12)


class Errors(Block):
    """Stage `errors`: the gallery of what went wrong."""

    gallery: int = Field(ge=1, le=40)


class Report(Block):
    """Stage `report`: the page people read."""

    title: str
    question: str
