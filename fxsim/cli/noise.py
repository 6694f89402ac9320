"""``fxsim noise``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.lookup import CHECKPOINT, blamed_on, find_spec
from fxsim.cli.options import JsonOption, SpecArgument
from fxsim.cli.output import percent, print_json, print_line, print_records
from fxsim.cli.paths import check_data, check_outputs

if TYPE_CHECKING:
    from fxsim.spec.specification import NetworkSpec

_SAMPLES = 200
_WEIGHTS = ["group", "product", "levels", "decibels"]
_SCALES = ["place", "format", "scale", "clipped", "decibels"]
_ACTIVATIONS = ["layer", "format", "own_decibels", "decibels"]


def noise(
    spec: SpecArgument,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Float parameters; default: next to the specification."),
    ] = None,
    direct: Annotated[
        bool, typer.Option("--direct", help="Leave retrained parameters aside.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="X.svg", help="Figure to write.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the signal-to-quantization-noise ratio of every tensor, in decibels.

    Weights against the float ones they are rounded from; what layers yield on test samples, with
    the noise of activations only (own), and against the float network; and what each way to a scale
    costs the input and every output by itself.
    """
    from fxsim.spec import load_spec

    path = find_spec(spec)
    source = checkpoint or path.with_name(CHECKPOINT)
    check_outputs({"--output": output}, {"SPEC": path, "--checkpoint": source})
    wanted = load_spec(path)
    check_data({"--output": output}, wanted.data)
    facts = _measure(wanted, path, source, direct)
    if output is not None:
        from fxsim.files import write_text
        from fxsim.report.noise import noise_figure

        weights = {row["group"]: row["decibels"] for row in facts["weights"]}
        layers = {
            row["layer"]: (row["own_decibels"], row["decibels"]) for row in facts["activations"]
        }
        write_text(output, noise_figure(weights, layers))
    if as_json:
        print_json(facts)
        return
    print_records("Weights", _WEIGHTS, facts["weights"])
    print_records("Activations", _ACTIVATIONS, facts["activations"])
    rows = [row | row["others"] | {"clipped": percent(row["clipped"])} for row in facts["scales"]]
    print_records(
        "Scales: decibels of the rounding alone, as it is and by other choices",
        [*_SCALES, *facts["scales"][0]["others"]],
        rows,
    )
    if output is not None:
        print_line(str(output))


def _measure(wanted: NetworkSpec, path: Path, checkpoint: Path, direct: bool) -> dict[str, Any]:
    from fxsim import data
    from fxsim.floats.checkpoint import load_checkpoint
    from fxsim.quantizer.quantizer import quantize, quantized_parameters
    from fxsim.simulator.evaluate import calibration_samples
    from fxsim.simulator.noise import activation_noise, weight_noise
    from fxsim.simulator.scale_noise import scale_noise
    from fxsim.spec.weight_groups import weight_groups

    parameters = load_checkpoint(checkpoint, wanted)
    with blamed_on(path):
        dataset = data.load(wanted.data, wanted.input.shape)
        network = quantize(wanted, parameters, calibration_samples(dataset), direct=direct)
    count = max(_SAMPLES // dataset.test.y[0].size, 4)
    x = dataset.test.x[:count]
    levels = {product.name: product.spec.weights.levels for product in wanted.products}
    groups = weight_groups(wanted)
    rounded = quantized_parameters(wanted, parameters, direct=direct)
    own = activation_noise(wanted, rounded, network, x)
    whole = activation_noise(wanted, parameters.parent, network, x)
    formats = {layer.name: str(layer.output.format) for layer in network.layers}
    return {
        "name": wanted.name,
        "samples": len(x),
        "weights": [
            {"group": group, "product": groups[group], "levels": levels[groups[group]]}
            | {"decibels": _finite(ratio)}
            for group, ratio in weight_noise(wanted, parameters, direct=direct).items()
        ],
        "activations": [
            {"layer": name, "format": formats[name]}
            | {"own_decibels": _finite(own[name]), "decibels": _finite(whole[name])}
            for name in own
        ],
        "scales": [
            {"place": row.place, "format": str(row.chosen.format), "scale": row.chosen.scale}
            | {"clipped": row.clipped, "decibels": _finite(row.decibels)}
            | {"others": {name: _finite(ratio) for name, ratio in row.others.items()}}
            for row in scale_noise(wanted, rounded, network, x)
        ],
    }


def _finite(ratio: float | None) -> float | None:
    return ratio if ratio is not None and math.isfinite(ratio) else None
