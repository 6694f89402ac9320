"""Samples as a network takes them: validated integers, by the names of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fxsim.arguments import as_array, check_type
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
    check_type(network, QuantizedNetwork, "network")
    source = network.input
    return _integers(source, as_array(x, INPUT), INPUT, dtype, recurrent=network.recurrent)


def as_inputs(
    network: QuantizedNetwork,
    x: Batch,
    dtype_of: Callable[[IntFormat], npt.DTypeLike] = lambda fmt: np.int64,
    start: tuple[int, ...] = (),
) -> dict[str, Tensor]:
    """Batch of each input by name, as validated integers.

    ``start`` is the place of the first vector, for messages, where ``x`` is a part of more.

    Raises
    ------
    RangeError
        If an array is missing or of no input, has a wrong shape, or others have more samples; a
        float is not finite, or an integer leaves its format.
    """
    x = by_name(network, x)
    found = {
        name: _integers(
            source,
            as_array(x[name], called(network, name)),
            called(network, name),
            dtype_of(source.activation.format),
            start,
            recurrent=network.recurrent,
        )
        for name, source in network.inputs.items()
    }
    leading_axes(network, {name: tensor.shape for name, tensor in found.items()})
    return found


def by_name(network: QuantizedNetwork, x: Any) -> Mapping[str, Any]:
    """Samples of each input by its name; an array serves a network with one input.

    Raises
    ------
    RangeError
        If one is missing or of no input.
    """
    if not isinstance(x, Mapping):
        if len(network.inputs) > 1:
            raise RangeError(f"samples must be arrays by name: {', '.join(network.inputs)}")
        return dict.fromkeys(network.inputs, x)
    if x.keys() != network.inputs.keys():
        raise RangeError(
            f"samples must be of {', '.join(network.inputs)}, not of {', '.join(map(str, x))}"
        )
    return x


def called(network: QuantizedNetwork, name: str) -> str:
    """What a message calls an input."""
    return INPUT if len(network.inputs) == 1 else f"input {name!r}"


def leading_axes(
    network: QuantizedNetwork, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...]:
    """Axes (n,), or (n, t) with LSTM layers, of samples whose shapes are given by input.

    Raises
    ------
    RangeError
        If a shape is wrong, or others have more samples.
    """
    counts = {}
    for name, source in network.inputs.items():
        _check_shape(source, shapes[name], called(network, name), recurrent=network.recurrent)
        counts[name] = shapes[name][: 2 if network.recurrent else 1]
    if len(set(counts.values())) > 1:
        raise RangeError(f"inputs must have as many samples each, not {counts}")
    return next(iter(counts.values()))


def _check_shape(
    source: InputQuantizer, given: tuple[int, ...], what: str, *, recurrent: bool
) -> None:
    leading = 2 if recurrent else 1
    if len(given) <= leading or given[leading:] not in {source.shape, (source.tensor.items,)}:
        axes = ("n", "t")[:leading] + tuple(map(str, source.shape))
        raise RangeError(f"{what} must have shape ({', '.join(axes)}), not {given}")


def _integers(
    source: InputQuantizer,
    x: npt.NDArray[Any],
    what: str,
    dtype: npt.DTypeLike,
    start: tuple[int, ...] = (),
    *,
    recurrent: bool,
) -> npt.NDArray[Any]:
    shape, items = source.shape, source.tensor.items
    leading = 2 if recurrent else 1
    _check_shape(source, x.shape, what, recurrent=recurrent)
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
        place = tuple(i + first for i, first in zip_longest(index, start, fillvalue=0))
        raise RangeError(
            f"{what}[{', '.join(map(str, place))}] must be in {fmt} ({fmt.min} to {fmt.max}),"
            f" not {x[index]}"
        )
    values = x if x.shape[leading:] == (items,) else as_vectors(x, shape)
    return np.ascontiguousarray(values, dtype=dtype)
