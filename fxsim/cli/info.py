"""``fxsim info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fxsim.cli.lookup import read_network
from fxsim.cli.options import JsonOption, NetworkArgument
from fxsim.cli.output import print_json, print_line, print_records

if TYPE_CHECKING:
    from fxsim.network import QuantizedLinear, QuantizedNetwork

_LAYER = ["name", "inputs", "outputs", "weights", "levels", "accumulator", "overflow", "output"]
_HARDWARE = ["name", "rows", "simd", "pad", "memory_bits", "interval", "utilisation"]


def info(network: NetworkArgument, as_json: JsonOption = False) -> None:
    """Show formats, folding, memory and cycles of each layer."""
    facts = describe(read_network(network))
    if as_json:
        print_json(facts)
        return
    print_line(f"{facts['name']}  (data {facts['data']}, hash {facts['hash']})")
    source = facts["input"]
    print_line(f"input {source['shape']} of {source['format']}, scale {source['scale']:g}\n")
    rows = [layer | {"utilisation": f"{layer['utilisation']:.0%}"} for layer in facts["layers"]]
    print_records("Layers", _LAYER, rows)
    print_records("Hardware", _HARDWARE, rows)
    print_line(
        f"latency {facts['latency']} cycles, interval {facts['interval']}"
        f" (set by {facts['bottleneck']}), weight memory {facts['memory_bits']:,} bits"
    )


def describe(network: QuantizedNetwork) -> dict[str, Any]:
    """Plain values that say all about a network except its weights."""
    from fxsim.cycles import predict
    from fxsim.storage import network_hash

    cycles = predict(network)
    layers = [
        _describe_layer(layer) | {"interval": seen.interval, "utilisation": seen.utilisation}
        for layer, seen in zip(network.linears, cycles.layers, strict=True)
    ]
    return {
        "name": network.name,
        "data": network.data,
        "hash": network_hash(network),
        "input": {
            "shape": list(network.input.shape),
            "format": str(network.input.activation.format),
            "scale": network.input.activation.scale,
            "zero_point": network.input.activation.zero_point,
        },
        "layers": layers,
        "memory_bits": sum(layer["memory_bits"] for layer in layers),
        "latency": cycles.latency,
        "interval": cycles.interval,
        "bottleneck": cycles.bottleneck,
    }


def _describe_layer(layer: QuantizedLinear) -> dict[str, Any]:
    folding, weight = layer.folding, layer.weight_format
    return {
        "name": layer.name,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "weights": str(weight),
        "levels": weight.max - weight.min + 1,
        "accumulator": str(layer.accumulator.format),
        "overflow": str(layer.accumulator.mode),
        "output": str(layer.output.format),
        "rows": folding.rows,
        "simd": folding.simd,
        "pad": folding.pad,
        "memory_bits": layer.weight.size * weight.bits,
    }
