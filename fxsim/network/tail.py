"""From sums to activations: the end of every kind that computes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from fxsim.arithmetic import integers
from fxsim.arithmetic.formats import MAX_BITS, IntFormat, Overflow, Rounding
from fxsim.arithmetic.tensors import (
    Activation,
    IntArray,
    check_bool,
    check_range,
    freeze,
    set_int,
)
from fxsim.errors import RangeError


@dataclass(frozen=True, kw_only=True, eq=False)
class Tail:
    """Treatment of a sum once it is complete (`fxsim.arithmetic.integers.requantize`).

    The hardware of it is a `fxsim.hw.blocks.requantizer.Requantizer`.

    Parameters
    ----------
    multiplier : int64 array, shape (1,) or (outputs,)
        Non-negative integers below 2**multiplier_bits; all 1 for a plain shift.
    multiplier_bits : int
        Word length of the multiplier; 0 means that there is none (a plain shift).
    shift : int
        Bits dropped after the multiplication, 0 to 62.
    offset : int64 array, shape (1,) or (outputs,)
        Added after the multiplication, before the shift: the bias in units of 2**-shift of an
        output step. A channel of multiplier 0 is the constant that its offset says.
    below : int64 array, shape (1,) or (outputs,)
        Joins the offset where the sum is less than 0. Rounding that treats both sides alike is such
        a constant; so are two roundings one after the other.
    slack_bits : int
        Low bits that are cleared before the rounding, 0 to ``shift``.
    rounding : Rounding
    relu : bool
        True if what is rounded is at least 0, before the zero point is added.
    overflow : Overflow
    clamp : tuple of int, optional
        Least and greatest output, within its format; values beyond saturate.

    Raises
    ------
    RangeError
        If an integer is out of range, or a clamp has no value or wraps.
    """

    multiplier: IntArray
    multiplier_bits: int
    shift: int
    rounding: Rounding
    overflow: Overflow
    offset: IntArray = field(default_factory=lambda: np.zeros(1, np.int64))
    below: IntArray = field(default_factory=lambda: np.zeros(1, np.int64))
    slack_bits: int = 0
    relu: bool = False
    clamp: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        freeze(self, "multiplier", "multiplier")
        freeze(self, "offset", "offset")
        freeze(self, "below", "below")
        set_int(self, "multiplier_bits", 0, MAX_BITS)
        set_int(self, "shift", 0, MAX_BITS)
        set_int(self, "slack_bits", 0, self.shift)
        check_bool(self.relu, "relu")
        low, high = (0, (1 << self.multiplier_bits) - 1) if self.multiplier_bits else (1, 1)
        check_range(self.multiplier, low, high, "multiplier")
        # As wide as the product may be: their sum and what rounding adds fit 64 bits.
        reach = 1 << (MAX_BITS - 1)
        for key in ("offset", "below"):
            constants = getattr(self, key)
            check_range(constants, -reach, reach - 1, key)
            if not constants.any():  # however many, so that equal tails look alike
                object.__setattr__(self, key, np.zeros(1, np.int64))
        check_range(self.offset_below, -reach, reach - 1, "offset of sums below 0")
        if self.clamp is not None:
            self._check_clamp(*self.clamp)

    def _check_clamp(self, low: int, high: int) -> None:
        if type(low) is not int or type(high) is not int or low > high:
            raise RangeError(f"clamp must be two integers in order, not {self.clamp}")
        if self.overflow is Overflow.WRAP:
            raise RangeError("clamp must be left out where outputs wrap")

    def check_output(self, fmt: IntFormat) -> None:
        """Check that outputs can be in ``fmt``.

        Raises
        ------
        RangeError
            If it is narrow and they wrap, or does not hold the clamp.
        """
        if self.overflow is Overflow.WRAP and fmt.narrow:
            raise RangeError("a narrow output cannot wrap")
        if self.clamp is not None and not fmt.holds(*self.clamp):
            raise RangeError(f"clamp must be in {fmt}, not {self.clamp}")

    @property
    def offset_below(self) -> IntArray:
        """Offset of sums that are less than 0."""
        return self.offset + self.below

    @property
    def per_channel(self) -> bool:
        """True if channels differ in their multiplier or in an offset."""
        return any(map(varies, (self.multiplier, self.offset, self.below)))

    @property
    def scales(self) -> bool:
        """True if anything comes before the shift: a multiplier or an offset."""
        return self.multiplier_bits > 0 or bool(self.offset.any() or self.below.any())

    def rows(self, which: slice | IntArray) -> Tail:
        """Constants of some of the outputs."""
        multiplier, offset, below = (
            array[which] if len(array) > 1 else array
            for array in (self.multiplier, self.offset, self.below)
        )
        return replace(self, multiplier=multiplier, offset=offset, below=below)

    def applied(self, total: int, output: Activation, channel: int = 0) -> int:
        """Output of a channel for a sum, by the definition: `integers.requantize`."""

        def of(constants: IntArray) -> int:
            return int(constants[channel % len(constants)])

        return integers.requantize(
            total,
            multiplier=of(self.multiplier),
            offset=of(self.offset),
            below=of(self.below),
            slack_bits=self.slack_bits,
            shift=self.shift,
            zero_point=output.zero_point,
            fmt=output.format,
            rounding=self.rounding,
            mode=self.overflow,
            relu=self.relu,
            clamp=self.clamp,
        )


def varies(array: IntArray) -> bool:
    """True if an array holds more than one value."""
    return bool((array != array[0]).any())
