"""Arguments and options that commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import typer

NetworkArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="NETWORK", help="Folder of a network, or its name.")
]
SpecArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="SPEC", help="YAML file of a specification, or a network's name.")
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout.")
]
SeedOption: TypeAlias = Annotated[
    int, typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of everything random.")
]


class Simulator(StrEnum):
    """Verilog simulators of the regression."""

    VERILATOR = "verilator"
    ICARUS = "icarus"


class Target(StrEnum):
    """FPGA families that Yosys synthesizes for."""

    XC7 = "xc7"
    ECP5 = "ecp5"
    ICE40 = "ice40"


SimulatorOption: TypeAlias = Annotated[
    list[Simulator], typer.Option("--sim", help="Simulator; repeat for more.")
]
VectorsOption: TypeAlias = Annotated[
    int | None, typer.Option("--vectors", min=1, help="Most vectors to stream on each simulator.")
]
