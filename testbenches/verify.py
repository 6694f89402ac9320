"""Hold the Verilog of a network equal to its simulation, word for word and cycle for cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from fxsim.errors import RangeError
from fxsim.folders import check_room
from fxsim.hw import accelerator, emit
from fxsim.network import QuantizedNetwork
from fxsim.plan.planner import Plan, plan_network
from fxsim.simulator.inputs import Batch
from fxsim.simulator.simulator import simulate_trace
from fxsim.testbenches.accelerator import accelerator_job, patterns_of
from fxsim.testbenches.bench.job import PATTERNS
from fxsim.testbenches.bench.simulators import Simulator, find_simulator
from fxsim.testbenches.run import Bench, RunResult, build_design, design_of, files_of, run
from fxsim.timing.cycles import completion_times, predict


@dataclass(frozen=True, kw_only=True)
class NetworkRun(RunResult):
    """A `RunResult` of a whole network.

    Parameters
    ----------
    vectors : int
        Input vectors of each pause pattern.
    latency_predicted, interval_predicted : int
        From `fxsim.timing.cycles`.
    latency_measured, interval_measured : int or None
        From the run without pauses; None when it did not end, or had too few vectors to tell: the
        first ones may follow one another more slowly than all that come later.
    """

    vectors: int
    latency_predicted: int
    interval_predicted: int
    latency_measured: int | None
    interval_measured: int | None


def verify(
    network: QuantizedNetwork,
    *,
    vectors: Mapping[str, Batch],
    seed: int,
    folder: Path,
    patterns: Sequence[str] = PATTERNS,
    bench: Bench = "verilog",
    on_run: Callable[[NetworkRun], None] | None = None,
) -> list[NetworkRun]:
    """Run the regression of a network.

    Parameters
    ----------
    vectors : mapping of str to int64 array, shape (n, inputs), or (n, t, inputs) with LSTM layers
        For each simulator, the input that it streams through the accelerator; with several inputs,
        such an array for each, by name.
    seed : int
        Of the pauses.
    folder : Path
        For logs and results, one subfolder for each simulator.
    patterns : sequence of str
        Pause patterns, each a pass over all vectors. Networks with several inputs or outputs have
        those of `fxsim.testbenches.bench.job.TURNS` as well.
    bench : "verilog" or "python"
        See `fxsim.testbenches.run.run`.
    on_run : callable, optional
        Called with each result as it comes.

    Returns
    -------
    list of NetworkRun
        A run is ok when every word of every layer and the completion cycle of every vector agree.

    Raises
    ------
    MissingToolError
        If a simulator that was asked for is missing or too old. All are looked up before any runs.
    FileError
        If a file that was not written by fxsim is where one goes, before any runs.
    RangeError
        If there are no vectors, or they leave the input format.
    """
    simulators = {name: find_simulator(name) for name in vectors}
    memories = emit.memory_files(network)
    patterns = patterns_of(network, patterns)
    for name in vectors:
        check_room(folder / name, files_of(patterns, memories))
    verilog = emit.accelerator_verilog(network)
    results = []
    for name, batch in vectors.items():
        seen = run_network(
            *(network, verilog, batch, simulators[name]),
            seed=seed,
            folder=folder / name,
            patterns=patterns,
            bench=bench,
        )
        results.append(seen)
        if on_run is not None:
            on_run(seen)
    return results


def run_network(
    network: QuantizedNetwork,
    verilog: str,
    batch: Batch,
    simulator: Simulator,
    *,
    seed: int,
    folder: Path,
    patterns: Sequence[str],
    quick: bool | None = None,
    bench: Bench = "verilog",
) -> NetworkRun:
    """One run of `verify`; ``verilog`` is that of the network, and for ``quick`` see `run`."""
    trace = simulate_trace(network, batch)
    if not (count := next(iter(trace.inputs.values()))[..., 0].size):
        raise RangeError(f"vectors must be at least 1, not 0 ({simulator.name})")
    job = accelerator_job(network, trace, patterns=patterns, seed=seed)
    result = run(
        *(simulator, verilog, network.name, job, folder),
        quick=quick,
        memories=emit.memory_files(network),
        bench=bench,
    )
    return _with_cycles(_with_memories(result, network), network, count)


def prepare(network: QuantizedNetwork, verilog: str, batch: Batch, simulator: Simulator) -> None:
    """Compile the simulation that `run_network` runs, optimized."""
    job = accelerator_job(network, simulate_trace(network, batch))
    with build_design(simulator, design_of(job, verilog, network.name)):
        pass


def _with_memories(result: RunResult, network: QuantizedNetwork) -> RunResult:
    """Compare the checksums of memories, read from the registers at the end of each run."""
    expected = {
        f"checksum_{memory.name}": memory.checksum for memory in accelerator.file_memories(network)
    }
    messages = list(result.messages)
    for outcome in result.outcomes:
        for name, want in expected.items():
            got = outcome["registers"].get(name)
            if got is not None and got != want:
                seen = f"{got:#010x}" if isinstance(got, int) else "unknown"
                messages.append(f"{outcome['pattern']}: {name} is {seen}, not {want:#010x}")
    return replace(result, messages=messages, failed=len(messages))


def _with_cycles(result: RunResult, network: QuantizedNetwork, vectors: int) -> NetworkRun:
    """Compare the cycles of the run without pauses with the prediction."""
    expected = completion_times(network, vectors)
    messages = list(result.messages)
    measured: list[int] = []
    for outcome in result.outcomes:
        (seen,) = outcome["devices"]
        if outcome["pattern"] == "none" and seen["inputs"]:
            measured = _completions(plan_network(network), seen)
            # A run that broke off has said so already, and `run` takes no other that lacks some;
            # what it measured still counts.
            for vector, (want, got) in enumerate(zip(expected, measured, strict=False)):
                if want != got:
                    messages.append(
                        f"vector {vector} ends in cycle {got}, but cycle {want} was predicted"
                    )
                    break
    prediction = predict(network)
    steady = vectors > 1 and expected[-1] - expected[-2] == prediction.interval
    base = {field.name: getattr(result, field.name) for field in fields(result)}
    return NetworkRun(
        **{**base, "messages": messages, "failed": len(messages)},
        vectors=vectors,
        latency_predicted=prediction.latency,
        interval_predicted=prediction.interval,
        latency_measured=measured[0] if measured else None,
        interval_measured=measured[-1] - measured[-2] if steady and len(measured) > 1 else None,
    )


def _completions(plan: Plan, seen: dict[str, Any]) -> list[int]:
    """Cycle in which each vector has left by every port, counted from the first word."""
    start = seen["inputs"][0]
    outputs = [seen["outputs"], *seen["more_outputs"]]
    ends = [
        cycles[stream.count - 1 :: stream.count]
        for cycles, stream in zip(outputs, plan.outputs.values(), strict=True)
    ]
    return [max(cycles) - start for cycles in zip(*ends, strict=False)]
