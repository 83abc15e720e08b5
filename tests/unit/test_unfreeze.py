"""Fine-tuning changes the layers it was asked to, and no statistics."""

import numpy as np
import pytest

from leukstudy.models.backend import seed_everything
from leukstudy.models.network import block_starts, classifier, embedder, unfreeze


@pytest.fixture(scope="module")
def model():
    seed_everything(0)
    backbone = embedder("mobilenet_v2", weights="none", scaling="imagenet", image_size=32)
    backbone.trainable = False
    return classifier(backbone, classes=3, head_units=8, dropout=0.5, normalise=True)


def trainable(model):
    return [layer.name for layer in model.layers if layer.trainable_weights]


def test_from_a_layer_on(model):
    count = unfreeze(model, "block_16_expand")
    assert trainable(model) == [
        "block_16_expand", "block_16_depthwise", "block_16_project", "Conv_1", "head_dense", "logits",
    ]  # fmt: skip
    head = (1280 + 1) * 8 + (8 + 1) * 3
    assert count == 160 * 960 + 9 * 960 + 960 * 320 + 320 * 1280 + head
    assert unfreeze(model, "Conv_1") == 320 * 1280 + head  # what was thawed is frozen again


def test_all_but_batch_normalisation(model):
    count = unfreeze(model, "all")
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    kernels = sum(layer.count_params() for layer in model.layers if layer not in norms)
    assert count == kernels - (2 * 1280 + 1)  # the head's standardisation is measured, not trained
    assert trainable(model)[0] == "Conv1" and len(norms) == 52
    before = [weight for layer in norms for weight in layer.get_weights()]
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    seen = [model.get_layer("pool").output, model.get_layer("head_normalise").output]
    import keras

    inner = keras.Model(model.input, seen)
    training, inference = inner(pixels, training=True), inner(pixels, training=False)
    assert all(np.array_equal(one, two) for one, two in zip(training, inference, strict=True))
    after = [weight for layer in norms for weight in layer.get_weights()]
    assert all(np.array_equal(one, two) for one, two in zip(before, after, strict=True))


def test_a_transformer_from_a_block_on():
    backbone = embedder("hybrid_vit", weights="none", scaling="imagenet", image_size=32)
    whole = classifier(backbone, classes=2, head_units=0, dropout=0.0, normalise=False)
    assert block_starts(whole)[-3:] == ["block6_norm1", "encoder_norm", "head_conv"]
    unfreeze(whole, "block6_norm1")
    assert trainable(whole) == [
        "block6_norm1", "block6_attention", "block6_norm2", "block6_dense1", "block6_dense2", "encoder_norm",
        "head_conv", "logits",
    ]  # fmt: skip


def test_an_unknown_layer_is_told_the_nearest_and_the_blocks(model):
    with pytest.raises(
        ValueError, match=r"no backbone layer 'block_16_expnd'.*did you mean 'block_16_expand'\?"
    ):
        unfreeze(model, "block_16_expnd")
    for wrong in ("conv5", "logits", "pool", "image", "scaling"):
        with pytest.raises(
            ValueError, match=r"expected 'all' or a layer; blocks start at Conv1, .*block_16_expand, Conv_1"
        ):
            unfreeze(model, wrong)
    starts = block_starts(model)
    assert len(starts) == 19 and all(model.get_layer(name).weights for name in starts)
