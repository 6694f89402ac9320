"""Arguments and options that commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import typer

from fxsim.errors import ConfigError, SpecError
from fxsim.targets.registry import TARGETS, find_part, find_target

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


class BenchKind(StrEnum):
    """What drives and watches a device: Verilog, or Python, which is slower."""

    VERILOG = "verilog"
    PYTHON = "python"


def check_target(name: str) -> str:
    """Take the name of a family of FPGAs; an unknown one is a wrong value of its option."""
    try:
        return find_target(name).name
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None


def check_part(name: str) -> str:
    """Take the name of a device; an unknown one is a wrong value of its option."""
    try:
        find_part(name)
    except SpecError as error:
        raise typer.BadParameter(str(error)) from None
    return name


TARGETS_METAVAR = "|".join(TARGETS)
"""Values of ``--target`` as ``--help`` shows them."""

SimulatorOption: TypeAlias = Annotated[
    list[Simulator], typer.Option("--sim", help="Simulator; repeat for more.")
]
VectorsOption: TypeAlias = Annotated[
    int | None, typer.Option("--vectors", min=1, help="Most vectors to stream on each simulator.")
]
