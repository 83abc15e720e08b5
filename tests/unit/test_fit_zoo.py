"""Every model of the zoo trains on the embedded drawings, by the one procedure, and predicts what it saved."""

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from leukstudy.data.catalogue import catalogue
from leukstudy.imaging.batch import prepare_all
from leukstudy.models.backend import seed_everything
from leukstudy.models.fit import fit, load
from leukstudy.models.network import embedder
from leukstudy.study import paths, presets
from leukstudy.study.experiments import AnyExperiment, completed
from leukstudy.study.params import Study
from leukstudy.study.zoo import ZOO

SIDE = 32
SMALL = {"image_size": SIDE, "head_units": 8, "epochs": 1, "batch_size": 8, "early_stopping": 0}


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """36 drawings of the phantom, of 18 healthy and 18 leukaemic patients, prepared and measured as the study does."""
    root, out = paths.ROOT / "assets" / "phantom", tmp_path_factory.mktemp("prepared")
    table = catalogue(root, "phantom")
    one_each = table[table["label"].isin(["healthy", "AML", "CML"])].groupby("group_id").head(1)
    rows = pd.concat([one_each[one_each["label"] == "healthy"], one_each[one_each["label"] != "healthy"]])
    rows = pd.concat([part.head(18) for _, part in rows.groupby(rows["label"] == "healthy")])
    rows = rows.reset_index(drop=True)
    prepare_all(root, rows, out, size=SIDE)
    return {
        "images": np.load(out / "images.npy"),
        "features": pd.read_csv(out / "features.csv"),
        "y": (rows["label"] != "healthy").to_numpy().astype(int),
        "groups": rows["group_id"].to_numpy(),
        "split": np.resize(["train", "train", "train", "val", "train", "test"], len(rows)),
        "classes": ["healthy", "leukaemia"],
    }


def experiment(**own) -> AnyExperiment:
    defaults = YAML(typ="safe").load(paths.PARAMS.read_text(encoding="utf-8"))["defaults"]
    return Study.model_validate({"train": {"one": completed("one", own, defaults)}}).train["one"]


def trains(settings, drawings, folder):
    """Fit, save and load; the numbers are whole, and the model read back says the same."""
    found = fit(settings, **drawings, cache=folder / "cache", state=folder / "state")
    assert found.probabilities.shape == (36, 2) and np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.isfinite(found.history.to_numpy(dtype=float)).all()
    assert len(found.history) == (ZOO[settings.model].kind == "network")
    found.save(folder / "model")
    given = {key: drawings[key] for key in ("images", "features")}
    assert np.allclose(load(folder / "model").predict(**given), found.probabilities, atol=1e-4)


BY_DEFAULTS = [
    "logistic",
    "tree",
    "forest",
    "svm",
    "boosting",
    "cnn",
    "resnet34",
    "hybrid_vit",
]


@pytest.mark.parametrize("name", BY_DEFAULTS)
def test_every_model_trains_on_the_drawings(name, drawings, tmp_path):
    like = "classical" if ZOO[name].kind == "classical" else "network"
    own = SMALL if like == "network" else {}
    trains(experiment(like=like, task="detection", model=name, **own), drawings, tmp_path)


def networks_of_the_papers():
    for preset in ("paper-a", "paper-b"):
        for name, settings in presets.study_of(preset).train.items():
            if ZOO[settings.model].kind == "network" and settings.model not in ("resnet34", "hybrid_vit"):
                yield pytest.param(settings, id=f"{preset}:{name}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One cache for all: DenseNet201 is converted once, for its frozen and its fine-tuned experiment."""
    return tmp_path_factory.mktemp("papers")


@pytest.mark.parametrize("settings", list(networks_of_the_papers()))
def test_the_papers_experiments_run_at_smoke_sizes(settings, drawings, folder):
    """As the presets say, but small; a file of random weights stands for the downloaded ones, of which none is here."""
    small = SMALL | {"head_epochs": 1, "augment": settings.augment.model_copy(update={"views": 1})}
    if settings.weights == "imagenet" and settings.model != "efficientnet_lite0":
        weights = folder / f"{settings.model}.weights.h5"
        if not weights.is_file():
            seed_everything(0)
            embedder(settings.model, weights="none", scaling="unit", image_size=SIDE).save_weights(weights)
        small |= {"weights": str(weights)}
    trains(settings.model_copy(update=small), drawings, folder)


def test_no_model_of_the_zoo_is_left_out():
    assert {*BY_DEFAULTS, *(case.values[0].model for case in networks_of_the_papers())} == set(ZOO)


@pytest.mark.parametrize("name", ["logistic", "svm"])
def test_classical_models_read_a_frozen_embedding(name, drawings, tmp_path):
    source = {"model": "efficientnet_lite0", "weights": "imagenet", "scaling": "imagenet", "image_size": 64}
    own = {"task": "detection", "model": name, "features": [], "embedding": source}
    found = fit(experiment(like="classical", **own), **drawings, cache=tmp_path / "cache")
    assert len(found.columns) == 1280 and found.columns[0] == "embedding_0000"
    found.save(tmp_path / "model")
    again = load(tmp_path / "model").predict(images=drawings["images"])
    assert np.allclose(again, found.probabilities, atol=1e-4)
