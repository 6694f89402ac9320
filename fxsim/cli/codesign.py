"""``fxsim codesign``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.lookup import CHECKPOINT, SPEC, find_network
from fxsim.cli.options import (
    JsonOption,
    NetworkArgument,
    SeedOption,
    Simulator,
    SimulatorOption,
    Target,
    VectorsOption,
)
from fxsim.cli.output import Steps, percent, print_json, print_line, print_table
from fxsim.cli.synth import print_area
from fxsim.cli.verify import check_runs, choose_vectors, print_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fxsim.explore.sweep import SweepRow
    from fxsim.report.results import Accuracy, Results


def codesign(
    network: NetworkArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of all results.")],
    simulators: SimulatorOption = list(Simulator),  # noqa: B006  Typer copies it
    vectors: VectorsOption = None,
    targets: Annotated[
        list[Target], typer.Option("--target", help="FPGA family; repeat for more.")
    ] = [Target.XC7],  # noqa: B006
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Evaluate, explore, generate, verify, synthesize, report."""
    steps = Steps()
    results = run(
        find_network(network),
        output,
        simulators=simulators,
        vectors=vectors,
        targets=targets,
        seed=seed,
        steps=steps,
    )
    if as_json:
        print_json(results.to_json())
    else:
        print_results(results, steps)
        print_line(str(output / "report.html"))
    check_runs(results.regressions)


def run(
    folder: Path,
    output: Path,
    *,
    simulators: Sequence[Simulator],
    vectors: int | None,
    targets: Sequence[Target],
    seed: int,
    steps: Steps,
) -> Results:
    """Take the network in ``folder`` all the way and write everything into ``output``.

    Raises
    ------
    FxsimError
        If an input is bad or a tool is missing. A mismatch is part of the results.
    """
    with steps.step("load") as show:
        show("tools")
        from fxsim import data
        from fxsim.checkpoint import load_checkpoint
        from fxsim.explore.sweep import sweep
        from fxsim.files import write_text
        from fxsim.report import html
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
        network = load_network(folder)
        spec = load_spec(folder / SPEC)
        checkpoint = load_checkpoint(folder / CHECKPOINT, spec)
        dataset = data.load(network.data)

    with steps.step("evaluate"):
        accuracy = evaluate(network, spec, checkpoint, dataset)
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
            versions=versions(runs),
            seconds=steps.seconds,
            commands=commands(folder, simulators, targets),
        )
        write_text(output / "results.json", json.dumps(results.to_json(), indent=2) + "\n")
        write_text(output / "report.html", html.render(results))
    return results
