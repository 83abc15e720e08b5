"""External sources: predicted, never learned from, and scored each by itself."""

import numpy as np
import pandas as pd
import pytest
from fabricate_records import record

from leukstudy.evaluate.record import Identity, Provenance, Record, Unscored
from leukstudy.evaluate.summary import evaluate_experiment, evaluate_external
from leukstudy.models.fit import fit
from leukstudy.report import tables
from leukstudy.study.experiments import ClassicalSettings

IDENTITY = Identity(
    experiment="e",
    task="detection",
    classes=["healthy", "ALL"],
    positive="ALL",
    model="cnn",
    kind="model",
    members=[],
    params_hash="p",
)
PROVENANCE = Provenance(
    source="own", synthetic=False, data_hash="d", group_level="patient", seed=0, resamples=50
)


@pytest.fixture
def predictions() -> pd.DataFrame:
    """Test rows that are all right, an external source that is half wrong, and one without a healthy image."""
    rows = []
    for split, source, wrong in (("test", "own", 0), ("external", "near", 5), ("external", "far", 0)):
        for group in range(4):
            for label in ("healthy", "ALL"):
                if source == "far" and label == "healthy":
                    continue
                for image in range(5):
                    chance = 0.9 if label == "ALL" else 0.1
                    chance = 1 - chance if image < wrong and group % 2 else chance
                    rows.append(
                        (
                            f"{source}/{label}{group}_{image}",
                            f"{source}:{label}{group}",
                            split,
                            label,
                            chance,
                            source,
                        )
                    )
    table = pd.DataFrame(rows, columns=["image_id", "group_id", "split", "y_true", "p_ALL", "source"])
    table["y_pred"] = np.where(table["p_ALL"] > 0.5, "ALL", "healthy")
    return table.assign(p_healthy=1 - table["p_ALL"])


def external(predictions: pd.DataFrame) -> dict[str, Record | Unscored]:
    images = predictions[["image_id", "source"]].assign(group_level="patient")
    images.loc[images["source"] == "near", "group_level"] = "block"
    return evaluate_external(IDENTITY, {7: predictions}, PROVENANCE, images)


def test_each_source_is_scored_by_itself_at_its_own_level(predictions):
    found = external(predictions)
    assert list(found) == ["far", "near"]
    near = found["near"]
    assert (near.split, near.source, near.group_level) == ("external", "near", "block")
    assert (near.images, near.groups) == (40, 8)
    assert near.metrics["accuracy"].value == 0.5
    inside = evaluate_experiment(IDENTITY, {7: predictions}, PROVENANCE)
    assert inside.metrics["accuracy"].value == 1.0 and inside.images == 40
    whole = inside.model_copy(update={"external": found})
    assert Record.model_validate_json(whole.model_dump_json(by_alias=True, exclude_unset=True)) == whole


def test_a_source_without_a_class_says_why_it_has_no_score(predictions):
    found = external(predictions)
    assert found["far"].unscored == "no image of class healthy among its 20: recall and AUROC have no answer"
    whole = record(external=found)
    sections = tables.external([whole])
    text = "\n".join(section.html() for section in sections)
    assert "external validation on near" in text and "0.500" in text
    assert "external validation on far: no image of class healthy" in text
    markdown = "\n".join(section.markdown() for section in sections)
    assert "#### detection: external validation on near" in markdown and "| e | cnn | model |" in markdown
    assert "no image of class healthy among its 20" in markdown
    assert tables.external([record(), record(external={})]) == []


def test_external_rows_are_predicted_and_teach_nothing():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 60)
    split = np.repeat(["train", "val", "test", "external"], 30)
    features = pd.DataFrame({"colour_r": y + rng.normal(0, 0.3, 120)})
    settings = ClassicalSettings(
        task="detection", model="logistic", baseline=False, seeds=[1], features=["colour"], c=1.0,
        class_weight="balanced", resample="none",
    )  # fmt: skip
    groups = np.array([f"g{i // 6}" for i in range(120)])
    columns = {"features": features, "y": y, "split": split, "classes": ["a", "b"], "groups": groups}
    whole = fit(settings, **columns, say=lambda _: None)
    assert whole.probabilities.shape == (120, 2)
    columns["y"] = np.where(split == "external", 1 - y, y)  # wrong labels outside change nothing inside
    again = fit(settings, **columns, say=lambda _: None)
    np.testing.assert_array_equal(whole.probabilities, again.probabilities)
    columns["split"] = np.where(np.arange(120) == 0, "external", split)  # the first image of a training group
    with pytest.raises(ValueError, match="in more than one part of the split"):
        fit(settings, **columns, say=lambda _: None)
