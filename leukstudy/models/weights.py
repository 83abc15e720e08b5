"""Where a backbone's starting weights come from, and what is said when they cannot be had."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from leukstudy.models.store import file_digest


class MissingWeights(RuntimeError):
    """Weights that were asked for are not here; the message names the alternatives."""


class BadWeights(ValueError):
    """A weights file is here but is damaged, or belongs to another architecture."""


def weights_identity(weights: str, imagenet: str | None) -> str:
    """A text that changes when the weights do: part of every embedding's key.

    weights: 'imagenet', 'none' or a path; imagenet: the model's published checksum, None where it has none.
    Raises MissingWeights when there is no such file or no published weights.
    """
    if weights == "none":
        return "none"
    if weights == "imagenet":
        if imagenet is None:
            raise MissingWeights(
                "this model has no ImageNet weights. Set `weights:` to a path, or `weights: none` with `mode: scratch`."
            )
        return f"imagenet:{imagenet}"
    return f"file:{file_digest(existing(weights))}"


def existing(weights: str) -> Path:
    """The weights file as a path, from the study's folder where it is relative; raises MissingWeights when there is none."""
    path = Path(weights).expanduser()
    if not path.is_absolute():
        from leukstudy.study import paths

        path = paths.ROOT / path  # a notebook opened by hand runs in a folder of its own
    if not path.is_file():
        raise MissingWeights(
            f"no weights file at {path}: `weights` is 'imagenet', 'none' or the path of a file. Correct the path, "
            "or set `weights: none` with `mode: scratch` to start from random numbers."
        )
    return path


def load_into(network: Any, weights: str, *, model: str) -> None:
    """Load a Keras weights file (.weights.h5, .h5 or .keras) into a network of the same architecture.

    Raises MissingWeights when there is no such file, BadWeights when it cannot be read or does not fit.
    """
    path = existing(weights)
    if path.suffix not in (".h5", ".keras"):
        raise BadWeights(
            f"{path.name}: {model} reads Keras weights (.weights.h5, .h5, .keras), not '{path.suffix}' files."
        )
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers it finds no weights for, and leaves them random.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(path)
    except (UserWarning, ValueError, OSError, KeyError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadWeights(
            f"{path.name} does not fit {model} ({len(network.weights)} weight arrays): {reason} "
            f"Give a file saved from {model} without its classifier, or set `weights: none`."
        ) from error
