# amaranth: UnusedElaboratable=no
"""Configurations of the blocks that work on images: see `fxsim.testbenches.cases.blocks`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice

import numpy as np

from fxsim import reference
from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.arithmetic.windows import Padding
from fxsim.hw.blocks.window import Window
from fxsim.hw.layer import Layer
from fxsim.network import (
    Accumulator,
    Activation,
    Folding,
    MaxPool,
    QuantizedConvolution,
    QuantizedLinear,
    Tail,
    Windows,
    accumulator_bounds,
)
from fxsim.plan.graph import Stream
from fxsim.plan.planner import plan_layer
from fxsim.plan.window import WindowConfig
from fxsim.testbenches.bench.words import FORMATS, Case, Words, draw

_SHAPES = [  # channels, height, width, kernel, stride, padding, groups
    *[(1, 5, 6, (3, 3), 1, 0, 1), (1, 4, 4, (3, 3), 1, 1, 1), (2, 5, 5, (3, 3), 2, 1, 1)],
    *[(4, 3, 4, (2, 2), 2, 0, 1), (4, 4, 5, (3, 3), 1, 1, 4), (6, 3, 3, (1, 1), 1, 0, 2)],
    *[(1, 1, 1, (1, 1), 1, 0, 1), (3, 6, 5, (1, 1), 2, 0, 1), (2, 7, 7, (2, 2), 3, 0, 2)],
    *[(1, 8, 8, (5, 5), 1, 2, 1), (3, 7, 6, (4, 4), 2, 1, 1), (2, 4, 6, (4, 6), 1, 0, 2)],
    *[(1, 2, 9, (1, 3), 1, 0, 1), (2, 9, 2, (3, 1), 2, 0, 1), (3, 6, 8, (3, 3), 3, 0, 3)],
]
_UNEVEN = [  # stride by direction, padding by side
    (2, 5, 6, (3, 3), (2, 2), Padding(0, 0, 1, 1), 1),  # "same" of an even side
    (1, 7, 4, (6, 3), (2, 1), Padding(4, 1, 5, 1), 1),
    (2, 2, 3, (3, 4), (1, 3), Padding(2, 3, 2, 3), 2),
    (4, 9, 1, (5, 1), (3, 1), Padding(2, 0, 4, 0), 1),  # one dimension
    (1, 1, 1, (3, 3), (1, 1), Padding(2, 2, 2, 2), 1),
]
_WINDOWS = [
    *((c, h, w, k, (s, s), Padding(p, p, p, p), g) for c, h, w, k, s, p, g in _SHAPES),
    *_UNEVEN,
]


def _windows(step: int) -> Iterator[tuple[Windows, int]]:
    """Windows with the numbers of lanes that they can be given out by; every ``step``-th pair."""
    return islice(_pairs(), 0, None, step)


def _pairs() -> Iterator[tuple[Windows, int]]:
    for channels, height, width, kernel, stride, padding, groups in _WINDOWS:
        windows = Windows(
            channels=channels,
            height=height,
            width=width,
            kernel=kernel,
            stride=stride,
            padding=padding,
            groups=groups,
        )
        for simd in windows.simd_choices():
            yield windows, simd


def _name(windows: Windows) -> str:
    channels, height, width = windows.shape
    tall, wide = windows.kernel
    return (
        f"{channels}x{height}x{width}_by_{tall}x{wide}"
        f"_s{'x'.join(map(str, windows.stride))}_p{'x'.join(map(str, windows.padding))}"
        f"_g{windows.groups}"
    )


def window_cases() -> Iterator[Case]:
    """`Window`: every third folding of every shape; pixels outside are one that stands out."""
    generator, formats, repeats = random.Random(21), cycle(FORMATS), cycle([1, 1, 2, 3])
    for windows, simd in _windows(3):
        fmt, times = next(formats), next(repeats)
        outside = generator.choice([fmt.min, fmt.max])
        images = draw(generator, fmt, 3, windows.items)
        given_out = []
        for image in images:
            groups = [
                reference.windows_of(windows, image, outside, group)
                for group in range(windows.groups)
            ]
            given_out.append(
                [
                    value
                    for place in zip(*groups, strict=True)
                    for window in place
                    for value in window * times
                ]
            )
        config = WindowConfig(
            windows=windows, format=fmt, simd=simd, repeats=times, outside=outside
        )
        yield Case(
            name=f"window_{_name(windows)}_simd{simd}_times{times}",
            block=Window(config),
            given=Words(format=fmt, lanes=windows.lanes_in(simd), vectors=images),
            expected=Words(format=fmt, lanes=simd, vectors=given_out),
            due=[],  # the business of `fxsim.timing.cycles`, which the tests of networks hold to it
        )


def pool_cases() -> Iterator[Case]:
    """Max pooling: shapes, lanes, and streams of other widths."""
    generator, formats = random.Random(22), cycle(FORMATS)
    for windows, _ in _windows(4):
        windows = replace(windows, groups=1)
        divisors = [n for n in range(1, windows.channels + 1) if windows.channels % n == 0]
        fmt = next(formats)
        layer = MaxPool(
            name=f"pool_{_name(windows)}",
            input=Activation(format=fmt, scale=1.0),
            windows=windows,
            lanes=generator.choice(divisors),
        )
        lanes = generator.choice(divisors)
        images = draw(generator, fmt, 3, windows.items)
        yield Case(
            name=f"{layer.name}_f{fmt}_lanes{lanes}to{layer.lanes}_{len(divisors)}",
            block=Layer(plan_layer(layer, Stream.of(fmt, lanes, windows.items))),
            given=Words(format=fmt, lanes=lanes, vectors=images),
            expected=Words(
                format=fmt,
                lanes=layer.lanes,
                vectors=[reference.run_max_pool(layer, image).activations for image in images],
            ),
            due=[],
        )


def convolution_cases() -> Iterator[Case]:
    """Convolutions: weights, accumulators that overflow, foldings."""
    generator, modes = random.Random(23), cycle(AccumulatorMode)
    for k, (windows, simd) in enumerate(_windows(5)):
        outputs = windows.groups * generator.choice([1, 2, 4])
        each = outputs // windows.groups
        bits = generator.choice([2, 2, 3, 8])
        weight_format = IntFormat(bits=bits, signed=True, narrow=True)
        fmt = FORMATS[k % len(FORMATS)]
        source = Activation(format=fmt, scale=1.0, zero_point=generator.choice([0, fmt.max]))
        weight = np.array(
            [
                [
                    generator.randint(weight_format.min, weight_format.max)
                    for _ in range(windows.size)
                ]
                for _ in range(outputs)
            ]
        )
        bias = np.array([generator.randint(-20, 20) for _ in range(outputs)])
        mode = next(modes)
        needed = IntFormat.spanning(*accumulator_bounds(weight, bias, fmt), signed=True).bits
        width = needed if mode is AccumulatorMode.WIDE else max(6, needed - 2)
        shift = max(0, width - 5)
        layer = QuantizedConvolution(
            product=QuantizedLinear(
                name=f"conv_{_name(windows)}",
                weight=weight,
                code=code_of(weight_format),
                weight_scale=np.ones(1),
                bias=bias,
                input=source,
                accumulator=Accumulator(format=IntFormat(bits=width, signed=True), mode=mode),
                tail=Tail(
                    multiplier=np.array([generator.randrange(16) for _ in range(outputs)]),
                    multiplier_bits=4,
                    shift=shift,
                    offset=np.array([generator.randint(-99, 99) for _ in range(outputs)]),
                    slack_bits=min(k % 2, shift),
                    rounding=generator.choice(list(Rounding)),
                    overflow=generator.choice(list(Overflow)),
                ),
                output=Activation(format=IntFormat(bits=8, signed=True), scale=1.0),
                folding=Folding(
                    rows=generator.choice([n for n in (1, 2, 4) if each % n == 0]),
                    simd=simd,
                    dsp=k % 3 > 0,
                ),
            ),
            windows=windows,
        )
        divisors = [n for n in range(1, windows.channels + 1) if windows.channels % n == 0]
        lanes = generator.choice(divisors)
        images = draw(generator, fmt, 3, windows.items)
        results = [reference.run_convolution(layer, image) for image in images]
        folding = layer.product.folding
        yield Case(
            name=f"{layer.name}_w{weight_format}_{mode}_{lanes}to{folding.rows}x{folding.simd}",
            block=Layer(plan_layer(layer, Stream.of(fmt, lanes, windows.items))),
            given=Words(format=fmt, lanes=lanes, vectors=images),
            expected=Words(
                format=layer.output.format,
                lanes=layer.lanes_out,
                vectors=[result.activations for result in results],
            ),
            due=[],
            overflows=sum(result.overflows for result in results),
        )


IMAGE_BLOCKS = {"window": window_cases, "pool": pool_cases, "convolution": convolution_cases}
"""Cases of each block, by the name of the top module that holds them."""
