"""From sums to activations: the end of every kind that computes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from fxsim.arithmetic.formats import MAX_BITS, Overflow, Rounding
from fxsim.arithmetic.tensors import IntArray, check_bool, check_range, freeze, set_int


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
    slack_bits : int
        Low bits that are cleared before the rounding, 0 to ``shift``.
    rounding : Rounding
    relu : bool
        True if what is rounded is at least 0, before the zero point is added.
    overflow : Overflow

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
    offset: IntArray = field(default_factory=lambda: np.zeros(1, np.int64))
    slack_bits: int = 0
    relu: bool = False

    def __post_init__(self) -> None:
        freeze(self, "multiplier", "multiplier")
        freeze(self, "offset", "offset")
        set_int(self, "multiplier_bits", 0, MAX_BITS)
        set_int(self, "shift", 0, MAX_BITS)
        set_int(self, "slack_bits", 0, self.shift)
        check_bool(self.relu, "relu")
        low, high = (0, (1 << self.multiplier_bits) - 1) if self.multiplier_bits else (1, 1)
        check_range(self.multiplier, low, high, "multiplier")
        # As wide as the product may be: their sum and what rounding adds fit 64 bits.
        reach = 1 << (MAX_BITS - 1)
        check_range(self.offset, -reach, reach - 1, "offset")
        if not self.offset.any():  # however many, so that equal tails look alike
            object.__setattr__(self, "offset", np.zeros(1, np.int64))

    @property
    def per_channel(self) -> bool:
        """True if channels differ in their multiplier or in their offset."""
        return varies(self.multiplier) or varies(self.offset)

    @property
    def scales(self) -> bool:
        """True if anything comes before the shift: a multiplier or an offset."""
        return self.multiplier_bits > 0 or bool(self.offset.any())

    def rows(self, which: slice | IntArray) -> Tail:
        """Constants of some of the outputs."""
        multiplier, offset = (
            array[which] if len(array) > 1 else array for array in (self.multiplier, self.offset)
        )
        return replace(self, multiplier=multiplier, offset=offset)


def varies(array: IntArray) -> bool:
    """True if an array holds more than one value."""
    return bool((array != array[0]).any())
