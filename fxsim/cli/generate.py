"""``fxsim generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fxsim.cli.lookup import read_network
from fxsim.cli.options import JsonOption, NetworkArgument
from fxsim.cli.output import print_json, print_line


def generate(
    network: NetworkArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
    as_json: JsonOption = False,
) -> None:
    """Write Verilog and a manifest of its ports."""
    quantized = read_network(network)
    from hw.emit import emit

    paths = [str(path) for path in emit(quantized, output)]
    if as_json:
        print_json({"name": quantized.name, "files": paths})
    else:
        for path in paths:
            print_line(path)
