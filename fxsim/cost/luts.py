"""An estimate of LUTs that needs no synthesis, for the choice of foldings."""

from __future__ import annotations

from collections.abc import Iterable

from fxsim.plan.graph import Block
from fxsim.plan.mac_array import MacArrayConfig

SIGN, SHIFT, EXPONENT, DSP, LUT = 12, 15, 3.75, 17, 57
"""LUTs of a cell with its share of the accumulator, as docs/area.md measures them on xc7 with
activations of 8 bits: binary and ternary weights; powers of two, and each exponent of them; weights
of 8 bits with a multiplier in a DSP block, and with one in LUTs."""


def luts(blocks: Iterable[Block]) -> int:
    """LUTs of the multiply-accumulate cells among blocks, in proportion to word lengths."""
    return round(sum(map(_luts, (block.record for block in blocks))))


def _luts(record: object) -> float:
    if not isinstance(record, MacArrayConfig):
        return 0.0
    cells = record.rows * record.simd * record.activation.bits / 8
    if not record.code.multiplies:
        exponents = len(record.code.magnitudes) - record.code.pads
        return cells * (SIGN if exponents == 1 else SHIFT + EXPONENT * exponents)
    return DSP * cells if record.dsp else LUT * cells * record.code.bits / 8
