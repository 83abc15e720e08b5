"""What training and embedding cost on one GPU, beside Keras and PyTorch (`gpu_contenders.py` says what each row does).

    python benchmarks/gpu.py [--only TEXT]    (about half an hour; TEXT is a part of the contenders' names)
    python benchmarks/gpu.py --small          (five minutes on a CPU: shows that all of it runs, its numbers mean nothing)

Every contender is a process of its own, so that its peak memory is its own and a failure ends no other. The full sizes are
not tried without a GPU.
"""

import argparse
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from gpu_contenders import SMALL, Contender, Sizes, contenders

CONTENDERS = Path(__file__).with_name("gpu_contenders.py")
LIMIT_S = 600
"""A contender that takes longer is ended, and its row says so."""
SPEED, FIRST_STEP_S = 500, 30
"""Images a second of DenseNet201's training that are asked for in bfloat16, and the seconds its first step may take."""
WAIT_SHARE = 0.05
"""The input pipeline is a bottleneck where steps spend more of their time than this waiting for it."""
COLUMNS = (
    "work", "network", "engine", "computed in", "compiled", "first step, s", "images/s",
    "ms a step waits for input (share of the time in the step)", "host MB", "GPU MB",
)  # fmt: skip


def in_own_process(name: str, small: bool) -> dict[str, Any]:
    """The result of one contender (or of the machine), or the failure that it ended with."""
    command = [sys.executable, CONTENDERS, name, *(["--small"] if small else [])]
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0],
    }
    if small:  # held to AVX2, a CPU has no convolution in bfloat16
        environment["LEUKSTUDY_UNPINNED"] = "1"
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"over {LIMIT_S} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        return {"failure": lines[-1][:200].replace("|", "/")}  # a cell of a Markdown table holds no bar
    return json.loads(done.stdout.splitlines()[-1])


def table_row(row: Contender, result: dict[str, Any]) -> str:
    """A contender's line of the Markdown table."""
    cells = [row.work, row.network, row.engine, result.get("precision", row.precision)]
    cells += ["yes" if result.get("compiled", row.compiled) else "no"]
    if "failure" in result:
        cells += [result["failure"], "", "", "", ""]
    else:
        wait = f"{result['wait_ms']:.1f} ({1 - result['wait_share']:.1%})" if "wait_ms" in result else ""
        speed, host, gpu = (format_number(result[key]) for key in ("speed", "host_mb", "gpu_mb"))
        cells += [f"{result['first_s']:.1f}", speed, wait, host, gpu]
    return f"| {' | '.join(cells)} |"


def format_number(number: float | None) -> str:
    """A whole number, or nothing where there is none."""
    return "" if number is None else f"{number:,.0f}"


def verdicts(results: dict[Contender, dict[str, Any]], deep: str) -> list[str]:
    """One line a goal: what was asked, what was measured, and whether it is met.

    With or without XLA, whichever is faster of those whose first step is short enough.
    """
    speed = {row: result["speed"] for row, result in results.items() if result.get("speed")}
    ours = [row for row in speed if (row.work, row.network, row.engine) == ("train", deep, "ours")]
    # judged by what it computed in, so that a precision that was left out does not pass for one
    in_bfloat16 = [row for row in ours if results[row]["precision"] == row.precision == "bfloat16"]
    short_start = {row: results[row]["first_s"] < FIRST_STEP_S for row in in_bfloat16}
    best = max(in_bfloat16, key=lambda row: (short_start[row], speed[row]), default=None)
    lines = []
    if best is None:
        lines.append(
            f"{deep} in bfloat16 ({SPEED} images/s, ahead of PyTorch, first step under {FIRST_STEP_S} s): not measured, no training computed in it"
        )
    else:
        title, first_s = f"{deep} in bfloat16{', XLA' if best.compiled else ''}", results[best]["first_s"]
        lines.append(f"{title}, {SPEED} images/s: {speed[best]:,.0f}, {met(speed[best] >= SPEED)}")
        for compiled, form in ((False, "eager"), (True, "compiled")):
            rival = speed.get(Contender("train", deep, "PyTorch", "bfloat16", compiled))
            ending = "not measured" if rival is None else f"{rival:,.0f}, {met(speed[best] > rival)}"
            lines.append(f"{title}, ahead of PyTorch {form}: {ending}")
        lines.append(f"{title}, first step under {FIRST_STEP_S} s: {first_s:.1f} s, {met(short_start[best])}")
    waits = {row.name: result["wait_share"] for row, result in results.items() if "wait_share" in result}
    worst = max(waits, key=waits.get, default=None)
    ending = "not measured"
    if worst:
        ending = f"at most {waits[worst]:.1%} of the time ({worst}), {met(waits[worst] <= WAIT_SHARE)}"
    return [*lines, f"No step waits for input more than {WAIT_SHARE:.0%} of the time: {ending}"]


def met(goal: bool) -> str:
    """The last word on a goal."""
    return "met" if goal else "not met"


def main() -> None:
    """Measure and print the table and the goals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="small sizes, also on a CPU")
    parser.add_argument("--only", default="", metavar="TEXT", help="contenders whose name holds this text")
    options = parser.parse_args()
    sizes = SMALL if options.small else Sizes()
    machine = in_own_process("machine", options.small)
    if "failure" in machine:
        sys.exit(f"TensorFlow does not start: {machine['failure']}")
    if not machine["gpu"] and not options.small:
        print(
            "GPU: TensorFlow sees none here, so nothing is measured (`--small` tries this benchmark on the CPU)."
        )
        return
    print(
        f"{machine['gpu'] or f'No GPU, {os.cpu_count()} CPU cores'}, TensorFlow {metadata.version('tensorflow')}, "
        f"{sizes.images} images of {sizes.side} x {sizes.side}, batch {sizes.batch}\n"
    )
    if options.small:
        print("Small sizes: this shows that the benchmark runs; its numbers and verdicts mean nothing.\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * 5}{' ---: |' * 5}")
    results = {}
    for row in contenders(sizes).values():
        if options.only in row.name:
            results[row] = in_own_process(row.name, options.small)
            print(table_row(row, results[row]), flush=True)
    print("\n" + "\n\n".join(verdicts(results, sizes.deep)))


if __name__ == "__main__":
    main()
