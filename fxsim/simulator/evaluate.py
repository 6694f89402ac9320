"""Accuracy or bits per character of a network, and the samples that calibrate it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fxsim.arithmetic.tensors import SampleArray
from fxsim.data import Dataset, Split
from fxsim.errors import RangeError
from fxsim.floats import scores
from fxsim.floats.checkpoint import LinearParameters
from fxsim.floats.forward import forward
from fxsim.network import IntArray, QuantizedNetwork
from fxsim.simulator.simulator import simulate
from fxsim.spec.specification import NetworkSpec


def accuracy(network: QuantizedNetwork, split: Split) -> float:
    """Share of samples whose greatest output integer (the first of equals) is at the label.

    Of a network that ends in an argmax, those whose output is the label.

    Raises
    ------
    RangeError
        If the split is empty or its samples do not suit the network.
    """
    _nonempty(split)
    return float(np.mean(answers(network, simulate(network, split.x)) == split.y))


def answers(network: QuantizedNetwork, outputs: IntArray) -> IntArray:
    """Class of each vector of outputs (..., outputs): an argmax at the end gives it already."""
    if network.classifies:
        return outputs[..., 0]
    return np.asarray(outputs.argmax(axis=-1), dtype=np.int64)


def with_logits(network: QuantizedNetwork) -> QuantizedNetwork:
    """The network without the argmax at its end, if it has one, to be simulated only."""
    if not network.classifies:
        return network
    name = network.last.name
    return replace(
        network,
        layers=tuple(layer for layer in network.layers if layer.name != name),
        sources={layer: taken for layer, taken in network.sources.items() if layer != name},
        outputs=network.taken[name],
        depths={},
        output_depths={},
    )


def float_accuracy(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], split: Split
) -> float:
    """Share of samples that the float network (`fxsim.floats.forward.forward`) gets right.

    Raises
    ------
    RangeError
        If the split is empty or its samples have another shape.
    """
    _nonempty(split)
    return scores.accuracy(forward(spec, parameters, split.x), split.y)


def bits_per_character(network: QuantizedNetwork, split: Split) -> float:
    """Mean of -log2 p over all steps, p being the softmax at the label.

    The logits are the real values of the outputs, network.output.scale * (output - zero_point).

    Raises
    ------
    RangeError
        If the split is empty, its samples do not suit the network, or this yields classes only.
    """
    _nonempty(split)
    if network.classifies:
        name = network.last.name
        raise RangeError(f"{name}: outputs must be a value for each class, not the index of one")
    output = network.output
    real = output.scale * (simulate(network, split.x) - output.zero_point).astype(np.float64)
    return scores.bits_per_character(real, split.y)


def float_bits_per_character(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], split: Split
) -> float:
    """`bits_per_character` of the float network (`fxsim.floats.forward.forward`).

    Raises
    ------
    RangeError
        If the split is empty or its samples have another shape.
    """
    _nonempty(split)
    return scores.bits_per_character(forward(spec, parameters, split.x), split.y)


def calibration_samples(dataset: Dataset, count: int = 1000) -> SampleArray:
    """At most ``count`` samples for `fxsim.quantizer.quantize`, evenly spaced over ``train``.

    Of sequences so many that they hold ``count`` vectors, and one at least. Their type stays: it
    says how precise they are.

    Raises
    ------
    RangeError
        If ``count`` is not positive.
    """
    if count < 1:
        raise RangeError(f"count must be at least 1, not {count}")
    x, steps = dataset.train.x, dataset.train.y[:1].size
    count = max(count // max(steps, 1), 1)
    return x if len(x) <= count else x[np.arange(count) * len(x) // count]


def weight_memory_bits(network: QuantizedNetwork) -> int:
    """Bits of all weights as stored, without biases and without the padding of tiles and beats."""
    return sum(product.weight.size * product.code.bits for product in network.linears)


def _nonempty(split: Split) -> None:
    if not split.y.size:
        raise RangeError("split must have at least one sample")
