"""Blocks of a convolution: line buffer, MAC array, requantizer."""

from __future__ import annotations

from fxsim.network import QuantizedConvolution
from fxsim.plan.chain import Chain
from fxsim.plan.graph import Group, Stream
from fxsim.plan.linear import add_product
from fxsim.plan.window import WindowConfig


def plan_convolution(layer: QuantizedConvolution, source: Stream) -> Group:
    """Group of a convolution.

    The line buffer gives out each window once for each tile of output channels, so the MAC array
    has no buffer of its own.
    """
    chain = Chain(i=source)
    at = chain.resize("input", "i", lanes=layer.lanes_in, items=layer.windows.channels)
    window = WindowConfig(
        windows=layer.windows,
        format=layer.input.format,
        simd=layer.product.folding.simd,
        repeats=layer.repeats,
        outside=layer.input.zero_point,
    )
    at = chain.add("window", window, at)
    return chain.group(add_product(chain, layer.product, at, layer.lanes_out))
