"""Exported graphs: canonical, verified against Keras, made from layers of their own."""

from typing import Any

import numpy as np
import pytest

from mainstream.basednn import BaseDnn
from mainstream.errors import OperationError
from mainstream.packages.folder import StoreFolder
from mainstream_trainer.architectures import ARCHITECTURES, cut_layers
from mainstream_trainer.basednn import load_keras
from mainstream_trainer.keras_runtime import keras
from mainstream_trainer.networks import layers_between
from mainstream_trainer.tflite import DESCRIPTION, export_tflite, normalise, run_tflite


@pytest.fixture
def network(tiny_base: BaseDnn, tiny_store: StoreFolder) -> Any:
    """The Keras network of ``tiny_base``, new for each test."""
    return load_keras(tiny_base, tiny_store.layout)


def test_graphs_say_nothing_of_their_history(tiny_segments: list[bytes]) -> None:
    """Tensors are named by their place; metadata, signatures and empty buffers are gone; the batch is one."""
    from ai_edge_litert import schema_py_generated as schema

    for data in tiny_segments:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
        (graph,) = model.subgraphs
        assert model.description == DESCRIPTION
        assert not model.metadata
        assert not model.signatureDefs
        assert [tensor.name for tensor in graph.tensors] == [
            f"t{place}".encode() for place in range(len(graph.tensors))
        ]
        assert [buffer.data is None for buffer in model.buffers] == [True, *[False] * (len(model.buffers) - 1)]
        assert all(tensor.shapeSignature is None for tensor in graph.tensors)
        assert graph.tensors[graph.inputs[0]].shape[0] == 1


def test_normalising_twice_changes_nothing(tiny_segments: list[bytes]) -> None:
    """A normalised graph is its own normal form."""
    for data in tiny_segments:
        assert normalise(data) == data


def test_the_same_weights_under_other_names_give_the_same_bytes(network: Any) -> None:
    """Neither names nor the number of exports before enter the bytes."""
    cuts = dict(cut_layers(ARCHITECTURES["MobileNet"], network))
    first, last = cuts["conv_pw_4"], cuts["conv_pw_6"]
    one, other = (export_tflite(layers_between(network, first, last, name=name)) for name in ("zebra", "ant"))
    assert one == other


def test_a_branch_with_a_head_is_exported(network: Any) -> None:
    """What the trainer makes of the last layers: probabilities that sum to one, as Keras computes them."""
    place = dict(cut_layers(ARCHITECTURES["MobileNet"], network))["conv_pw_12"]
    body = layers_between(network, place, len(network.layers) - 1, name="body", trainable=True)
    dropped = keras().layers.Dropout(0.5)(body.outputs[0])
    model = keras().Model(body.inputs[0], keras().layers.Dense(3, activation="softmax")(dropped))
    data = export_tflite(model)
    sample = np.random.default_rng(3).uniform(0, 2, (1, *model.input_shape[1:])).astype(np.float32)
    given = run_tflite(data, sample)
    assert given.sum() == pytest.approx(1, abs=1e-6)
    assert np.allclose(given, np.asarray(model(sample, training=False)), atol=1e-5)


def test_a_graph_that_computes_something_else_is_refused() -> None:
    """A model whose graph is not what Keras computes does not become a blob."""

    class Counting(keras().layers.Layer):  # type: ignore[misc]
        """Adds how often it was called: once more after tracing than in the trace."""

        calls = 0

        def call(self, values: Any) -> Any:
            self.calls += 1
            return values + float(self.calls)

    inputs = keras().Input((2, 2, 3))
    model = keras().Model(inputs, Counting()(inputs), name="counting")
    with pytest.raises(OperationError, match="graph of counting does not compute what Keras computes"):
        export_tflite(model)


def test_weights_that_are_no_numbers_are_refused() -> None:
    """Outputs that are NaN in Keras and in the graph are not equal: such a model does not become a blob."""
    inputs = keras().Input((2, 2, 3))
    model = keras().Model(inputs, keras().layers.Conv2D(2, 1)(inputs))
    model.layers[1].kernel.assign(np.full((1, 1, 3, 2), np.nan))
    with pytest.raises(OperationError, match="does not compute"):
        export_tflite(model)


def test_training_a_part_leaves_the_network_alone(network: Any) -> None:
    """Cloned layers share neither weights nor the trainable flag with what they come from."""
    place = dict(cut_layers(ARCHITECTURES["MobileNet"], network))["conv_pw_12"]
    before = [weights.copy() for weights in network.get_weights()]
    flags = [layer.trainable for layer in network.layers]
    part = layers_between(network, place, len(network.layers) - 1, name="branch", trainable=True)
    part.set_weights([np.zeros_like(weights) for weights in part.get_weights()])
    frozen = layers_between(network, None, place, name="stem")
    assert frozen.trainable_weights == []
    assert len(part.trainable_weights) == 6  # two kernels, two batch norms of scale and offset
    assert [layer.trainable for layer in network.layers] == flags
    assert all(np.array_equal(one, other) for one, other in zip(before, network.get_weights(), strict=True))


def test_batch_norms_of_a_frozen_part_stay_as_they_are(network: Any) -> None:
    """In training mode too a frozen part computes what the base DNN computes; a trainable one learns its statistics."""
    place = dict(cut_layers(ARCHITECTURES["MobileNet"], network))["conv_pw_12"]
    sample = np.random.default_rng(4).uniform(0, 2, (8, *network.layers[place].output.shape[1:])).astype(np.float32)
    for trainable in (False, True):
        part = layers_between(network, place, len(network.layers) - 1, name="branch", trainable=trainable)
        before = part.get_weights()
        same = np.allclose(part(sample, training=True), part(sample, training=False), atol=1e-5)
        kept = all(np.array_equal(one, other) for one, other in zip(before, part.get_weights(), strict=True))
        assert (same, kept) == (not trainable, not trainable)
