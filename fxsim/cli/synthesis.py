"""Synthesis and regression of points for ``fxsim explore``: `fxsim.explorer` knows no hardware."""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fxsim.targets.registry import find_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fxsim.cost.synth_cache import SynthCache
    from fxsim.explorer.job import Job
    from fxsim.explorer.store import Store
    from fxsim.network import QuantizedNetwork


@dataclass(frozen=True)
class Generated:
    """Verilog of a network and the files of its memories, for `SynthCache`."""

    name: str
    verilog: str
    memories: Mapping[str, str]

    def texts(self, paths: Sequence[str]) -> dict[str, str]:
        """Verilog of each block, without its place."""
        from fxsim.hw.tools.parts import texts_of

        found: dict[str, str] = texts_of(self.verilog, self.name, paths, self.memories)
        return found

    def synthesise(
        self, target: str, missing: Sequence[str], known: Sequence[str], *, dsp: bool
    ) -> dict[str, dict[str, int]]:
        """Cells of the blocks ``missing``, by Yosys, with the borders between blocks kept."""
        from fxsim.hw.tools.parts import REST, synthesize_parts

        found: dict[str, dict[str, int]] = synthesize_parts(
            self.verilog,
            self.name,
            target,
            paths=[path for path in missing if path != REST],
            known=[path for path in known if path != REST],
            memories=self.memories,
            dsp=dsp,
        )
        return found


def generate(network: QuantizedNetwork) -> Generated:
    """Verilog of a network."""
    from fxsim.hw.emit import accelerator_verilog, memory_files

    return Generated(network.name, accelerator_verilog(network), memory_files(network))


def synthesis(target: str, part: str | None = None) -> SynthCache:
    """Synthesis with its cache; another Yosys, or another way to call it, has another.

    For a ``part`` without DSP blocks products become logic.
    """
    from fxsim.cache import folder
    from fxsim.cost.synth_cache import SynthCache
    from fxsim.hw.tools.parts import rules_of

    version = f"pyosys {importlib.metadata.version('pyosys')} {rules_of(target)}"
    digest = hashlib.sha256(version.encode()).hexdigest()
    dsp = part is None or find_part(part)[1].dsp > 0
    return SynthCache(target, generate, digest, folder("synthesis"), dsp)


CLOCK_SEEDS = (1, 2, 3)


def check_clock(target: str) -> None:
    """Check that place and route is there for a target, before anything takes time.

    Raises
    ------
    ConfigError
        If it has none.
    MissingToolError
        If nextpnr is not installed.
    """
    from fxsim.hw.tools.pnr import find_nextpnr

    find_nextpnr(target)


def clock_of(target: str) -> Callable[[QuantizedNetwork], list[float]]:
    """Place and route for a target: clocks of a network in MHz, one for each of three seeds."""
    from fxsim.hw.tools.pnr import clocks_mhz

    def clock(network: QuantizedNetwork) -> list[float]:
        made = generate(network)
        found: list[float] = clocks_mhz(
            made.verilog,
            made.name,
            target=target,
            dsp=True,
            seeds=CLOCK_SEEDS,
            memories=made.memories,
        )
        return found

    return clock


SIMULATOR = "verilator"
VECTORS = 200


def verify_points(
    job: Job, store: Store, folder: Path, seed: int, show: Callable[[str], None]
) -> None:
    """Hold the Verilog of every point of the front equal to the simulator, on validation samples.

    A point is exact when every word of every layer and the cycle of every vector agree.
    """
    from fxsim.explorer.evaluate import Evaluator
    from fxsim.explorer.outcome import Goals
    from fxsim.explorer.pareto import front
    from fxsim.simulator import as_input
    from fxsim.testbenches.verify import verify

    evaluate, done = Evaluator(job), store.verified()
    for outcome in front(store.outcomes(), Goals(job.space, job.float_error)):
        number = job.space.number(outcome.choices)
        if outcome.choices in done:
            continue
        show(f"point {number}")
        network = evaluate.network(outcome.choices)
        x = as_input(network, job.validation.x)
        count = max(VECTORS // (x[0].size // x.shape[-1]), 1)
        (run,) = verify(
            network, vectors={SIMULATOR: x[:count]}, seed=seed, folder=folder / f"point{number}"
        )
        result = {
            "exact": run.ok,
            "simulator": f"{run.simulator} {run.version}",
            "words": run.words,
            "wrong": run.wrong,
            "vectors": run.vectors,
            "latency": run.latency_measured,
            "interval": run.interval_measured,
            "message": run.messages[0] if run.messages else "",
        }
        store.verify(outcome.choices, result)
        if run.unwritten is not None:
            raise run.unwritten
