# amaranth: UnusedElaboratable=no
"""Configurations of the blocks of adds and of argmax: see `fxsim.testbenches.cases.blocks`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, product

import numpy as np

from fxsim import reference
from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.hw.blocks.fork import Fork
from fxsim.hw.blocks.layouts import beat_of
from fxsim.hw.blocks.queue import Queue
from fxsim.hw.blocks.skid import Skid
from fxsim.hw.layer import Layer
from fxsim.network import Activation, Argmax, QuantizedAdd, Tail, add_bounds
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import QueueConfig, SkidConfig
from fxsim.plan.graph import Stream
from fxsim.plan.planner import plan_layer
from fxsim.testbenches.bench.words import FORMATS, Case, Words, draw


def skid_cases() -> Iterator[Case]:
    """`Skid`: words pass in the cycle in which they come."""
    generator = random.Random(37)
    for fmt, lanes in zip(FORMATS, cycle((1, 3)), strict=False):
        vectors = draw(generator, fmt, 40, lanes)
        words = Words(format=fmt, lanes=lanes, vectors=vectors)
        yield Case(
            name=f"skid_lanes{lanes}_{fmt}",
            block=Skid(SkidConfig(beat=Beat(fmt, lanes))),
            given=words,
            expected=words,
            due=list(range(len(vectors))),
        )


def queue_cases() -> Iterator[Case]:
    """`Queue`: from one word of memory on."""
    generator, formats = random.Random(31), cycle(FORMATS)
    for lanes, depth in product((1, 3), (2, 3, 4, 8, 17)):
        fmt = next(formats)
        block = Queue(QueueConfig(beat=Beat(fmt, lanes), depth=depth))
        vectors = draw(generator, fmt, 40, lanes)
        words = Words(format=fmt, lanes=lanes, vectors=vectors)
        # With one word of memory there is room for the next one in every second cycle only.
        pace = 2 if depth == 2 else 1
        yield Case(
            name=f"queue_lanes{lanes}_depth{depth}",
            block=block,
            given=words,
            expected=words,
            due=[block.latency + pace * k for k in range(len(vectors))],
        )


def fork_cases() -> Iterator[Case]:
    """`Fork`: sinks that pause by themselves."""
    generator, formats = random.Random(32), cycle(FORMATS)
    for sinks in (1, 2, 3, 5):
        fmt = next(formats)
        words = Words(format=fmt, lanes=2, vectors=draw(generator, fmt, 40, 2))
        yield Case(
            name=f"fork{sinks}",
            block=Fork(beat_of(fmt, 2), sinks=sinks),
            given=words,
            expected=words,
            due=list(range(40)),
            more_expected={f"o__{k}": words for k in range(1, sinks)},
            output="o__0",
        )


def add_cases() -> Iterator[Case]:
    """Adds: two formats and zero points, modes of rounding and overflow, lanes."""
    generator = random.Random(33)
    shapes = cycle([(6,), (4, 2, 3), (1, 3, 3), (6, 1, 2)])
    for k, (rounding, overflow, relu) in enumerate(product(Rounding, Overflow, (False, True))):
        shape = next(shapes)
        operands = [
            Activation(format=fmt, scale=1.0, zero_point=generator.choice([0, fmt.min, fmt.max]))
            for fmt in generator.sample(FORMATS, 2)
        ]
        bits = generator.choice([0, 1, 4, 8])
        multipliers = [generator.randrange(1 << bits) if bits else 1 for _ in range(2)]
        bounds = add_bounds(multipliers, operands)
        accumulator = IntFormat.spanning(*bounds, signed=True)
        fmt = IntFormat(bits=generator.randint(2, 9), signed=generator.random() < 0.5)
        divisors = [n for n in range(1, shape[0] + 1) if shape[0] % n == 0]
        lanes, lanes_in, shortcut_lanes = (generator.choice(divisors) for _ in range(3))
        layer = QuantizedAdd(
            name=f"add{k}",
            shape=shape,
            summands=tuple(operands),
            tail=Tail(
                multiplier=np.array(multipliers),
                multiplier_bits=bits,
                shift=generator.randint(0, max(accumulator.bits - fmt.bits + 1, 0)),
                rounding=rounding,
                overflow=overflow,
                relu=relu,
            ),
            accumulator=accumulator,
            output=Activation(
                format=fmt, scale=1.0, zero_point=generator.randint(fmt.min, fmt.max)
            ),
            lanes=lanes,
        )
        depth = generator.choice([2, 3, 8])
        x, y = (draw(generator, operand.format, 9, layer.inputs) for operand in operands)
        y[:2] = y[1], y[0]  # the limits of one with those of the other
        results = [reference.run_add(layer, *pair) for pair in zip(x, y, strict=True)]
        # Without blocks to change lanes: 4 stages from the beats that the queue has brought.
        direct = lanes == lanes_in == shortcut_lanes and depth > 2
        size = "x".join(map(str, shape))
        streams = (
            Stream.of(operands[0].format, lanes_in, layer.inputs),
            Stream.of(operands[1].format, shortcut_lanes, layer.inputs),
        )
        yield Case(
            name=f"{layer.name}_{size}_lanes{lanes_in}_{shortcut_lanes}_{lanes}",
            block=Layer(plan_layer(layer, *streams, depths=(0, depth))),
            input="i0",
            given=Words(format=operands[0].format, lanes=lanes_in, vectors=x),
            more_given={"i1": Words(format=operands[1].format, lanes=shortcut_lanes, vectors=y)},
            expected=Words(
                format=fmt, lanes=lanes, vectors=[result.activations for result in results]
            ),
            due=[4 + beat for beat in range(9 * layer.inputs // lanes)] if direct else [],
        )


def argmax_cases() -> Iterator[Case]:
    """Argmax: ties in every place, extremes, lanes."""
    generator, formats = random.Random(34), cycle(FORMATS)
    for items, lanes in [(2, 1), (2, 2), (3, 3), (6, 2), (7, 1), (10, 5), (12, 4), (33, 11)]:
        fmt = next(formats)
        layer = Argmax(
            name="answer", input=Activation(format=fmt, scale=1.0), items=items, lanes=lanes
        )
        near = replace(fmt, bits=min(fmt.bits, 2))  # few values, many ties
        vectors = draw(generator, fmt, 20, items) + draw(generator, near, 20, items)
        divisors = [n for n in range(1, items + 1) if items % n == 0]
        for lanes_in in {lanes, generator.choice(divisors), min(4, items)}:
            beats = items // lanes
            yield Case(
                name=f"argmax{items}_lanes{lanes_in}to{lanes}",
                block=Layer(plan_layer(layer, Stream.of(fmt, lanes_in, items))),
                given=Words(format=fmt, lanes=lanes_in, vectors=vectors),
                expected=Words(
                    format=layer.output.format,
                    lanes=1,
                    vectors=[reference.run_argmax(layer, v).activations for v in vectors],
                ),
                due=[(k + 1) * beats for k in range(len(vectors))] if lanes_in == lanes else [],
            )


RESIDUAL_BLOCKS = {
    "queue": queue_cases,
    "skid": skid_cases,
    "fork": fork_cases,
    "add": add_cases,
    "argmax": argmax_cases,
}
"""Cases of each block, by the name of the top module that holds them."""
