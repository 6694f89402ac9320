"""Foldings for a wanted interval, or the shortest interval that a number of multipliers allows.

A layer that is done long before the slowest one wastes hardware. `fold` gives each layer the fewest
multiply-accumulate cells (and others the fewest lanes) that keep up with a given interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeVar, assert_never

from fxsim.arithmetic.formats import AccumulatorMode
from fxsim.cost import luts as estimate
from fxsim.errors import RangeError
from fxsim.network import (
    Argmax,
    Concat,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
    Rescale,
    Resize,
)
from fxsim.plan.planner import plan_layer
from fxsim.timing.cycles import load
from fxsim.timing.depths import with_depths

R = TypeVar("R", QuantizedLinear, QuantizedConvolution)


@dataclass(frozen=True, kw_only=True, eq=False)
class Folded:
    """A network with other foldings.

    Parameters
    ----------
    network : QuantizedNetwork
        With the same integers; outputs do not change. Queues of adds have new depths.
    loads : dict of str to int
        Cycles that each layer is busy for with a vector or image.
    multipliers : int
        Multiply-accumulate cells of all layers.
    luts : int
        Estimate of their LUTs; see `luts`.
    """

    network: QuantizedNetwork
    loads: dict[str, int]
    multipliers: int
    luts: int

    @property
    def bottleneck(self) -> str:
        """The layer that is busy for most cycles."""
        return max(self.loads, key=lambda name: self.loads[name])

    @property
    def interval(self) -> int:
        """Cycles of the bottleneck."""
        return self.loads[self.bottleneck]


def fold(network: QuantizedNetwork, interval: int) -> Folded:
    """Give each layer the least hardware that is done within ``interval`` cycles.

    Saturating accumulators keep their ``simd``, which is part of their arithmetic.

    Raises
    ------
    RangeError
        If a layer cannot be so fast; the message names it and its shortest interval. If a layer
        has state: the loop sets its pace, not its folding alone.
    """
    return _folded(network, _fold(_options(network), interval))


@dataclass(frozen=True, kw_only=True)
class _Option:
    """A folding of a layer, with what it costs and how long it is busy."""

    cost: int
    load: int
    layer: Layer


def _options(network: QuantizedNetwork) -> list[list[_Option]]:
    """Every folding of every layer."""
    return [
        [_Option(cost=cost(choice), load=load(choice), layer=choice) for choice in _choices(layer)]
        for layer in network.layers
    ]


def _fold(options: Sequence[Sequence[_Option]], interval: int) -> list[Layer]:
    """Layers of `fold`: of each the first of its least options that keep up."""
    layers: list[Layer] = []
    for choices in options:
        fitting = [choice for choice in choices if choice.load <= interval]
        if not fitting:
            shortest = min(choice.load for choice in choices)
            name = choices[0].layer.name
            raise RangeError(f"{name}: interval must be at least {shortest}, not {interval}")
        layers.append(min(fitting, key=lambda choice: (choice.cost, choice.load)).layer)
    return layers


def _multipliers(layers: Sequence[Layer]) -> int:
    return sum(cost(layer) for layer in layers if layer.linears)


def _luts(layers: Sequence[Layer]) -> int:
    return sum(map(luts, layers))


def fold_within(
    network: QuantizedNetwork, most: int, kind: Literal["multipliers", "luts"] = "multipliers"
) -> Folded:
    """Give the layers at most ``most`` cells, or LUTs by estimate, for the shortest interval.

    Raises
    ------
    RangeError
        If the network needs more at any interval, or a layer has state.
    """
    options = _options(network)
    known = sorted({choice.load for choices in options for choice in choices})
    fastest = max(min(choice.load for choice in choices) for choices in options)
    known = [interval for interval in known if interval >= fastest]
    low, high = 0, len(known) - 1
    measure = {"multipliers": _multipliers, "luts": _luts}[kind]
    if (least := measure(_fold(options, known[high]))) > most:
        raise RangeError(f"{kind} must be at least {least}, not {most}")
    while low < high:
        middle = (low + high) // 2
        if measure(_fold(options, known[middle])) <= most:
            high = middle
        else:
            low = middle + 1
    return _folded(network, _fold(options, known[high]))


def cost(layer: Layer) -> int:
    """Multiply-accumulate cells of a layer; lanes of one without weights."""
    if not layer.linears:
        return layer.lanes_in
    return sum(product.folding.rows * product.folding.simd for product in layer.linears)


def luts(layer: Layer) -> int:
    """Estimate of the LUTs of a layer's multiply-accumulate cells (`fxsim.cost.luts`)."""
    return estimate.luts(plan_layer(layer).blocks())


def _folded(network: QuantizedNetwork, layers: list[Layer]) -> Folded:
    return Folded(
        network=with_depths(replace(network, layers=tuple(layers))),
        loads={layer.name: load(layer) for layer in layers},
        multipliers=_multipliers(layers),
        luts=_luts(layers),
    )


def _choices(layer: Layer) -> Iterator[Layer]:
    """The layer in every folding without idle lanes."""
    match layer:
        case QuantizedLinear():
            yield from _products(layer, layer.outputs, _divisors(layer.inputs))
        case QuantizedConvolution():
            simds = layer.windows.simd_choices()
            for product in _products(layer.product, layer.group_outputs, simds):
                yield _with(layer, product=product)
        case QuantizedLstm():
            raise RangeError(f"{layer.name}: foldings of layers with state must be chosen by hand")
        case MaxPool() | QuantizedAdd() | Argmax() | Rescale() | Resize() | Concat():
            channels = math.gcd(*(operand.shape[0] for operand in layer.operands))  # or items
            yield from (replace(layer, lanes=n) for n in _divisors(channels))
        case _:
            assert_never(layer)


def _products(
    product: QuantizedLinear, outputs: int, simds: Sequence[int]
) -> Iterator[QuantizedLinear]:
    """The product with rows that divide ``outputs`` and a choice of input lanes."""
    if product.accumulator.mode is AccumulatorMode.SATURATE:
        simds = [product.folding.simd]
    for rows in _divisors(outputs):
        for simd in simds:
            pad = product.inputs % simd > 0
            folding = replace(product.folding, rows=rows, simd=simd, pad=pad)
            yield _with(product, folding=folding)


def _with(record: R, **changes: object) -> R:
    """The record with other fields that fit: they are not checked, as that looks at all weights."""
    changed: R = object.__new__(type(record))
    for field in fields(record):
        value = changes.get(field.name, getattr(record, field.name))
        object.__setattr__(changed, field.name, value)
    return changed


def _divisors(size: int) -> list[int]:
    return [n for n in range(1, size + 1) if size % n == 0]
