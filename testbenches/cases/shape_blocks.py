# amaranth: UnusedElaboratable=no
"""Configurations of concat, resize and rescale: see `fxsim.testbenches.cases.blocks`."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import cycle, product

import numpy as np

from fxsim.arithmetic import integers
from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.hw.blocks import concat
from fxsim.hw.layer import Layer
from fxsim.network import Activation, Concat, Rescale, Resize, Tail
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import ConcatConfig
from fxsim.plan.graph import Stream
from fxsim.plan.planner import plan_layer
from fxsim.testbenches.bench.words import FORMATS, Case, Words, draw

IMAGES = 4


def _divisors(size: int) -> list[int]:
    return [n for n in range(1, size + 1) if size % n == 0]


def concat_cases() -> Iterator[Case]:
    """`Concat`: numbers of streams, of beats in a turn, lanes, pixels of an image."""
    generator, formats = random.Random(41), cycle(FORMATS)
    turns = [(1, 1), (1, 3), (3, 1), (2, 2), (4, 3), (1, 1, 1), (2, 1, 5), (1, 4, 1, 2), (1,) * 5]
    for counts, lanes, pixels in [*product(turns, (1, 3), (1, 5)), ((17, 16), 2, 2)]:
        fmt = next(formats)
        block = concat.Concat(ConcatConfig(beat=Beat(fmt, lanes), counts=counts))
        channels = [count * lanes for count in counts]
        operands = [draw(generator, fmt, IMAGES, pixels * size) for size in channels]
        joined = np.concatenate(
            [
                np.array(operand).reshape(IMAGES, pixels, size)
                for operand, size in zip(operands, channels, strict=True)
            ],
            axis=2,
        )
        first, *others = (Words(format=fmt, lanes=lanes, vectors=operand) for operand in operands)
        turn = "_".join(map(str, counts))
        yield Case(
            name=f"concat_{turn}_lanes{lanes}_pixels{pixels}",
            block=block,
            input="i0",
            given=first,
            more_given={f"i{k}": words for k, words in enumerate(others, 1)},
            expected=Words(format=fmt, lanes=lanes, vectors=joined.reshape(IMAGES, -1).tolist()),
            due=[block.latency + k for k in range(IMAGES * pixels * sum(counts))],
        )


def concat_layer_cases() -> Iterator[Case]:
    """A concatenation: its blocks after streams of other widths, some of them in queues."""
    generator, formats = random.Random(44), cycle(FORMATS)
    shapes = [
        *[((4, 2, 3), (2, 2, 3)), ((3, 2, 2), (6, 2, 2), (3, 2, 2)), ((1, 1, 5), (1, 1, 5))],
        *[((6,), (4,)), ((1,), (7,), (2,)), ((8, 1, 1), (12, 1, 1))],
    ]
    for turn, operands in enumerate([*shapes, *shapes]):
        fmt = next(formats)
        layer = Concat(
            name=f"concat{turn}_" + "_".join("x".join(map(str, shape)) for shape in operands),
            shapes=operands,
            input=Activation(format=fmt, scale=1.0),
            lanes=generator.choice(_divisors(math.gcd(*(shape[0] for shape in operands)))),
        )
        lanes_in = [generator.choice(_divisors(shape[0])) for shape in operands]
        depths = [generator.choice([0, 2, 5]) for _ in operands]
        vectors = [draw(generator, fmt, IMAGES, kind.items) for kind in layer.operands]
        first, *others = (
            Words(format=fmt, lanes=lanes, vectors=given)
            for lanes, given in zip(lanes_in, vectors, strict=True)
        )
        streams = (
            Stream.of(fmt, lanes, kind.items)
            for lanes, kind in zip(lanes_in, layer.operands, strict=True)
        )
        pixels = [
            np.array(given).reshape(IMAGES, -1, channels)
            for given, channels in zip(vectors, layer.channels, strict=True)
        ]
        joined = np.concatenate(pixels, axis=2).reshape(IMAGES, -1).tolist()
        parts = ["lanes", *map(str, lanes_in), "to", str(layer.lanes), "depths", *map(str, depths)]
        yield Case(
            name=f"{layer.name}_{'_'.join(parts)}",
            block=Layer(plan_layer(layer, *streams, depths=depths)),
            input="i0",
            given=first,
            more_given={f"i{k}": words for k, words in enumerate(others, 1)},
            expected=Words(format=fmt, lanes=layer.lanes, vectors=joined),
            due=[],  # the business of `fxsim.timing.cycles`, which the tests of networks hold to it
        )


def resize_image_cases() -> Iterator[Case]:
    """Resize: factors, sizes, lanes, and streams of other widths."""
    generator, formats = random.Random(42), cycle(FORMATS)
    shapes = [(1, 1, 1), (2, 3, 4), (6, 2, 3), (4, 5, 1), (3, 1, 6)]
    factors = [(2, 2), (1, 2), (3, 1), (2, 3), (5, 4), (1, 7)]
    for shape, (vertical, horizontal) in product(shapes, factors):
        fmt, (channels, height, width) = next(formats), shape
        lanes, lanes_in = (generator.choice(_divisors(channels)) for _ in range(2))
        size = "x".join(map(str, shape))
        layer = Resize(
            name=f"resize_{size}_by_{vertical}x{horizontal}_lanes{lanes_in}to{lanes}",
            shape=shape,
            factors=(vertical, horizontal),
            input=Activation(format=fmt, scale=1.0),
            lanes=lanes,
        )
        images = draw(generator, fmt, IMAGES, layer.inputs)
        pixels = np.array(images).reshape(IMAGES, height, width, channels)
        larger = pixels.repeat(vertical, axis=1).repeat(horizontal, axis=2)
        # A buffer for each factor above 1 takes two cycles.
        latency = 2 * sum(factor > 1 for factor in layer.factors)
        beats = IMAGES * layer.outputs // lanes
        yield Case(
            name=layer.name,
            block=Layer(plan_layer(layer, Stream.of(fmt, lanes_in, layer.inputs))),
            given=Words(format=fmt, lanes=lanes_in, vectors=images),
            expected=Words(format=fmt, lanes=lanes, vectors=larger.reshape(IMAGES, -1).tolist()),
            due=[latency + k for k in range(beats)] if lanes == lanes_in else [],
        )


def rescale_cases() -> Iterator[Case]:
    """Rescale: every mode; input formats and zero points, constants for all or each channel."""
    generator, formats = random.Random(43), cycle(FORMATS)
    shapes = cycle([(6,), (4, 2, 3), (1, 3, 3), (6, 1, 2), (1,)])
    for k, (rounding, overflow, relu, per_channel) in enumerate(
        product(Rounding, Overflow, (False, True), (False, True))
    ):
        fmt, shape = next(formats), next(shapes)
        channels, bits = shape[0], generator.choice([0, 1, 5, 12])
        count = channels if per_channel else 1
        reach = 1 << generator.choice([0, 3, bits + fmt.bits])
        output = IntFormat(bits=generator.randint(1, 9), signed=generator.random() < 0.5)
        lanes, lanes_in = (generator.choice(_divisors(channels)) for _ in range(2))
        shift = generator.randint(0, bits + 4)
        layer = Rescale(
            name=f"rescale{k}",
            shape=shape,
            input=Activation(
                format=fmt, scale=1.0, zero_point=generator.choice([0, fmt.min, fmt.max])
            ),
            tail=Tail(
                multiplier=np.array(
                    [generator.randrange(1 << bits) if bits else 1 for _ in range(count)]
                ),
                multiplier_bits=bits,
                shift=shift,
                offset=np.array([generator.randrange(-reach, reach) for _ in range(count)]),
                below=np.array(
                    [generator.randrange(-reach, reach) * (k % 4 == 3) for _ in range(count)]
                ),
                slack_bits=min(k % 3, shift),
                rounding=rounding,
                overflow=overflow,
                relu=relu,
            ),
            output=Activation(
                format=output, scale=1.0, zero_point=generator.randint(output.min, output.max)
            ),
            lanes=lanes,
        )
        vectors = draw(generator, fmt, 9, layer.inputs)
        group = plan_layer(layer, Stream.of(fmt, lanes_in, layer.inputs))
        latency = 2 + layer.folded.scales + layer.folded.per_channel
        beats = 9 * layer.inputs // lanes
        size = "x".join(map(str, shape))
        yield Case(
            name=f"{layer.name}_{size}_{fmt}_to_{output}_m{bits}_lanes{lanes_in}to{lanes}",
            block=Layer(group),
            given=Words(format=fmt, lanes=lanes_in, vectors=vectors),
            expected=Words(
                format=output,
                lanes=lanes,
                vectors=[_requantized(layer, vector) for vector in vectors],
            ),
            due=[latency + beat for beat in range(beats)] if lanes == lanes_in else [],
        )


def _requantized(layer: Rescale, vector: list[int]) -> list[int]:
    """The formula, value by value: channels of a pixel are together."""
    tail = layer.tail
    multipliers, offsets, belows = (
        np.broadcast_to(constants, layer.shape[0]).tolist()
        for constants in (tail.multiplier, tail.offset, tail.below)
    )
    return [
        integers.requantize(
            value - layer.input.zero_point,
            multiplier=multipliers[k % layer.shape[0]],
            offset=offsets[k % layer.shape[0]],
            below=belows[k % layer.shape[0]],
            slack_bits=tail.slack_bits,
            shift=tail.shift,
            zero_point=layer.output.zero_point,
            fmt=layer.output.format,
            rounding=tail.rounding,
            mode=tail.overflow,
            relu=tail.relu,
        )
        for k, value in enumerate(vector)
    ]


SHAPE_BLOCKS = {
    "concat": concat_cases,
    "concat_layer": concat_layer_cases,
    "resize_image": resize_image_cases,
    "rescale": rescale_cases,
}
"""Cases of each block, by the name of the top module that holds them."""
