"""The fully connected layer in integers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.codes import AnyCode
from fxsim.arithmetic.formats import (
    MAX_BITS,
    AccumulatorMode,
    IntFormat,
    MemoryStyle,
)
from fxsim.arithmetic.tensors import (
    Activation,
    FloatArray,
    IntArray,
    check_bool,
    check_range,
    freeze,
    set_int,
)
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.tail import Tail, varies
from fxsim.network.tensor_type import NO_SIZES, NO_TENSORS, TensorType

MAX_LANES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Accumulator:
    """Format of the accumulators of a layer and what they do when a beat overflows it."""

    format: IntFormat
    mode: AccumulatorMode


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
        set_int(self, "rows", 1, MAX_LANES)
        set_int(self, "simd", 1, MAX_LANES)
        check_bool(self.pad, "pad")
        check_bool(self.dsp, "dsp")


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedLinear:
    """A fully connected layer in integers.

    accumulator[m] = bias[m] + sum over k of weight[m, k] * x[k], in beats of ``folding.simd``; the
    correction for the input's zero point is part of ``bias``. With a `Tail` the output is an
    activation, without one (last layer only) the accumulator itself. Its offset has what ``bias``
    lacks of the real bias, which is less than one unit of the accumulator as a rule.

    Parameters
    ----------
    weight : int64 array, shape (outputs, inputs)
    code : WeightCode
        How a weight is stored and multiplied.
    weight_scale : float64 array, shape (1,) or (outputs,)
        real weight = weight_scale * weight.
    bias : int64 array, shape (outputs,)
        Start value of the accumulators.
    input, output : Activation
        ``output`` describes accumulators when ``tail`` is None.

    Raises
    ------
    RangeError
        If shapes disagree, an integer leaves its format, a proven width is too small, or an
        intermediate result could need more than 62 bits.
    """

    name: str
    weight: IntArray
    code: AnyCode
    weight_scale: FloatArray
    bias: IntArray
    input: Activation
    accumulator: Accumulator
    tail: Tail | None
    output: Activation
    folding: Folding

    # Answers of `LayerKind`.
    adds = pools = lstms = ()
    state = probes = NO_TENSORS
    sizes = NO_SIZES
    classifies = spatial = False
    places, settling = 1, 0

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        try:
            self._check()
        except RangeError as error:
            raise RangeError(f"{self.name}: {error}") from None

    def _check(self) -> None:
        if self.weight.ndim != 2 or 0 in self.weight.shape:
            raise RangeError(f"weight must have 2 dimensions, not shape {self.weight.shape}")
        freeze(self, "weight", "weight")
        freeze(self, "bias", "bias")
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
        self.code.check(self.weight, "weight")
        self._check_sums()
        self._check_folding()
        self._check_tail()

    def _check_sums(self) -> None:
        fmt = self.accumulator.format
        if not fmt.signed or fmt.narrow:
            raise RangeError(f"accumulator must be signed and not narrow, not {fmt}")
        check_range(self.bias, fmt.min, fmt.max, "bias")
        low, high = accumulator_bounds(self.weight, self.bias, self.input.format)
        if not IntFormat(bits=MAX_BITS, signed=True).holds(low, high):
            raise RangeError(f"sums must fit {MAX_BITS} bits, but reach {low} to {high}")
        if self.accumulator.mode is AccumulatorMode.WIDE and not fmt.holds(low, high):
            raise RangeError(f"wide accumulator must hold {low} to {high}, which {fmt} does not")

    def _check_folding(self) -> None:
        if self.folding.pad and not self.code.pads:
            raise RangeError(f"pad must be false with {self.code} weights, which have no 0")
        rows, simd = self.folding.rows, self.folding.simd
        for key, lanes, size in (("rows", rows, self.outputs), ("simd", simd, self.inputs)):
            if lanes > size:
                raise RangeError(f"{key} must be at most {size}, not {lanes}")
            if size % lanes and not self.folding.pad:
                raise RangeError(f"{key} must divide {size}, not {lanes} (or pad)")

    def _check_tail(self) -> None:
        fmt = self.accumulator.format
        if self.tail is None:
            if self.output.format != fmt or self.output.zero_point:
                raise RangeError("output must be the accumulator itself without a requantizer")
            return
        for key in ("multiplier", "offset", "below"):
            shape = getattr(self.tail, key).shape
            if shape not in {(1,), (self.outputs,)}:
                raise RangeError(f"{key} must have shape (1,) or ({self.outputs},), not {shape}")
        if fmt.bits + self.tail.multiplier_bits > MAX_BITS:
            raise RangeError(
                f"accumulator bits plus multiplier bits must be at most {MAX_BITS},"
                f" not {fmt.bits} + {self.tail.multiplier_bits}"
            )
        self.tail.check_output(self.output.format)

    @property
    def linears(self) -> tuple[QuantizedLinear, ...]:
        """The matrix products of the layer: itself."""
        return (self,)

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """A vector."""
        return (TensorType((self.inputs,), self.input),)

    @property
    def requantizer(self) -> Tail | None:
        """The tail, by the name that scripts from before `Tail` read."""
        return self.tail

    @property
    def raw(self) -> bool:
        """True if it yields accumulators."""
        return self.tail is None

    @property
    def unit(self) -> FloatArray:
        """Real value of 1 in the accumulators, shape (1,) or (outputs,)."""
        return self.weight_scale * self.input.scale

    @property
    def idle(self) -> int:
        """Integer on an idle output lane: the result of an accumulator of 0.

        With the offset, if it is that of all lanes; else a memory gives idle ones the offset 0.
        """
        tail = self.tail
        if tail is None:
            return self.output.zero_point
        none = np.zeros(1, np.int64)
        idle = replace(tail, offset=none, below=none) if varies(tail.offset) else tail
        return idle.applied(0, self.output)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return int(self.weight.shape[0])

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return int(self.weight.shape[1])

    @property
    def weight_format(self) -> IntFormat:
        """Format that holds the weights as integers."""
        return self.code.format

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Shape of the output."""
        return (self.outputs,)

    @property
    def lanes_in(self) -> int:
        """Lanes of the input."""
        return self.folding.simd

    @property
    def lanes_out(self) -> int:
        """Fewest lanes that carry a tile of the output in the time it takes to compute."""
        rows = self.folding.rows
        return next(n for n in range(1, rows + 1) if rows % n == 0 and rows // n <= self.beats)

    @property
    def tiles(self) -> int:
        """Groups of ``rows`` outputs that share one pass over the inputs."""
        return -(-self.outputs // self.folding.rows)

    @property
    def beats(self) -> int:
        """Beats of ``simd`` inputs in one vector."""
        return -(-self.inputs // self.folding.simd)


def accumulator_bounds(weight: IntArray, bias: IntArray, fmt: IntFormat) -> tuple[int, int]:
    """Least and greatest value of any accumulator, partial sums included, for inputs in ``fmt``."""
    low, high = channel_bounds(weight, bias, fmt)
    return int(low.min()), int(high.max())


def channel_bounds(
    weight: IntArray, bias: IntArray, fmt: IntFormat
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Least and greatest accumulator of each channel, partial sums included, as Python integers.

    Every format contains 0, so the extremes of the full sum bound each partial sum too.
    """
    weights, start = weight.astype(object), bias.astype(object)
    up, down = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    return up * fmt.min + down * fmt.max + start, up * fmt.max + down * fmt.min + start


def rounded_bounds(
    weight: IntArray,
    bias: IntArray,
    source: IntFormat,
    accumulator: Accumulator,
    tail: Tail,
) -> tuple[int, int]:
    """Least and greatest value of any channel after the rounding shift, in every rounding mode."""
    low, high = channel_bounds(weight, bias, source)
    if accumulator.mode is not AccumulatorMode.WIDE:
        low, high = low * 0 + accumulator.format.min, high * 0 + accumulator.format.max
    multiplier = tail.multiplier.astype(object)
    offsets = [array.astype(object) for array in (tail.offset, tail.offset_below)]
    least = min(int((low * multiplier + offset).min()) for offset in offsets) >> tail.shift
    most = max(int((high * multiplier + offset).max()) for offset in offsets) >> tail.shift
    return least - 1, most + 1  # one more on either side covers every rounding mode
