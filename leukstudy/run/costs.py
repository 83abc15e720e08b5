"""What each stage cost on this machine: seconds, images a second, peak memory.

Costs differ from run to run, so they lie outside what DVC hashes: `build/costs/`, and `reports/costs.md` for reading.
"""

import json
import os
import platform
from pathlib import Path

from leukstudy.study import paths
from leukstudy.study.files import write_atomically


def record(stage: str, **numbers: float | int | str) -> None:
    """Merge `numbers` into the costs of `stage` (an experiment's stage is written `train@<experiment>`)."""
    file = paths.COSTS / f"{stage}.json"
    costs = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    text = json.dumps({**costs, **numbers}, indent=1, sort_keys=True) + "\n"
    write_atomically(file, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_table(stages: list[str]) -> Path:
    """Write `reports/costs.md`, one line for each of `stages` that has run here, and give its path."""
    lines = [
        "# What the last run of each stage cost",
        "",
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}. Written by the `report` stage; "
        "not hashed by DVC, since no two runs take the same time.",
        "",
        "A frozen backbone embeds each image once (nearly 0 s where an experiment before it did); its epochs then train",
        "the head on embeddings, thousands of images a second. Of several seeds, epochs and images/s are the first's.",
        "",
        "| stage | wall time, s | seeds | fit in all, s | of it embedding, s | epochs | training images/s | peak memory, MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    files = {stage: paths.COSTS / f"{stage}.json" for stage in stages}
    costs = {stage: json.loads(file.read_text("utf-8")) for stage, file in files.items() if file.is_file()}
    columns = ("wall_s", "seeds", "fit_s", "embed_s", "epochs", "images_per_s", "peak_memory_mb")
    for stage, numbers in costs.items():
        cells = (f"{numbers[name]:,.0f}" if name in numbers else "" for name in columns)
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    total = sum(numbers.get("wall_s", 0.0) for numbers in costs.values())
    lines += [f"| sum | {total:,.0f} | | | | | | |", ""]
    target = paths.REPORTS / "costs.md"
    write_atomically(target, lambda temporary: temporary.write_text("\n".join(lines), encoding="utf-8"))
    return target
