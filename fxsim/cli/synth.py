"""``fxsim synth``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.lookup import read_network
from fxsim.cli.options import TARGETS_METAVAR, JsonOption, NetworkArgument, check_target
from fxsim.cli.output import Steps, print_json, print_table
from fxsim.cli.units import read_unit
from fxsim.targets.registry import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS = ("lut", "ff", "carry", "dsp", "block_ram", "lut_ram")
_HEADS = ("LUT", "flip-flop", "carry", "DSP", "block RAM", "LUT as RAM")


def synth(
    network: NetworkArgument,
    target: Annotated[
        str,
        typer.Option("--target", metavar=TARGETS_METAVAR, parser=check_target, help="FPGA family."),
    ] = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Synthesize with Yosys and count LUTs, registers and memories.

    NETWORK may be a unit, too: a YAML file with a ``kind``, such as zero-skip-64.
    """
    design = read_unit(network) or read_network(network)
    from fxsim.hw.emit import accelerator_verilog, memory_files, unit_memory_files, unit_verilog
    from fxsim.hw.tools.synth import synthesize
    from fxsim.network import QuantizedNetwork

    if isinstance(design, QuantizedNetwork):
        verilog, memories = accelerator_verilog(design), memory_files(design)
    else:
        verilog, memories = unit_verilog(design), unit_memory_files(design)
    with Steps().step("synthesize"):
        result = synthesize(verilog, design.name, target, memories=memories)
    if as_json:
        print_json({"name": design.name, **asdict(result)})
        return
    print_area(f"Area of {design.name}", [result])
    blocks = [[name, *(block.get(c, 0) for c in _COLUMNS)] for name, block in result.blocks.items()]
    if blocks:
        print_table("Blocks", ["block", *_HEADS], blocks)


def print_area(title: str, results: Sequence[Any]) -> None:
    """Table of objects like `fxsim.hw.tools.synth.SynthResult`."""
    print_table(
        title,
        ["target", *_HEADS],
        [[seen.target, *(getattr(seen, column) for column in _COLUMNS)] for seen in results],
    )
