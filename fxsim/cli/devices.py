"""Tables of cells, and of how full they make devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fxsim.cli.output import print_line, print_table
from fxsim.targets.registry import find_part
from fxsim.targets.target import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fxsim.targets.device import Use

AREA = {
    "logic": "logic, packed",
    "lut": "LUT",
    "ff": "flip-flop",
    "carry": "carry",
    "dsp": "DSP",
    "block_ram": "block RAM",
    "lut_ram": "LUT as RAM",
    "pins": "pins",
}
"""Heads of the columns of cells."""
_DEVICE = {
    "logic": "logic",
    "ff": "flip-flops",
    "dsp": "DSP",
    "block_ram": "block RAM",
    "pins": "pins",
}


def print_area(title: str, results: Mapping[str, Any]) -> None:
    """Table of objects like `fxsim.hw.tools.synth.SynthResult`, by what they were made for."""
    print_table(
        title,
        ["target", *AREA.values()],
        [[name, *(getattr(seen, kind) for kind in AREA)] for name, seen in results.items()],
    )


def print_devices(title: str, uses: Sequence[Use], *, dsp: bool) -> None:
    """Table of parts, with what a design takes of each.

    Parameters
    ----------
    dsp : bool
        Whether the design has DSP blocks, so that parts without them are left out.
    """
    heads = ["device", *_DEVICE.values(), "fits"]
    rows = [[use.name, *map(use.text, _DEVICE), verdict(use)] for use in uses]
    print_table(title, heads, rows)
    for use in uses:
        if use.part.idle:
            print_line(f"{use.name} has {use.part.idle} as well, which synthesis leaves idle")
    target = find_part(uses[0].name)[0]
    left = [name for name, part in target.parts.items() if dsp and not part.dsp]
    if left:
        print_line(f"without DSP blocks: {', '.join(left)}; --part maps products to logic there")


def verdict(use: Use) -> str:
    """Tell whether a design fits, or what there is too little of."""
    if use.fits:
        return "yes"
    return "no: " + ", ".join(_DEVICE[kind] for kind in RESOURCES if kind in use.short)
