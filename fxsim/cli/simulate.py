"""``fxsim simulate``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.lookup import CHECKPOINT, SPEC, blamed_on, find_network
from fxsim.cli.options import JsonOption, NetworkArgument
from fxsim.cli.output import going_on, percent, print_json, print_line, print_records, print_table
from fxsim.cli.paths import check_data, check_outputs, network_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fxsim.data import Split
    from fxsim.floats.checkpoint import Checkpoint
    from fxsim.network import QuantizedNetwork
    from fxsim.npy import Rows
    from fxsim.simulator.inputs import Batch
    from fxsim.simulator.tally import Tally
    from fxsim.simulator.trace import LayerTrace
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
    run = _run_whole if trace else _run_parts
    if source is not None:
        with blamed_on(source):
            facts |= {"input": str(source)} | run(quantized, source, output)
    else:
        from fxsim.data import load_split

        chosen = data or f"{quantized.data}:test"
        split = load_split(chosen, quantized.input.shape)
        with blamed_on(chosen):
            facts |= {"data": chosen} | run(quantized, split, output)
        facts |= _float_scores(folder, split, facts)
    if output is not None:
        facts["output"] = str(output)
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


def _float_scores(folder: Path, split: Split, facts: dict[str, Any]) -> dict[str, Any]:
    """Scores of the float parent, where it is known, next to those of the fixed-point network."""
    from fxsim.simulator.evaluate import float_accuracy, float_bits_per_character

    sources = _sources(folder)

    def score(of: Callable[..., float]) -> float | None:
        return of(sources[0], sources[1].parent, split) if sources else None

    given: dict[str, Any] = {"accuracy_float": score(float_accuracy)}
    if "bits_per_character" in facts:
        fixed = facts["bits_per_character"]
        given["bits_per_character"] = {"float": score(float_bits_per_character), "fixed": fixed}
    return given


def _run_parts(
    network: QuantizedNetwork, given: Path | Split, output: Path | None
) -> dict[str, Any]:
    """Run the samples a few at a time; memory does not grow with them."""
    from contextlib import ExitStack

    from fxsim.npy import ArrayRows, reading_npy, reading_npz, storing
    from fxsim.simulator.stream import Stream
    from fxsim.simulator.tally import Tally

    with ExitStack() as stack:
        rows: Rows | Mapping[str, Rows]
        if not isinstance(given, Path):
            rows = ArrayRows(given.x)
        elif len(network.inputs) == 1:
            rows = stack.enter_context(reading_npy(given))
        else:
            rows = stack.enter_context(reading_npz(given))
        stream = Stream(network, rows)
        tally = None if isinstance(given, Path) else Tally(network, given.y)
        append = stack.enter_context(storing(output, stream.shapes)) if output else None
        show = stack.enter_context(going_on("simulate", total=stream.vectors, done=0))
        done = 0
        for part, outputs in enumerate(stream):
            if append is not None:
                append(outputs)
            first = next(iter(outputs.values()))
            if tally is not None:
                tally.add(first)
            done += math.prod(first.shape[:-1])
            if part or done < stream.vectors:
                show(done, "")
    return {"samples": stream.leading[0]} | (_scores(tally) if tally else {})


def _run_whole(
    network: QuantizedNetwork, given: Path | Split, output: Path | None
) -> dict[str, Any]:
    """Run the samples at once, and keep what is seen in every layer."""
    from fxsim.files import read_npy, read_npz
    from fxsim.npy import storing
    from fxsim.simulator.simulator import simulate_ranges
    from fxsim.simulator.tally import Tally

    x: Batch
    if not isinstance(given, Path):
        x = given.x
    elif len(network.inputs) == 1:
        x = read_npy(given)
    else:
        x = read_npz(given)
    seen = simulate_ranges(network, x)
    facts: dict[str, Any] = {"samples": seen.samples}
    if not isinstance(given, Path):
        tally = Tally(network, given.y)
        tally.add(seen.output)
        facts |= _scores(tally)
    if output is not None:
        shapes = {name: tensor.shape for name, tensor in seen.outputs.items()}
        with storing(output, shapes) as append:
            append(seen.outputs)
    facts["layers"] = [_describe(product) for product in seen.linears]
    facts["adds"] = [_describe(seen[add.name]) for add in network.adds]
    return facts


def _scores(tally: Tally) -> dict[str, Any]:
    scores = {"accuracy_fixed": tally.accuracy}
    return scores | ({"bits_per_character": tally.bits_per_character} if tally.in_bits else {})


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
