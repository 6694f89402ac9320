"""``fxsim verify`` of a zero-skipping unit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fxsim.cli.output import Steps, print_json, print_line, print_table
from fxsim.cli.runs import check_runs, default_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fxsim.cli.options import Simulator
    from fxsim.network.skip_unit import SkipUnit

_VECTORS = {"verilator": 200, "icarus": 30}


def verify_unit(
    unit: SkipUnit,
    simulators: Sequence[Simulator],
    vectors: int | None,
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Stream hard patterns and life-like gradients through a unit, and print what came of it."""
    import numpy as np

    from fxsim.hw.emit import unit_verilog
    from fxsim.testbenches import skip_unit
    from fxsim.testbenches.bench.outcome import digest_of
    from fxsim.testbenches.cases.sparse_data import fill, gate_gradients, masks

    hard = fill(masks(unit.items, unit.lanes, seed), unit.gradient, seed)
    most = max(vectors or _VECTORS[name.value] for name in simulators)
    alike = gate_gradients(0.2, vectors=most, items=unit.items, seed=seed)
    alike = alike.clip(unit.gradient.min, unit.gradient.max)
    stimuli = np.concatenate([hard, alike])
    with Steps().step("verify"):
        runs = skip_unit.verify_unit(
            unit,
            vectors={
                name.value: stimuli[: vectors or len(hard) + _VECTORS[name.value]]
                for name in simulators
            },
            threshold=min(1, unit.gradient.max),
            seed=seed,
            folder=output or default_folder(unit.name, digest_of(unit_verilog(unit))),
        )
    keys = "simulator version vectors patterns tests failed words wrong messages mismatch seconds"
    keys += " cycles_measured cycles_predicted counters ok"
    if as_json:
        facts = [{key: getattr(run, key) for key in keys.split()} for run in runs]
        print_json(
            {
                "name": unit.name,
                "runs": [{**f, "xml": str(r.xml)} for f, r in zip(facts, runs, strict=True)],
            }
        )
    else:
        print_table(
            f"Verilog of {unit.name} against dense arithmetic",
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
        print_table(
            "Counters, without pauses",
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
    check_runs(runs)
