"""Integer tables of sigmoid and tanh: simulator and ROM use the same numbers.

Both functions are odd about their middle, so only the half for inputs of 0 and more is stored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.arithmetic.integers import shift_round
from fxsim.errors import RangeError


class Nonlinearity(StrEnum):
    """Functions that a table can hold."""

    SIGMOID = "sigmoid"
    TANH = "tanh"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A nonlinearity on integers.

    Parameters
    ----------
    function : Nonlinearity
    input : IntFormat
        Signed and narrow; real input = 2**-input_fraction * integer.
    input_fraction : int
        Bits after the binary point of the input, 0 or more.
    bits : int
        Word length of a stored value; real output = 2**-bits * integer. Values of sigmoid are
        unsigned, those of tanh get a sign, so both reach 2**bits - 1 at most.
    step_bits : int
        Low bits of the input that are interpolated linearly; 0 stores every value.
    values : tuple of int
        Outputs for inputs 0, 2**step_bits, 2 * 2**step_bits, ... up to the first beyond the format.

    Raises
    ------
    RangeError
        If the formats make no sense, or a value or their number is wrong.
    """

    function: Nonlinearity
    input: IntFormat
    input_fraction: int
    bits: int
    step_bits: int
    values: tuple[int, ...]

    def __post_init__(self) -> None:
        if not (self.input.signed and self.input.narrow and self.input.bits <= 16):
            raise RangeError(f"input must be signed, narrow and at most 16 bits, not {self.input}")
        if not 2 <= self.bits <= 16:
            raise RangeError(f"bits must be from 2 to 16, not {self.bits}")
        if not 0 <= self.input_fraction <= 16:
            raise RangeError(f"input_fraction must be from 0 to 16, not {self.input_fraction}")
        if not 0 <= self.step_bits < self.input.bits - 1:
            raise RangeError(
                f"step_bits must be from 0 to {self.input.bits - 2}, not {self.step_bits}"
            )
        entries = table_entries(self.input, self.step_bits)
        if len(self.values) != entries:
            raise RangeError(f"values must have {entries} entries, not {len(self.values)}")
        for k, value in enumerate(self.values):
            if type(value) is not int or not 0 <= value < 1 << self.bits:
                raise RangeError(
                    f"values[{k}] must be from 0 to {(1 << self.bits) - 1}, not {value}"
                )
        if any(b < a for a, b in zip(self.values, self.values[1:], strict=False)):
            raise RangeError("values must not fall")

    @property
    def output(self) -> IntFormat:
        """Format of the result."""
        if self.function is Nonlinearity.SIGMOID:
            return IntFormat(bits=self.bits, signed=False)
        return IntFormat(bits=self.bits + 1, signed=True, narrow=True)

    def __call__(self, value: int) -> int:
        """Result for an integer of the input format: the written definition of the lookup."""
        magnitude = abs(value)
        entry, rest = divmod(magnitude, 1 << self.step_bits)
        result = self.values[entry]
        if rest:
            rise = (self.values[entry + 1] - result) * rest
            result += shift_round(rise, self.step_bits, Rounding.TIES_POS)
        if value >= 0:
            return result
        return (1 << self.bits) - result if self.function is Nonlinearity.SIGMOID else -result

    def expand(self) -> list[int]:
        """Results for every input from the least to the greatest."""
        return list(self._expanded)

    @cached_property
    def _expanded(self) -> tuple[int, ...]:
        return tuple(self(value) for value in range(self.input.min, self.input.max + 1))


def table_entries(fmt: IntFormat, step_bits: int) -> int:
    """Stored values of a table: one for each step of 0 .. max, and one more to interpolate to."""
    steps = (fmt.max >> step_bits) + 1
    return steps + (1 if step_bits else 0)


@lru_cache(maxsize=64)
def build_table(
    function: Nonlinearity, *, bits: int, input_bits: int, input_fraction: int, step_bits: int = 0
) -> Table:
    """Table of a function, each value rounded to nearest and kept below 2**bits.

    Parameters
    ----------
    bits, input_fraction, step_bits : int
        As in `Table`.
    input_bits : int
        Word length of the input, sign included.
    """
    fmt = IntFormat(bits=input_bits, signed=True, narrow=True)
    values = []
    for entry in range(table_entries(fmt, step_bits)):
        x = math.ldexp(entry << step_bits, -input_fraction)
        y = math.tanh(x) if function is Nonlinearity.TANH else 1 / (1 + math.exp(-x))
        values.append(min(math.floor(math.ldexp(y, bits) + 0.5), (1 << bits) - 1))
    return Table(
        function=function,
        input=fmt,
        input_fraction=input_fraction,
        bits=bits,
        step_bits=step_bits,
        values=tuple(values),
    )
