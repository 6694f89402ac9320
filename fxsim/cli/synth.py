"""``fxsim synth``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.devices import AREA, print_area, print_devices
from fxsim.cli.lookup import read_network
from fxsim.cli.options import (
    TARGETS_METAVAR,
    JsonOption,
    NetworkArgument,
    check_part,
    check_target,
)
from fxsim.cli.output import Steps, print_json, print_line, print_table
from fxsim.cli.units import read_unit
from fxsim.errors import MissingToolError
from fxsim.targets.registry import DEFAULT, find_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fxsim.hw.tools.synth import SynthResult
    from fxsim.network import QuantizedNetwork
    from fxsim.network.units import AnyUnit
    from fxsim.targets.device import Use

_BLOCK = {kind: head for kind, head in AREA.items() if kind != "pins"}


@dataclass(frozen=True)
class Run:
    """A synthesis: for a family with or without DSP blocks, and the parts to compare with."""

    target: str
    dsp: bool
    parts: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name of its folder."""
        return self.target if self.dsp else f"{self.target}-no-dsp"


def synth(
    network: NetworkArgument,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar=TARGETS_METAVAR,
            parser=check_target,
            help=f"FPGA family; repeat for more. Default: {DEFAULT}, or those of the parts.",
        ),
    ] = None,
    parts: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            metavar="PART",
            parser=check_part,
            help="Device to compare with, such as ice40up5k; repeat for more. Default: all.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for netlist and log of each family. Default: build/synth/NAME.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Synthesize with Yosys and compare with devices.

    NETWORK may be a unit, too: a YAML file with a ``kind``, such as zero-skip-64.
    """
    design = read_unit(network) or read_network(network)
    root = output or Path("build/synth") / design.name
    steps, results = Steps(), {}
    for run in choose_runs(targets or [], parts or []):
        with steps.step(f"synthesize for {run.label}"):
            results[run] = _synthesize(design, run, root / run.label)
    if as_json:
        print_json({"name": design.name, "areas": [_facts(r, results[r], root) for r in results]})
        return
    print_area(f"Area of {design.name}", {run.label: results[run] for run in results})
    for run, seen in results.items():
        print_devices(f"Devices of {run.label}", compared(run, seen), dsp=seen.dsp > 0)
        blocks = [[name, *(b.get(c, 0) for c in _BLOCK)] for name, b in seen.blocks.items()]
        if blocks:
            print_table(f"Blocks on {run.label}", ["block", *_BLOCK.values()], blocks)
    for run in results:
        print_line(f"Netlist and log: {root / run.label}")


def choose_runs(targets: Sequence[str], parts: Sequence[str]) -> list[Run]:
    """Runs that targets and parts ask for; without DSP blocks for parts that have none."""
    wanted: dict[tuple[str, bool], list[str]] = {(target, True): [] for target in targets}
    for name in parts:
        target, part = find_part(name)
        wanted.setdefault((target.name, part.dsp > 0), []).append(name)
    wanted = wanted or {(DEFAULT, True): []}
    return [Run(*key, tuple(dict.fromkeys(names))) for key, names in wanted.items()]


def compared(run: Run, seen: SynthResult) -> list[Use]:
    """Parts to compare a result with: those that were named, else all."""
    uses: list[Use] = seen.uses()
    return [use for use in uses if use.name in run.parts or not run.parts]


def _synthesize(design: QuantizedNetwork | AnyUnit, run: Run, folder: Path) -> SynthResult:
    """Synthesize and keep netlist and log; the log of a failure, too."""
    from fxsim.folders import filling
    from fxsim.hw.tools.synth import files_of, synthesize

    verilog, memories = _verilog(design)
    failure: MissingToolError | None = None
    with filling(folder, "synth", files=files_of(memories)) as own:
        try:
            return synthesize(
                verilog, design.name, run.target, dsp=run.dsp, memories=memories, keep=own
            )
        except MissingToolError as error:
            failure = error
    raise MissingToolError(f"{failure} ({folder})")


def _verilog(design: QuantizedNetwork | AnyUnit) -> tuple[str, Mapping[str, str]]:
    from fxsim.hw.emit import accelerator_verilog, memory_files, unit_memory_files, unit_verilog
    from fxsim.network import QuantizedNetwork

    if isinstance(design, QuantizedNetwork):
        return accelerator_verilog(design), memory_files(design)
    return unit_verilog(design), unit_memory_files(design)


def _facts(run: Run, seen: SynthResult, root: Path) -> dict[str, Any]:
    devices = [use.to_json() for use in compared(run, seen)]
    return {
        **asdict(seen),
        "dsp_blocks": run.dsp,
        "folder": str(root / run.label),
        "devices": devices,
    }
