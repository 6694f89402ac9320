"""Blocks of an LSTM layer: two products, their terms, the cell, the loop back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fxsim.network import QuantizedLinear, QuantizedLstm
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import ForkConfig, VectorBufferConfig
from fxsim.plan.chain import Chain
from fxsim.plan.graph import Group, Source, Stream
from fxsim.plan.linear import plan_linear
from fxsim.plan.lstm_cell import GATES, LstmCellConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class LoopGroup(Group):
    """Group of an LSTM layer.

    Parameters
    ----------
    cell : LstmCellConfig
        Of its node ``lstm_cell``.
    fed_back : Stream
        h on its way back to U h.
    zero : int
        Integer of h = 0, which a sequence starts from.
    """

    cell: LstmCellConfig
    fed_back: Stream
    zero: int

    @property
    def back(self) -> Source:
        """Where h leads back from: after reset, a vector of zeros comes before it."""
        return "fork", 1


def plan_lstm(layer: QuantizedLstm, source: Stream) -> LoopGroup:
    """Group of an LSTM layer.

    W x runs ahead of the recurrence, so a step takes as long as U h, plus what the way of the last
    cells back to the first tile of U h adds. What goes back passes a switch (`fxsim.hw.lstm.lstm`)
    that puts zeros in its place where a sequence starts.
    """
    chain, lanes = Chain(i=source), layer.lanes_out
    fed_back = Stream.of(layer.output.format, lanes, layer.outputs)
    terms = []
    for name, product, taken, start, lanes_out in (
        ("input", layer.input_product, source, "i", None),
        ("hidden", layer.hidden_product, fed_back, ("fork", 1), layer.hidden_lanes),
    ):
        group = plan_linear(by_cell(product), taken, lanes_out=lanes_out)
        at = chain.add(f"{name}_product", group, start)
        at = chain.resize(f"{name}_terms", at, lanes=GATES, items=product.outputs)
        beat = Beat(product.output.format, GATES)
        buffer = VectorBufferConfig(beat=beat, beats=layer.cells, tiles=1)
        terms.append(chain.add(f"{name}_terms", buffer, at))
    cell = LstmCellConfig.from_layer(layer)
    at = chain.add("lstm_cell", cell, *terms)
    if layer.projection is not None:
        cells = Stream.of(layer.cell_output.format, 1, layer.cells)
        at = chain.add("projection", plan_linear(layer.projection, cells), at)
    fork = chain.add("fork", ForkConfig(beat=fed_back.beat, sinks=2), at)
    # So that the loop does not wait for whoever takes the output.
    output = VectorBufferConfig(beat=fed_back.beat, beats=fed_back.count, tiles=1)
    group = chain.group(chain.add("output", output, fork))
    return LoopGroup(**vars(group), cell=cell, fed_back=fed_back, zero=layer.output.zero_point)


def by_cell(product: QuantizedLinear) -> QuantizedLinear:
    """Copy of the product with the four gates of each cell side by side, as the cell takes them."""
    order = np.arange(product.outputs).reshape(GATES, -1).T.ravel()
    scale, tail = product.weight_scale, product.tail
    return replace(
        product,
        weight=product.weight[order],
        bias=product.bias[order],
        weight_scale=scale[order] if len(scale) > 1 else scale,
        tail=tail and tail.rows(order),
    )
