"""The registry's data: one record a dataset, in `leukaemia` and `cells`; how they are looked up is in `sources`.

Facts are the publishers' own, or seen in public code that reads the files; `source.Source` says what each
field means. A field that nobody here could verify carries a '?'.
"""

from leukstudy.data.registry.cells import CELLS
from leukstudy.data.registry.leukaemia import LEUKAEMIA
from leukstudy.data.registry.source import GATES, LABEL_KINDS, Source, facts_of

__all__ = ["ENTRIES", "GATES", "LABEL_KINDS", "Source", "facts_of"]

OWN = (
    Source(
        name="phantom",
        title="Phantom: drawn blood smears",
        adapter="folder",
        licence="Apache-2.0",
        home="",
        group_level="patient",
        groups="every drawn patient has an id; no patient holds two classes",
        synthetic=True,
        cautions=("Drawings from a seed: results on them say nothing about people.",),
        access="comes with the study: leukstudy data use phantom",
        layout="class folders with metadata.csv; truth masks in _truth/ are passed over",
        tested="the embedded phantom itself",
    ),
    Source(
        name="folder",
        title="Own smears in class folders",
        adapter="folder",
        licence="?",
        home="",
        group_level="auto",
        groups="patient_id, else slide_id, else original_id of metadata.csv; else blocks of file numbers",
        access="your own files: leukstudy data use FOLDER",
        layout=(
            "<class>/...; optionally metadata.csv with path and any of patient_id, slide_id, original_id, "
            "official_split (train, val, test)"
        ),
        tested="fabricated folders; odd: names, metadata.csv from Windows, incomplete, contradictory (tests/unit/test_manifest.py)",
    ),
)

ENTRIES: tuple[Source, ...] = (*OWN, *LEUKAEMIA, *CELLS)
"""Every known source: our own, those with leukaemia, those of normal cells."""
