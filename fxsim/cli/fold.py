"""``fxsim fold``."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.lookup import SPEC, find_network
from fxsim.cli.options import JsonOption, NetworkArgument
from fxsim.cli.output import print_json, print_line, print_records
from fxsim.cli.paths import check_data, check_outputs, network_files
from fxsim.errors import FileError
from fxsim.targets.registry import find_part

if TYPE_CHECKING:
    from fxsim.network import Layer
    from fxsim.timing.folding import Folded

_COLUMNS = ["name", "rows", "simd", "lanes", "multipliers", "luts", "cycles", "busy"]


def fold(
    network: NetworkArgument,
    interval: Annotated[
        int | None, typer.Option("--interval", min=1, help="Most cycles between vectors.")
    ] = None,
    multipliers: Annotated[
        int | None, typer.Option("--multipliers", min=1, help="Most multiply-accumulate cells.")
    ] = None,
    luts: Annotated[
        int | None, typer.Option("--luts", min=1, help="Most LUTs of the cells, by estimate.")
    ] = None,
    part: Annotated[
        str | None, typer.Option("--part", help="Part to compare with, such as gw1nr-9.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="SPEC", help="Specification to write, folded so."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Balance the layers for an interval, or within a budget."""
    if sum(limit is not None for limit in (interval, multipliers, luts)) != 1:
        raise typer.BadParameter("give one of --interval, --multipliers and --luts")
    folder = find_network(network)
    if part is not None:
        find_part(part)
    check_outputs({"--output": output}, network_files(folder))
    from fxsim.network.storage import load_network
    from fxsim.timing import folding

    before = load_network(folder)
    check_data({"--output": output}, before.data)
    if output is not None and not (folder / SPEC).exists():
        raise FileError(f"{folder / SPEC}: not found; a folding is written to a copy of it")
    if interval is not None:
        folded = folding.fold(before, interval)
    elif multipliers is not None:
        folded = folding.fold_within(before, multipliers)
    else:
        assert luts is not None
        folded = folding.fold_within(before, luts, "luts")
    if output is not None:
        _write(folder / SPEC, folded, output)
    facts = describe(folded) | ({"part": fit(folded, part)} if part is not None else {})
    if as_json:
        print_json(facts)
        return
    rows = [layer | {"busy": f"{layer['busy']:.0%}"} for layer in facts["layers"]]
    print_records(f"Folding of {facts['name']}", _COLUMNS, rows)
    print_line(
        f"interval {folded.interval:,} cycles, set by {folded.bottleneck};"
        f" {folded.multipliers:,} multiply-accumulate cells, about {folded.luts:,} LUTs"
    )
    if part is not None:
        for line in _fit_text(facts["part"]):
            print_line(line)
    if output is not None:
        print_line(f"{output}")


def describe(folded: Folded) -> dict[str, Any]:
    """Plain values of a folding."""
    from fxsim.timing.folding import luts

    layers = [
        {
            "name": layer.name,
            "rows": hardware.get("rows"),
            "simd": hardware.get("simd"),
            "lanes": hardware.get("lanes"),
            "multipliers": sum(p.folding.rows * p.folding.simd for p in layer.linears),
            "luts": luts(layer),
            "cycles": folded.loads[layer.name],
            "busy": folded.loads[layer.name] / folded.interval,
        }
        for layer in folded.network.layers
        for hardware in [_hardware(layer)]
    ]
    return {
        "name": folded.network.name,
        "layers": layers,
        "interval": folded.interval,
        "bottleneck": folded.bottleneck,
        "multipliers": folded.multipliers,
        "luts": folded.luts,
    }


def fit(folded: Folded, name: str) -> dict[str, Any]:
    """What the folded network takes of a part, and what the part has.

    DSP blocks are those of its products, LUTs those of the cells by estimate, memory the bits of
    all memories next to those of the part's block RAMs.
    """
    from fxsim.cost.amounts import dsp_blocks
    from fxsim.cost.facts import blocks_of
    from fxsim.plan.memories import memories
    from fxsim.plan.planner import plan_network

    target, part = find_part(name)
    blocks = blocks_of(folded.network)
    held = memories(plan_network(folded.network))
    return {
        "name": name,
        "target": target.name,
        "dsp": [sum(dsp_blocks(b.kind, b.facts, target.name) for b in blocks), part.dsp],
        "luts": [folded.luts, part.logic],
        "memory_bits": [sum(m.bits for m in held), part.block_ram * target.fabric.block],
    }


def _fit_text(facts: dict[str, Any]) -> tuple[str, str]:
    dsp, cells, bits = map(_share, (facts["dsp"], facts["luts"], facts["memory_bits"]))
    return (
        (
            f"{facts['name']} ({facts['target']}): DSP blocks {dsp}; logic of the"
            f" multiply-accumulate cells alone about {cells}; memory bits {bits}"
        ),
        f"fxsim synth --part {facts['name']} counts everything",
    )


def _share(pair: list[int]) -> str:
    """What is taken, of how much, in percent."""
    taken, there = pair
    return f"{taken:,} of {there:,}" + (f" ({taken / there:.0%})" if there else "")


def _hardware(layer: Layer) -> dict[str, Any]:
    """Folding of a layer, as its key ``hardware`` has it."""
    if not layer.linears:
        return {"lanes": layer.lanes_in}
    folding = layer.linears[0].folding
    return {"rows": folding.rows, "simd": folding.simd, "pad": folding.pad}


def _write(source: Path, folded: Folded, path: Path) -> None:
    """Write the specification at ``source`` with other foldings, and all else as it is there."""
    from fxsim.spec import load_spec, parse_spec
    from fxsim.spec.common import HardwareSpec
    from fxsim.spec.rewrite import rewrite

    spec = load_spec(source)
    old = spec.model_dump(mode="json", exclude_unset=True)
    value = deepcopy(old)
    plain = HardwareSpec().model_dump(mode="json", include={"pad", "dsp", "memory"})
    layers = {layer.name: layer for layer in folded.network.layers}
    for i, entry in enumerate(value["layers"]):
        layer = layers.get(spec.layer_name(i))
        if layer is None:  # flattening is no hardware
            continue
        hardware = _hardware(layer)
        if entry["type"] == "average_pool":
            hardware = {"simd": hardware["simd"]}
        elif layer.linears:
            given = spec.layer_hardware(i)
            hardware |= {"dsp": given.dsp, "memory": str(given.memory)}
        there = entry.get("hardware", {})
        entry["hardware"] = {
            key: value for key, value in hardware.items() if key in there or value != plain.get(key)
        }
    wanted = parse_spec(value, str(path))
    rewrite(source, old, value, path, lambda found: parse_spec(found, str(path)) == wanted)
