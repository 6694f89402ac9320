"""Samples and outputs by the names of a network's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy.typing as npt

from fxsim.arguments import as_array
from fxsim.errors import RangeError
from fxsim.spec.specification import NetworkSpec

T = TypeVar("T")


def by_name(value: T | Mapping[str, T], names: Sequence[str], what: str) -> dict[str, T]:
    """Values by name, given as a mapping or, for one name, alone.

    Raises
    ------
    RangeError
        If there is not one for each name; the message starts with ``what``.
    """
    if not isinstance(value, Mapping):
        if len(names) > 1:
            raise RangeError(f"{what} must be a mapping of {', '.join(names)}, not one array")
        return {names[0]: value}
    if set(value) != set(names):
        given = ", ".join(map(str, value)) or "nothing"
        raise RangeError(f"{what} must be given for {', '.join(names)}, not for {given}")
    return {name: value[name] for name in names}


def checked_samples(
    spec: NetworkSpec, x: npt.ArrayLike | Mapping[str, npt.ArrayLike], what: str
) -> dict[str, npt.NDArray[Any]]:
    """Samples of each input, shape (n, *shape), or (n, t, *shape) with LSTM layers.

    Raises
    ------
    RangeError
        If an array has another shape, or there are not as many of each.
    """
    leading = ("n", "t") if spec.recurrent else ("n",)
    found: dict[str, npt.NDArray[Any]] = {}
    for name, samples in by_name(x, tuple(spec.inputs), what).items():
        own = what if len(spec.inputs) == 1 else f"{what} of {name!r}"
        array, shape = as_array(samples, own), spec.inputs[name].shape
        if array.ndim < len(leading) or array.shape[len(leading) :] != shape:
            expected = ", ".join((*leading, *map(str, shape)))
            raise RangeError(f"{own} must have shape ({expected}), not {array.shape}")
        for other, earlier in found.items():
            wanted, given = (a.shape[: len(leading)] for a in (earlier, array))
            if wanted != given:
                raise RangeError(f"{own} must be as many as of {other!r}, {wanted}, not {given}")
        found[name] = array
    return found
