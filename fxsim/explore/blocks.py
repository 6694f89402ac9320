"""The hardware blocks that a network is made of, with the sizes that decide what they cost.

Paths are those of the generated modules below the top (``layer0.mac_array``); what lies outside of
the blocks, the edges of the network, is the block of the empty path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import gcd

import numpy as np
import numpy.typing as npt

from fxsim.formats import AccumulatorMode, IntFormat, MemoryStyle, Overflow, Rounding
from fxsim.memory import WeightMemory
from fxsim.network import (
    INPUT,
    Argmax,
    IntArray,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
    Requantizer,
    Windows,
    varies,
)

REST = ""
"""Path of what lies outside of the blocks."""


@dataclass(frozen=True)
class Block:
    """A block: where it is, of which kind, and its sizes by name."""

    path: str
    kind: str
    facts: Mapping[str, int]


def blocks_of(network: QuantizedNetwork) -> list[Block]:
    """Every block of a network, in the order of the data, and the rest."""
    found: list[Block] = []
    lanes = network.lanes_in
    ahead = dict.fromkeys((add.name for add in network.shortcuts(INPUT)), lanes)
    for layer in network.layers:
        at = layer.name
        match layer:
            case QuantizedLinear():
                found += _linear(at, layer, lanes)
                lanes = layer.lanes_out
            case QuantizedLstm():
                found += _lstm(at, layer, lanes)
                lanes = layer.lanes_out
            case QuantizedConvolution():
                found += _convolution(at, layer, lanes)
                lanes = layer.lanes_out
            case MaxPool():
                found += _pool(at, layer, lanes)
                lanes = layer.lanes_out
            case QuantizedAdd():
                found += _add(at, layer, lanes, ahead[layer.name])
                lanes = layer.lanes
            case Argmax():
                found += _argmax(at, layer, lanes)
                lanes = layer.lanes_out
        ahead |= dict.fromkeys((add.name for add in network.shortcuts(at)), lanes)
    first, last = network.layers[0], network.layers[-1]
    found.append(
        Block(
            REST,
            "rest",
            {
                "in": network.lanes_in * first.input.format.bits,
                "out": lanes * last.output.format.bits,
                "beats_in": -(-first.inputs // network.lanes_in),
                "beats_out": -(-last.outputs // lanes),
                "layers": len(network.layers),
                "recurrent": int(network.recurrent),
                "cells": sum(x.cells for x in network.layers if isinstance(x, QuantizedLstm)),
                "forks": len(network.adds),
                "files": sum(_memory(product).file is not None for product in network.linears),
            },
        )
    )
    return found


def _linear(
    at: str, layer: QuantizedLinear, lanes_in: int, lanes_out: int | None = None
) -> Iterator[Block]:
    simd = layer.folding.simd
    yield from _resize(f"{at}.input", layer.input.format.bits, lanes_in, simd, layer.inputs)
    yield _buffer(f"{at}.buffer", layer.input.format.bits * simd, layer.beats, layer.tiles)
    yield from _product(at, layer, lanes_out or layer.lanes_out)


def _product(at: str, layer: QuantizedLinear, lanes_out: int) -> Iterator[Block]:
    """MAC array and all behind it."""
    yield _mac_array(f"{at}.mac_array", layer)
    bits = layer.accumulator.format.bits
    yield from _resize(f"{at}.output", bits, layer.folding.rows, lanes_out, layer.outputs)
    if layer.requantizer is not None:
        yield _requantizer(
            f"{at}.requantizer",
            layer.requantizer,
            lanes=lanes_out,
            items=layer.outputs,
            accumulator=bits,
            output=layer.output.format.bits,
            relu=layer.relu,
        )


def _convolution(at: str, layer: QuantizedConvolution, lanes_in: int) -> Iterator[Block]:
    fmt, simd = layer.input.format, layer.product.folding.simd
    yield from _resize(f"{at}.input", fmt.bits, lanes_in, layer.lanes_in, layer.windows.channels)
    yield _window(f"{at}.window", layer.windows, fmt, simd, layer.repeats)
    yield from _product(at, layer.product, layer.lanes_out)


def _pool(at: str, layer: MaxPool, lanes_in: int) -> Iterator[Block]:
    fmt = layer.input.format
    yield from _resize(f"{at}.input", fmt.bits, lanes_in, layer.lanes, layer.windows.channels)
    yield _window(f"{at}.window", layer.by_lanes, fmt, layer.lanes, 1)
    beats = layer.by_lanes.size // layer.lanes
    yield Block(
        f"{at}.greatest", "greatest", {"lanes": layer.lanes, "bits": fmt.bits, "beats": beats}
    )


def _add(at: str, layer: QuantizedAdd, lanes_in: int, lanes: int) -> Iterator[Block]:
    items, other = layer.shape[0], layer.other.format.bits
    yield from _resize(f"{at}.input", layer.input.format.bits, lanes_in, layer.lanes, items)
    yield from _resize(f"{at}.shortcut", other, lanes, layer.lanes, items)
    yield Block(f"{at}.queue", "queue", {"width": lanes * other, "depth": layer.depth})
    first, second = map(int, layer.requantizer.multiplier)
    sizes = {
        "lanes": layer.lanes,
        "bits": layer.input.format.bits + other,
        "multipliers": first.bit_length() + second.bit_length(),
        "ones": first.bit_count() + second.bit_count(),
        "accumulator": layer.accumulator.bits,
    }
    yield Block(f"{at}.sum", "sum", sizes)
    plain = replace(layer.requantizer, multiplier=np.ones(1, np.int64), multiplier_bits=0)
    yield _requantizer(
        f"{at}.requantizer",
        plain,
        lanes=layer.lanes,
        items=items,
        accumulator=layer.accumulator.bits,
        output=layer.output.format.bits,
        relu=layer.relu,
    )


def _argmax(at: str, layer: Argmax, lanes_in: int) -> Iterator[Block]:
    bits = layer.input.format.bits
    yield from _resize(f"{at}.input", bits, lanes_in, layer.lanes, layer.items)
    sizes = {
        "lanes": layer.lanes,
        "bits": bits,
        "place": layer.output.format.bits,
        "beats": layer.items // layer.lanes,
    }
    yield Block(f"{at}.greatest", "place", sizes)


def _lstm(at: str, layer: QuantizedLstm, lanes_in: int) -> Iterator[Block]:
    lanes, bits = layer.lanes_out, layer.output.format.bits
    yield _lstm_cell(f"{at}.lstm_cell", layer)
    for name, product, into, out in (
        ("input", layer.input_product, lanes_in, layer.input_product.lanes_out),
        ("hidden", layer.hidden_product, lanes, layer.hidden_lanes),
    ):
        yield from _linear(f"{at}.{name}_product", product, into, out)
        width = product.output.format.bits
        yield from _resize(f"{at}.{name}_terms", width, out, 4, product.outputs)
        yield _buffer(f"{at}.{name}_terms", 4 * width, layer.cells, 1)
    yield Block(f"{at}.fork", "fork", {"bits": lanes * bits})
    if layer.projection is not None:
        yield from _linear(f"{at}.projection", layer.projection, 1)
    yield _buffer(f"{at}.output", lanes * bits, -(-layer.outputs // lanes), 1)


def _resize(at: str, bits: int, lanes_in: int, lanes_out: int, items: int) -> Iterator[Block]:
    """The blocks of `fxsim.hw.resize.resize`."""
    common = lanes_in * lanes_out // gcd(lanes_in, lanes_out)
    for kind, slim in (("widen", lanes_in), ("narrow", lanes_out)):
        if slim != common:
            facts = {
                "wide": common * bits,
                "slim": slim * bits,
                "parts": common // slim,
                "beats": -(-items // slim),
            }
            yield Block(f"{at}_{kind}", kind, facts)


def _buffer(at: str, width: int, beats: int, tiles: int) -> Block:
    return Block(at, "buffer", {"width": width, "beats": beats, "tiles": tiles})


def _memory(layer: QuantizedLinear) -> WeightMemory:
    return WeightMemory.of(layer)


def _mac_array(at: str, layer: QuantizedLinear) -> Block:
    rows, simd = layer.folding.rows, layer.folding.simd
    memory = _memory(layer)
    biases = np.zeros(layer.tiles * rows, np.int64)
    biases[: layer.outputs] = layer.bias
    weight, accumulator = layer.weight_format.bits, layer.accumulator.format.bits
    return Block(
        at,
        "mac_array",
        {
            "rows": rows,
            "simd": simd,
            "weight": weight,
            "source": layer.input.format.bits,
            "signed": int(layer.input.format.signed),
            "accumulator": accumulator,
            "tiles": layer.tiles,
            "beats": layer.beats,
            "ternary": int(layer.ternary),
            "dsp": int(layer.folding.dsp),
            "saturate": int(layer.accumulator.mode is AccumulatorMode.SATURATE),
            "style": list(MemoryStyle).index(memory.style),
            # In block RAM the content costs nothing.
            "columns": 0 if memory.file else _columns(_words(layer), weight),
            "bias_columns": _columns(biases.reshape(layer.tiles, rows), accumulator),
        },
    )


def _words(layer: QuantizedLinear) -> IntArray:
    """Weights as the hardware keeps them, a word a row."""
    rows, simd = layer.folding.rows, layer.folding.simd
    padded = np.zeros((layer.tiles * rows, layer.beats * simd), np.int64)
    padded[: layer.outputs, : layer.inputs] = layer.weight
    words = padded.reshape(layer.tiles, rows, layer.beats, simd).swapaxes(1, 2)
    return words.reshape(layer.tiles * layer.beats, -1)


def _requantizer(
    at: str,
    requantizer: Requantizer,
    *,
    lanes: int,
    items: int,
    accumulator: int,
    output: int,
    relu: bool,
) -> Block:
    beats, bits = -(-items // lanes), requantizer.multiplier_bits

    def words(constants: IntArray) -> IntArray:
        padded = np.zeros(beats * lanes, np.int64)
        padded[:items] = constants
        return padded.reshape(beats, lanes)

    varied, moved = varies(requantizer.multiplier), varies(requantizer.offset)
    low, high = int(requantizer.offset.min()), int(requantizer.offset.max())
    added = IntFormat.spanning(low, high, signed=True).bits if low or high else 0
    constant = int(requantizer.multiplier[0])
    return Block(
        at,
        "requantizer",
        {
            "lanes": lanes,
            "accumulator": accumulator,
            "multiplier": bits if varied or not bits else constant.bit_length(),
            "ones": 0 if varied else constant.bit_count(),
            "varied": int(varied),
            "offset": added,
            "moved": int(moved),
            "shift": requantizer.shift,
            "output": output,
            "relu": int(relu),
            "saturate": int(requantizer.overflow is Overflow.SATURATE),
            "floor": int(requantizer.rounding is Rounding.FLOOR),
            "beats": beats,
            "columns": _columns(words(requantizer.multiplier), bits) if varied else 0,
            "offset_columns": _columns(words(requantizer.offset), added) if moved else 0,
        },
    )


def _window(at: str, windows: Windows, fmt: IntFormat, simd: int, repeats: int) -> Block:
    rows, columns = windows.taps(simd)
    lanes = windows.lanes_in(simd)
    words = windows.channels // lanes
    line = -(-(windows.width + 2 * windows.padding) // columns) * words
    return Block(
        at,
        "window",
        {
            "banks": rows * columns,
            "tap_rows": rows,
            "tap_columns": columns,
            "width": lanes * fmt.bits,
            "depth": -(-windows.stored_rows // rows) * line,
            "places": windows.places,
            "side": windows.width,
            "size": windows.size // simd,
            "repeats": repeats,
            "groups": windows.groups,
            "padding": windows.padding,
            "stride": windows.stride,
        },
    )


def _lstm_cell(at: str, layer: QuantizedLstm) -> Block:
    return Block(
        at,
        "lstm_cell",
        {
            "terms": layer.input_product.output.format.bits
            + layer.hidden_product.output.format.bits,
            "guard": layer.guard_bits,
            "preactivation": layer.tanh.input.bits,
            "sigmoid": layer.sigmoid.bits,
            "tanh": layer.tanh.bits,
            "step": layer.tanh.step_bits,
            "cell": layer.cell.bits,
            "fraction": layer.cell_fraction,
            "output": layer.cell_output.format.bits,
            "cells": layer.cells,
            "multipliers": layer.multipliers,
        },
    )


def _columns(words: IntArray, bits: int) -> int:
    """Bits of a ROM word that differ from each other and are not constant."""
    raised = (words[:, :, None] >> np.arange(bits)) & 1
    columns: npt.NDArray[np.bool_] = raised.reshape(len(words), -1).T.astype(bool)
    columns = columns ^ columns[:, :1]  # a bit and its complement are one
    distinct = {row.tobytes() for row in np.packbits(columns, axis=1)}
    return len(distinct - {bytes(-(-len(words) // 8))})
