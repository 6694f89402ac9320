"""`QuantizedNetwork`: the single source of truth, integers and formats only.

Simulator, reference, hardware and cycle model are all derived from it, and none computes a number
of its own. Every constructor validates, so whatever exists is consistent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fxsim.errors import RangeError
from fxsim.formats import (
    MAX_BITS,
    AccumulatorMode,
    IntFormat,
    MemoryStyle,
    Overflow,
    Rounding,
)
from fxsim.names import check_identifier

IntArray: TypeAlias = npt.NDArray[np.int64]
FloatArray: TypeAlias = npt.NDArray[np.float64]

MAX_LANES = 1 << 16


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
        _set_int(self, "zero_point", self.format.min, self.format.max)


@dataclass(frozen=True, kw_only=True)
class InputQuantizer:
    """How a real sample becomes integers: saturate(round(x / scale) + zero_point).

    Raises
    ------
    RangeError
        If ``shape`` is empty or holds anything but positive integers.
    """

    shape: tuple[int, ...]
    activation: Activation
    rounding: Rounding

    def __post_init__(self) -> None:
        if not self.shape or not all(type(size) is int and size > 0 for size in self.shape):
            raise RangeError(f"shape must hold positive integers, not {self.shape}")


@dataclass(frozen=True, kw_only=True)
class Accumulator:
    """Format of the accumulators of a layer and what they do when a beat overflows it."""

    format: IntFormat
    mode: AccumulatorMode


@dataclass(frozen=True, kw_only=True, eq=False)
class Requantizer:
    """Constants that take accumulators to activations (`fxsim.arith.requantize`).

    Parameters
    ----------
    multiplier : int64 array, shape (1,) or (outputs,)
        Non-negative integers below 2**multiplier_bits; all 1 for a plain shift.
    multiplier_bits : int
        Word length of the multiplier; 0 means that there is none (a plain shift).
    shift : int
        Bits dropped after the multiplication, 0 to 62.

    Raises
    ------
    RangeError
        If an integer is out of range.
    """

    multiplier: IntArray
    multiplier_bits: int
    shift: int
    rounding: Rounding
    overflow: Overflow

    def __post_init__(self) -> None:
        _freeze(self, "multiplier", "multiplier")
        _set_int(self, "multiplier_bits", 0, MAX_BITS)
        _set_int(self, "shift", 0, MAX_BITS)
        low, high = (0, (1 << self.multiplier_bits) - 1) if self.multiplier_bits else (1, 1)
        _check_range(self.multiplier, low, high, "multiplier")


@dataclass(frozen=True, kw_only=True)
class Folding:
    """How a layer maps to its MAC array.

    Parameters
    ----------
    rows, simd : int
        Output lanes and input lanes.
    pad : bool
        Whether the last tile and beat may be partly idle.
    dsp : bool
        Whether multipliers are meant for DSP blocks or for LUTs.
    memory : MemoryStyle
        What the weight memory is made of.
    """

    rows: int
    simd: int
    pad: bool = False
    dsp: bool = True
    memory: MemoryStyle = MemoryStyle.AUTO

    def __post_init__(self) -> None:
        _set_int(self, "rows", 1, MAX_LANES)
        _set_int(self, "simd", 1, MAX_LANES)
        _check_bool(self.pad, "pad")
        _check_bool(self.dsp, "dsp")


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedLinear:
    """A fully connected layer in integers.

    accumulator[m] = bias[m] + sum over k of weight[m, k] * x[k], in beats of ``folding.simd``; the
    correction for the input's zero point is part of ``bias``. With a `Requantizer` the output is an
    activation, without one (last layer only) the accumulator itself.

    Parameters
    ----------
    weight : int64 array, shape (outputs, inputs)
    weight_format : IntFormat
        Narrow; ``int2n`` is ternary.
    weight_scale : float64 array, shape (1,) or (outputs,)
        real weight = weight_scale * weight.
    bias : int64 array, shape (outputs,)
        Start value of the accumulators.
    input, output : Activation
        ``output`` describes accumulators when ``requantizer`` is None.

    Raises
    ------
    RangeError
        If shapes disagree, an integer leaves its format, a proven width is too small, or an
        intermediate result could need more than 62 bits.
    """

    name: str
    weight: IntArray
    weight_format: IntFormat
    weight_scale: FloatArray
    bias: IntArray
    input: Activation
    accumulator: Accumulator
    requantizer: Requantizer | None
    relu: bool
    output: Activation
    folding: Folding

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        try:
            self._check()
        except RangeError as error:
            raise RangeError(f"{self.name}: {error}") from None

    def _check(self) -> None:
        if self.weight.ndim != 2 or 0 in self.weight.shape:
            raise RangeError(f"weight must have 2 dimensions, not shape {self.weight.shape}")
        _freeze(self, "weight", "weight")
        _freeze(self, "bias", "bias")
        object.__setattr__(self, "weight_scale", np.array(self.weight_scale, dtype=np.float64))
        self.weight_scale.flags.writeable = False
        if self.bias.shape != (self.outputs,):
            raise RangeError(f"bias must have shape ({self.outputs},), not {self.bias.shape}")
        if self.weight_scale.shape not in {(1,), (self.outputs,)}:
            raise RangeError(
                f"weight_scale must have shape (1,) or ({self.outputs},),"
                f" not {self.weight_scale.shape}"
            )
        if not (np.isfinite(self.weight_scale).all() and (self.weight_scale > 0).all()):
            raise RangeError("weight_scale must be positive and finite")
        _check_range(self.weight, self.weight_format.min, self.weight_format.max, "weight")
        fmt = self.accumulator.format
        if not fmt.signed or fmt.narrow:
            raise RangeError(f"accumulator must be signed and not narrow, not {fmt}")
        _check_range(self.bias, fmt.min, fmt.max, "bias")
        low, high = accumulator_bounds(self.weight, self.bias, self.input.format)
        if not IntFormat(bits=MAX_BITS, signed=True).holds(low, high):
            raise RangeError(f"sums must fit {MAX_BITS} bits, but reach {low} to {high}")
        if self.accumulator.mode is AccumulatorMode.WIDE and not fmt.holds(low, high):
            raise RangeError(f"wide accumulator must hold {low} to {high}, which {fmt} does not")
        rows, simd = self.folding.rows, self.folding.simd
        for key, lanes, size in (("rows", rows, self.outputs), ("simd", simd, self.inputs)):
            if lanes > size:
                raise RangeError(f"{key} must be at most {size}, not {lanes}")
            if size % lanes and not self.folding.pad:
                raise RangeError(f"{key} must divide {size}, not {lanes} (or pad)")
        _check_bool(self.relu, "relu")
        if self.requantizer is None:
            if self.relu or self.output.format != fmt or self.output.zero_point:
                raise RangeError("output must be the accumulator itself without a requantizer")
            return
        if self.requantizer.multiplier.shape not in {(1,), (self.outputs,)}:
            raise RangeError(
                f"multiplier must have shape (1,) or ({self.outputs},),"
                f" not {self.requantizer.multiplier.shape}"
            )
        if fmt.bits + self.requantizer.multiplier_bits > MAX_BITS:
            raise RangeError(
                f"accumulator bits plus multiplier bits must be at most {MAX_BITS},"
                f" not {fmt.bits} + {self.requantizer.multiplier_bits}"
            )
        if self.requantizer.overflow is Overflow.WRAP and self.output.format.narrow:
            raise RangeError("output must not be narrow when it wraps")

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return int(self.weight.shape[0])

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return int(self.weight.shape[1])

    @property
    def ternary(self) -> bool:
        """Whether every weight is -1, 0 or +1."""
        return self.weight_format.bits == 2 and self.weight_format.narrow

    @property
    def tiles(self) -> int:
        """Groups of ``rows`` outputs that share one pass over the inputs."""
        return -(-self.outputs // self.folding.rows)

    @property
    def beats(self) -> int:
        """Beats of ``simd`` inputs in one vector."""
        return -(-self.inputs // self.folding.simd)


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedNetwork:
    """A chain of layers behind an input quantizer.

    Parameters
    ----------
    name : str
        A Verilog-safe identifier; the name of the top module.
    data : str
        Name of the data set that it was trained on.

    Raises
    ------
    RangeError
        If neighbouring layers do not fit, a name is used twice, or ``data`` is not text.
    """

    name: str
    data: str
    input: InputQuantizer
    layers: tuple[QuantizedLinear, ...]

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        if not isinstance(self.data, str):
            raise RangeError(f"data must be text, not {self.data!r}")
        if not self.layers:
            raise RangeError("a network must have at least one layer")
        names = [layer.name.lower() for layer in self.layers]
        if len(set(names)) != len(names):
            raise RangeError(f"layer names must be unique, not {names}")
        size, activation = math.prod(self.input.shape), self.input.activation
        for i, layer in enumerate(self.layers):
            if layer.inputs != size or layer.input != activation:
                raise RangeError(
                    f"{layer.name}: input must be {size} values of {activation},"
                    f" not {layer.inputs} of {layer.input}"
                )
            if layer.requantizer is None and i < len(self.layers) - 1:
                raise RangeError(f"{layer.name}: only the last layer may lack a requantizer")
            size, activation = layer.outputs, layer.output

    @property
    def output(self) -> Activation:
        """Format and scale of what the last layer yields."""
        return self.layers[-1].output


def accumulator_bounds(weight: IntArray, bias: IntArray, fmt: IntFormat) -> tuple[int, int]:
    """Least and greatest value of any accumulator, partial sums included, for inputs in ``fmt``.

    Every format contains 0, so the extremes of the full sum bound each partial sum too.
    """
    weights = weight.astype(object)
    up, down = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    high = up * fmt.max + down * fmt.min + bias.astype(object)
    low = up * fmt.min + down * fmt.max + bias.astype(object)
    return min(low.min(), *bias.tolist()), max(high.max(), *bias.tolist())


def _freeze(owner: object, field: str, what: str) -> None:
    array = np.asarray(getattr(owner, field))
    if array.dtype.kind not in "iu":
        raise RangeError(f"{what} must hold integers, not {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() >= 1 << 63:
        raise RangeError(f"{what} must fit 64 signed bits")
    frozen = np.array(array, dtype=np.int64, order="C")
    frozen.flags.writeable = False
    object.__setattr__(owner, field, frozen)


def _set_int(owner: object, field: str, low: int, high: int) -> None:
    value = getattr(owner, field)
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not integer or not low <= value <= high:
        raise RangeError(f"{field} must be an integer from {low} to {high}, not {value!r}")
    object.__setattr__(owner, field, int(value))


def _check_bool(value: object, what: str) -> None:
    if type(value) is not bool:
        raise RangeError(f"{what} must be true or false, not {value!r}")


def _check_range(array: IntArray, low: int, high: int, what: str) -> None:
    bad = np.argwhere((array < low) | (array > high))
    if bad.size:
        index = tuple(int(i) for i in bad[0])
        raise RangeError(
            f"{what}[{', '.join(map(str, index))}] must be from {low} to {high}, not {array[index]}"
        )
