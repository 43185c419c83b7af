"""Which branchpoints a Model Set tries (paper section 5; ``branchpoints: Auto``)."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Literal

from mainstream.basednn import INPUT, BaseDnn
from mainstream.errors import InputError
from mainstream_trainer.architectures import architecture, cut_layers

SHARES = (0.6, 0.75, 0.9)
"""Shares of the network's work before a cut that ``Auto`` looks for, beside the deepest cut. Earlier cuts take long to train,
cost nearly a network of their own, and on small datasets gain nothing."""


def chosen_branchpoints(
    base: BaseDnn, network: Callable[[], Any], wanted: Literal["Auto"] | Sequence[str], *, where: str
) -> tuple[str, ...]:
    """The branchpoints to train, deepest first (``InputError`` for one that is no legal cut). ``Auto`` needs the network."""
    legal = base.config.branchpoints
    if wanted != "Auto":
        for name in wanted:
            if name not in legal:
                raise InputError(
                    f"branchpoints: {base.config.architecture} has no branchpoint {name!r}",
                    where=where,
                    remedy=f"Its branchpoints are: {', '.join(legal)}.",
                )
        return tuple(sorted(set(wanted), key=base.config.depth, reverse=True))
    shares = work_before(base, network())
    inner = [name for name in legal if name not in {INPUT, legal[-1]}]
    near = {min(inner, key=lambda name: abs(shares[name] - share)) for share in SHARES} if inner else set()
    return tuple(sorted({*near, legal[-1]}, key=base.config.depth, reverse=True))


def work_before(base: BaseDnn, network: Any) -> dict[str, float]:
    """For each branchpoint the share of the network's multiplications that lie before it."""
    cuts = cut_layers(architecture(base.config.architecture), network)
    total, at, done = sum(multiplications(layer) for layer in network.layers), {INPUT: 0.0}, 0
    count = 0
    for name, place in cuts:
        while count <= place:
            done += multiplications(network.layers[count])
            count += 1
        at[name] = done / total
    return at


def multiplications(layer: Any) -> int:
    """Of a layer with a kernel: each output place applies the whole kernel once (a depthwise kernel per channel)."""
    kernels = [weight for weight in layer.weights if weight.name.endswith("kernel")]
    spatial = prod(int(size) for size in layer.output.shape[1:-1]) if kernels else 0
    return sum(spatial * prod(int(size) for size in kernel.shape) for kernel in kernels)
