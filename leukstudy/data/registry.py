"""The registry: the facts of every dataset, read from registry.yaml; how they are looked up is in `sources`."""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter
from ruamel.yaml import YAML

GATES = {
    "open": "anyone may download it",
    "account": "an account with the host is needed",
    "form": "the publisher sends it to those who sign a form",
    "own files": "it is yours, or comes with the study",
}
"""What stands between a reader and the files."""

LABEL_KINDS = {
    "diagnosis": "what the patient has",
    "stage": "a stage or subtype of a disease, given to the image",
    "cell type": "what kind of cell is seen: says nothing about the patient",
    "none": "the images have no label of their own",
}
"""What the labels of a source say; those of cells are never taken for diagnoses (`sources.check_label_map`)."""

GROUP_LEVELS = ("patient", "slide", "original", "block", "auto")


@dataclass(frozen=True)
class Source:
    """One dataset as its publisher delivers it. A '?' in any text marks what nobody here has verified."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str  # how parameters and group ids call it
    title: str  # how the report calls it
    adapter: str  # the module of `leukstudy.data.adapters` that reads it
    licence: str
    group_level: (
        str  # the finest level known to be independent: one of GROUP_LEVELS; auto goes by what is found
    )
    groups: str  # what a reader must know of the groups
    home: str = ""  # where its publisher describes it; empty for data that live here
    synthetic: bool = False  # drawn rather than photographed; every report on it says so
    cautions: tuple[str, ...] = ()  # traps and defects, one sentence each
    doi: str = ""  # of the data, or of the paper that describes them; so is the citation
    citation: str = ""
    gate: str = "own files"  # one of GATES
    access: str = ""  # how one gets the files, in one sentence
    layout: str = ""  # what the adapter expects to find
    label_kind: str = "diagnosis"  # one of LABEL_KINDS
    classes: dict[str, int | None] = field(
        default_factory=dict
    )  # label -> published number of images, or None
    images: int | None = None  # the published number of labelled images
    image_size: str = (
        "?"  # width x height in pixels; without '?' or 'about' `data verify` holds every image to it
    )
    checksums: dict[str, str] = field(default_factory=dict)  # file name -> 'md5:...' or 'sha256:...'
    download: tuple[str, ...] = ()  # direct addresses; several are alternatives, the first the default
    kaggle: str = ""  # the dataset's handle, for kagglehub
    overlaps: tuple[
        str, ...
    ] = ()  # sources with the same images or patients, which are never external to this one
    exclusions: dict[str, str] = field(
        default_factory=dict
    )  # fnmatch pattern of path or file name -> the reason
    same_group: tuple[
        tuple[str, ...], ...
    ] = ()  # sets of original_id that show the same thing: one group each
    tested: str = "nothing"  # on what its adapter was tested

    def __post_init__(self) -> None:
        """Refuse words that no reader of the registry knows."""
        for name, words in (("gate", GATES), ("label_kind", LABEL_KINDS), ("group_level", GROUP_LEVELS)):
            if getattr(self, name) not in words:
                raise ValueError(
                    f"source {self.name!r}: {name} is {getattr(self, name)!r}; known: {', '.join(words)}"
                )


def _read(file: Path) -> dict[str, Source]:
    records = YAML(typ="safe").load(file)
    source = TypeAdapter(Source)
    return {name: source.validate_python({"name": name, **facts}) for name, facts in records.items()}


SOURCES: dict[str, Source] = _read(Path(__file__).with_suffix(".yaml"))
"""Every source by its name: our own, those with leukaemia, those of normal cells. A new source is a record in registry.yaml."""


def facts_of(source: Source) -> list[tuple[str, str]]:
    """What the registry says of a source, as pairs of a name and a text, empty facts left out."""
    counts = ", ".join(
        f"{label} {'?' if n is None else format(n, ',')}" for label, n in source.classes.items()
    )
    facts = [
        ("title", source.title),
        ("synthetic", "yes: these are drawings" if source.synthetic else "no"),
        ("licence", source.licence),
        ("gate", f"{source.gate}: {GATES[source.gate]}"),
        ("access", source.access),
        ("home", source.home),
        ("doi", source.doi),
        ("citation", source.citation),
        ("labels", f"{source.label_kind}: {LABEL_KINDS[source.label_kind]}"),
        ("images", f"{source.images:,}" if source.images else "?"),
        ("counts", counts or "?"),
        ("image size", source.image_size),
        ("group level", source.group_level),
        ("groups", source.groups),
        ("layout", source.layout),
        ("adapter", source.adapter),
        *(("checksum", f"{file} {digest}") for file, digest in source.checksums.items()),
        ("kaggle", source.kaggle),
        *(("download", url) for url in source.download),
        ("overlaps with", ", ".join(source.overlaps)),
        *(("left out", f"{pattern}: {why}") for pattern, why in source.exclusions.items()),
        *(("one group", ", ".join(members)) for members in source.same_group),
        *(("caution", caution) for caution in source.cautions),
        ("tested on", source.tested),
    ]
    return [(name, text) for name, text in facts if text]
