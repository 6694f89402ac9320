"""Stochastic rounding from a counter: the random word is a function of a value's position.

No state runs through the values, so the order of the computation does not matter: simulator and
hardware draw the same word for the same value. The generator needs no multiplier.
"""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.arithmetic.tensors import set_int

WORD_BITS = 32


@dataclass(frozen=True, kw_only=True)
class Stochastic:
    """Stochastic rounding: up with the probability of the dropped fraction.

    Parameters
    ----------
    seed : int
        32 bits. A training loop gives every batch another one.
    """

    seed: int

    def __post_init__(self) -> None:
        set_int(self, "seed", 0, (1 << WORD_BITS) - 1)


def mix(word: int) -> int:
    """Scramble 32 bits one to one: R. Jenkins' hash of six shifts, sums modulo 2**32."""
    word = word + 0x7ED55D16 + (word << 12) & 0xFFFFFFFF
    word = word ^ 0xC761C23C ^ word >> 19
    word = word + 0x165667B1 + (word << 5) & 0xFFFFFFFF
    word = (word + 0xD3A2646C & 0xFFFFFFFF) ^ (word << 9 & 0xFFFFFFFF)
    word = word + 0xFD7046C5 + (word << 3) & 0xFFFFFFFF
    return word ^ 0xB55A4F09 ^ word >> 16


def stream_key(seed: int, sequence: int, step: int, stream: int) -> int:
    """Start of the counter for the values of one cut in one time step of one sequence.

    mix(mix(mix(seed) + sequence) + 8 * step + stream), sums modulo 2**32; ``stream`` is 0 to 7.
    """
    key = mix(mix(seed) + sequence & 0xFFFFFFFF)
    return mix(key + 8 * step + stream & 0xFFFFFFFF)


def random_word(key: int, index: int) -> int:
    """Word for value ``index`` of a stream: in hardware a counter that starts at ``key``."""
    return mix(key + index & 0xFFFFFFFF)


def shift_round(value: int, shift: int, word: int) -> int:
    """Add random bits below the new least significant bit, then drop them.

    (value + r) >> shift, where r is the upper ``shift`` bits of the word. For more than 32 bits the
    word stands at the top of r and zeros fill it up: lower bits of the value are floored, a bias of
    less than 2**-32. A shift of 0 is the identity.
    """
    if shift <= WORD_BITS:
        return value + (word >> WORD_BITS - shift) >> shift
    return value + (word << shift - WORD_BITS) >> shift
