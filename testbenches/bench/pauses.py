"""Pauses of sources and sinks: seeded bursts, the same in Python and in the bench's Verilog.

`verilog/pauses.v` draws the very same numbers (xorshift32: Marsaglia, Xorshift RNGs, Journal of
Statistical Software 8 (14), 2003), so that both benches give a device the same cycles.
"""

from __future__ import annotations

from collections.abc import Iterator

_BURSTS = ((1, 1), (3, 1), (1, 3), (8, 8), (20, 2), (2, 20))
_LONG = 400  # so long that every buffer of a network runs empty or full
_MASK = 0xFFFF_FFFF


class Pauses:
    """Seeded stream of pauses: bursts of random length, more than half of all cycles if active."""

    def __init__(self, active: bool, seed: int):
        self._bits = _bursts(seed) if active else None

    def now(self) -> bool:
        """True to pause in this cycle."""
        return self._bits is not None and next(self._bits)


def _bursts(seed: int) -> Iterator[bool]:
    bits = _numbers(seed)
    while True:
        draw = next(bits)
        busy, idle = _BURSTS[(draw >> 4) % len(_BURSTS)]
        if (draw >> 16) % 50 == 0:
            idle = _LONG
        yield from [False] * ((next(bits) >> 8) % (busy + 1))
        yield from [True] * ((next(bits) >> 8) % (idle + 1))


def _numbers(seed: int) -> Iterator[int]:
    """Endless xorshift32 of a seed that is spread over all bits."""
    bits = ((seed + 1) * 0x9E37_79B1) & _MASK or 1
    while True:
        bits ^= (bits << 13) & _MASK
        bits ^= bits >> 17
        bits ^= (bits << 5) & _MASK
        yield bits
