"""Samples as a network takes them: validated integers, by the names of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import as_vectors
from fxsim.errors import RangeError
from fxsim.network import INPUT, InputQuantizer, QuantizedNetwork
from fxsim.quantizer import quantize_input
from fxsim.simulator.trace import Tensor

Batch: TypeAlias = npt.NDArray[Any] | Mapping[str, npt.NDArray[Any]]
"""Samples of a network: an array where it has one input, else arrays by the names of inputs."""


def as_input(
    network: QuantizedNetwork, x: npt.NDArray[Any], dtype: npt.DTypeLike = np.int64
) -> npt.NDArray[Any]:
    """Batch of a network with one input as validated integers of ``dtype``; see `simulate`."""
    source = network.input
    return _integers(source, np.asarray(x), INPUT, dtype, recurrent=network.recurrent)


def as_inputs(
    network: QuantizedNetwork,
    x: Batch,
    dtype_of: Callable[[IntFormat], npt.DTypeLike] = lambda fmt: np.int64,
) -> dict[str, Tensor]:
    """Batch of each input by name, as validated integers.

    Raises
    ------
    RangeError
        If an array is missing or of no input, has a wrong shape, or others have more samples; a
        float is not finite, or an integer leaves its format.
    """
    if not isinstance(x, Mapping):
        if len(network.inputs) > 1:
            raise RangeError(f"samples must be arrays by name: {', '.join(network.inputs)}")
        x = dict.fromkeys(network.inputs, x)
    if x.keys() != network.inputs.keys():
        raise RangeError(f"samples must be of {', '.join(network.inputs)}, not of {', '.join(x)}")
    alone = len(network.inputs) == 1
    found = {
        name: _integers(
            source,
            np.asarray(x[name]),
            INPUT if alone else f"input {name!r}",
            dtype_of(source.activation.format),
            recurrent=network.recurrent,
        )
        for name, source in network.inputs.items()
    }
    counts = {name: tensor.shape[:-1] for name, tensor in found.items()}
    if len(set(counts.values())) > 1:
        raise RangeError(f"inputs must have as many samples each, not {counts}")
    return found


def _integers(
    source: InputQuantizer, x: npt.NDArray[Any], what: str, dtype: npt.DTypeLike, *, recurrent: bool
) -> npt.NDArray[Any]:
    shape, items = source.shape, source.tensor.items
    leading = 2 if recurrent else 1
    if x.ndim <= leading or x.shape[leading:] not in {shape, (items,)}:
        axes = ("n", "t")[:leading] + tuple(map(str, shape))
        raise RangeError(f"{what} must have shape ({', '.join(axes)}), not {x.shape}")
    batch = x.reshape(-1, *x.shape[leading:])
    if x.dtype.kind == "f":
        values = quantize_input(source, batch.reshape(-1, *shape))
        return values.reshape(*x.shape[:leading], items).astype(dtype, copy=False)
    if x.dtype.kind not in "iu":
        raise RangeError(f"{what} must hold integers or floats, not {x.dtype}")
    fmt = source.activation.format
    limits = np.iinfo(x.dtype)
    inside = fmt.holds(int(limits.min), int(limits.max))
    if not inside and x.size and not fmt.holds(int(x.min()), int(x.max())):
        bad = np.argwhere((x < fmt.min) | (x > fmt.max))
        index = tuple(int(i) for i in bad[0])
        raise RangeError(
            f"{what}[{', '.join(map(str, index))}] must be in {fmt} ({fmt.min} to {fmt.max}),"
            f" not {x[index]}"
        )
    values = x if x.shape[leading:] == (items,) else as_vectors(x, shape)
    return np.ascontiguousarray(values, dtype=dtype)
