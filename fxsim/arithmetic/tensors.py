"""Integer tensors: their types, what they mean, and checks that every constructor shares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import RangeError

IntArray: TypeAlias = npt.NDArray[np.int64]
FloatArray: TypeAlias = npt.NDArray[np.float64]
SampleArray: TypeAlias = npt.NDArray[np.floating[Any]]
"""Real samples in the type that they were stored in, which says how precise they are."""


@dataclass(frozen=True, kw_only=True)
class Activation:
    """Format and meaning of an integer tensor: real = scale * (q - zero_point).

    Raises
    ------
    RangeError
        If the scale is not a positive finite number or the zero point is outside the format.
    """

    format: IntFormat
    scale: float
    zero_point: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", float(self.scale))
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise RangeError(f"scale must be positive and finite, not {self.scale}")
        set_int(self, "zero_point", self.format.min, self.format.max)


def as_vectors(samples: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Flatten samples (..., *shape) to vectors (..., items).

    Images (channels, height, width) become pixels, row by row, the channels of each together.
    """
    leading = samples.shape[: samples.ndim - len(shape)]
    if len(shape) == 3:
        samples = np.moveaxis(samples, -3, -1)
    return samples.reshape(*leading, math.prod(shape))


def freeze(owner: object, field: str, what: str) -> None:
    """Turn the integer array ``owner.field`` of a frozen dataclass into read-only int64."""
    array = np.asarray(getattr(owner, field))
    if array.dtype.kind not in "iu":
        raise RangeError(f"{what} must hold integers, not {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() >= 1 << 63:
        raise RangeError(f"{what} must fit 64 signed bits")
    frozen = np.array(array, dtype=np.int64, order="C")
    frozen.flags.writeable = False
    object.__setattr__(owner, field, frozen)


def set_int(owner: object, field: str, low: int, high: int) -> None:
    """Check the integer ``owner.field`` of a frozen dataclass and store it as a plain int."""
    value = getattr(owner, field)
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not integer or not low <= value <= high:
        raise RangeError(f"{field} must be an integer from {low} to {high}, not {value!r}")
    object.__setattr__(owner, field, int(value))


def check_bool(value: object, what: str) -> None:
    """Refuse anything but true and false."""
    if type(value) is not bool:
        raise RangeError(f"{what} must be true or false, not {value!r}")


def check_range(array: IntArray, low: int, high: int, what: str) -> None:
    """Refuse an array with an element outside ``low`` .. ``high``; name the first one."""
    bad = np.argwhere((array < low) | (array > high))
    if bad.size:
        index = tuple(int(i) for i in bad[0])
        raise RangeError(
            f"{what}[{', '.join(map(str, index))}] must be from {low} to {high}, not {array[index]}"
        )
