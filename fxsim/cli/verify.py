"""``fxsim verify``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.lookup import blamed_on, read_network, shipped_networks
from fxsim.cli.options import BenchKind, JsonOption, SeedOption, Simulator, VectorsOption
from fxsim.cli.output import Steps, print_json, print_line, print_table
from fxsim.cli.paths import check_data
from fxsim.cli.runs import check_runs, default_folder
from fxsim.cli.units import read_unit
from fxsim.cli.verify_unit import verify_unit
from fxsim.cli.verify_whole import Resources, verify_whole
from fxsim.errors import MissingDataError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fxsim.network import IntArray, QuantizedNetwork
    from fxsim.simulator.inputs import Batch
    from fxsim.testbenches.verify import NetworkRun

# Icarus is ten times as slow. Time steps of LSTM networks follow one another in sequences.
_VECTORS = {"verilator": 1 << 20, "icarus": 40}
_STEPS = {"verilator": 1000, "icarus": 100}
_IMAGES = {"verilator": 50, "icarus": 2}  # each takes thousands of cycles
_IMAGE_PATTERNS = ("none", "both")
_ICARUS_CYCLES = 4000
"""Cycles of default images on Icarus, in each pattern: one image at least."""
_RANDOM_VECTORS = 200


def verify(
    network: Annotated[
        str | None,
        typer.Argument(metavar="NETWORK", help="Folder of a network, or its name."),
    ] = None,
    simulators: Annotated[
        list[Simulator] | None,
        typer.Option(
            "--sim",
            help="Simulator; repeat for more. Default: both; of data sets, verilator.",
        ),
    ] = None,
    vectors: VectorsOption = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="SPLIT", help="Every sample of a split, digits:test."),
    ] = None,
    all_networks: Annotated[
        bool,
        typer.Option("--all-networks", help="Every test sample of every network that ships."),
    ] = False,
    processes: Annotated[
        int,
        typer.Option("--processes", "-j", min=1, max=1024, help="Processes for whole data sets."),
    ] = 1,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Dask scheduler for them, or local."),
    ] = None,
    bench: Annotated[
        BenchKind, typer.Option("--bench", help="What drives and watches the device.")
    ] = BenchKind.VERILOG,
    seed: SeedOption = 1,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of logs; default: build/verify/<name>-<hash>."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the Verilog equal to the simulator, word for word.

    NETWORK may be a unit, too: a YAML file with a ``kind``, such as zero-skip-64.

    A whole data set (--data) goes through in shards without pauses. Each is kept when it is done,
    so the same command goes on where another has stopped.
    """
    if (network is None) != all_networks:
        raise typer.BadParameter("give either NETWORK or --all-networks")
    if data is not None or all_networks:
        if vectors is not None or bench is not BenchKind.VERILOG:
            raise typer.BadParameter("--vectors and --bench do not go with whole data sets")
        if all_networks and data is not None:
            raise typer.BadParameter("--all-networks has test samples of each; leave out --data")
        names = [network] if network is not None else shipped_networks()
        if network is not None and read_unit(network) is not None:
            raise SpecError(f"{network} is a unit, which has no data set; leave out --data")
        verify_whole(
            [read_network(name) for name in names],
            data,
            simulators or [Simulator.VERILATOR],
            seed,
            output,
            Resources(processes=processes, cluster=cluster),
            as_json,
        )
        return
    if processes > 1 or cluster is not None:
        raise typer.BadParameter("--processes and --cluster go with --data or --all-networks")
    assert network is not None
    simulators = simulators or list(Simulator)
    unit = read_unit(network)
    if unit is not None:
        verify_unit(unit, simulators, vectors, seed, output, as_json, bench.value)
        return
    quantized = read_network(network)
    check_data({"--output": output}, quantized.data)
    from fxsim.network.storage import network_hash
    from fxsim.testbenches import verify

    source, stimuli = choose_vectors(quantized, simulators, vectors, seed)
    with Steps().step("verify") as show:
        results = verify.verify(
            quantized,
            vectors=stimuli,
            seed=seed,
            folder=output or default_folder(quantized.name, network_hash(quantized)),
            patterns=choose_patterns(quantized),
            bench=bench.value,
            on_run=lambda seen: show(f"{seen.simulator} done"),
        )
    if as_json:
        runs = [describe_run(seen) for seen in results]
        print_json({"name": quantized.name, "source": source, "runs": runs})
    else:
        print_line(f"{quantized.name}: vectors of {source}")
        print_runs(results)
    check_runs(results)


def choose_vectors(
    network: QuantizedNetwork, simulators: Sequence[Simulator], most: int | None, seed: int
) -> tuple[str, Mapping[str, Batch]]:
    """Inputs for each simulator, and where they are from: the test split, else a seed."""
    from fxsim import data
    from fxsim.simulator.inputs import as_inputs

    source = f"{network.data}:test"
    samples: Batch = {}
    if len(network.inputs) == 1:  # what a data set has
        with suppress(SpecError, MissingDataError):
            samples = data.load_split(source, network.input.shape).x
    if isinstance(samples, dict):
        source = f"random integers, seed {seed}"
        samples = _random(network, most or _RANDOM_VECTORS, seed)
    with blamed_on(source):
        x = as_inputs(network, samples)
    limits = {name: most or _most(network, name) for name in simulators}
    return source, {
        name.value: {key: _first(batch, limit) for key, batch in x.items()}
        for name, limit in limits.items()
    }


def _most(network: QuantizedNetwork, simulator: Simulator) -> int:
    """Vectors that a simulator gets by default."""
    if network.recurrent or not network.spatial:
        return (_STEPS if network.recurrent else _VECTORS)[simulator]
    if simulator is not Simulator.ICARUS:
        return _IMAGES[simulator]
    from fxsim.timing.cycles import predict

    return min(_IMAGES[simulator], max(1, _ICARUS_CYCLES // predict(network).interval))


def _random(network: QuantizedNetwork, count: int, seed: int) -> dict[str, IntArray]:
    """Uniform integers for each input; with state, of one sequence."""
    import numpy as np

    generator = np.random.default_rng(seed)
    found: dict[str, IntArray] = {}
    for name, source in network.inputs.items():
        fmt, items = source.activation.format, source.tensor.items
        x = generator.integers(fmt.min, fmt.max, size=(1, count, items), endpoint=True)
        found[name] = x if network.recurrent else x[0]
    return found


def choose_patterns(network: QuantizedNetwork) -> Sequence[str]:
    """Pause patterns: of image networks, which take long, none and all at once."""
    from fxsim.testbenches.bench.job import PATTERNS

    return _IMAGE_PATTERNS if network.spatial else PATTERNS


def _first(x: IntArray, vectors: int) -> IntArray:
    """The first ``vectors`` of (n, inputs); of (n, t, inputs) whole sequences, or part of one."""
    if x.ndim == 2:
        return x[:vectors]
    steps = min(x.shape[1], vectors)
    return x[: vectors // steps, :steps]


def describe_run(run: NetworkRun) -> dict[str, Any]:
    """Plain values of a `fxsim.testbenches.verify.NetworkRun`."""
    keys = (
        "simulator version vectors patterns tests failed words wrong messages mismatch"
        " latency_measured interval_measured latency_predicted interval_predicted cycles"
        " cycles_per_second seconds ok"
    )
    facts = {key: getattr(run, key) for key in keys.split()}
    return facts | {"patterns": list(run.patterns), "xml": str(run.xml)}


def print_runs(runs: Sequence[NetworkRun]) -> None:
    """Table of the regression and where its JUnit files are."""
    print_table(
        "Verilog against simulator (cycles: measured/predicted)",
        [
            *("simulator", "pauses", "vectors", "words", "mismatches", "latency", "interval"),
            *("seconds", "cycles/s"),
        ],
        [
            [
                f"{run.simulator} {run.version}",
                len(run.patterns),
                run.vectors,
                run.words,
                _or_dash(run.wrong if run.complete else None),
                f"{_or_dash(run.latency_measured)}/{run.latency_predicted}",
                f"{_or_dash(run.interval_measured)}/{run.interval_predicted}",
                f"{run.seconds:.1f}",
                f"{run.cycles_per_second:,.0f}",
            ]
            for run in runs
        ],
    )
    for run in runs:
        if run.unwritten is None:
            print_line(f"{run.report}")


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
