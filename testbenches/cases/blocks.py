# amaranth: UnusedElaboratable=no
"""Configurations of each block by itself, with expected words from the definition in `fxsim`.

All configurations of a block sit side by side in one top module, so that a simulator is built once
for all of them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle, product

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Component

from fxsim import reference
from fxsim.arithmetic import integers
from fxsim.arithmetic.codes import WITHOUT_MULTIPLIER, code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.hw.blocks import mac_array, requantizer
from fxsim.hw.blocks.buffers import VectorBuffer
from fxsim.hw.blocks.resize import Narrow, Widen
from fxsim.hw.layer import Layer
from fxsim.network import (
    Accumulator,
    Activation,
    Folding,
    QuantizedLinear,
    Tail,
    accumulator_bounds,
)
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import VectorBufferConfig
from fxsim.plan.graph import Stream
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.planner import plan_layer
from fxsim.plan.requantizer import RequantizerConfig
from fxsim.plan.resize import NarrowConfig, WidenConfig
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.job import PATTERNS, Device, Job
from fxsim.testbenches.bench.words import FORMATS, Case, Traffic, Words, draw
from fxsim.testbenches.cases.image_blocks import IMAGE_BLOCKS
from fxsim.testbenches.cases.residual_blocks import RESIDUAL_BLOCKS
from fxsim.testbenches.cases.shape_blocks import SHAPE_BLOCKS


class Bank(Component):
    """Blocks side by side: ``<name>_i`` and ``<name>_o`` are streams of case ``<name>``.

    Ports of a block that are no streams stay unconnected.
    """

    def __init__(self, cases: Sequence[Case]):
        self._blocks = blocks = {case.name: case.block for case in cases}
        assert len(blocks) == len(cases), "names must be unique"
        super().__init__(
            {
                f"{name}_{port}": member
                for name, block in blocks.items()
                for port, member in block.signature.members.items()
                if member.is_signature
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, block in self._blocks.items():
            m.submodules[name] = block
            for port, member in block.signature.members.items():
                if member.is_port:
                    continue
                outer, inner = getattr(self, f"{name}_{port}"), getattr(block, port)
                pairs = zip(outer, inner, strict=True) if member.dimensions else [(outer, inner)]
                for stream, own in pairs:
                    wiring.connect(m, wiring.flipped(stream), own)
        return m


def bank_job(cases: Sequence[Case], *, seed: int) -> Job:
    """Run all cases of one `Bank` through all pause patterns."""
    return Job(
        clock="clk",
        reset="rst",
        reset_active=1,
        devices=[
            Device(
                source=case.given.channel(case.name, f"{case.name}_{case.input}"),
                sink=case.expected.channel(case.name, f"{case.name}_{case.output}"),
                more_sources=_channels(case.name, case.more_given),
                more_sinks=_channels(case.name, case.more_expected),
                probes=[
                    replace(channel, ready=channel.valid)
                    for channel in _channels(case.name, case.watched)
                ],
            )
            for case in cases
        ],
        patterns=list(PATTERNS),
        seed=seed,
    )


def _channels(name: str, traffic: Mapping[str, Traffic]) -> list[Channel]:
    return [value.channel(f"{name}.{port}", f"{name}_{port}") for port, value in traffic.items()]


def buffer_cases() -> Iterator[Case]:
    """`VectorBuffer`: shapes of a vector, repetitions, formats."""
    generator, formats = random.Random(1), cycle(FORMATS)
    for lanes, beats, tiles in [
        *product((1, 3), (1, 2, 3, 8), (1, 2, 5)),
        *[(7, 5, 1), (8, 1, 16), (16, 2, 3), (1, 64, 1), (1, 17, 2), (2, 4, 33)],
    ]:
        fmt = next(formats)
        block = VectorBuffer(VectorBufferConfig(beat=Beat(fmt, lanes), beats=beats, tiles=tiles))
        vectors = draw(generator, fmt, 7, lanes * beats)
        yield Case(
            name=f"lanes{lanes}_beats{beats}_tiles{tiles}",
            block=block,
            given=Words(format=fmt, lanes=lanes, vectors=vectors),
            expected=Words(format=fmt, lanes=lanes, vectors=[v * tiles for v in vectors]),
            due=[block.latency + k for k in range(len(vectors) * beats * tiles)],
        )


def resize_cases() -> Iterator[Case]:
    """`Narrow` and `Widen`: whole and partial beats, vectors shorter than a wide beat."""
    generator, formats = random.Random(2), cycle(FORMATS)
    sizes = [(2, 1), (3, 1), (8, 1), (4, 2), (6, 2), (6, 3), (15, 5), (16, 4), (14, 7)]
    for (wide, slim), extra in product(sizes, (0, 1, 2)):
        fmt = next(formats)
        # Whole beats, one item alone, and a last beat of each stream that is not full.
        items = (3 * wide, 1, 2 * wide + 1)[extra]
        wide_items, slim_items = -(-items // wide) * wide, -(-items // slim) * slim
        vectors = draw(generator, fmt, 6, wide_items)
        slim_beats, wide_beats = slim_items // slim, wide_items // wide
        cut = [vector[:slim_items] for vector in vectors]
        narrow = Narrow(NarrowConfig(format=fmt, lanes_in=wide, lanes_out=slim, items=items))
        yield Case(
            name=f"narrow{wide}to{slim}_items{items}",
            block=narrow,
            given=Words(format=fmt, lanes=wide, vectors=vectors),
            expected=Words(format=fmt, lanes=slim, vectors=cut),
            due=[narrow.latency + k for k in range(len(vectors) * slim_beats)],
        )
        widen = Widen(WidenConfig(format=fmt, lanes_in=slim, lanes_out=wide, items=items))
        parts = wide // slim
        ends = [min((k + 1) * parts, slim_beats) - 1 for k in range(wide_beats)]
        yield Case(
            name=f"widen{slim}to{wide}_items{items}",
            block=widen,
            given=Words(format=fmt, lanes=slim, vectors=cut),
            expected=Words(format=fmt, lanes=wide, vectors=cut),
            due=[
                widen.latency + vector * slim_beats + end
                for vector in range(len(vectors))
                for end in ends
            ],
        )


def requantizer_cases() -> Iterator[Case]:
    """`Requantizer`: every mode on every 10-bit accumulator.

    With and without offsets, one or one for each channel, others below 0, slack bits and clamps.
    """
    generator = random.Random(3)
    accumulator = IntFormat(bits=10, signed=True)
    values = list(range(accumulator.min, accumulator.max + 1))
    lanes_and_items = cycle([(3, 3), (4, 10), (3, 7), (5, 12)])
    overflows = (("wrap", Overflow.WRAP), ("sat", Overflow.SATURATE), ("narrow", Overflow.SATURATE))
    offsets = cycle(["", "one", "", "channel", ""])
    others, clamps = cycle(["", "", "one", "", "", "", "channel"]), cycle([False, True, False])
    for rounding, (kind, overflow), relu, bits, per_channel in product(
        Rounding, overflows, (False, True), (0, 8, 16), (False, True)
    ):
        added, under = next(offsets), next(others)
        if per_channel and bits == 0 and added != "channel":
            continue  # all multipliers are 1, which is one for all channels
        lanes, items = next(lanes_and_items)
        narrow = kind == "narrow"
        fmt = IntFormat(
            bits=generator.randint(2 if narrow else 1, 9),
            signed=narrow or generator.random() < 0.5,
            narrow=narrow,
        )
        zero_point = generator.choice([0, fmt.min, fmt.max, generator.randint(fmt.min, fmt.max)])
        multipliers = [1] if bits == 0 else [generator.randrange(1 << (bits - 1), 1 << bits)]
        if per_channel and bits:
            multipliers = [generator.randrange(1 << bits) for _ in range(items)]
            multipliers[:2] = [0, (1 << bits) - 1]
        # From shifts that drop nothing to those that drop everything.
        shift = generator.choice([0, 1, bits + 2, bits + 5, bits + 9, bits + 10, bits + 13])
        slack = min(generator.choice([0, 0, 3]), shift)
        reach = 1 << bits + 8
        counts = {"": 0, "one": 1, "channel": items}
        offset, below = (
            [generator.randint(-reach, reach) for _ in range(counts[which])] or [0]
            for which in (added, under)
        )
        clamp = None
        if next(clamps) and overflow is Overflow.SATURATE:
            low, high = sorted(generator.randint(fmt.min, fmt.max) for _ in range(2))
            clamp = low, high
        vectors = [values[k : k + items] for k in range(0, len(values), items)]
        vectors[-1] = (vectors[-1] + [0] * items)[:items]
        block = requantizer.Requantizer(
            RequantizerConfig(
                lanes=lanes,
                items=items,
                accumulator=accumulator,
                output=Activation(format=fmt, scale=1.0, zero_point=zero_point),
                multiplier=np.array(multipliers),
                multiplier_bits=bits,
                shift=shift,
                offset=np.array(offset),
                below=np.array(below),
                slack_bits=slack,
                rounding=rounding,
                overflow=overflow,
                relu=relu,
                clamp=clamp,
            )
        )
        constants = [
            values * (1 if len(values) > 1 else items) for values in (multipliers, offset, below)
        ]
        requantize = partial(
            integers.requantize,
            slack_bits=slack,
            shift=shift,
            zero_point=zero_point,
            fmt=fmt,
            rounding=rounding,
            mode=overflow,
            relu=relu,
            clamp=clamp,
        )
        expected = [
            [
                requantize(value, multiplier=factor, offset=above, below=beneath)
                for value, factor, above, beneath in zip(vector, *constants, strict=True)
            ]
            for vector in vectors
        ]
        # Idle lanes see the accumulator 0, and an offset if all channels share it.
        shared = offset[0] if len(offset) == 1 else 0
        pad = requantize(0, multiplier=1, offset=shared)
        kinds = [rounding, kind, *["relu"] * relu, f"m{bits}", *["channel"] * per_channel]
        kinds += [*[f"offset_{added}"] * bool(added), *[f"slack{slack}"] * bool(slack)]
        kinds += [*[f"below_{under}"] * bool(under), *["clamp"] * (clamp is not None)]
        yield Case(
            name="_".join(kinds),
            block=block,
            given=Words(format=accumulator, lanes=lanes, vectors=vectors),
            expected=Words(format=fmt, lanes=lanes, vectors=expected, pad=pad),
            due=[block.latency + k for k in range(len(vectors) * -(-items // lanes))],
        )


def _layers(seed: int) -> Iterator[QuantizedLinear]:
    """Layers without a requantizer: corner sizes, foldings, formats, accumulators."""
    generator = random.Random(seed)
    sizes = [  # outputs, inputs, rows, simd
        *[(1, 1, 1, 1), (3, 5, 3, 5), (5, 7, 1, 1), (7, 5, 3, 2), (8, 12, 4, 3), (7, 11, 2, 5)],
        *[(3, 33, 1, 16), (6, 8, 6, 1), (6, 8, 1, 8), (9, 4, 2, 4), (2, 40, 1, 9), (8, 3, 5, 3)],
    ]
    weights = [
        IntFormat(bits=2, signed=True),
        *(IntFormat(bits=bits, signed=True, narrow=True) for bits in range(3, 9)),
    ]
    for k, (outputs, inputs, rows, simd) in enumerate(4 * sizes):
        # Every size meets every mode, every kind of weights, and another activation each time.
        turn = k // len(sizes)
        code = code_of(weights[k % len(weights)])
        if turn == 3 or (k + turn) % 2:
            code = WITHOUT_MULTIPLIER[k % len(WITHOUT_MULTIPLIER) if turn == 3 else 0]
        if not code.pads:
            rows, simd = math.gcd(rows, outputs), math.gcd(simd, inputs)
        weight_format = code.format
        mode = list(AccumulatorMode)[(k + turn) % 3]
        source = FORMATS[(k // 2 + turn) % len(FORMATS)]
        weight = np.array(
            [
                [
                    generator.choice([weight_format.min, weight_format.max, 0])
                    if generator.random() < 0.5
                    else generator.randint(weight_format.min, weight_format.max)
                    for _ in range(inputs)
                ]
                for _ in range(outputs)
            ]
        )
        weight = code.nearest(weight)
        weight[0, :] = code.magnitudes[-1]  # the first output reaches the bound that is proven
        bias = np.array([generator.randint(-40, 40) for _ in range(outputs)])
        needed = IntFormat.spanning(*accumulator_bounds(weight, bias, source), signed=True).bits
        least = IntFormat.spanning(int(bias.min()), int(bias.max()), signed=True).bits
        bits = needed if mode is AccumulatorMode.WIDE else max(least, needed - 2)
        fmt = IntFormat(bits=bits, signed=True)
        yield QuantizedLinear(
            name=f"case{k}",
            weight=weight,
            code=code,
            weight_scale=np.ones(1),
            bias=bias,
            input=Activation(format=source, scale=1.0),
            accumulator=Accumulator(format=fmt, mode=mode),
            tail=None,
            output=Activation(format=fmt, scale=1.0),
            folding=Folding(rows=rows, simd=simd, pad=code.pads, dsp=k % 5 != 0),
        )


def _layer_name(layer: QuantizedLinear) -> str:
    """All that tells one layer from another."""
    code = layer.code
    cell = f"{code}{'_dsp' * layer.folding.dsp}" if code.multiplies else str(code)
    return (
        f"{layer.name}_{layer.outputs}x{layer.inputs}_by_{layer.folding.rows}x{layer.folding.simd}"
        f"_{cell}_{layer.input.format}_{layer.accumulator.mode}{layer.accumulator.format.bits}"
    )


def mac_array_cases() -> Iterator[Case]:
    """`MacArray`: cells, foldings, accumulators that overflow; lanes past the end hold noise."""
    generator = random.Random(4)
    for layer in _layers(5):
        block = mac_array.MacArray(MacArrayConfig.from_layer(layer))
        padded, count = layer.beats * layer.folding.simd, layer.tiles * layer.folding.rows
        vectors = draw(generator, layer.input.format, 7, padded)
        results = [reference.run_linear(layer, vector[: layer.inputs]) for vector in vectors]
        rows = layer.folding.rows
        yield Case(
            name=_layer_name(layer),
            block=block,
            given=Words(
                format=layer.input.format,
                lanes=layer.folding.simd,
                vectors=[vector * layer.tiles for vector in vectors],
            ),
            expected=Words(
                format=layer.accumulator.format,
                lanes=rows,
                vectors=[(r.accumulators + [0] * rows)[:count] for r in results],
            ),
            due=[
                (tile + 1) * layer.beats - 1 + block.latency
                for tile in range(len(vectors) * layer.tiles)
            ],
            overflows=sum(result.overflows for result in results),
        )


def linear_cases() -> Iterator[Case]:
    """A fully connected layer: its blocks in a row, after streams of other widths."""
    generator = random.Random(6)
    for k, layer in enumerate(_layers(7)):
        if k % 5 != 1:
            continue
        bits = generator.choice([0, 8, 16])
        layer = replace(
            layer,
            output=Activation(format=FORMATS[-1 - k % len(FORMATS)], scale=1.0),
            tail=Tail(
                multiplier=np.array(
                    [generator.randrange(1 << bits) if bits else 1 for _ in range(layer.outputs)]
                ),
                multiplier_bits=bits,
                shift=max(0, layer.accumulator.format.bits + bits - 8),
                offset=np.array([generator.randint(-999, 999) for _ in range(layer.outputs)]),
                rounding=generator.choice(list(Rounding)),
                overflow=generator.choice(list(Overflow)),
                relu=k % 2 == 1,
            ),
        )
        lanes = generator.choice([1, layer.inputs, layer.folding.simd, 2, 3])
        vectors = draw(generator, layer.input.format, 7, layer.inputs)
        results = [reference.run_linear(layer, vector) for vector in vectors]
        yield Case(
            name=f"{_layer_name(layer)}_lanes{lanes}",
            block=Layer(plan_layer(layer, Stream.of(layer.input.format, lanes, layer.inputs))),
            given=Words(format=layer.input.format, lanes=lanes, vectors=vectors),
            expected=Words(
                format=layer.output.format,
                lanes=layer.lanes_out,
                vectors=[result.activations for result in results],
            ),
            due=[],  # the business of `fxsim.timing.cycles`, which the tests of networks hold to it
            overflows=sum(result.overflows for result in results),
        )


BLOCKS: dict[str, Callable[[], Iterator[Case]]] = {
    "vector_buffer": buffer_cases,
    "resize": resize_cases,
    "requantizer": requantizer_cases,
    "mac_array": mac_array_cases,
    "linear": linear_cases,
    **IMAGE_BLOCKS,
    **RESIDUAL_BLOCKS,
    **SHAPE_BLOCKS,
}
"""Cases of each block, by the name of the top module that holds them."""
