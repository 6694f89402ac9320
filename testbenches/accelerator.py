"""Jobs for whole networks: what goes in, what must come out, and every layer's stream between."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.hw.accelerator import file_memories
from fxsim.hw.edges.axi import lane_bytes
from fxsim.hw.edges.axi_lite import Access
from fxsim.hw.edges.control import registers_of
from fxsim.network import IntArray, LayerKind, QuantizedNetwork
from fxsim.plan.beat import Beat
from fxsim.plan.planner import plan_network
from fxsim.plan.ports import SINK, SOURCE, link_path, port_names, state_path, wires_of
from fxsim.simulator.trace import LayerTrace, Trace
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.job import PATTERNS, TURNS, Device, Job, Registers
from fxsim.testbenches.bench.packed import pack_words


def accelerator_job(
    network: QuantizedNetwork, trace: Trace, *, patterns: Sequence[str] = PATTERNS, seed: int = 1
) -> Job:
    """Stream ``trace.inputs`` through the accelerator and expect the rest of the trace.

    Of layers with state, what hardware shows of it is watched as well as the output.
    """
    plan = plan_network(network)
    steps = next(iter(trace.inputs.values())).shape[1] if network.recurrent else 1

    def axis(port: str, name: str, beat: Beat, values: IntArray, pad: int) -> Channel:
        return _axis(port, name, beat, values, pad, steps)

    sources = [
        axis(port, name, plan.inputs[name].beat, trace.inputs[name], 0)
        for name, port in port_names(SOURCE, plan.inputs).items()
    ]
    sinks = [
        axis(port, name, plan.outputs[name].beat, trace.outputs[name], network[name].idle)
        for name, port in port_names(SINK, plan.outputs).items()
    ]
    probes = []
    for layer, seen in zip(network.layers, trace.layers, strict=True):
        probes += [_state_probe(layer, part, seen) for part in layer.probes]
        probes.append(_probe(layer, seen.activations))
    device = Device(
        source=sources[0],
        more_sources=sources[1:],
        sink=sinks[0],
        more_sinks=sinks[1:],
        probes=probes,
        flag="frame_error",
    )
    return Job(
        clock="aclk",
        reset="aresetn",
        reset_active=0,
        devices=[device],
        patterns=list(patterns),
        seed=seed,
        registers=_registers(network),
        settle=sum(layer.settling for layer in network.layers),
    )


def patterns_of(network: QuantizedNetwork, patterns: Sequence[str]) -> tuple[str, ...]:
    """Pause patterns of a run: with several inputs or outputs, vectors of one after the other."""
    several = len(network.inputs) > 1 or len(network.leaving) > 1
    return (*patterns, *TURNS) if several else tuple(patterns)


def _registers(network: QuantizedNetwork) -> Registers | None:
    """What can be read of status and checksums, where there is a port for it."""
    names = [memory.name for memory in file_memories(network)]
    if not names and not network.control:
        return None
    found = registers_of(names)
    return Registers(
        prefix="s_axi", reads={r.name: r.offset for r in found if r.access is Access.READ}
    )


def _axis(port: str, name: str, beat: Beat, values: IntArray, pad: int, steps: int) -> Channel:
    lanes, fmt = beat.lanes, beat.format
    stride = 8 * lane_bytes(fmt)
    vectors = values.reshape(-1, values.shape[-1])
    return Channel(
        name=name,
        data=f"{port}_tdata",
        valid=f"{port}_tvalid",
        ready=f"{port}_tready",
        last=f"{port}_tlast",
        lanes=lanes,
        stride=stride,
        bits=fmt.bits,
        signed=fmt.signed,
        beats=-(-values.shape[-1] // lanes),
        words=pack_words(vectors, lanes=lanes, stride=stride, pad=pad),
        vectors=steps,
    )


def _probe(layer: LayerKind, values: IntArray) -> Channel:
    lanes, fmt, wires = layer.lanes_out, layer.output.format, wires_of(link_path(layer.name))
    vectors = values.reshape(-1, layer.outputs)
    return Channel(
        name=layer.name,
        data=wires.data,
        valid=wires.valid,
        ready=wires.ready,
        lanes=lanes,
        stride=fmt.bits,
        bits=fmt.bits,
        signed=fmt.signed,
        beats=-(-layer.outputs // lanes),
        words=pack_words(vectors, lanes=lanes, stride=fmt.bits, pad=layer.idle),
    )


def _state_probe(layer: LayerKind, part: str, seen: LayerTrace) -> Channel:
    """Watch the state: a word whenever it is written, so its valid is its ready."""
    items, fmt = layer.probes[part].items, layer.probes[part].activation.format
    wires = wires_of(state_path(layer.name, part))
    return Channel(
        name=f"{layer.name} ({part} state)",
        data=wires.data,
        valid=wires.valid,
        ready=wires.valid,
        lanes=1,
        stride=fmt.bits,
        bits=fmt.bits,
        signed=fmt.signed,
        beats=items,
        words=pack_words(seen[part].reshape(-1, items), lanes=1, stride=fmt.bits),
    )
