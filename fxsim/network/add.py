"""The sum of activations in integers, for residual connections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fxsim.arithmetic.formats import MAX_BITS, IntFormat
from fxsim.arithmetic.tensors import Activation, set_int
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.linear import MAX_LANES
from fxsim.network.tail import Tail
from fxsim.network.tensor_type import NO_TENSORS, NO_UNIT, TensorType


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedAdd:
    """The sum of what several layers yield, as where a shortcut ends (He et al. 2016).

    The summands have scales of their own, so each has its multiplier; all share one shift::

        accumulator = sum over k of multiplier[k] * (x[k] - zero point of x[k])
        output = requantize(accumulator) by that shift: one rounding, relu, zero point, overflow

    multiplier[k] / 2**shift stands for the real ratio scale of x[k] / scale of the output. The sum
    is exact, so its order does not matter.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Shape of each summand and of the output: (channels, height, width) or (items,).
    summands : tuple of Activation
        Two or more.
    tail : Tail
        With a multiplier for each summand.
    accumulator : IntFormat
        Holds every sum, proven from multipliers and formats.
    output : Activation
    lanes : int
        Sums that hardware computes at a time; they divide the channels of an image or the items.

    Raises
    ------
    RangeError
        If shapes, lanes or multipliers do not fit, the accumulator is too narrow, or an
        intermediate result could need more than 62 bits.
    """

    name: str
    shape: tuple[int, ...]
    summands: tuple[Activation, ...]
    tail: Tail
    accumulator: IntFormat
    output: Activation
    lanes: int = 1

    # Answers of `LayerKind`.
    linears = pools = lstms = ()
    state = probes = NO_TENSORS
    classifies = spatial = raw = False
    places, settling, unit = 1, 0, NO_UNIT

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        try:
            self._check()
        except RangeError as error:
            raise RangeError(f"{self.name}: {error}") from None

    def _check(self) -> None:
        shape = tuple(self.shape)
        object.__setattr__(self, "shape", shape)
        if len(shape) not in {1, 3} or not all(type(n) is int and n > 0 for n in shape):
            raise RangeError(f"shape must be 1 or 3 positive integers, not {shape}")
        set_int(self, "lanes", 1, MAX_LANES)
        if shape[0] % self.lanes:
            what = "items" if len(shape) == 1 else "channels"
            raise RangeError(f"lanes must divide {shape[0]} {what}, not {self.lanes}")
        tail, count = self.tail, len(self.summands)
        if count < 2:
            raise RangeError(f"summands must be at least 2, not {count}")
        if tail.multiplier.shape != (count,):
            raise RangeError(f"multiplier must have shape ({count},), not {tail.multiplier.shape}")
        if tail.offset.any() or tail.below.any():
            raise RangeError("offset must be 0: the operands bring their zero points")
        growth = (count - 1).bit_length()  # of a sum of so many
        for summand in self.summands:
            if summand.format.bits + growth + tail.multiplier_bits > MAX_BITS:
                raise RangeError(
                    f"input bits plus multiplier bits must be at most {MAX_BITS - growth},"
                    f" not {summand.format.bits} + {tail.multiplier_bits}"
                )
        if not self.accumulator.signed or self.accumulator.narrow:
            raise RangeError(f"accumulator must be signed and not narrow, not {self.accumulator}")
        if not self.accumulator.holds(*self.bounds):
            low, high = self.bounds
            raise RangeError(
                f"accumulator must hold {low} to {high}, which {self.accumulator} does not"
            )
        tail.check_output(self.output.format)

    @property
    def multipliers(self) -> tuple[int, ...]:
        """Multiplier of each summand."""
        return tuple(self.tail.multiplier.tolist())

    @property
    def after_sum(self) -> Tail:
        """Tail without the multipliers, by which the operands have been multiplied before."""
        return replace(self.tail, multiplier=np.ones(1, np.int64), multiplier_bits=0)

    @property
    def bias(self) -> int:
        """Constant for all zero points: accumulator = multipliers . x + bias."""
        pairs = zip(self.multipliers, self.summands, strict=True)
        return -sum(multiplier * summand.zero_point for multiplier, summand in pairs)

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest accumulator of any summands."""
        return add_bounds(self.multipliers, self.summands)

    @property
    def adds(self) -> tuple[QuantizedAdd, ...]:
        """Sums of activations: itself."""
        return (self,)

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """The summands."""
        return tuple(TensorType(self.shape, summand) for summand in self.summands)

    @property
    def idle(self) -> int:
        """Integer on an idle output lane."""
        return self.output.zero_point

    @property
    def inputs(self) -> int:
        """Integers of each summand."""
        return math.prod(self.shape)

    @property
    def outputs(self) -> int:
        """Integers of the output."""
        return self.inputs

    @property
    def shape_in(self) -> tuple[int, ...]:
        """Shape of each summand."""
        return self.shape

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Shape of the output: that of each summand."""
        return self.shape

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of its hardware."""
        return {"lanes": self.lanes}

    @property
    def lanes_in(self) -> int:
        """Lanes of each summand."""
        return self.lanes

    @property
    def lanes_out(self) -> int:
        """Lanes of the output."""
        return self.lanes


def add_bounds(multipliers: Sequence[int], operands: Sequence[Activation]) -> tuple[int, int]:
    """Least and greatest sum of multiplier * (value - zero point); multipliers are not negative."""
    low = high = 0
    for multiplier, operand in zip(multipliers, operands, strict=True):
        low += multiplier * (operand.format.min - operand.zero_point)
        high += multiplier * (operand.format.max - operand.zero_point)
    return low, high
