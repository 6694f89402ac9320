"""Jobs for whole networks: what goes in, what must come out, and every layer's stream between."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.network import Activation, QuantizedLinear, QuantizedNetwork
from fxsim.trace import Trace
from hw.axi import lane_bytes
from testbenches.job import PATTERNS, Channel, Device, Job, pack_words


def accelerator_job(
    network: QuantizedNetwork, trace: Trace, *, patterns: Sequence[str] = PATTERNS, seed: int = 1
) -> Job:
    """Stream ``trace.input`` through the accelerator and expect the rest of the trace."""
    first, last = network.layers[0], network.layers[-1]
    source = _axis("s_axis", "input", first.input, first.folding.simd, trace.input.tolist(), 0)
    sink = _axis(
        "m_axis", last.name, last.output, last.output_lanes, trace.output.tolist(), _idle(last)
    )
    probes = [
        _probe(layer, seen.activations.tolist())
        for layer, seen in zip(network.layers, trace.layers, strict=True)
    ]
    return Job(
        clock="aclk",
        reset="aresetn",
        reset_active=0,
        devices=[Device(source=source, sink=sink, probes=probes, flag="frame_error")],
        patterns=list(patterns),
        seed=seed,
    )


def _idle(layer: QuantizedLinear) -> int:
    """What an idle output lane carries: the result of an accumulator of 0."""
    return layer.output.zero_point


def _axis(
    port: str, name: str, activation: Activation, lanes: int, vectors: list[list[int]], pad: int
) -> Channel:
    stride = 8 * lane_bytes(activation.format)
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
        beats=-(-len(vectors[0]) // lanes),
        words=pack_words(vectors, lanes=lanes, stride=stride, pad=pad),
    )


def _probe(layer: QuantizedLinear, vectors: list[list[int]]) -> Channel:
    lanes, fmt = layer.output_lanes, layer.output.format
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
