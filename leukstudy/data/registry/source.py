"""What the registry says of one dataset: a record, and the words it may use."""

from dataclasses import dataclass, field

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
    """One dataset as its publisher delivers it. A '?' in any text marks what nobody here has verified.

    name: how parameters and group ids call it.
    title: how the report calls it.
    adapter: the module of `leukstudy.data.adapters` that reads it.
    licence: the terms.
    home: where its publisher describes it, '' for data that live here.
    group_level: the finest level known to be independent: one of `GROUP_LEVELS`; auto goes by what is found.
    groups: what a reader must know of the groups.
    synthetic: drawn rather than photographed; every report on it says so.
    cautions: known traps and defects, one sentence each.
    doi, citation: of the data, or of the paper that describes them.
    gate: one of `GATES`; access: in one sentence, how one gets the files.
    layout: what the adapter expects to find.
    label_kind: one of `LABEL_KINDS`.
    classes: the published number of images of each label (None: not known), {} where the labels are unknown.
    images: the published number of labelled images, None where unknown.
    image_size: width x height in pixels; without '?' or 'about' `data verify` holds every image to it.
    checksums: file name -> 'md5:...' or 'sha256:...', where the publisher gives them.
    download: direct addresses; several are alternatives, the first the default.
    kaggle: the dataset's handle, for kagglehub.
    overlaps: sources that hold the same images or patients, and so are never external to this one.
    exclusions: path pattern (as in `fnmatch`, of the whole path or the file name) -> why such files are left out.
    same_group: sets of original_id that are known to show the same thing, and so are one group.
    tested: on what its adapter was tested.
    """

    name: str
    title: str
    adapter: str
    licence: str
    home: str
    group_level: str
    groups: str
    synthetic: bool = False
    cautions: tuple[str, ...] = ()
    doi: str = ""
    citation: str = ""
    gate: str = "own files"
    access: str = ""
    layout: str = ""
    label_kind: str = "diagnosis"
    classes: dict[str, int | None] = field(default_factory=dict)
    images: int | None = None
    image_size: str = "?"
    checksums: dict[str, str] = field(default_factory=dict)
    download: tuple[str, ...] = ()
    kaggle: str = ""
    overlaps: tuple[str, ...] = ()
    exclusions: dict[str, str] = field(default_factory=dict)
    same_group: tuple[tuple[str, ...], ...] = ()
    tested: str = "nothing"

    def __post_init__(self) -> None:
        """Refuse words that no reader of the registry knows."""
        for name, known in (("gate", GATES), ("label_kind", LABEL_KINDS), ("group_level", GROUP_LEVELS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"source {self.name!r}: {name} is {getattr(self, name)!r}; known: {', '.join(known)}"
                )


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
        *(("checksum", f"{file} {known}") for file, known in source.checksums.items()),
        ("kaggle", source.kaggle),
        *(("download", url) for url in source.download),
        ("overlaps with", ", ".join(source.overlaps)),
        *(("left out", f"{pattern}: {why}") for pattern, why in source.exclusions.items()),
        *(("one group", ", ".join(members)) for members in source.same_group),
        *(("caution", caution) for caution in source.cautions),
        ("tested on", source.tested),
    ]
    return [(name, text) for name, text in facts if text]
