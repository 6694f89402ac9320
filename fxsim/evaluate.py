"""Accuracy of a network, and the samples that calibrate it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fxsim.checkpoint import LinearParameters
from fxsim.data import Dataset, Split
from fxsim.errors import RangeError
from fxsim.floating import forward
from fxsim.network import FloatArray, IntArray, QuantizedNetwork
from fxsim.simulate import simulate
from fxsim.spec import NetworkSpec


def accuracy(network: QuantizedNetwork, split: Split) -> float:
    """Share of samples whose greatest output integer (the first of equals) is at the label.

    Raises
    ------
    RangeError
        If the split is empty or its samples do not suit the network.
    """
    return _share(simulate(network, split.x), split)


def float_accuracy(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], split: Split
) -> float:
    """Share of samples that the float network (`fxsim.floating.forward`) gets right.

    Raises
    ------
    RangeError
        If the split is empty or its samples have another shape.
    """
    return _share(forward(spec, parameters, split.x), split)


def calibration_samples(dataset: Dataset, count: int = 1000) -> FloatArray:
    """At most ``count`` samples for `fxsim.quantize.quantize`, evenly spaced over ``train``.

    Raises
    ------
    RangeError
        If ``count`` is not positive.
    """
    if count < 1:
        raise RangeError(f"count must be at least 1, not {count}")
    x = dataset.train.x
    return x if len(x) <= count else x[np.arange(count) * len(x) // count]


def weight_memory_bits(network: QuantizedNetwork) -> int:
    """Bits of all weights as stored, without biases and without the padding of tiles and beats."""
    return sum(product.weight.size * product.weight_format.bits for product in network.linears)


def _share(outputs: IntArray | FloatArray, split: Split) -> float:
    if not len(split.y):
        raise RangeError("split must have at least one sample")
    return float(np.mean(outputs.argmax(axis=1) == split.y))
