"""``fxsim generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fxsim.cli.lookup import read_network
from fxsim.cli.options import JsonOption, NetworkArgument
from fxsim.cli.output import print_json, print_line
from fxsim.cli.units import read_unit


def generate(
    network: NetworkArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
    as_json: JsonOption = False,
) -> None:
    """Write Verilog and a manifest of its ports.

    NETWORK may be a unit, too: a YAML file with a ``kind``, such as zero-skip-64.
    """
    design = read_unit(network) or read_network(network)
    from fxsim.hw.emit import emit, emit_unit
    from fxsim.network import QuantizedNetwork

    written = (
        emit(design, output) if isinstance(design, QuantizedNetwork) else emit_unit(design, output)
    )
    paths = [str(path) for path in written]
    if as_json:
        print_json({"name": design.name, "files": paths})
    else:
        for path in paths:
            print_line(path)
