"""Presets: overlays in `presets/` that turn the demo's parameters into another study."""

import os
from io import StringIO
from itertools import count
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from leukstudy.study import params, paths
from leukstudy.study.schema import unknown

BASE = "demo"  # the full, commented file that the other presets change; git's params.yaml is the same, byte for byte
NAMED = (
    "train",
    "tasks",
    "sources",
    "ensembles",
)  # blocks of named things: a preset removes one by giving it as null


def names() -> dict[str, str]:
    """Give each preset's name and the first line of its leading comment, sorted by name."""
    found = {}
    for file in sorted(paths.PRESETS.glob("*.yaml")):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        found[file.stem] = first.lstrip("# ").strip()
    return found


def text_of(name: str) -> str:
    """Give the whole `params.yaml` that a preset stands for: the demo's, with the preset's values, comments kept.

    Raises params.BadParams for a preset that does not exist, or whose result is not valid.
    """
    if name not in names():
        raise params.BadParams(unknown(name, names(), "preset"))
    base_file = paths.PRESETS / f"{BASE}.yaml"
    if name == BASE:
        return base_file.read_text(encoding="utf-8")
    yaml = _yaml()
    base = yaml.load(base_file.read_text(encoding="utf-8"))
    for overlay in _overlays(yaml, name):
        _lay_over(base, overlay, named=False)
    stream = StringIO()
    yaml.dump(base, stream)
    return stream.getvalue()


def study_of(name: str) -> params.Study:
    """Give the parameters that a preset stands for. Raises params.BadParams as `text_of` does."""
    return params.parse(YAML(typ="safe").load(text_of(name)), f"preset {name}")


def write(name: str) -> Path | None:
    """Write a preset into `params.yaml`; give where the earlier file was kept, or None where nothing would be lost.

    The earlier file is kept beside it, as `params.before-preset-<n>.yaml`, when it is not itself a preset. Raises params.BadParams as `text_of` does.
    """
    text = text_of(name)
    kept = None
    if paths.PARAMS.is_file():
        earlier = paths.PARAMS.read_text(encoding="utf-8")
        if all(earlier != text_of(known) for known in names()):
            numbered = (paths.PARAMS.with_name(f"params.before-preset-{n}.yaml") for n in count(1))
            kept = next(path for path in numbered if not path.exists())
            kept.write_text(earlier, encoding="utf-8")
    part = paths.PARAMS.with_name("params.yaml.part")
    part.write_text(text, encoding="utf-8")
    try:
        params.load(part)
    except params.BadParams:
        part.unlink()
        raise
    os.replace(part, paths.PARAMS)
    return kept


def _overlays(yaml: YAML, name: str) -> list[CommentedMap]:
    """The preset's overlay, after those of the preset that its key `over` names."""
    overlay = yaml.load((paths.PRESETS / f"{name}.yaml").read_text(encoding="utf-8"))
    below = overlay.pop("over", None)
    return [*(_overlays(yaml, below) if below else []), overlay]


def _lay_over(base: CommentedMap, overlay: CommentedMap, *, named: bool) -> None:
    for key, value in overlay.items():
        if named and value is None:
            base.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict) and key != "classes":
            _lay_over(base[key], value, named=key in NAMED)
        else:
            base[key] = value


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    # keep `null` as it stands in the files; ruamel would write an empty value
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml
