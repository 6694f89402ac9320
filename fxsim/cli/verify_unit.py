"""``fxsim verify`` of a unit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fxsim.cli.output import Steps, print_json, print_line, print_table
from fxsim.cli.runs import check_runs, default_folder
from fxsim.cli.units import commands_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fxsim.cli.options import Simulator
    from fxsim.network.units import AnyUnit
    from fxsim.testbenches.run import Bench
    from fxsim.testbenches.units import UnitRun

_VECTORS = {"verilator": 200, "icarus": 30}
_KEYS = (
    "simulator version vectors patterns tests failed words wrong messages mismatch seconds"
    " cycles_measured cycles_predicted counters ok"
)


def verify_unit(
    unit: AnyUnit,
    simulators: Sequence[Simulator],
    vectors: int | None,
    seed: int,
    output: Path | None,
    as_json: bool,
    bench: Bench,
) -> None:
    """Run the regression of a unit, and print what came of it."""
    from fxsim.hw.emit import unit_verilog
    from fxsim.testbenches.bench.outcome import digest_of

    commands = commands_of(unit)
    with Steps().step("verify"):
        runs = commands.runs(
            {name.value: _VECTORS[name.value] for name in simulators},
            vectors,
            seed,
            output or default_folder(unit.name, digest_of(unit_verilog(unit))),
            bench,
        )
    if as_json:
        facts = [{key: getattr(run, key) for key in _KEYS.split()} for run in runs]
        described = [{**f, "xml": str(r.xml)} for f, r in zip(facts, runs, strict=True)]
        print_json({"name": unit.name, "runs": described})
    else:
        _print_runs(f"Verilog of {unit.name} against {commands.against}", runs)
    check_runs(runs)


def _print_runs(title: str, runs: Sequence[UnitRun]) -> None:
    print_table(
        title,
        ["simulator", "pauses", "vectors", "words", "mismatches", "cycles", "predicted"],
        [
            [
                f"{run.simulator} {run.version}",
                len(run.patterns),
                run.vectors,
                run.words,
                run.wrong if run.complete else None,
                run.cycles_measured,
                run.cycles_predicted,
            ]
            for run in runs
        ],
    )
    names = [name for name in runs[0].counters if name not in ("version", "status")]
    if names:
        print_table(
            "Registers, without pauses",
            ["simulator", *names],
            [
                [run.simulator, *(run.counters.get(name) for name in names)]
                for run in runs
                if run.counters
            ],
        )
    for run in runs:
        if run.unwritten is None:
            print_line(f"{run.report}")
