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
NAMED = ("train", "tasks", "sources", "ensembles")  # blocks of named things: a preset removes one by null


def names() -> dict[str, str]:
    """Give each preset's name and the first line of its leading comment, sorted by name."""
    texts = {file.stem: file.read_text(encoding="utf-8") for file in sorted(paths.PRESETS.glob("*.yaml"))}
    return {name: text.splitlines()[0].lstrip("# ").strip() for name, text in texts.items()}


def text_of(name: str) -> str:
    """Give the whole `params.yaml` that a preset stands for: the demo's, with the preset's values, comments kept.

    Raises params.BadParams for a preset that does not exist.
    """
    if name not in names():
        raise params.BadParams(unknown(name, names(), "preset"))
    text = (paths.PRESETS / f"{BASE}.yaml").read_text(encoding="utf-8")
    if name == BASE:
        return text
    yaml = _yaml()
    base = yaml.load(text)
    for overlay in _overlays(yaml, name):
        _lay_over(base, overlay, named=False)
    stream = StringIO()
    yaml.dump(base, stream)
    return stream.getvalue()


def study_of(name: str) -> params.Study:
    """Give the parameters that a preset stands for. Raises params.BadParams for an unknown or invalid preset."""
    return params.parse(YAML(typ="safe").load(text_of(name)), f"preset {name}")


def write(name: str) -> Path | None:
    """Write a preset into `params.yaml`; give where the earlier file was kept, or None where nothing would be lost.

    The earlier file is kept beside it, as `params.before-preset-<n>.yaml`, when it is not itself a preset. Raises
    params.BadParams, with the file as it was, for a preset that does not exist or is not valid.
    """
    text = text_of(name)
    part = paths.PARAMS.with_name("params.yaml.part")
    part.write_text(text, encoding="utf-8")
    try:
        params.load(part)
    except params.BadParams:
        part.unlink()
        raise
    kept = None
    if paths.PARAMS.is_file():
        earlier = paths.PARAMS.read_text(encoding="utf-8")
        if earlier not in map(text_of, names()):
            numbered = (paths.PARAMS.with_name(f"params.before-preset-{n}.yaml") for n in count(1))
            kept = next(path for path in numbered if not path.exists())
            kept.write_text(earlier, encoding="utf-8")
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
    """Reads and writes YAML with its comments, and `null` as it stands in the files, where ruamel would write nothing."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml
