"""Random valid networks and inputs, for every test that holds two implementations equal.

Hypothesis draws shapes, formats and modes, so that it can shrink them; the integers of the tensors
come from a numpy generator with a drawn seed, which is fast.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from fxsim.arithmetic.codes import WITHOUT_MULTIPLIER, AnyCode, code_of
from fxsim.arithmetic.formats import MAX_BITS, AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.network import (
    INPUT,
    Accumulator,
    Activation,
    Folding,
    InputQuantizer,
    IntArray,
    QuantizedLinear,
    QuantizedNetwork,
    Tail,
    accumulator_bounds,
)

unhurried = settings(deadline=None)
"""Decorator: a slow example on a busy machine is no failure."""

_SEEDS = st.integers(0, 2**32 - 1)
_SCALES = st.sampled_from([1.0, 0.5, 0.0078125, 0.1, 3e-5])


@st.composite
def activation_formats(draw, *, wraps=False):
    """Formats of 1 to 9 bits; narrow ones unless values wrap into them."""
    bits = draw(st.integers(1, 9))
    signed = draw(st.booleans())
    narrow = signed and bits >= 2 and not wraps and draw(st.booleans())
    return IntFormat(bits=bits, signed=signed, narrow=narrow)


@st.composite
def activations(draw, *, wraps=False):
    """Formats with a scale and a zero point: often 0, sometimes a limit of the range."""
    fmt = draw(activation_formats(wraps=wraps))
    zero_point = draw(st.just(0) | st.integers(fmt.min, fmt.max))
    return Activation(format=fmt, scale=draw(_SCALES), zero_point=zero_point)


@st.composite
def foldings(draw, outputs, inputs, pads=True):
    """Lanes that divide the layer, or any number of lanes with ``pad`` if the code ``pads``."""

    def lanes(size):
        divisors = [n for n in range(1, size + 1) if size % n == 0]
        return draw(st.integers(1, size) if pad else st.sampled_from(divisors))

    pad = pads and draw(st.booleans())
    dsp = draw(st.booleans())
    return Folding(rows=lanes(outputs), simd=lanes(inputs), pad=pad, dsp=dsp)


def _integers(generator: np.random.Generator, low: int, high: int, shape, *, density=1.0):
    """Integers from ``low`` to ``high``: uniform or, in one tensor of four, only the limits."""
    if generator.random() < 0.25:
        values = generator.choice(np.array([low, high], dtype=np.int64), size=shape)
    else:
        values = generator.integers(low, high, size=shape, dtype=np.int64, endpoint=True)
    return np.where(generator.random(shape) < density, values, 0) if density < 1 else values


def codes() -> st.SearchStrategy[AnyCode]:
    """Codes of weights: symmetric integers of 2 to 8 bits, and those without a multiplier."""
    integers = st.integers(2, 8).map(lambda bits: code_of(IntFormat.for_levels((1 << bits) - 1)))
    return integers | st.sampled_from(WITHOUT_MULTIPLIER)


def weights_of(generator: np.random.Generator, code: AnyCode, shape, *, density=1.0) -> IntArray:
    """Random weights of a code, like `_integers`; one without 0 has them all."""
    return code.nearest(
        _integers(generator, code.format.min, code.format.max, shape, density=density)
    )


@st.composite
def _accumulators(draw, weight: IntArray, bias: IntArray, inputs: IntFormat):
    """Wide: the width that is needed, at times more; else any width that holds the bias."""
    needed = IntFormat.spanning(*accumulator_bounds(weight, bias, inputs), signed=True).bits
    mode = draw(st.sampled_from(AccumulatorMode))
    if mode is AccumulatorMode.WIDE:
        bits = needed + draw(st.integers(0, 2))
    else:
        least = IntFormat.spanning(int(bias.min()), int(bias.max()), signed=True).bits
        bits = draw(st.integers(max(2, least), max(2, needed)))
    return Accumulator(format=IntFormat(bits=bits, signed=True), mode=mode)


@st.composite
def belows(draw, generator: np.random.Generator, reach: int, outputs: int):
    """Constants for sums below 0, more often none than one or one for each output."""
    if draw(st.integers(0, 3)):
        return np.zeros(1, np.int64)
    return _integers(generator, -reach, reach, draw(st.sampled_from([1, outputs])))


@st.composite
def clamped(draw, tail: Tail, fmt: IntFormat):
    """The tail, sometimes with a clamp within the format of its outputs."""
    if tail.overflow is Overflow.WRAP or draw(st.integers(0, 3)):
        return tail
    ends = st.integers(fmt.min, fmt.max)
    return replace(tail, clamp=tuple(sorted((draw(ends), draw(ends)))))


@st.composite
def _tails(draw, accumulator: Accumulator, outputs: int, overflow: Overflow):
    """Shifts around those that bring the accumulator to a few bits."""
    multiplier_bits = draw(st.integers(0, 16))
    generator = np.random.default_rng(draw(_SEEDS))
    size = outputs if draw(st.booleans()) else 1
    if multiplier_bits:
        multiplier = _integers(generator, 0, (1 << multiplier_bits) - 1, size)
    else:
        multiplier = np.ones(size, dtype=np.int64)
    most = accumulator.format.bits + multiplier_bits
    shift = draw(st.integers(max(0, most - 12), min(most, MAX_BITS)) | st.integers(0, most))
    reach = (1 << draw(st.integers(0, most - 1))) - 1
    return Tail(
        multiplier=multiplier,
        multiplier_bits=multiplier_bits,
        shift=shift,
        offset=_integers(generator, -reach, reach, draw(st.sampled_from([1, outputs]))),
        below=draw(belows(generator, reach, outputs)),
        slack_bits=draw(st.just(0) | st.integers(0, shift)),
        rounding=draw(st.sampled_from(Rounding)),
        overflow=overflow,
        relu=draw(st.booleans()),
    )


@st.composite
def linears(draw, *, source=None, inputs=None, outputs=None, max_size=70, name="layer0", last=True):
    """Random `QuantizedLinear` objects.

    Parameters
    ----------
    source : Activation, optional
        Format of the inputs; drawn when left out.
    inputs : int, optional
        Number of inputs; drawn when left out.
    outputs : int, optional
        Number of outputs; drawn when left out.
    max_size : int
        Most inputs and outputs.
    name : str
    last : bool
        Whether the layer may yield raw accumulators.
    """
    source = draw(activations()) if source is None else source
    inputs = draw(st.integers(1, max_size)) if inputs is None else inputs
    outputs = draw(st.integers(1, max_size)) if outputs is None else outputs
    generator = np.random.default_rng(draw(_SEEDS))
    code = draw(codes())
    density = draw(st.sampled_from([1.0, 0.5, 0.1, 0.0]))
    weight = weights_of(generator, code, (outputs, inputs), density=density)
    spread = draw(st.sampled_from([0, 1, 100, 1 << 14]))
    bias = _integers(generator, -spread, spread, outputs)
    accumulator = draw(_accumulators(weight, bias, source.format))
    per_channel = draw(st.booleans())
    tail = None
    output = Activation(format=accumulator.format, scale=draw(_SCALES))
    if not last or draw(st.booleans()):
        overflow = draw(st.sampled_from(Overflow))
        tail = draw(_tails(accumulator, outputs, overflow))
        output = draw(activations(wraps=overflow is Overflow.WRAP))
        tail = draw(clamped(tail, output.format))
    return QuantizedLinear(
        name=name,
        weight=weight,
        code=code,
        weight_scale=generator.uniform(1e-3, 1.0, outputs if per_channel else 1),
        bias=bias,
        input=source,
        accumulator=accumulator,
        tail=tail,
        output=output,
        folding=draw(foldings(outputs, inputs, pads=code.pads)),
    )


@st.composite
def networks(draw, max_layers=3, max_size=70):
    """Random `QuantizedNetwork` objects of 1 to ``max_layers`` layers."""
    source = draw(activations())
    shape = (draw(st.integers(1, max_size)),)
    count = draw(st.integers(1, max_layers))
    layers: list[QuantizedLinear] = []
    for i in range(count):
        layers.append(
            draw(
                linears(
                    source=layers[-1].output if layers else source,
                    inputs=layers[-1].outputs if layers else math.prod(shape),
                    max_size=max_size,
                    name=f"layer{i}",
                    last=i == count - 1,
                )
            )
        )
    rounding = draw(st.sampled_from(Rounding))
    return QuantizedNetwork(
        name="drawn",
        data="none",
        inputs={INPUT: InputQuantizer(shape=shape, activation=source, rounding=rounding)},
        layers=tuple(layers),
    )


@st.composite
def batches(draw, network, size):
    """Input integers for ``network``: int64, shape (size, inputs).

    Rows cycle through uniform, all at the minimum, all at the maximum, all at the zero point, only
    the limits at random, and mostly the zero point.
    """
    fmt = network.input.activation.format
    zero_point = network.input.activation.zero_point
    inputs = network.layers[0].inputs
    generator = np.random.default_rng(draw(_SEEDS))
    batch = generator.integers(fmt.min, fmt.max, (size, inputs), dtype=np.int64, endpoint=True)
    limits = generator.choice(np.array([fmt.min, fmt.max]), (size, inputs))
    sparse = np.where(generator.random((size, inputs)) < 0.1, batch, zero_point)
    first = draw(st.integers(0, 5))
    for row in range(size):
        match (first + row) % 6:
            case 1:
                batch[row] = fmt.min
            case 2:
                batch[row] = fmt.max
            case 3:
                batch[row] = zero_point
            case 4:
                batch[row] = limits[row]
            case 5:
                batch[row] = sparse[row]
    return batch
