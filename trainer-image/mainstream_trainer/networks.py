"""Parts of a Keras network: a clone of the layers between two cuts, with weights and names of its own.

Cloned layers share nothing with the network that they come from: freezing one, or training it, leaves the others as they are.
"""

from typing import Any

from mainstream_trainer.architectures import sources
from mainstream_trainer.keras_runtime import keras


def layers_between(model: Any, first: int | None, last: int, *, name: str, trainable: bool = False) -> Any:
    """A model of the layers after place ``first`` (None: from the input) up to ``last``, batch of any size.

    Where ``trainable`` is false, batch norms keep the base DNN's statistics. Where it is true they learn their own, as Keras'
    batch norms do in training; with fixed statistics branches of the demo were worse (best p - q after five epochs, of five
    branches at conv_pw_9 and conv_pw_12: 0.87 to 0.98 instead of 0.91 to 0.99).
    """
    start = model.layers[first] if first is not None else model.layers[0]
    inputs = keras().Input(start.output.shape[1:], name=f"{name}_input")
    tensors = {start.name: inputs}
    begin = (first if first is not None else 0) + 1
    for place, layer in enumerate(model.layers[begin : last + 1]):
        # Some of Keras' own names number through the process; these do not.
        copy = layer.__class__.from_config({**layer.get_config(), "name": f"{name}_{place}"})
        taken = [tensors[source] for source in sources(layer)]
        given = taken[0] if len(taken) == 1 else taken
        tensors[layer.name] = copy(given)
        copy.set_weights(layer.get_weights())
        copy.trainable = trainable
    return keras().Model(inputs, tensors[model.layers[last].name], name=name)
