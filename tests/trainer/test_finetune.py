"""A candidate trains what lies after its branchpoint, all of it and nothing else."""

from typing import Any

import numpy as np
import pytest

from mainstream.basednn import BaseDnn
from mainstream.packages.folder import StoreFolder
from mainstream_trainer.basednn import load_keras
from mainstream_trainer.features import Features
from mainstream_trainer.finetune import Examples, branch_model, class_weights, expected_parameters, finetune
from mainstream_trainer.tflite import Chain


@pytest.fixture(scope="module")
def network(tiny_base: BaseDnn, tiny_store: StoreFolder) -> Any:
    """The tiny base DNN's Keras network."""
    return load_keras(tiny_base, tiny_store.layout)


@pytest.mark.parametrize("branchpoint", ["input", "conv1", "conv_pw_6", "conv_pw_12", "conv_pw_13", "pooled"])
def test_all_layers_after_the_branchpoint_are_trainable(network: Any, tiny_base: BaseDnn, branchpoint: str) -> None:
    """One candidate's training freezes nothing in the next: parameters are counted for each anew."""
    model = branch_model(network, tiny_base, branchpoint, 3)
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    head = (256 + 1) * 3
    assert trainable == head if branchpoint in {"conv_pw_13", "pooled"} else trainable > head
    frozen = [w for w in model.weights if not w.trainable and "seed" not in w.name]
    assert all("moving" in weight.path for weight in frozen)


def test_the_count_follows_from_the_architecture(network: Any) -> None:
    """All parameters of the network but batch-norm statistics, and the classifier."""
    statistics = sum(int(np.prod(weight.shape)) for weight in network.weights if "moving" in weight.path)
    assert expected_parameters(network, 0, 2) == network.count_params() - statistics + 257 * 2


def test_training_leaves_the_base_dnn_as_it_is_and_computes_on_its_features(
    network: Any, tiny_base: BaseDnn, tiny_segments: list[bytes]
) -> None:
    """Weights of the network do not move; stem by segments and branch together learn a simple task."""
    before = [weight.copy() for weight in network.get_weights()]
    rng = np.random.default_rng(0)
    pictures = rng.uniform(-1, 1, (40, *tiny_base.config.input_shape)).astype(np.float32)
    pictures[:20, 16:48, 16:48] += 2.0
    stem = Chain(tiny_segments[: tiny_base.config.depth("conv_pw_11")])
    kept = np.stack([stem(picture[None])[-1][0] for picture in pictures])[None].astype(np.float16)
    features = Features(kept=kept)
    classes = np.array([0] * 20 + [1] * 20)
    examples = Examples(rows=np.arange(40), classes=classes)
    model = branch_model(network, tiny_base, "conv_pw_11", 2)
    steps: list[int] = []
    trained = finetune(
        model, features, examples, examples, epochs=40, seed=1, advance=lambda count=1: steps.append(count)
    )
    scores = np.asarray(trained.model(kept[0].astype(np.float32), training=False))
    assert (scores.argmax(1) == classes).mean() > 0.9
    assert sum(steps) == 40
    assert len(trained.history) <= 40
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_rare_classes_weigh_more() -> None:
    """By the square root of their rarity, one on average over the examples."""
    classes = np.array([0] * 10 + [1] * 90)
    weights = class_weights(classes, 2)
    assert weights[0] / weights[1] == pytest.approx(3.0)
    assert weights[classes].mean() == pytest.approx(1.0)
