"""Other data behind the study: what is put into data/, known to DVC, without losing what stands there."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from leukstudy.data import DataProblem
from leukstudy.study import paths

# What no study wants: left by operating systems, or another project's history.
_LITTER = shutil.ignore_patterns(".git", ".dvc", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", "._*")


def import_folder(folder: Path) -> None:
    """Make `folder` the study's data by reference: `dvc import-url` to data/, not frozen, so `dvc repro` sees changes.

    Raises DataProblem where data/ holds what stands nowhere else, or where DVC fails (data/ is then as before).
    """
    refuse_if_changed()
    with _replacing_data():
        _dvc("import-url", "--force", _from_root(folder), "data")
        _dvc("unfreeze", "data.dvc")


def add_folders(folders: Mapping[str, Path]) -> None:
    """Make the given folders data/<name>/ by copy, known to DVC (`dvc add`); the name '.' means data/ itself.

    What was unpacked under build/sources is moved, not copied.

    Raises DataProblem as `import_folder`, and where a folder cannot be copied.
    """
    refuse_if_changed()
    new = paths.BUILD / "data-new"
    shutil.rmtree(new, ignore_errors=True)
    try:
        for name, folder in folders.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            try:
                if folder.is_relative_to(paths.BUILD / "sources"):
                    folder.rename(new / name)
                else:
                    shutil.copytree(folder, new / name, ignore=_LITTER)
            except (OSError, shutil.Error) as error:
                raise DataProblem(f"{folder} cannot be copied to data/ ({error})") from error
        with _replacing_data():
            new.rename(paths.DATA)
            data_dvc = paths.ROOT / "data.dvc"
            data_dvc.unlink(missing_ok=True)  # it may be an import, which `dvc add` would not replace
            _dvc("add", "data")
    finally:
        shutil.rmtree(new, ignore_errors=True)


def refuse_if_changed() -> None:
    """Raise DataProblem where data/ holds files that DVC does not have and a change would lose."""
    if not paths.DATA.is_dir() or not any(paths.DATA.iterdir()):
        return
    if not (paths.ROOT / "data.dvc").is_file():
        raise DataProblem(
            "data/ holds files, and no data.dvc says where they come from. Move them away first."
        )
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json", "data.dvc"],
        cwd=paths.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DataProblem(f"`dvc status data.dvc` failed, so nothing was changed:\n{done.stderr.strip()}")
    changes = json.loads(done.stdout or "{}").get("data.dvc", [])
    if any(
        "changed outs" in change and change["changed outs"].get("data") == "modified" for change in changes
    ):
        raise DataProblem(
            "data/ holds files that were added or changed by hand and stand nowhere else. Move them away first."
        )


def params_block(sources: Mapping[str, str]) -> str:
    """The part of params.yaml that reads `sources` (name -> folder within data/), as text."""
    lines = ["data:", "  sources:"]
    for name, folder in sources.items():
        quoted = folder if re.fullmatch(r"\w+", folder) else f'"{folder}"'
        lines.append(f"    {name}: {{folder: {quoted}, labels: null}}")
    return "\n".join(lines)


@contextlib.contextmanager
def _replacing_data() -> Iterator[None]:
    """data/ and data.dvc are set aside, and come back where the block does not end well (Ctrl-C too)."""
    aside, data_dvc = paths.BUILD / "data-aside", paths.ROOT / "data.dvc"
    before = data_dvc.read_bytes() if data_dvc.is_file() else None
    shutil.rmtree(aside, ignore_errors=True)
    if paths.DATA.is_dir():
        # DVC imports into an existing folder, not over it; until all has succeeded the old one is only set aside
        paths.BUILD.mkdir(exist_ok=True)
        paths.DATA.rename(aside)
    try:
        yield
    except BaseException:
        shutil.rmtree(paths.DATA, ignore_errors=True)
        if aside.is_dir():
            aside.rename(paths.DATA)
        if before is None:
            data_dvc.unlink(missing_ok=True)
        else:
            data_dvc.write_bytes(before)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _from_root(folder: Path) -> str:
    """A folder as data.dvc should name it: relative inside the study, so that every clone finds it."""
    return str(folder.relative_to(paths.ROOT)) if folder.is_relative_to(paths.ROOT) else str(folder)


def _dvc(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments, "--quiet"], cwd=paths.ROOT, check=False)
    if done.returncode:
        raise DataProblem(f"`dvc {' '.join(arguments)}` failed; its message stands above.")
