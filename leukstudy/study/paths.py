"""Where things lie. Notebooks run in JupyterLab (cwd `notebooks/`) and under papermill (cwd the root): both ask here."""

import os
from pathlib import Path


def root() -> Path:
    """Give the study's folder: `LEUKSTUDY_ROOT`, else the nearest folder above the working one with a `dvc.yaml`.

    Raises FileNotFoundError where there is neither, with what to do.
    """
    named = os.environ.get("LEUKSTUDY_ROOT")
    if named:
        return Path(named).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
            return folder
    raise FileNotFoundError(
        f"no study found: neither {here} nor a folder above it holds dvc.yaml and params.yaml. "
        "Change into the cloned leukstudy folder, or set LEUKSTUDY_ROOT to it."
    )


try:
    ROOT = root()
except FileNotFoundError as error:  # one message for whoever calls a command in the wrong folder
    raise SystemExit(str(error)) from None
PARAMS = ROOT / "params.yaml"
PRESETS = ROOT / "presets"
NOTEBOOKS = ROOT / "notebooks"
DATA = ROOT / "data"
REPORTS = ROOT / "reports"
BUILD = ROOT / "build"

MANIFEST = BUILD / "manifest.csv"
PREPARED = BUILD / "prepared"
MODELS = BUILD / "models"
PREDICTIONS = BUILD / "predictions"
EXECUTED = BUILD / "notebooks"
CACHE = BUILD / "cache"
PARTIAL = BUILD / "partial"
LIVE = BUILD / "live"
COSTS = BUILD / "costs"
