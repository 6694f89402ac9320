"""``fxsim simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.lookup import CHECKPOINT, SPEC, blamed_on, find_network
from fxsim.cli.options import JsonOption, NetworkArgument
from fxsim.cli.output import percent, print_json, print_line, print_records, print_table
from fxsim.cli.paths import check_data, check_outputs, network_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fxsim.data import Split
    from fxsim.floats.checkpoint import Checkpoint
    from fxsim.network import IntArray, QuantizedNetwork
    from fxsim.simulator.inputs import Batch
    from fxsim.simulator.trace import LayerTrace, Trace
    from fxsim.spec.specification import NetworkSpec

_RANGES = ["name", "accumulators", "activations", "overflows", "clipped"]
_ZEROS = ["name", "products", "zero_activations", "zero_products"]


def simulate(
    network: NetworkArgument,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="NAME:SPLIT", help="Data set; default: the network's test."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="X.npy",
            help="Samples: floats, or integers as they are; an npz of arrays for several inputs.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="Y.npy",
            help="Integers that come out; npz for several outputs.",
        ),
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Show ranges, overflows and zeros of each layer.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the bit-accurate simulator on a data set or on your samples."""
    if source is not None and data is not None:
        raise typer.BadParameter("give --data or --input, not both")
    if source is not None and output is None and not trace:
        raise typer.BadParameter("--input needs --output (or --trace)")
    from fxsim.network.storage import load_network, network_hash

    folder = find_network(network)
    check_outputs({"--output": output}, {"--input": source, **network_files(folder)})
    quantized = load_network(folder)
    check_data({"--output": output}, data.rpartition(":")[0] if data else quantized.data)
    several = len(quantized.leaving) > 1
    if several and output is not None and output.suffix != ".npz":
        raise typer.BadParameter(
            f"--output must end in .npz for several outputs, not {output.name}"
        )
    if source is None and (several or len(quantized.inputs) > 1):
        raise typer.BadParameter(
            "give --input: a data set has samples of one input, and answers of one output"
        )
    facts: dict[str, Any] = {"name": quantized.name, "hash": network_hash(quantized)}
    if source is not None:
        seen = _run_file(quantized, source)
        facts |= {"input": str(source), "samples": seen.samples}
    else:
        from fxsim.data import load_split
        from fxsim.simulator.evaluate import answers
        from fxsim.simulator.simulator import simulate_ranges

        chosen = data or f"{quantized.data}:test"
        split = load_split(chosen, quantized.input.shape)
        with blamed_on(chosen):
            seen = simulate_ranges(quantized, split.x)
        facts |= {
            "data": chosen,
            "samples": seen.samples,
            "accuracy_float": _float_accuracy(folder, split),
            "accuracy_fixed": float((answers(quantized, seen.output) == split.y).mean()),
        }
        if quantized.recurrent and not quantized.classifies:
            facts["bits_per_character"] = _bits_per_character(quantized, folder, seen, split)
    if output is not None:
        _write(output, seen.outputs)
        facts["output"] = str(output)
    if trace:
        facts["layers"] = [_describe(product) for product in seen.linears]
        facts["adds"] = [_describe(seen[add.name]) for add in quantized.adds]
    if as_json:
        print_json(facts)
    else:
        _print(facts)


def _sources(folder: Path) -> tuple[NetworkSpec, Checkpoint] | None:
    """Specification and checkpoint, where both are in ``folder``."""
    if not ((folder / SPEC).exists() and (folder / CHECKPOINT).exists()):
        return None
    from fxsim.floats.checkpoint import load_checkpoint
    from fxsim.spec import load_spec

    spec = load_spec(folder / SPEC)
    return spec, load_checkpoint(folder / CHECKPOINT, spec)


def _float_accuracy(folder: Path, split: Split) -> float | None:
    """Accuracy of the float parent, where it is known."""
    from fxsim.simulator.evaluate import float_accuracy

    sources = _sources(folder)
    return float_accuracy(sources[0], sources[1].parent, split) if sources else None


def _bits_per_character(
    network: QuantizedNetwork, folder: Path, seen: Trace, split: Split
) -> dict[str, float | None]:
    """Accuracy of the float parent, where it is known, and of the fixed-point network."""
    import numpy as np

    from fxsim.floats.scores import bits_per_character
    from fxsim.simulator.evaluate import float_bits_per_character

    sources = _sources(folder)
    return {
        "float": float_bits_per_character(sources[0], sources[1].parent, split)
        if sources
        else None,
        "fixed": bits_per_character(seen.output * np.float64(network.output.scale), split.y),
    }


def _run_file(network: QuantizedNetwork, path: Path) -> Trace:
    """Run the samples of an npy file, or of an npz file with an array for each input."""
    from fxsim.files import read_npy, read_npz
    from fxsim.simulator.simulator import simulate_ranges

    x: Batch = read_npy(path) if len(network.inputs) == 1 else read_npz(path)
    with blamed_on(path):
        return simulate_ranges(network, x)


def _write(path: Path, outputs: Mapping[str, IntArray]) -> None:
    """Write what leaves a network: as npy, or as npz with an array for each output."""
    import numpy as np

    from fxsim.files import replacing, write_npz

    if len(outputs) > 1:
        write_npz(path, dict(outputs))
        return
    (array,) = outputs.values()
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def _describe(seen: LayerTrace) -> dict[str, Any]:
    return {
        "name": seen.name,
        "accumulators": list(seen.accumulator_range),
        "activations": list(seen.activation_range),
        **seen.counts,
    }


def _print(facts: dict[str, Any]) -> None:
    print_line(f"{facts['name']}: {facts['samples']} samples of {facts.get('data', 'the input')}")
    if "accuracy_fixed" in facts:
        print_table(
            "Accuracy",
            ["float", "fixed"],
            [[percent(facts["accuracy_float"]), percent(facts["accuracy_fixed"])]],
        )
        if "bits_per_character" in facts:
            shown = facts["bits_per_character"].values()
            row = ["-" if bits is None else f"{bits:.3f}" for bits in shown]
            print_table("Bits per character", ["float", "fixed"], [row])
        if facts["accuracy_float"] is None:
            print_line(f"no float accuracy: {SPEC} and {CHECKPOINT} are not next to the network")
    if "layers" in facts:
        print_records("Ranges", _RANGES, facts["layers"])
        print_records("Zero operands", _ZEROS, facts["layers"])
        if facts["adds"]:
            print_records("Adds", ["name", "accumulators", "activations", "clipped"], facts["adds"])
    if "output" in facts:
        print_line(facts["output"])
