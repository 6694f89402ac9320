"""``fxsim info``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.lookup import read_network
from fxsim.cli.options import JsonOption
from fxsim.cli.output import print_json, print_line, print_records, print_table
from fxsim.cli.units import commands_of, read_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fxsim.network import QuantizedLinear, QuantizedNetwork

_LAYER = ["name", "inputs", "outputs", "weights", "levels", "accumulator", "overflow", "output"]
_ADDS = ["name", "sources", "items", "lanes", "multipliers", "shift", "accumulator", "output"]
_ADDS += ["depths", "queue_bits"]
_GRAPH = ["name", "type", "takes", "yields", "format", "lanes", "queues"]
_HARDWARE = ["name", "rows", "simd", "pad", "memory_bits", "interval", "utilisation"]


def info(
    network: Annotated[
        str | None, typer.Argument(metavar="NETWORK", help="Folder of a network, or its name.")
    ] = None,
    kernels: Annotated[
        bool,
        typer.Option("--kernels", help="Show which integer units the simulator uses, and why."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show formats, folding, memory and cycles of each layer.

    NETWORK may be a unit, too: a YAML file with a ``kind``, such as mac-array-16x8.
    """
    if kernels:
        _show_kernels(as_json)
        return
    if network is None:
        raise typer.BadParameter("give a NETWORK, or --kernels")
    unit = read_unit(network)
    facts = describe(read_network(network)) if unit is None else commands_of(unit).facts()
    if as_json:
        print_json(facts)
    elif unit is None:
        _print_network(facts)
    else:
        name, rows = facts["name"], [[key.replace("_", " "), facts[key]] for key in facts]
        print_table(name, ["key", "value"], rows[1:])


def _print_network(facts: Mapping[str, Any]) -> None:
    print_line(f"{facts['name']}  (data {facts['data']}, hash {facts['hash']})")
    for name, source in facts["inputs"].items():
        shape, fmt, scale = source["shape"], source["format"], source["scale"]
        print_line(f"{name} {shape} of {fmt}, scale {scale:g}")
    print_line("")
    rows = [layer | {"utilisation": f"{layer['utilisation']:.0%}"} for layer in facts["layers"]]
    print_records("Layers", _LAYER, rows)
    print_records("Hardware", _HARDWARE, rows)
    if facts["adds"]:
        lists = ("sources", "multipliers", "depths")
        adds = [
            add | {key: ", ".join(map(str, add[key])) for key in lists} for add in facts["adds"]
        ]
        print_records("Adds", _ADDS, adds)
    if not facts["chain"]:
        graph = [
            layer
            | {"takes": ", ".join(layer["takes"]), "yields": " x ".join(map(str, layer["yields"]))}
            | {"queues": ", ".join(map(str, layer["depths"])) if any(layer["depths"]) else "-"}
            for layer in facts["graph"]
        ]
        print_records("Graph", _GRAPH, graph)
        print_line(f"outputs {', '.join(facts['outputs'])}")
        print_line("")
    late, early = facts["latency"], facts["latency_after_reset"]
    reset = f", {early} right after reset" if early != late else ""
    print_line(
        f"latency {late} cycles{reset}, interval {facts['interval']} (set by {facts['bottleneck']})"
    )
    every = sum(memory["bits"] for memory in facts["memories"])
    print_line(
        f"memories {every:,} bits, {facts['memory_bits']:,} of them weights, idle lanes included"
    )


def _show_kernels(as_json: bool) -> None:
    from fxsim.kernels.product import threads
    from fxsim.kernels.target import chosen, obstacles

    asked = os.environ.get("FXSIM_KERNEL") or None
    facts = {
        "kernel": str(chosen()),
        "asked": asked,
        "threads": threads(),
        "obstacles": {str(backend): why for backend, why in obstacles().items()},
    }
    if as_json:
        print_json(facts)
        return
    reason = "FXSIM_KERNEL asks for it" if asked else "the first that can run here"
    print_line(f"{facts['kernel']}: {reason}; {facts['threads']} thread(s) for large products")
    for backend, why in obstacles().items():
        print_line(f"  {backend}: {why or 'can run here'}")


def describe(network: QuantizedNetwork) -> dict[str, Any]:
    """Plain values that say all about a network except its weights."""
    from fxsim.network.manifest import describe_arithmetic
    from fxsim.network.storage import network_hash
    from fxsim.plan.memories import memories
    from fxsim.plan.planner import plan_network, queues_of
    from fxsim.timing.cycles import predict

    cycles, plan = predict(network), plan_network(network)
    held = memories(plan)
    weights = [memory for memory in held if memory.holds == "weights"]
    layers = [
        _describe_layer(layer)
        | {"memory_bits": memory.bits, "interval": seen.interval, "utilisation": seen.utilisation}
        for layer, memory, seen in zip(network.linears, weights, cycles.layers, strict=True)
    ]
    return {
        "name": network.name,
        "data": network.data,
        "hash": network_hash(network),
        "inputs": {
            name: {
                "shape": list(source.shape),
                "format": str(source.activation.format),
                "scale": source.activation.scale,
                "zero_point": source.activation.zero_point,
            }
            for name, source in network.inputs.items()
        },
        "graph": [
            {
                "name": layer.name,
                "type": entry["type"],
                "takes": list(network.taken[layer.name]),
                "yields": list(layer.shape_out),
                "format": str(layer.output.format),
                "scale": layer.output.scale,
                "lanes": layer.lanes_out,
                "depths": list(network.depth_of(layer.name)),
            }
            for layer, entry in zip(
                network.layers, describe_arithmetic(network)["layers"], strict=True
            )
        ],
        "outputs": list(network.leaving),
        "chain": not network.sources and not network.outputs,
        "layers": layers,
        "adds": [
            {
                "name": add.name,
                "sources": list(network.taken[add.name]),
                "items": add.inputs,
                "lanes": add.lanes,
                "multipliers": list(add.multipliers),
                "shift": add.tail.shift,
                "accumulator": str(add.accumulator),
                "output": str(add.output.format),
                "output_scale": add.output.scale,
                "depths": list(network.depth_of(add.name)),
                "queue_bits": sum(queue.bits for queue in queues_of(plan, add.name)),
            }
            for add in network.adds
        ],
        "memories": [
            {
                "block": memory.block,
                "holds": memory.holds,
                "words": memory.depth,
                "width": memory.width,
                "count": memory.count,
                "bits": memory.bits,
            }
            for memory in held
        ],
        "memory_bits": sum(memory.bits for memory in weights),
        "latency": cycles.latency,
        "latency_after_reset": cycles.after_reset,
        "interval": cycles.interval,
        "bottleneck": cycles.bottleneck,
    }


def _levels(layer: QuantizedLinear) -> int:
    """Number of quantization levels of the weights.

    Weights with a zero point are stored without it, in a format of nearly twice their levels; they
    are told by no group spanning more than half of it.
    """
    import numpy as np

    weight, code = layer.weight, layer.code
    if not code.multiplies:
        return code.levels
    scale = np.broadcast_to(layer.weight_scale, len(weight))
    groups = np.split(weight, 1 + np.flatnonzero(np.diff(scale)))
    spans = [max(group.max(), 0) - min(group.min(), 0) for group in groups]
    half = code.levels // 2 + 1
    return half if max(spans) < half else code.levels


def _describe_layer(layer: QuantizedLinear) -> dict[str, Any]:
    folding, weight = layer.folding, layer.code
    return {
        "name": layer.name,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "weights": str(weight),
        "levels": _levels(layer),
        "accumulator": str(layer.accumulator.format),
        "overflow": str(layer.accumulator.mode),
        "output": str(layer.output.format),
        "output_scale": layer.output.scale,
        "rows": folding.rows,
        "simd": folding.simd,
        "pad": folding.pad,
    }
