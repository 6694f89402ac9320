"""``fxsim verify --data`` and ``--all-networks``: every sample of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fxsim.cli.lookup import blamed_on
from fxsim.cli.output import Steps, going_on, print_json, print_table
from fxsim.cli.paths import check_data
from fxsim.cli.runs import default_folder
from fxsim.errors import MismatchError, RangeError

if TYPE_CHECKING:
    from fxsim.network import IntArray, QuantizedNetwork
    from fxsim.testbenches.shards import ShardResult, Shards, Span

    Run = Callable[[Shards, Sequence[Span]], Iterator[tuple[Span, ShardResult]]]


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What came of a data set.

    Parameters
    ----------
    vectors : int
        Of sequences, each step is one.
    kept : int
        Shards that an earlier run had done.
    seconds : float
        Of all shards, added up.
    """

    network: str
    data: str
    simulator: str
    samples: int
    vectors: int
    words: int
    mismatches: int
    cycles: int
    seconds: float
    shards: int
    kept: int
    messages: list[str]


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What shards run on: processes of this machine, or a Dask cluster."""

    processes: int = 1
    cluster: str | None = None

    @contextmanager
    def ready(self) -> Iterator[Run]:
        """What runs shards."""
        if self.cluster is None:
            from fxsim.processes import each

            yield lambda shards, spans: each(shards, spans, self.processes)
            return
        from fxsim.cluster import connected, each_on

        with connected(self.cluster, self.processes) as client:
            yield lambda shards, spans: each_on(client, shards, spans)


def verify_whole(
    networks: Sequence[QuantizedNetwork],
    data: str | None,
    simulators: Sequence[str],
    seed: int,
    output: Path | None,
    resources: Resources,
    as_json: bool,
) -> None:
    """Run every sample of ``data``, or else of the test split of each network's data set."""
    found = []
    with resources.ready() as run:
        for network in networks:
            source = f"{network.data}:test" if data is None else data
            check_data({"--output": output}, source.rpartition(":")[0])
            samples = samples_of(network, source)
            for simulator in dict.fromkeys(simulators):
                found.append(run_whole(network, source, samples, simulator, seed, output, run))
    if as_json:
        print_json([vars(whole) | {"ok": not whole.messages} for whole in found])
    else:
        print_whole(found)
    for whole in found:
        if whole.messages:
            raise MismatchError(f"{whole.network} on {whole.simulator}: {whole.messages[0]}")


def samples_of(network: QuantizedNetwork, source: str) -> dict[str, IntArray]:
    """Every sample of a split, as integers, by the name of the input."""
    from fxsim import data
    from fxsim.simulator.inputs import as_inputs

    if len(network.inputs) > 1:
        raise RangeError(
            f"a data set has samples of one input, and {network.name} has {len(network.inputs)}"
        )
    split = data.load_split(source, network.input.shape)
    with blamed_on(source):
        return as_inputs(network, split.x)


def run_whole(
    network: QuantizedNetwork,
    source: str,
    samples: dict[str, IntArray],
    simulator: str,
    seed: int,
    output: Path | None,
    run: Run,
) -> Whole:
    """Run every sample through one network on one simulator; finished shards are kept."""
    from fxsim.network.storage import network_hash
    from fxsim.testbenches.shards import Shards, keeping

    steps, name = Steps(), f"{network.name} on {simulator}"
    shards = Shards.of(network, samples, simulator, seed)
    folder = default_folder(network.name, network_hash(network))
    if output is not None:
        folder = output / network.name
    place = folder / source.replace(":", "-").replace("/", "-") / simulator
    with keeping(place, shards.facts) as kept:
        kept.check(shards)
        left = [span for span in shards.spans if span not in kept.results]
        done = len(kept.results)
        steps.say(
            f"{name}: {shards.count:,} samples of {source}, about {shards.cycles:,} cycles,"
            f" {len(shards.spans)} shards" + (f", {done} of them done before" if done else "")
        )
        if left:
            with steps.step("build"):
                shards.build()
        with going_on(name, total=shards.count, done=kept.samples) as show:
            for _, result in run(shards, left):
                kept.add(result)
                show(kept.samples, f"{result.cycles / result.seconds:,.0f} cycles/s")
        results = [kept.results[span] for span in shards.spans]
        for text in [text for result in results for text in result.messages][:1]:
            steps.say(f"{name}: {text}")
    return Whole(
        network=network.name,
        data=source,
        simulator=simulator,
        samples=shards.count,
        vectors=sum(result.vectors for result in results),
        words=sum(result.words for result in results),
        mismatches=sum(result.wrong for result in results),
        cycles=sum(result.cycles for result in results),
        seconds=sum(result.seconds for result in results),
        shards=len(results),
        kept=done,
        messages=[
            text
            for result in results
            for text in result.messages or ([] if result.ok else ["nothing was compared"])
        ],
    )


def print_whole(found: Sequence[Whole]) -> None:
    """Table of whole data sets."""
    rows: list[list[Any]] = [
        [
            *(whole.network, whole.data, whole.simulator, whole.samples, whole.words),
            *(whole.mismatches, whole.cycles, f"{whole.seconds:.1f}"),
            f"{whole.cycles / whole.seconds:,.0f}",
        ]
        for whole in found
    ]
    print_table(
        "Verilog against simulator, whole data sets",
        [
            *("network", "data", "simulator", "samples", "words", "mismatches"),
            *("cycles", "seconds", "cycles/s"),
        ],
        rows,
    )
