"""What FPGA parts hold, from the manufacturers' product tables.

Sources: Lattice, iCE40 UltraPlus (FPGA-DS-02008) and iCE40 LP/HX (FPGA-DS-02029) family data
sheets; Lattice, ECP5 family data sheet (FPGA-DS-02012); AMD, 7 Series overview (DS180) and
Zynq-7000 overview (DS190). A half block of 7-series memory counts as a whole one.
"""

from __future__ import annotations

import difflib
from typing import NamedTuple

from fxsim.errors import SpecError


class Part(NamedTuple):
    """A part: the target that it belongs to and its cells of each kind."""

    target: str
    lut: int
    ff: int
    dsp: int
    block_ram: int


PARTS = {
    "ice40up5k": Part("ice40", 5280, 5280, 8, 30),
    "ice40hx1k": Part("ice40", 1280, 1280, 0, 16),
    "ice40hx4k": Part("ice40", 3520, 3520, 0, 20),
    "ice40hx8k": Part("ice40", 7680, 7680, 0, 32),
    "lfe5u-25": Part("ecp5", 24288, 24288, 28, 56),
    "lfe5u-45": Part("ecp5", 43848, 43848, 72, 108),
    "lfe5u-85": Part("ecp5", 83640, 83640, 156, 208),
    "xc7a35t": Part("xc7", 20800, 41600, 90, 50),
    "xc7a100t": Part("xc7", 63400, 126800, 240, 135),
    "xc7a200t": Part("xc7", 134600, 269200, 740, 365),
    "xc7z010": Part("xc7", 17600, 35200, 80, 60),
    "xc7z020": Part("xc7", 53200, 106400, 220, 140),
}


def find_part(name: str) -> Part:
    """Look up a part.

    Raises
    ------
    SpecError
        If it is unknown; the message gives the nearest known one.
    """
    if name not in PARTS:
        near = difflib.get_close_matches(name, PARTS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known parts: {', '.join(PARTS)}"
        raise SpecError(f"unknown part {name!r}; {hint}")
    return PARTS[name]
