"""The arithmetic of fxsim on Python integers: the definition that everything else equals.

Python integers cannot overflow, so each function is its own formula. ``docs/arithmetic.md``
explains them with worked examples.
"""

from __future__ import annotations

from collections.abc import Iterable

from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.errors import ConfigError


def wrap(value: int, fmt: IntFormat) -> int:
    """Keep the low ``fmt.bits`` bits of ``value``, read in the signedness of ``fmt``.

    Wrapping knows no ``narrow``: a narrow format wraps like the full one.
    """
    low = value & ((1 << fmt.bits) - 1)
    return low - (1 << fmt.bits) if fmt.signed and low >> (fmt.bits - 1) else low


def saturate(value: int, fmt: IntFormat) -> int:
    """Clamp ``value`` to the range of ``fmt``."""
    return min(max(value, fmt.min), fmt.max)


def overflow(value: int, fmt: IntFormat, mode: Overflow) -> int:
    """Bring ``value`` into ``fmt`` by ``mode``."""
    return wrap(value, fmt) if mode is Overflow.WRAP else saturate(value, fmt)


def shift_round(value: int, shift: int, rounding: Rounding) -> int:
    """Divide ``value`` by 2**shift and round; a shift of 0 is the identity in every mode.

    Raises
    ------
    ConfigError
        If ``shift`` is negative.
    """
    if shift < 0:
        raise ConfigError(f"shift must be at least 0, not {shift}")
    if shift == 0:
        return value
    half = 1 << (shift - 1)
    match rounding:
        case Rounding.FLOOR:
            bump = 0
        case Rounding.TO_ZERO:
            bump = 2 * half - 1 if value < 0 else 0
        case Rounding.TIES_AWAY:
            bump = half - 1 if value < 0 else half
        case Rounding.TIES_POS:
            bump = half
        case Rounding.TIES_EVEN:
            bump = half - 1 + (value >> shift & 1)
    return (value + bump) >> shift


def requantize(
    accumulator: int,
    *,
    multiplier: int,
    offset: int = 0,
    below: int = 0,
    slack_bits: int = 0,
    shift: int,
    zero_point: int,
    fmt: IntFormat,
    rounding: Rounding,
    mode: Overflow,
    relu: bool,
    clamp: tuple[int, int] | None = None,
) -> int:
    """Bring an accumulator to the activation format ``fmt``.

    overflow(max?(shift_round(accumulator * multiplier + offset, shift), 0) + zero_point), where the
    maximum with 0 is taken for ``relu`` only. A plain shift is the case ``multiplier == 1``.

    ``below`` joins the offset of accumulators that are less than 0, and ``clamp`` is the least and
    the greatest result, where that is narrower than the format.

    ``slack_bits``, at most ``shift``, are low bits that are cleared before the rounding: where a
    multiplier stands for a reciprocal, a little too large, its excess is in these bits, and ties
    are ties again.
    """
    constant = offset + below if accumulator < 0 else offset
    exact = (accumulator * multiplier + constant) >> slack_bits
    scaled = shift_round(exact, shift - slack_bits, rounding)
    if relu:
        scaled = max(scaled, 0)
    moved = scaled + zero_point
    if clamp is not None:
        moved = min(max(moved, clamp[0]), clamp[1])
    return overflow(moved, fmt, mode)


def accumulate(
    products: Iterable[int], *, start: int, simd: int, fmt: IntFormat, mode: AccumulatorMode
) -> tuple[int, int]:
    """Sum ``products`` onto ``start`` (the bias) in beats of ``simd`` products.

    The products of one beat are summed exactly, then added to the accumulator; overflow is treated
    once per beat.

    Returns
    -------
    accumulator : int
    overflows : int
        Number of beats whose exact result did not fit ``fmt``.
    """
    terms = list(products)
    accumulator, overflows = start, 0
    treat = saturate if mode is AccumulatorMode.SATURATE else wrap
    for beat in range(0, len(terms), simd):
        exact = accumulator + sum(terms[beat : beat + simd])
        accumulator = treat(exact, fmt)
        overflows += exact != accumulator
    return accumulator, overflows
