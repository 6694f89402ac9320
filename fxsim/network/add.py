"""The sum of two activations in integers, for residual connections."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fxsim.arithmetic.formats import MAX_BITS, IntFormat, Overflow
from fxsim.arithmetic.tensors import Activation, check_bool, set_int
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.linear import MAX_LANES, Requantizer
from fxsim.network.tensor_type import NO_TENSORS, NO_UNIT, TensorType

INPUT = "input"
"""What a shortcut from the network's input is called; no layer can be, as it is a keyword."""

MIN_DEPTH = 2
"""Of a queue: the register that its words leave by, and a word of memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedAdd:
    """The sum of what the layer before yields and of what an earlier one did (He et al. 2016).

    The two have scales of their own, so each has its multiplier; both share one shift::

        accumulator = multiplier[0] * (x - zero point of x) + multiplier[1] * (y - zero point of y)
        output = requantize(accumulator) by that shift: one rounding, relu, zero point, overflow

    multiplier[0] / 2**shift stands for the real ratio scale of x / scale of the output, and
    multiplier[1] / 2**shift likewise for y. The sum is exact, so its order does not matter.

    Parameters
    ----------
    name : str
    shortcut : str
        Name of the layer that yields y, or `INPUT`; not the layer right before.
    shape : tuple of int
        Of either operand and of the output: (channels, height, width) or (items,).
    input, other : Activation
        Of x and of y.
    requantizer : Requantizer
        With two multipliers.
    accumulator : IntFormat
        Holds every sum, proven from multipliers and formats.
    relu : bool
    output : Activation
    lanes : int
        Sums that hardware computes at a time; they divide the channels of an image or the items.
    depth : int
        Words of the queue in which y waits for x; `fxsim.timing.depths` finds the least that costs
        no time. The words are those of the stream of y.

    Raises
    ------
    RangeError
        If shapes, lanes or multipliers do not fit, the accumulator is too narrow, or an
        intermediate result could need more than 62 bits.
    """

    name: str
    shortcut: str
    shape: tuple[int, ...]
    input: Activation
    other: Activation
    requantizer: Requantizer
    accumulator: IntFormat
    relu: bool
    output: Activation
    lanes: int = 1
    depth: int = MIN_DEPTH

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
        set_int(self, "depth", MIN_DEPTH, 1 << 24)
        check_bool(self.relu, "relu")
        if shape[0] % self.lanes:
            what = "items" if len(shape) == 1 else "channels"
            raise RangeError(f"lanes must divide {shape[0]} {what}, not {self.lanes}")
        requantizer = self.requantizer
        if requantizer.multiplier.shape != (2,):
            raise RangeError(f"multiplier must have shape (2,), not {requantizer.multiplier.shape}")
        if requantizer.offset.any():
            raise RangeError("offset must be 0: the operands bring their zero points")
        for fmt in (self.input.format, self.other.format):
            if fmt.bits + 1 + requantizer.multiplier_bits > MAX_BITS:
                raise RangeError(
                    f"input bits plus multiplier bits must be at most {MAX_BITS - 1},"
                    f" not {fmt.bits} + {requantizer.multiplier_bits}"
                )
        if not self.accumulator.signed or self.accumulator.narrow:
            raise RangeError(f"accumulator must be signed and not narrow, not {self.accumulator}")
        if not self.accumulator.holds(*self.bounds):
            low, high = self.bounds
            raise RangeError(
                f"accumulator must hold {low} to {high}, which {self.accumulator} does not"
            )
        if requantizer.overflow is Overflow.WRAP and self.output.format.narrow:
            raise RangeError("output must not be narrow when it wraps")

    @property
    def multipliers(self) -> tuple[int, int]:
        """Of x and of y."""
        first, second = self.requantizer.multiplier.tolist()
        return first, second

    @property
    def bias(self) -> int:
        """What both zero points come to: accumulator = multipliers . (x, y) + bias."""
        first, second = self.multipliers
        return -first * self.input.zero_point - second * self.other.zero_point

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest accumulator of any x and y."""
        return add_bounds(self.multipliers, (self.input, self.other))

    @property
    def adds(self) -> tuple[QuantizedAdd, ...]:
        """Sums of activations: itself."""
        return (self,)

    @property
    def sources(self) -> tuple[str, ...]:
        """Where y comes from."""
        return (self.shortcut,)

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """The summands x and y."""
        return TensorType(self.shape, self.input), TensorType(self.shape, self.other)

    @property
    def idle(self) -> int:
        """Integer on an idle output lane."""
        return self.output.zero_point

    @property
    def inputs(self) -> int:
        """Integers of either operand."""
        return math.prod(self.shape)

    @property
    def outputs(self) -> int:
        """Integers of the output."""
        return self.inputs

    @property
    def shape_in(self) -> tuple[int, ...]:
        """Shape of either operand."""
        return self.shape

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Shape of the output: that of either operand."""
        return self.shape

    @property
    def lanes_in(self) -> int:
        """Lanes of either operand."""
        return self.lanes

    @property
    def lanes_out(self) -> int:
        """Lanes of the output."""
        return self.lanes


def add_bounds(
    multipliers: tuple[int, int], operands: tuple[Activation, Activation]
) -> tuple[int, int]:
    """Least and greatest sum of multiplier * (value - zero point); multipliers are not negative."""
    low = high = 0
    for multiplier, operand in zip(multipliers, operands, strict=True):
        low += multiplier * (operand.format.min - operand.zero_point)
        high += multiplier * (operand.format.max - operand.zero_point)
    return low, high
