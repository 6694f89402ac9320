"""``fxsim quantize``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.lookup import CHECKPOINT, blamed_on, find_spec
from fxsim.cli.options import JsonOption, SpecArgument
from fxsim.cli.output import print_json, print_line, print_records
from fxsim.cli.paths import check_data, check_outputs

if TYPE_CHECKING:
    from fxsim.floats.checkpoint import Checkpoint
    from fxsim.spec.specification import NetworkSpec


def quantize(
    spec: SpecArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the network.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Float parameters; default: next to the specification."),
    ] = None,
    direct: Annotated[
        bool, typer.Option("--direct", help="Leave retrained parameters aside.")
    ] = False,
    layout: Annotated[
        str | None,
        typer.Option("--layout", help="Order of the parameters: fxsim, pytorch; default: its own."),
    ] = None,
    expected: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--expect",
            metavar="X.npy Y.npy",
            help="Samples, and the outputs that the float network must yield for them.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn trained parameters into a network of integers.

    With --expect only if the float network computes what another tool did, within 1e-4 of the range
    of its outputs: so wrongly ordered weights are found.
    """
    from fxsim import data
    from fxsim.floats.checkpoint import load_checkpoint
    from fxsim.floats.layouts import LAYOUTS
    from fxsim.network.storage import (
        MANIFEST,
        TENSORS,
        check_free,
        leftovers,
        network_hash,
        save_network,
    )
    from fxsim.quantizer.quantizer import quantize
    from fxsim.simulator.evaluate import calibration_samples
    from fxsim.spec import load_spec

    path = find_spec(spec)
    source = checkpoint or path.with_name(CHECKPOINT)
    written = [MANIFEST, TENSORS, *leftovers(output)]
    outputs = {f"{name} of --output": output / name for name in written}
    samples_of, wanted_of = expected or (None, None)
    inputs = {"SPEC": path, "--checkpoint": source, "X of --expect": samples_of}
    check_outputs(outputs, inputs | {"Y of --expect": wanted_of})
    check_free(output)
    wanted = load_spec(path)
    check_data({"--output": output}, wanted.data)
    if layout is not None and layout not in LAYOUTS:
        raise typer.BadParameter(f"must be one of {', '.join(LAYOUTS)}", param_hint="--layout")
    parameters = load_checkpoint(source, wanted, layout)
    differences = (
        None if expected is None else _expect(wanted, source, parameters, layout, expected)
    )
    with blamed_on(path):
        samples = calibration_samples(data.load(wanted.data, wanted.input.shape))
        network = quantize(wanted, parameters, samples, direct=direct)
    save_network(network, output)
    digest = network_hash(network)
    if as_json:
        facts = {"name": network.name, "hash": digest, "folder": str(output)}
        print_json(facts if differences is None else facts | {"expected": differences})
        return
    if differences is not None:
        print_records(
            f"Outputs as expected within {differences['tolerance']:.2g}",
            ["output", "greatest_difference"],
            differences["outputs"],
        )
    print_line(f"{output}: {network.name}, hash {digest}")


def _expect(
    spec: NetworkSpec,
    source: Path,
    parameters: Checkpoint,
    layout: str | None,
    expected: tuple[Path, Path],
) -> dict[str, Any]:
    from fxsim.errors import MismatchError
    from fxsim.files import read_npy
    from fxsim.floats.checkpoint import load_layouts, named_layout
    from fxsim.floats.expect import expect

    x, y = map(read_npy, expected)
    others = load_layouts(source, spec)
    with blamed_on(" and ".join(map(str, expected))):
        try:
            seen = expect(spec, parameters, layout or named_layout(source), x, y, others)
        except MismatchError as error:
            raise MismatchError(f"{source}: {error}") from None
    return {
        "samples": len(x),
        "tolerance": seen.tolerance,
        "outputs": [
            {"output": k, "greatest_difference": value}
            for k, value in enumerate(seen.differences.tolist())
        ],
    }
