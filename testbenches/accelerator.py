"""Jobs for whole networks: what goes in, what must come out, and every layer's stream between."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.arithmetic import integers
from fxsim.hw.accelerator import file_memories
from fxsim.hw.edges.axi import lane_bytes
from fxsim.hw.edges.memory_check import registers_of
from fxsim.network import Activation, IntArray, Layer, QuantizedLstm, QuantizedNetwork
from fxsim.simulator.trace import LstmTrace, Trace
from fxsim.testbenches.bench.job import PATTERNS, Channel, Device, Job, Registers, pack_words


def accelerator_job(
    network: QuantizedNetwork, trace: Trace, *, patterns: Sequence[str] = PATTERNS, seed: int = 1
) -> Job:
    """Stream ``trace.input`` through the accelerator and expect the rest of the trace.

    Of LSTM layers the cell state is watched as well as the output.
    """
    first, last = network.layers[0], network.layers[-1]
    steps = trace.input.shape[1] if network.recurrent else 1
    source = _axis("s_axis", "input", first.input, first.lanes_in, trace.input, 0, steps)
    sink = _axis("m_axis", last.name, last.output, last.lanes_out, trace.output, _idle(last), steps)
    probes = []
    for layer, seen in zip(network.layers, trace.layers, strict=True):
        if isinstance(layer, QuantizedLstm) and isinstance(seen, LstmTrace):
            probes.append(_cell_probe(layer, seen))
        probes.append(_probe(layer, seen.activations))
    return Job(
        clock="aclk",
        reset="aresetn",
        reset_active=0,
        devices=[Device(source=source, sink=sink, probes=probes, flag="frame_error")],
        patterns=list(patterns),
        seed=seed,
        registers=_registers(network),
        settle=sum(_settling(layer) for layer in network.layers),
    )


def _registers(network: QuantizedNetwork) -> Registers | None:
    """Status and checksums, where memories are filled from files."""
    names = [memory.name for memory in file_memories(network)]
    if not names:
        return None
    return Registers(prefix="s_axi", reads={r.name: r.offset for r in registers_of(names)})


def _settling(layer: Layer) -> int:
    """More than the cycles in which an LSTM layer prepares its first step after reset."""
    if not isinstance(layer, QuantizedLstm):
        return 0
    product = layer.hidden_product
    return layer.outputs + product.tiles * product.beats + 100


def _idle(layer: Layer) -> int:
    """What an idle output lane carries: the result of an accumulator of 0, offset included."""
    product = layer.linears[-1] if layer.linears else None
    requantizer = None if product is None else product.requantizer
    if product is None or requantizer is None or len(requantizer.offset) > 1:
        return layer.output.zero_point
    return integers.requantize(
        0,
        multiplier=1,
        offset=int(requantizer.offset[0]),
        slack_bits=requantizer.slack_bits,
        shift=requantizer.shift,
        zero_point=layer.output.zero_point,
        fmt=layer.output.format,
        rounding=requantizer.rounding,
        mode=requantizer.overflow,
        relu=product.relu,
    )


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


def _probe(layer: Layer, values: IntArray) -> Channel:
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
        words=pack_words(vectors, lanes=lanes, stride=fmt.bits, pad=_idle(layer)),
    )


def _cell_probe(layer: QuantizedLstm, trace: LstmTrace) -> Channel:
    """Watch the cell state: a word whenever it is written, so its valid is its ready."""
    fmt = layer.cell
    return Channel(
        name=f"{layer.name} (cell state)",
        data=f"{layer.name}__cell__payload",
        valid=f"{layer.name}__cell__valid",
        ready=f"{layer.name}__cell__valid",
        lanes=1,
        stride=fmt.bits,
        bits=fmt.bits,
        signed=fmt.signed,
        beats=layer.cells,
        words=pack_words(trace.cells.reshape(-1, layer.cells).tolist(), lanes=1, stride=fmt.bits),
    )
