"""``fxsim quantize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fxsim.cli.lookup import CHECKPOINT, blamed_on, find_spec
from fxsim.cli.options import JsonOption, SpecArgument
from fxsim.cli.output import print_json, print_line
from fxsim.cli.paths import check_outputs


def quantize(
    spec: SpecArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the network.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Float parameters; default: beside the specification."),
    ] = None,
    direct: Annotated[
        bool, typer.Option("--direct", help="Leave retrained parameters aside.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn trained parameters into a network of integers."""
    from fxsim import data, quantize
    from fxsim.checkpoint import load_checkpoint
    from fxsim.evaluate import calibration_samples
    from fxsim.spec import load_spec
    from fxsim.storage import MANIFEST, TENSORS, check_free, network_hash, save_network

    path = find_spec(spec)
    source = checkpoint or path.with_name(CHECKPOINT)
    outputs = {f"{name} of --output": output / name for name in (MANIFEST, TENSORS)}
    check_outputs(outputs, {"SPEC": path, "--checkpoint": source})
    check_free(output)
    wanted = load_spec(path)
    parameters = load_checkpoint(source, wanted)
    with blamed_on(path):
        samples = calibration_samples(data.load(wanted.data, wanted.input.shape))
        network = quantize.quantize(wanted, parameters, samples, direct=direct)
    save_network(network, output)
    digest = network_hash(network)
    if as_json:
        print_json({"name": network.name, "hash": digest, "folder": str(output)})
    else:
        print_line(f"{output}: {network.name}, hash {digest}")
