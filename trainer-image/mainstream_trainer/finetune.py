"""Fine-tuning of one candidate: the layers after its branchpoint, on cached features (paper section 5).

The stem is not computed here at all; it cannot change. Batch norms after the branchpoint are the branch's own: they learn
scale, offset and statistics. Classes weigh by the square root of how rare they are; training stops when a part of the data that
is not trained on no longer improves, and the best weights are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainstream.basednn import INPUT, BaseDnn
from mainstream_trainer.architectures import POOLED, architecture, cut_layers
from mainstream_trainer.features import Features
from mainstream_trainer.keras_runtime import keras, tensorflow
from mainstream_trainer.networks import layers_between

BATCH, SMALLEST_BATCH = 32, 8
"""Examples in a step: fewer where an epoch would otherwise have less than ``STEPS`` of them and learn next to nothing."""
STEPS = 16
PATIENCE = 4
"""Epochs without improvement before training stops."""

HEAD_RATE, LAYERS_RATE = 4e-3, 4e-4
"""Learning rates where only the classifier is new, and where layers of the base DNN are retrained."""

DROPOUT = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Rows of the features and their classes."""

    rows: NDArray[np.int64]
    classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A trained branch and its history, an entry for each epoch."""

    model: Any
    trainable_parameters: int
    history: tuple[dict[str, float], ...]


def branch_model(network: Any, base: BaseDnn, branchpoint: str, classes: int) -> Any:
    """The layers after ``branchpoint`` with a new classifier, trainable; weights are the base DNN's.

    ``AssertionError`` if more or less can be trained than the architecture says.
    """
    k = keras()
    cuts = dict(cut_layers(architecture(base.config.architecture), network))
    first = None if branchpoint == INPUT else cuts[branchpoint]
    last = len(network.layers) - 1
    if branchpoint == POOLED:
        inputs = k.Input(network.layers[-1].output.shape[1:], name="branch_input")
        pooled = inputs
    else:
        body = layers_between(network, first, last, name="branch", trainable=True)
        inputs, pooled = body.inputs[0], body.outputs[0]
    dropped = k.layers.Dropout(DROPOUT, name="branch_dropout")(pooled)
    start = k.initializers.RandomNormal(stddev=0.01, seed=0)
    scores = k.layers.Dense(classes, activation="softmax", kernel_initializer=start, name="branch_scores")(dropped)
    model = k.Model(inputs, scores, name="branch")
    expected = expected_parameters(network, 0 if first is None else first + 1, classes)
    actual = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    if actual != expected:
        raise AssertionError(f"Expected {expected} trainable parameters after {branchpoint}, got {actual}")
    return model


def expected_parameters(network: Any, first: int, classes: int) -> int:
    """Trainable parameters of the layers from place ``first`` on, batch-norm statistics left out, and of a classifier."""
    norm = keras().layers.BatchNormalization
    count = 0
    for layer in network.layers[first:]:
        statistics = (layer.moving_mean, layer.moving_variance) if isinstance(layer, norm) else ()
        frozen = sum(int(np.prod(weight.shape)) for weight in statistics)
        count += sum(int(np.prod(weight.shape)) for weight in layer.weights) - frozen
    return count + (int(network.output.shape[-1]) + 1) * classes


def finetune(
    model: Any,
    features: Features,
    training: Examples,
    stopping: Examples,
    *,
    epochs: int,
    seed: int,
    advance: Callable[..., None],
) -> Trained:
    """Train a branch on features; ``advance`` is called for each epoch, and for those spared."""
    keras().utils.set_random_seed(seed)
    tf = tensorflow()
    head_only = len(model.trainable_weights) <= 2
    classes = int(model.output.shape[-1])
    weights = class_weights(training.classes, classes)
    batch = min(BATCH, max(SMALLEST_BATCH, len(training.rows) // STEPS))
    steps = -(-len(training.rows) // batch)
    rate = keras().optimizers.schedules.CosineDecay(
        HEAD_RATE if head_only else LAYERS_RATE, max(1, epochs * steps), alpha=0.05
    )
    optimizer = keras().optimizers.AdamW(rate, weight_decay=1e-4)
    step = training_step(model, optimizer, weights)
    rng = np.random.default_rng(seed)
    best, best_loss, since, history = model.get_weights(), np.inf, 0, []
    for epoch in range(epochs):
        losses = []
        for drawn in np.array_split(rng.permutation(len(training.rows)), steps):
            rows = training.rows[drawn]
            variants = rng.integers(0, len(features.kept), len(rows))
            given = features(variants, rows)
            losses.append(float(step(tf.constant(given), tf.constant(training.classes[drawn], tf.int32))))
        loss, accuracy = _judge(model, features, stopping, weights)
        history.append(
            {"loss": round(float(np.mean(losses)), 6), "stoppingLoss": round(loss, 6), "accuracy": round(accuracy, 6)}
        )
        if loss < best_loss - 1e-4:
            best, best_loss, since = model.get_weights(), loss, 0
        else:
            since += 1
        advance()
        if since >= PATIENCE:
            advance(epochs - epoch - 1)
            break
    model.set_weights(best)
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return Trained(model=model, trainable_parameters=parameters, history=tuple(history))


def class_weights(classes: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """Square root of how rare each class is among the examples, 1 on average over them."""
    frames = np.bincount(classes, minlength=count).astype(float)
    weights = np.sqrt(len(classes) / np.maximum(frames, 1.0))
    return np.asarray(weights * len(classes) / (weights * frames).sum(), np.float32)


def training_step(model: Any, optimizer: Any, weights: NDArray[np.float32]) -> Any:
    """A compiled step: ``step(features, classes)`` moves the model's weights and returns the weighted loss."""
    tf = tensorflow()
    optimizer.build(model.trainable_variables)
    balance = tf.constant(weights)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(given: Any, classes: Any) -> Any:
        with tf.GradientTape() as tape:
            scores = model(given, training=True)
            picked = tf.gather(scores, classes, batch_dims=1)
            loss = -tf.reduce_mean(tf.gather(balance, classes) * tf.math.log(picked + 1e-7))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        return loss

    return step


def _judge(model: Any, features: Features, examples: Examples, weights: NDArray[np.float32]) -> tuple[float, float]:
    """Weighted loss and plain accuracy on examples as they are."""
    losses, right = 0.0, 0
    for start in range(0, len(examples.rows), 4 * BATCH):
        part = slice(start, start + 4 * BATCH)
        scores = np.asarray(model(features(0, examples.rows[part]), training=False))
        picked = scores[np.arange(len(scores)), examples.classes[part]]
        losses -= float((weights[examples.classes[part]] * np.log(picked + 1e-7)).sum())
        right += int((scores.argmax(1) == examples.classes[part]).sum())
    return losses / max(1, len(examples.rows)), right / max(1, len(examples.rows))
