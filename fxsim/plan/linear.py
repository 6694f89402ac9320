"""Blocks of a fully connected layer: vector buffer, MAC array, requantizer."""

from __future__ import annotations

from fxsim.network import QuantizedLinear
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import VectorBufferConfig
from fxsim.plan.chain import Chain
from fxsim.plan.graph import Group, Stream
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.requantizer import RequantizerConfig


def plan_linear(layer: QuantizedLinear, source: Stream, *, lanes_out: int | None = None) -> Group:
    """Group of a fully connected layer.

    A tile of ``rows`` accumulators takes ``beats`` cycles, so it leaves through a requantizer that
    is only as wide as that allows, unless ``lanes_out`` says that it shall leave sooner.
    """
    chain = Chain(i=source)
    simd = layer.folding.simd
    at = chain.resize("input", "i", lanes=simd, items=layer.inputs)
    buffer = VectorBufferConfig(
        beat=Beat(layer.input.format, simd), beats=layer.beats, tiles=layer.tiles
    )
    at = chain.add("buffer", buffer, at)
    return chain.group(add_product(chain, layer, at, lanes_out or layer.lanes_out))


def add_product(chain: Chain, layer: QuantizedLinear, source: str, lanes_out: int) -> str:
    """Add MAC array, its output and requantizer after a stream of vectors, one for each tile."""
    at = chain.add("mac_array", MacArrayConfig.from_layer(layer), source)
    at = chain.resize("output", at, lanes=lanes_out, items=layer.outputs)
    if layer.tail is None:
        return at
    return chain.add("requantizer", RequantizerConfig.from_layer(layer, lanes=lanes_out), at)
