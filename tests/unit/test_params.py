"""params.yaml: what is refused, and in which words."""

import copy
from typing import get_args

import pytest
from ruamel.yaml import YAML

from leukstudy.study import params, paths, presets, schema, zoo


@pytest.fixture
def raw() -> dict:
    return YAML(typ="safe").load(paths.PARAMS.read_text(encoding="utf-8"))


def test_params_in_git_are_the_demo_preset():
    assert paths.PARAMS.read_text(encoding="utf-8") == (paths.PRESETS / "demo.yaml").read_text(
        encoding="utf-8"
    )


def test_every_key_has_a_comment_above_its_first_appearance_in_its_block():
    said: set[tuple[str, str]] = set()
    block, previous, missing = "", "", []
    for line in (paths.PRESETS / "demo.yaml").read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text and not text.startswith("#") and ":" in text:
            key = text.split(":")[0]
            if not line.startswith(" "):
                block = key
            commented = previous.startswith("#")
            in_classes = key in (
                "healthy",
                "leukaemia",
                "ALL",
                "AML",
                "CLL",
                "CML",
            )  # labels of the user's own data
            if not commented and (block, key) not in said and not in_classes:
                missing.append(f"{block}: {key}")
            said.add((block, key))
        previous = text
    assert missing == []


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("train", "typing-cnn", "learning_rat"), 0.1, "train.typing-cnn: cnn: unknown key 'learning_rat': did you mean 'learning_rate'?"),
        (("defaults", "network", "learning_rat"), 0.1, "defaults.network: unknown key 'learning_rat': did you mean 'learning_rate'?"),
        (("defaults", "network", "learning_rate"), "fast", "learning_rate: Input should be a valid number"),
        (("defaults", "network"), 3, "defaults.network holds 3, expected keys"),
        (("train", "typing-cnn", "like"), "netwrk", "train.typing-cnn: unknown defaults 'netwrk': did you mean 'network'?"),
        (("splt",), {}, "unknown key 'splt': did you mean 'split'?"),
        (("train", "typing-cnn", "model"), "densnet201", "unknown model 'densnet201': did you mean 'densenet201'?"),
        (("train", "detection-logistic", "model"), "logistc", "unknown model 'logistc': did you mean 'logistic'?"),
        (("train", "detection-logistic", "trees"), 500, "train.detection-logistic: logistic: unknown key 'trees'"),
        (("train", "detection-logistic", "c"), None, "model: logistic needs the key 'c'"),
        (("train", "detection-forest", "c"), 1.0, "train.detection-forest: forest: unknown key 'c'"),
        (("train", "detection-forest", "trees"), 0, "train.detection-forest.trees: Input should be greater than or equal to 1"),
        (("train", "detection-densenet201", "filters"), [8], "densenet201: unknown key 'filters'"),
        (("train", "detection-logistic", "features"), [], "reads `features` or an `embedding`, one of the two"),
        (
            ("train", "detection-logistic", "embedding"),
            {"model": "densnet201", "weights": "imagenet", "scaling": "imagenet", "image_size": 64},
            "train.detection-logistic.embedding: unknown network 'densnet201': did you mean 'densenet201'?",
        ),
        (("train", "typing-cnn", "seeds"), [7, 7], "holds a seed twice"),
        (("train", "typing-cnn", "seeds"), [], "train.typing-cnn.seeds"),
        (("train", "typing-cnn", "weight_decay"), 0.1, "weight_decay goes with optimiser: adamw or sgd"),
        (("ensembles", "detection-ensemble", "combine"), "vote", "'mean' or 'stacked'"),
        (("ensembles", "detection-ensemble", "members"), ["detection-logistic"], "ensembles.detection-ensemble.members"),
        (("train", "typing-cnn", "filters"), [32, 0], "train.typing-cnn.filters.1"),
        (("train", "typing-cnn", "learning_rate"), "fast", "train.typing-cnn.learning_rate"),
        (("train", "typing-cnn", "learning_rate"), -1.0, "greater than 0 (found -1.0)"),
        (("split", "fractions", "test"), 0.5, "split.fractions: train + val + test is 1.35, expected 1"),
        (("train", "my model/2"), {"like": "network", "task": "typing", "model": "cnn"}, "train.my model/2.[key]: String should match pattern"),
        (("split", "held_out"), "taleqani", "held_out names the source that leave_one_source_out tests on"),
        (("data", "sources", "own"), {"folder": "../x", "labels": None}, "does not lie in data/"),
        (("data", "sources", "folder"), {"folder": "sub", "labels": None}, "each image would be read twice"),
        (("prepare", "segmentation"), "otsu", "prepare.segmentation: Input should be 'stain', 'tavakoli'"),
        (("plots", "palette"), "colourblind", "'colorblind', "),
        (("prepare", "equalise"), "yes please", "'none', 'global' or 'clahe'"),
        (("tasks", "detection", "positive"), "flu", "a task of two classes needs `positive`"),
        (("train", "typing-cnn", "resample"), "smote", "smote works on embeddings"),
        (("train", "detection-efficientnet_lite0", "weights"), "none", "would start from frozen random numbers"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place(raw, path, value, says):
    changed = copy.deepcopy(raw)
    here = changed
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    with pytest.raises(params.BadParams) as error:
        params.parse(changed, "params.yaml")
    assert says in str(error.value)
    assert str(error.value).startswith("params.yaml cannot be used")


def test_a_missing_block_bad_yaml_and_no_file_say_what_to_do(tmp_path, raw):
    file = tmp_path / "params.yaml"
    with pytest.raises(params.BadParams, match="no such file"):
        params.load(file)
    file.write_text("a: [1", encoding="utf-8")
    with pytest.raises(params.BadParams, match="not valid YAML"):
        params.load(file)
    del raw["evaluate"]
    YAML().dump(raw, file)
    with pytest.raises(params.BadParams, match="block 'evaluate' is missing"):
        params.load(file)


def test_an_experiment_of_an_unknown_task_is_refused(tmp_path, raw):
    raw["train"]["typing-cnn"]["task"] = "typng"
    file = tmp_path / "params.yaml"
    YAML().dump(raw, file)
    with pytest.raises(params.BadParams, match="unknown task 'typng': did you mean 'typing'"):
        params.load(file)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("task", "typng", "ensembles.detection-ensemble.task: unknown task 'typng'"),
        ("task", "typing", "answers the task detection, not typing"),
        (
            "members",
            ["detection-logistic", "detection-foret"],
            "unknown experiment 'detection-foret': did you mean",
        ),
        ("members", ["detection-logistic", "detection-colour"], "a shortcut baseline"),
    ],
)
def test_an_ensemble_is_of_models_of_its_task(tmp_path, raw, key, value, says):
    raw["ensembles"]["detection-ensemble"][key] = value
    file = tmp_path / "params.yaml"
    YAML().dump(raw, file)
    with pytest.raises(params.BadParams, match=says):
        params.load(file)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("external", ["taleqanni"], "split.external: unknown source 'taleqanni'"),
        ("external", ["phantom"], "split.external holds every source"),
    ],
)
def test_sources_kept_out_must_be_in_the_study(tmp_path, raw, key, value, says):
    raw["split"][key] = value
    file = tmp_path / "params.yaml"
    YAML().dump(raw, file)
    with pytest.raises(params.BadParams, match=says):
        params.load(file)


def test_every_name_that_params_allow_is_a_function():
    from leukstudy.study import methods

    tables = {
        "segmentation": methods.SEGMENTATIONS,
        "view": methods.VIEWS,
        "equalise": methods.EQUALISATIONS,
        "stain": methods.STAIN_NORMALISATIONS,
    }
    for key, table in tables.items():
        assert get_args(schema.Prepare.model_fields[key].annotation) == tuple(table)
        assert all(callable(methods.method(table, name, key)) for name in table)
    with pytest.raises(ValueError, match="unknown segmentation 'kmeans': did you mean 'kmeans_lab'"):
        methods.method(methods.SEGMENTATIONS, "kmeans", "segmentation")


def test_params_in_git_hold_the_defaults_of_the_audit():
    from leukstudy.audit.findings import Thresholds

    assert Thresholds.of(params.load().audit) == Thresholds()


def test_every_palette_has_colours_enough():
    import seaborn as sns

    for name in get_args(schema.Plots.model_fields["palette"].annotation):
        assert len(sns.color_palette(name)) >= 6


def test_a_bare_exponent_is_still_a_number(raw):
    raw["train"]["typing-cnn"]["learning_rate"] = "1e-4"  # what YAML makes of 1e-4
    assert params.parse(raw, "params.yaml").train["typing-cnn"].learning_rate == 1e-4


def test_a_training_stage_gets_its_own_experiment_and_task_only():
    given = params.stage_params(params.load(), "train", "typing-cnn")
    assert set(given) == {"train", "tasks"}
    assert list(given["train"]) == ["typing-cnn"]
    assert list(given["tasks"]) == ["typing"]
    with pytest.raises(params.BadParams, match="did you mean 'typing-cnn'"):
        params.stage_params(params.load(), "train", "typing-cn")


def test_a_classical_model_is_handed_its_own_keys_only():
    logistic, forest = (
        params.stage_params(params.load(), "train", name)["train"][name]
        for name in ("detection-logistic", "detection-forest")
    )
    assert logistic["c"] == 1.0 and not {"trees", "min_images_leaf"} & set(logistic)
    assert forest["trees"] == 500 and "c" not in forest
    again = params.parse({"train": {"one": logistic, "two": forest}}, "what papermill hands over").train
    assert again["one"].c == 1.0 and again["two"].min_images_leaf == 3


@pytest.mark.parametrize("name", sorted(presets.names()))
def test_every_preset_is_valid_and_keeps_the_comments(name, tmp_path):
    text = presets.text_of(name)
    file = tmp_path / "params.yaml"
    file.write_text(text, encoding="utf-8")
    params.load(file)
    assert "# shares of the images in the three splits" in text
    assert "null" in text or "mask_corner:" in text


def test_an_experiment_takes_from_its_defaults_what_it_does_not_say(raw):
    raw["defaults"]["network"]["augment"]["zoom"] = 0.25
    raw["train"]["typing-cnn"]["augment"] = {"flip": False}
    found = params.parse(raw, "params.yaml").train
    assert (found["typing-cnn"].augment.zoom, found["typing-cnn"].augment.flip) == (0.25, False)
    assert found["typing-cnn"].epochs == 15 and found["typing-cnn"].filters == [32, 64, 128]
    assert found["detection-densenet201"].augment.flip and found["detection-densenet201"].filters is None
    assert found["detection-forest"].model_dump().get("c") is None
    handed = params.stage_params(params.parse(raw, "params.yaml"), "train", "typing-cnn")
    assert "defaults" not in handed and handed["train"]["typing-cnn"]["augment"]["zoom"] == 0.25
    assert params.parse(handed, "what papermill hands over").train["typing-cnn"] == found["typing-cnn"]


def test_every_model_of_the_zoo_can_be_asked_for_with_the_defaults_alone(raw):
    for name, spec in zoo.ZOO.items():
        like = "classical" if spec.kind == "classical" else "network"
        raw["train"][f"all-{name}"] = {"like": like, "task": "typing", "model": name}
    found = params.parse(raw, "params.yaml").train
    assert all(found[f"all-{name}"].model == name for name in zoo.ZOO)


@pytest.mark.parametrize("name", ["paper-a", "paper-b"])
def test_the_papers_presets_hold_every_model_that_they_compare(name):
    listed = {
        "paper-a": {"cnn", "forest", "tree", "resnet34", "densenet169", "mobilenet_v2", "efficientnet_b3"},
        "paper-b": {"logistic", "vgg16", "resnet50", "densenet201", "hybrid_vit"},
    }
    found = presets.study_of(name).train.values()
    assert listed[name] <= {experiment.model for experiment in found}
    assert name != "paper-a" or any(getattr(experiment, "squeeze_excite", False) for experiment in found)


def test_paper_b_is_what_the_paper_says():
    study = params.parse(YAML(typ="safe").load(presets.text_of("paper-b")), "paper-b")
    experiment = study.train["detection-densenet201"]
    assert (experiment.image_size, experiment.batch_size, experiment.learning_rate) == (224, 32, 0.001)
    assert (experiment.epochs, experiment.early_stopping, experiment.weights) == (50, 7, "imagenet")
    assert experiment.schedule == "plateau" and experiment.optimiser == "adam"
    assert (experiment.head_units, experiment.dropout) == (512, 0.5)
    split = study.split.fractions
    assert (split.train, split.val, split.test) == (0.70, 0.15, 0.15)


def test_a_preset_keeps_what_it_would_overwrite(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PARAMS", tmp_path / "params.yaml")
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    assert presets.write("smoke") is None
    changed = paths.PARAMS.read_text(encoding="utf-8").replace("resamples: 50", "resamples: 51")
    paths.PARAMS.write_text(changed, encoding="utf-8")
    kept = presets.write("demo")
    assert kept.read_text(encoding="utf-8") == changed
    assert presets.write("smoke") is None
    with pytest.raises(params.BadParams, match="did you mean 'smoke'"):
        presets.write("smok")
