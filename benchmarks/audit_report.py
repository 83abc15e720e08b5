"""The audit of a folder of images as Markdown, numbers only, for docs/experiments.md.

python benchmarks/audit_report.py path/to/taleqani --source taleqani
"""

import argparse
import time
from pathlib import Path

from leukstudy.audit.near_duplicates import find_near_duplicates
from leukstudy.audit.run import run_audit
from leukstudy.data.catalogue import catalogue
from leukstudy.data.group import join_near_duplicates
from leukstudy.data.provenance import is_synthetic
from leukstudy.data.split import assign
from leukstudy.report.audit_table import audit_markdown


def main() -> None:
    """Catalogue, split and audit the folder of the command line; print the table and what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", default="folder", help="the entry of the source registry")
    parser.add_argument("--seed", type=int, default=7, help="of the split")
    options = parser.parse_args()
    table = catalogue(options.folder, options.source)
    kept = table[table["excluded"] == ""]
    started = time.perf_counter()
    near = find_near_duplicates(kept, options.folder)
    searched = time.perf_counter()
    split = assign(join_near_duplicates(table, near), seed=options.seed)
    kept = split[split["excluded"] == ""]
    audit = run_audit(split, options.folder, near=near)
    ended = time.perf_counter()
    print(
        f"{len(split):,} files, {len(kept):,} kept, in {kept['group_id'].nunique()} {kept['group_level'].iloc[0]}s\n"
    )
    print(audit_markdown(audit.findings, synthetic=is_synthetic(split)))
    print(f"Near duplicates: {searched - started:.1f} s; the other questions: {ended - searched:.1f} s.")


if __name__ == "__main__":
    main()
