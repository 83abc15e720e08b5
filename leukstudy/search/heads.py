"""Heads of a frozen network: how one is trained, and many of them, cross-validated by whole groups.

For a search, images are embedded once, and a head is trained for every fold and every setting as `modes` trains it (a test
compares them), but for what takes time: the backbone is not built again, and a training step is traced once for all folds
and settings that share its graph.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from leukstudy.models import classical, loop, network
from leukstudy.models.augment import AugmentedImages
from leukstudy.models.backend import seed_everything
from leukstudy.models.embed import embed
from leukstudy.models.head import train_head
from leukstudy.models.resample import oversample
from leukstudy.study.experiments import NetworkSettings

UNTRACED = (
    "learning_rate", "batch_size", "epochs", "early_stopping", "schedule", "plateau_patience", "plateau_factor",
    "class_weight", "resample",
)  # fmt: skip
"""Settings that a traced training step does not hold: heads that differ in these alone share one."""


class Heads:
    """Heads on the embeddings of one set of images, trained again and again from the same start."""

    def __init__(
        self,
        settings: NetworkSettings,
        images: np.ndarray,
        rows: pd.DataFrame,
        *,
        y: np.ndarray,
        classes: list[str],
        cache: Path | None = None,
    ) -> None:
        self._fold, self._y, self._classes = rows["fold"].to_numpy(), np.asarray(y), classes
        self._groups = rows["group_id"].to_numpy()
        self.folds = sorted(set(self._fold.tolist()))
        if len(self.folds) < 2 or self.folds[0] < 0:
            raise ValueError(
                f"found the folds {self.folds}, expected two or more from 0 on. Rows of fold -1 are those of the test split "
                "and of external sources: leave them out (developing_rows)."
            )
        torn = pd.Series(self._fold).groupby(self._groups).nunique()
        if (torn > 1).any():
            raise ValueError(
                f"group {torn.index[torn > 1][0]!r} is in more than one fold: a head would be scored on a patient it was "
                "trained on. Make the split again (acquire stage)."
            )
        self._own = embed(images, **settings.backbone, cache=cache)
        self._views = np.zeros((0, self._own.shape[1]), np.float32)
        if views := settings.augment.views:
            copies = AugmentedImages(
                images, settings.augment, seed=settings.seed, views=views, size=settings.image_size
            )
            self._views = embed(copies, **settings.backbone, cache=cache)
        self.embedded = len(self._own) + len(self._views)
        self._traced: tuple[dict, loop.Steps, dict] | None = None

    def out_of_fold(self, settings: NetworkSettings) -> np.ndarray:
        """Probabilities (N, K) float32 of each row by a head that has not seen its fold; all NaN where one diverges."""
        chances = np.empty((len(self._y), len(self._classes)), np.float32)
        for held in self.folds:
            try:
                chances[self._fold == held] = self._predicted(settings, held)
            except loop.TrainingDiverged:
                return np.full_like(chances, np.nan)
        return chances

    def parts(self, settings: NetworkSettings, held: int) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers that learn, and that are watched, where the fold `held` is predicted.

        Of two folds none can be spared to watch: all epochs are trained then, at the rate of the schedule's start.
        """
        watches = settings.early_stopping or settings.schedule == "plateau"
        after = self.folds[(self.folds.index(held) + 1) % len(self.folds)]
        watched = (self._fold == after) & (self._fold != held) & bool(watches and len(self.folds) > 2)
        return np.flatnonzero((self._fold != held) & ~watched), np.flatnonzero(watched)

    def _predicted(self, settings: NetworkSettings, held: int) -> np.ndarray:
        learn, watched = self.parts(settings, held)
        inputs, labels = self._training_set(settings, learn)
        mean, deviation = _moments(inputs)
        if settings.resample == "smote":
            inputs, labels = classical.smote(labels, settings.seed).fit_resample(inputs, labels)
        inputs, embeddings = (inputs - mean) / deviation, (self._own - mean) / deviation
        steps = self._steps(settings)
        train_head(
            steps,
            settings,
            inputs=inputs,
            labels=labels,
            embeddings=embeddings,
            y=self._y,
            validation=watched,
            classes=len(self._classes),
            say=lambda _: None,
        )
        rows = np.flatnonzero(self._fold == held)
        return loop.probabilities(loop.predict_logits(steps, lambda part: embeddings[part], rows, len(rows)))

    def _training_set(self, settings: NetworkSettings, learn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings and classes of the rows `learn`, oversampled where told so, then of their augmented views."""
        places, count = learn, len(self._y)
        if settings.resample == "oversample":
            places = learn[oversample(self._y[learn], self._groups[learn], settings.seed)]
        views = [self._views[start + learn] for start in range(0, len(self._views), count)]
        labels = np.concatenate([self._y[places], *[self._y[learn]] * len(views)])
        missing = set(range(len(self._classes))) - set(labels.tolist())
        if missing:
            raise ValueError(
                f"no image of {[self._classes[k] for k in sorted(missing)]} is left to learn from where a fold is predicted: "
                "its groups lie in too few folds. Add groups of it, or take fewer folds (split.folds)."
            )
        return np.concatenate([self._own[places], *views]), labels

    def _steps(self, settings: NetworkSettings) -> loop.Steps:
        """The traced steps of a head with its first weights; traced anew only where the head's graph differs.

        Tracing takes as long as several epochs. The embeddings are standardised before, since a layer that does it would be
        traced with one fold's moments.
        """
        graph = settings.model_dump(exclude=set(UNTRACED))
        if self._traced is None or self._traced[0] != graph:
            seed_everything(settings.seed)
            shape = {"classes": len(self._classes), "head_units": settings.head_units}
            width = self._own.shape[1]
            head = network.head(width, **shape, dropout=settings.dropout, normalise=False)
            steps = loop.Steps(head, settings, (width,), len(self._classes))
            self._traced = graph, steps, steps.arrays()
        _, steps, first = self._traced
        steps.restore(first)
        steps.rate = settings.learning_rate
        return steps


def _moments(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (D,) float32 of each column, as `network.set_normalisation` takes them."""
    data = inputs.astype(np.float64)
    variance = np.maximum(data.var(axis=0), network.EPSILON).astype(np.float32)
    return data.mean(axis=0).astype(np.float32), np.sqrt(variance)
