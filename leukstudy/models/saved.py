"""A trained model on disk: equal models give equal bytes.

A network is `model.weights.h5` plus `model.json`, which rebuilds it (a `.keras` archive holds the date of
saving, so it is not used); a classical model is `model.joblib` plus `model.json`. The JSON holds the SHA-256
of the other file, and is written last: a folder without it is not a model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from leukstudy.imaging.resize import resize_all
from leukstudy.models import classical, network
from leukstudy.models.embed import check_images, embed
from leukstudy.models.store import file_digest
from leukstudy.models.weights import load_into
from leukstudy.study.experiments import AnyExperiment, Experiment, NetworkSettings
from leukstudy.study.files import write_atomically
from leukstudy.study.zoo import model_spec

FORMAT = 1


class BadModel(ValueError):
    """A saved model that is missing, damaged or of another format."""


@dataclass
class Trained:
    """A model read back from disk."""

    settings: AnyExperiment
    classes: list[str]
    columns: list[str]
    """The columns a classical model reads, of the feature table or of its embedding; empty for a network."""
    model: Any
    """A Keras model (flat graph, uint8-range images in, probabilities out) or a scikit-learn pipeline."""

    def predict(
        self,
        images: np.ndarray | None = None,
        features: pd.DataFrame | None = None,
        cache: Path | None = None,
    ) -> np.ndarray:
        """(N, K) float32 probabilities of images (N, H, W, 3) uint8, or of feature rows.

        A classical model on an embedding takes images, and keeps what `embed` keeps in `cache`, if given.
        """
        if self.columns and self.settings.embedding is None:
            if features is None:
                raise ValueError(f"{self.settings.model} predicts from features; give `features=`.")
            table = classical.select(features, list(self.settings.features))[self.columns]
            return self.model.predict_proba(table.to_numpy()).astype(np.float32)
        if images is None:
            raise ValueError(f"{self.settings.model} predicts from images; give `images=`.")
        if self.columns:
            return self._from_embedding(images, cache)
        check_images(images)
        size, batch = self.settings.image_size, self.settings.batch_size
        parts = [
            self.model(resize_all(images[i : i + batch], size).astype(np.float32), training=False).numpy()
            for i in range(0, len(images), batch)
        ]
        empty = np.zeros((0, self.model.output_shape[1]), np.float32)
        return np.concatenate([empty, *parts])

    def _from_embedding(self, images: np.ndarray, cache: Path | None) -> np.ndarray:
        embeddings = embed(images, **self.settings.embedding.model_dump(), cache=cache)
        if not len(embeddings):
            return np.zeros((0, len(self.classes)), np.float32)
        table = classical.embedding_columns(embeddings)[self.columns]
        return self.model.predict_proba(table.to_numpy()).astype(np.float32)


def save(
    model: Any, folder: Path | str, *, settings: Experiment, classes: list[str], columns: list[str]
) -> None:
    """Write a Keras model or a scikit-learn pipeline and its description into `folder`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").unlink(missing_ok=True)
    if model_spec(settings.model).kind == "classical":
        import joblib

        path = folder / "model.joblib"
        write_atomically(path, lambda temporary: joblib.dump(model, temporary))
    else:
        path = folder / "model.weights.h5"
        write_atomically(path, lambda temporary: _save_weights(model, temporary))
    description = {
        "format": FORMAT,
        "model": settings.model,
        "classes": list(classes),
        "columns": list(columns),
        "settings": settings.model_dump(mode="json"),
        "file": path.name,
        "sha256": file_digest(path),
    }
    text = json.dumps(description, indent=1, sort_keys=True) + "\n"
    write_atomically(folder / "model.json", lambda temporary: temporary.write_text(text, encoding="utf-8"))


def load(folder: Path | str) -> Trained:
    """Read a model that `Fit.save` wrote. A classical model is a pickle: load only what this study made.

    Raises BadModel when the folder holds no model, or one that is damaged.
    """
    folder = Path(folder)
    try:
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        path = folder / description["file"]
        whole = description["format"] == FORMAT and file_digest(path) == description["sha256"]
        classes, columns = description["classes"], description["columns"]
        settings = TypeAdapter(AnyExperiment).validate_python(description["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadModel(f"no whole model in {folder}: {error}. Run its train stage again.") from error
    if not whole:
        raise BadModel(
            f"{path} is not the file its model.json describes: damaged or replaced. Train it again."
        )
    if model_spec(settings.model).kind == "classical":
        import joblib

        return Trained(settings, classes, columns, joblib.load(path))
    return Trained(settings, classes, columns, _rebuild(settings, classes, path))


def _save_weights(model: Any, temporary: Path) -> None:
    """Keras insists on the ending .weights.h5, which a temporary name does not have."""
    named = temporary.with_name(f"{temporary.stem}.weights.h5")
    try:
        model.save_weights(named)
        named.replace(temporary)
    finally:
        named.unlink(missing_ok=True)


def _rebuild(settings: NetworkSettings, classes: list[str], path: Path) -> Any:
    from leukstudy.models.backend import tensorflow

    tensorflow()
    backbone = network.backbone_of(settings.model_copy(update={"weights": "none"}))
    backbone.trainable = settings.mode != "frozen"
    # A head that was first trained on embeddings standardises them; from scratch there was nothing to measure.
    model = network.classifier(
        backbone, classes=len(classes), head_units=settings.head_units, dropout=settings.dropout,
        normalise=settings.mode != "scratch",
    )  # fmt: skip
    load_into(model, str(path), model=f"this version's {settings.model}")
    return model
