"""Jobs for whole networks: what goes in, what must come out, and every layer's stream between."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.hw.accelerator import file_memories
from fxsim.hw.edges.axi import lane_bytes
from fxsim.hw.edges.memory_check import registers_of
from fxsim.network import Activation, IntArray, LayerKind, QuantizedNetwork
from fxsim.simulator.trace import LayerTrace, Trace
from fxsim.testbenches.bench.job import PATTERNS, Channel, Device, Job, Registers, pack_words


def accelerator_job(
    network: QuantizedNetwork, trace: Trace, *, patterns: Sequence[str] = PATTERNS, seed: int = 1
) -> Job:
    """Stream ``trace.input`` through the accelerator and expect the rest of the trace.

    Of layers with state, what hardware shows of it is watched as well as the output.
    """
    first, last = network.layers[0], network.layers[-1]
    steps = trace.input.shape[1] if network.recurrent else 1
    source = _axis("s_axis", "input", first.input, first.lanes_in, trace.input, 0, steps)
    sink = _axis("m_axis", last.name, last.output, last.lanes_out, trace.output, last.idle, steps)
    probes = []
    for layer, seen in zip(network.layers, trace.layers, strict=True):
        probes += [_state_probe(layer, part, seen) for part in layer.probes]
        probes.append(_probe(layer, seen.activations))
    return Job(
        clock="aclk",
        reset="aresetn",
        reset_active=0,
        devices=[Device(source=source, sink=sink, probes=probes, flag="frame_error")],
        patterns=list(patterns),
        seed=seed,
        registers=_registers(network),
        settle=sum(layer.settling for layer in network.layers),
    )


def _registers(network: QuantizedNetwork) -> Registers | None:
    """Status and checksums, where memories are filled from files."""
    names = [memory.name for memory in file_memories(network)]
    if not names:
        return None
    return Registers(prefix="s_axi", reads={r.name: r.offset for r in registers_of(names)})


def _axis(
    port: str,
    name: str,
    activation: Activation,
    lanes: int,
    values: IntArray,
    pad: int,
    steps: int,
) -> Channel:
    stride = 8 * lane_bytes(activation.format)
    vectors = values.reshape(-1, values.shape[-1]).tolist()
    return Channel(
        name=name,
        data=f"{port}_tdata",
        valid=f"{port}_tvalid",
        ready=f"{port}_tready",
        last=f"{port}_tlast",
        lanes=lanes,
        stride=stride,
        bits=activation.format.bits,
        signed=activation.format.signed,
        beats=-(-values.shape[-1] // lanes),
        words=pack_words(vectors, lanes=lanes, stride=stride, pad=pad),
        vectors=steps,
    )


def _probe(layer: LayerKind, values: IntArray) -> Channel:
    lanes, fmt = layer.lanes_out, layer.output.format
    vectors = values.reshape(-1, layer.outputs).tolist()
    return Channel(
        name=layer.name,
        data=f"{layer.name}__o__payload",
        valid=f"{layer.name}__o__valid",
        ready=f"{layer.name}__o__ready",
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
    return Channel(
        name=f"{layer.name} ({part} state)",
        data=f"{layer.name}__{part}__payload",
        valid=f"{layer.name}__{part}__valid",
        ready=f"{layer.name}__{part}__valid",
        lanes=1,
        stride=fmt.bits,
        bits=fmt.bits,
        signed=fmt.signed,
        beats=items,
        words=pack_words(seen[part].reshape(-1, items).tolist(), lanes=1, stride=fmt.bits),
    )
