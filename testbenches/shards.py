"""A whole data set through the Verilog of a network: in shards, which are kept as they finish.

Each shard begins with a reset, so shards are independent of one another, and run on as many
processes or machines as there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from fxsim.errors import FileError
from fxsim.files import write_text
from fxsim.folders import reserved
from fxsim.hw import emit
from fxsim.network import IntArray, QuantizedNetwork
from fxsim.network.storage import network_hash
from fxsim.scratch import scratch_folder
from fxsim.simulator.simulator import simulate_trace
from fxsim.testbenches.accelerator import accelerator_job
from fxsim.testbenches.bench.outcome import digest_of
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.run import design_of
from fxsim.testbenches.verify import prepare, run_network
from fxsim.timing.cycles import completion_times, predict

PATTERNS = ("none",)
"""Without pauses, so that each vector has the cycle that was predicted."""

_CYCLES = 1 << 20  # of a shard: some seconds with Verilator
_FILE = "shards.jsonl"

Span: TypeAlias = tuple[int, int]
"""First sample of a shard, and the one after its last."""


@dataclass(frozen=True, kw_only=True)
class ShardResult:
    """What came of the samples from ``first`` to the one before ``last``.

    ``subject`` is the SHA-256 of the job, the Verilog with its bench, and the predicted cycles.
    """

    first: int
    last: int
    subject: str
    vectors: int
    words: int
    wrong: int
    cycles: int
    seconds: float
    messages: list[str]

    @property
    def ok(self) -> bool:
        """True if every word and every cycle agreed."""
        return not self.messages and self.wrong == 0 and self.words > 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Shards:
    """A network, its samples, and how they are run.

    Parameters
    ----------
    verilog : str
        That of the network.
    samples : mapping of str to int64 array, shape (n, inputs), or (n, t, inputs) with LSTM layers
        For each input, by its name.
    simulator : str
    seed : int
    """

    network: QuantizedNetwork
    verilog: str
    samples: Mapping[str, IntArray]
    simulator: str
    seed: int

    @classmethod
    def of(
        cls, network: QuantizedNetwork, samples: Mapping[str, IntArray], simulator: str, seed: int
    ) -> Shards:
        """Shards of a network, whose Verilog is emitted once for all."""
        verilog = emit.accelerator_verilog(network)
        return cls(
            network=network, verilog=verilog, samples=samples, simulator=simulator, seed=seed
        )

    @property
    def count(self) -> int:
        """Samples in all."""
        return len(next(iter(self.samples.values())))

    @property
    def vectors(self) -> int:
        """Vectors in all: of sequences, each step is one."""
        return int(next(iter(self.samples.values()))[..., 0].size)

    @property
    def spans(self) -> list[Span]:
        """The samples of each shard."""
        cycles = self.cycles / self.count
        size = max(1, min(self.count, round(_CYCLES / cycles)))
        return [(first, min(first + size, self.count)) for first in range(0, self.count, size)]

    @property
    def cycles(self) -> int:
        """Clock cycles that all samples take, about."""
        return predict(self.network).interval * self.vectors

    @property
    def facts(self) -> dict[str, Any]:
        """What results depend on, next to their subjects."""
        found = find_simulator(self.simulator)
        return {
            "network": network_hash(self.network),
            "simulator": f"{found.name} {found.version}",
            "spans": [list(span) for span in self.spans],
        }

    def subject(self, span: Span) -> str:
        """Hash of what a shard is run on and held to, so also of the words that it must give."""
        trace = simulate_trace(self.network, self._part(span))
        job = accelerator_job(self.network, trace, patterns=PATTERNS, seed=self.seed)
        vectors = next(iter(trace.inputs.values()))[..., 0].size
        return digest_of(
            json.dumps(
                [
                    job.text,
                    *design_of(job, self.verilog, self.network.name),
                    list(map(int, completion_times(self.network, vectors))),
                ]
            )
        )

    def build(self) -> None:
        """Compile the simulation, unless that was done before."""
        prepare(self.network, self.verilog, self._part((0, 1)), find_simulator(self.simulator))

    def __call__(self, span: Span) -> ShardResult:
        """Run a shard."""
        first, last = span
        batch, subject = self._part(span), self.subject(span)
        with scratch_folder() as folder:
            seen = run_network(
                self.network,
                self.verilog,
                batch,
                find_simulator(self.simulator),
                seed=self.seed,
                folder=folder,
                patterns=PATTERNS,
                quick=False,
            )
        return ShardResult(
            first=first,
            last=last,
            subject=subject,
            vectors=seen.vectors,
            words=seen.words,
            wrong=seen.wrong,
            cycles=seen.cycles,
            seconds=seen.seconds,
            messages=[
                f"samples {first} to {last - 1}, vectors from 0 there: {text}"
                for text in seen.messages
            ],
        )

    def _part(self, span: Span) -> dict[str, IntArray]:
        return {name: batch[slice(*span)] for name, batch in self.samples.items()}


class Kept:
    """Results of shards in a file, a line each; opened by `keeping`.

    A line begins with the SHA-256 of what the result depends on and of the result itself, so one
    that was cut short, damaged, or made from something else is none.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]):
        self._path = path
        self._facts = json.dumps(facts)
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        results = [result for line in lines if (result := self._read(line)) is not None]
        self.results = {(result.first, result.last): result for result in results}
        write_text(path, "".join(map(self._line, results)))

    def check(self, shards: Shards) -> None:
        """Forget results of another job than that of today's code."""
        for span in list(self.results):
            if span not in shards.spans or self.results[span].subject != shards.subject(span):
                del self.results[span]

    @property
    def samples(self) -> int:
        """Samples that have a result."""
        return sum(last - first for first, last in self.results)

    def add(self, result: ShardResult) -> None:
        """Keep a result; one that is not clean is done again next time."""
        self.results[result.first, result.last] = result
        if result.ok:
            with self._path.open("a") as file:
                file.write(self._line(result))

    def _line(self, result: ShardResult) -> str:
        text = json.dumps(asdict(result))
        return f"{digest_of(self._facts + text)} {text}\n"

    def _read(self, line: str) -> ShardResult | None:
        digest, _, text = line.partition(" ")
        return ShardResult(**json.loads(text)) if digest == digest_of(self._facts + text) else None


@contextmanager
def keeping(folder: Path, facts: Mapping[str, Any]) -> Iterator[Kept]:
    """Results that are in ``folder`` from a run with the same ``facts``, and those to come.

    Raises
    ------
    FileError
        If another process runs in the folder, or it cannot be written.
    """
    path = folder / _FILE
    with reserved(folder):
        try:
            kept = Kept(path, facts)
        except OSError as error:
            raise FileError(f"{path}: cannot be written ({error.strerror})") from error
        yield kept
