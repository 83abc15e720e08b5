"""The audit of a folder of images as Markdown, numbers only, for docs/experiments.md.

python benchmarks/audit_report.py ../shared/data/taleqani --source taleqani
"""

import argparse
import time
from pathlib import Path

from leukstudy.data.audit import find_near_duplicates, run_audit
from leukstudy.data.identify import identify_all
from leukstudy.data.manifest import catalogue
from leukstudy.data.provenance import is_synthetic
from leukstudy.data.split import assign
from leukstudy.report.audit_table import audit_markdown


def main() -> None:
    """Catalogue, split and audit the folder of the command line; print the table and what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", default="folder", help="the entry of the source registry")
    parser.add_argument("--seed", type=int, default=7, help="of the split")
    given = parser.parse_args()
    manifest = assign(catalogue(given.folder, given.source), seed=given.seed)
    measures = identify_all(given.folder / path for path in manifest["path"])
    measures.insert(0, "image_id", manifest["image_id"])
    kept = manifest[manifest["excluded"] == ""]
    started = time.perf_counter()
    near = find_near_duplicates(kept, given.folder)
    searched = time.perf_counter()
    audit = run_audit(manifest, measures, given.folder, near=near)
    ended = time.perf_counter()
    print(
        f"{len(manifest):,} files, {len(kept):,} kept, in {kept['group_id'].nunique()} {kept['group_level'].iloc[0]}s\n"
    )
    print(audit_markdown(audit.findings, synthetic=is_synthetic(manifest)))
    print(f"Near duplicates: {searched - started:.1f} s; the other questions: {ended - searched:.1f} s.")


if __name__ == "__main__":
    main()
