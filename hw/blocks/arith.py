"""Adders, rounding and saturation on Amaranth values, without silent truncation.

In Amaranth slices and concatenations are unsigned, and an assignment drops high bits. Both are
dealt with here, in the only file of ``hw`` that calls ``as_signed``.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Mux, Shape, Value, ValueLike

from fxsim.arithmetic.formats import Rounding
from fxsim.errors import ConfigError


def shape_spanning(low: int, high: int) -> Shape:
    """Smallest shape, of at least one bit, that holds every integer from ``low`` to ``high``.

    Raises
    ------
    ConfigError
        If ``low`` exceeds ``high``.
    """
    if low > high:
        raise ConfigError(f"low must be at most high ({high}), not {low}")
    return Shape.cast(range(min(low, 0), max(high, int(low >= 0)) + 1))


def bounds_of(shape: Shape) -> tuple[int, int]:
    """Smallest and largest integer of ``shape``."""
    high = (1 << (shape.width - shape.signed)) - 1
    return (-high - 1 if shape.signed else 0), high


def as_signed(value: ValueLike) -> Value:
    """Integer in a signed shape; an unsigned value grows by its sign bit."""
    value = Value.cast(value)
    return value if value.shape().signed else Cat(value, Const(0, 1)).as_signed()


def _resize(value: Value, shape: Shape) -> Value:
    """``value`` in ``shape``, which the caller knows to hold it."""
    value = as_signed(value)
    bits = Cat(value, value[-1].replicate(max(shape.width - len(value), 0)))[: shape.width]
    return bits.as_signed() if shape.signed else bits


@dataclass(frozen=True, slots=True)
class Bounded:
    """A value that stays within ``low`` .. ``high``, which is often less than its shape holds."""

    value: Value
    low: int
    high: int

    @classmethod
    def whole(cls, value: ValueLike) -> "Bounded":
        """A value that takes every integer of its shape."""
        value = Value.cast(value)
        return cls(value, *bounds_of(value.shape()))

    @property
    def shape(self) -> Shape:
        """Smallest shape that holds the range."""
        return shape_spanning(self.low, self.high)

    def __add__(self, other: "Bounded") -> "Bounded":
        return Bounded(self.value + other.value, self.low + other.low, self.high + other.high)

    def __mul__(self, other: "Bounded") -> "Bounded":
        corners = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Bounded(self.value * other.value, min(corners), max(corners))

    def add_sub(self, other: "Bounded", subtract: Value) -> "Bounded":
        """Difference where the bit ``subtract`` is set, else sum, on one carry chain."""
        left, right = as_signed(self.value), as_signed(other.value)
        width = max(len(left), len(right)) + 1
        # The operand that is inverted must be the longer one: Yosys sorts operands by length, and
        # the inverter of the second one alone melts into the LUTs of the carry chain.
        right = right ^ subtract.replicate(width).as_signed()
        # The extra least significant bit carries the +1 of the two's complement. As a third operand
        # it would cost a second row of adders.
        total = Cat(subtract, left).as_signed() + Cat(subtract, right).as_signed()
        low = min(self.low + other.low, self.low - other.high)
        high = max(self.high + other.high, self.high - other.low)
        return Bounded(_resize(total >> 1, shape_spanning(low, high)), low, high)


def add_booth_digit(total: Bounded, factor: Bounded, weight: Value, position: int) -> Bounded:
    """Take one step, of two weight bits, of a multiplication in radix 4.

    Starting from ``Bounded(Const(0), 0, 0)``, the steps at positions 0, 2, 4, ... below the width
    of ``weight`` make ``factor * weight``. A step costs about one LUT per bit of ``factor``.

    Parameters
    ----------
    total : Bounded
        Product of ``factor`` and the low ``position`` bits of ``weight``.
    factor : Bounded
    weight : Value
        A signed value.
    position : int
        Even.
    """
    bits = Cat(Const(0, 1), weight, weight[-1])[position : position + 3]
    one, negative = bits[0] ^ bits[1], bits[2]
    double = Bounded(factor.value << 1, factor.low * 2, factor.high * 2)
    nothing = Mux(bits[2] ^ bits[1], double.value, 0)
    digit = Bounded(
        Mux(one, factor.value, nothing), min(double.low, factor.low), max(double.high, factor.high)
    )
    # The low bits are final already: only those from ``position`` upwards are added.
    rest = Bounded(total.value >> position, total.low >> position, total.high >> position)
    done = Cat(total.value[:position], rest.add_sub(digit, negative).value)
    reach = factor * Bounded(Const(0), *bounds_of(Shape(position + 2, signed=True)))
    return Bounded(_resize(done.as_signed(), reach.shape), reach.low, reach.high)


def is_zero(value: Value) -> Value:
    """Bit that is set where ``value`` is 0.

    ``value == 0`` is the same, and arrives in Verilog as ``~| value``.
    """
    return ~value.any()


def equals(value: Value, constant: int) -> Value:
    """Bit that is set where ``value`` is ``constant``, for 0 as `is_zero` has it."""
    return value == constant if constant else is_zero(value)


def exceeds(value: Value, constant: int) -> Value:
    """Bit that is set where an unsigned ``value`` is greater; 0 where it has too few bits to be."""
    return value > constant if constant < (1 << len(value)) - 1 else Const(0, 1)


def fits(value: ValueLike, bits: int, signed: bool) -> Value:
    """Bit that is set where an integer of ``bits`` bits can hold ``value``.

    Raises
    ------
    ConfigError
        If ``bits`` is less than 1.
    """
    if bits < 1:
        raise ConfigError(f"bits must be at least 1, not {bits}")
    value = as_signed(value)
    if bits >= len(value):
        return Const(1, 1) if signed else ~value[-1]
    high = value[bits - signed :]
    return ~high.any() | high.all() if signed else ~high.any()


def saturate(value: ValueLike, low: int, high: int) -> Value:
    """Clamp ``value`` to ``low`` .. ``high``; the result has the smallest shape that holds these.

    High bits tell what the word of the result cannot hold. Comparators are as wide as that word,
    and there is none for an end of its range.

    Raises
    ------
    ConfigError
        If ``low`` exceeds ``high``.
    """
    value, shape = as_signed(value), shape_spanning(low, high)
    least, greatest = bounds_of(shape)
    inside = fits(value, shape.width, shape.signed)
    word = _resize(value, shape)
    within = Mux(word > high, high, word) if high < greatest else word
    within = Mux(word < low, low, within) if low > least else within
    return _resize(Mux(inside, within, Mux(value[-1], low, high)), shape)


def shift_round(value: ValueLike, shift: int, rounding: Rounding) -> Value:
    """Divide ``value`` by 2**shift and round; a shift of 0 is the identity in every mode.

    The result is as signed as ``value``. It has ``shift`` bits less, and one bit more again for the
    modes that round up positive values.

    Raises
    ------
    ConfigError
        If ``shift`` is negative.
    """
    if shift < 0:
        raise ConfigError(f"shift must be at least 0, not {shift}")
    value = Value.cast(value)
    if shift == 0:
        return value
    signed = value.shape().signed
    quotient = as_signed(value) >> shift
    # Every mode adds nothing or 1 to the quotient; that bit comes from the discarded ones, so that
    # the carry chain is as short as the result.
    wide = _resize(value, Shape(max(len(value) + 1, shift + 1), signed=True))
    half, below, negative = wide[shift - 1], wide[: shift - 1], wide[-1]
    match rounding:
        case Rounding.FLOOR:
            bump = Const(0, 1)
        case Rounding.TO_ZERO:
            bump = negative & (half | below.any())
        case Rounding.TIES_AWAY:
            bump = half & (~negative | below.any())
        case Rounding.TIES_POS:
            bump = half
        case Rounding.TIES_EVEN:
            bump = half & (wide[shift] | below.any())
    carry = rounding not in (Rounding.FLOOR, Rounding.TO_ZERO)
    return _resize(quotient + bump, Shape(max(len(value) - shift, 1) + carry, signed=signed))


def shift_round_random(value: ValueLike, shift: int, word: Value) -> Value:
    """Divide ``value`` by 2**shift, up with the probability of what is dropped.

    `fxsim.arithmetic.stochastic.shift_round`: the upper ``shift`` bits of ``word`` are added below
    the new least significant bit; beyond its width zeros fill up. A shift of 0 is the identity. The
    result is signed, ``shift`` bits shorter than ``value`` and one bit longer again.

    Raises
    ------
    ConfigError
        If ``shift`` is negative.
    """
    if shift < 0:
        raise ConfigError(f"shift must be at least 0, not {shift}")
    value = as_signed(value)
    if shift == 0:
        return value
    excess = shift - len(word)
    added = Cat(Const(0, excess), word) if excess > 0 else word[-excess:]
    total = (value + added) >> shift
    return _resize(total, Shape(max(len(value) - shift, 1) + 1, signed=True))
