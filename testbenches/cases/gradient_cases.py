"""Random layers and contracts of the backward pass, for its tests and for those of its hardware."""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.arithmetic.stochastic import Stochastic
from fxsim.arithmetic.tables import Nonlinearity, build_table
from fxsim.arithmetic.tensors import Activation, IntArray
from fxsim.errors import RangeError
from fxsim.network import (
    Accumulator,
    Folding,
    QuantizedLinear,
    QuantizedLstm,
    Tail,
    accumulator_bounds,
)
from fxsim.network.lstm_gradient import GradientFormat, LstmGradient


def random_product(
    generator: np.random.Generator,
    name: str,
    source: Activation,
    inputs: int,
    outputs: int,
    fraction: int,
    *,
    zero: bool = False,
) -> QuantizedLinear:
    """Weights of 2 to 8 bits; multipliers for all, for each gate or for each row, or a shift."""
    fmt = IntFormat(bits=int(generator.integers(2, 9)), signed=True, narrow=True)
    weight = generator.integers(fmt.min, fmt.max, (outputs, inputs), endpoint=True)
    weight *= not zero
    bias = generator.integers(-20, 20, outputs)
    bits = int(generator.integers(0, 10))
    size = int(generator.choice([1, 4, outputs]))
    multiplier = np.repeat(generator.integers(0, 1 << max(bits, 1), size), outputs // size)
    if not bits:
        multiplier = np.ones(1, np.int64)
    low, high = accumulator_bounds(weight, bias, source.format)
    top = int(multiplier.max())
    # Most sums then lie within the range of the tables, which have 3 bits before the point.
    reach = max(1, -low, high) * max(1, top)
    shift = min(62, max(0, reach.bit_length() - fraction - 4))
    output = IntFormat.spanning((low * top >> shift) - 1, (high * top >> shift) + 1, signed=True)
    return QuantizedLinear(
        name=name,
        weight=weight,
        code=code_of(fmt),
        weight_scale=np.ones(1),
        bias=bias,
        input=source,
        accumulator=Accumulator(
            format=IntFormat.spanning(low, high, signed=True), mode=AccumulatorMode.WIDE
        ),
        tail=Tail(
            multiplier=multiplier if len(multiplier) > 1 else multiplier[:1],
            multiplier_bits=bits,
            shift=shift,
            rounding=Rounding.TIES_AWAY,
            overflow=Overflow.SATURATE,
        ),
        output=Activation(format=output, scale=2.0**-fraction),
        folding=Folding(rows=1, simd=1),
    )


def random_layer(
    generator: np.random.Generator, inputs: int, cells: int, *, recurrent: bool = True
) -> QuantizedLstm:
    """Any formats that a layer may have."""
    table_fraction, guard = int(generator.integers(0, 6)), int(generator.integers(0, 4))
    ends = {"input_bits": table_fraction + 4, "input_fraction": table_fraction}
    sigmoid = build_table(Nonlinearity.SIGMOID, bits=int(generator.integers(3, 9)), **ends)
    tanh = build_table(Nonlinearity.TANH, bits=int(generator.integers(3, 9)), **ends, step_bits=1)
    cell_fraction = int(generator.integers(table_fraction, sigmoid.bits + tanh.bits + 1))
    output_fraction = int(generator.integers(1, min(8, sigmoid.bits + tanh.bits)))
    hidden = Activation(
        format=IntFormat(bits=output_fraction + 1, signed=True), scale=2.0**-output_fraction
    )
    fmt = IntFormat(bits=int(generator.integers(2, 9)), signed=bool(generator.integers(2)))
    zero_point = int(generator.integers(fmt.min, fmt.max, endpoint=True))
    source = Activation(format=fmt, scale=0.3, zero_point=zero_point)
    fraction = table_fraction + guard
    return QuantizedLstm(
        name="lstm",
        input_product=random_product(generator, "w", source, inputs, 4 * cells, fraction),
        hidden_product=random_product(
            generator, "u", hidden, cells, 4 * cells, fraction, zero=not recurrent
        ),
        guard_bits=guard,
        sigmoid=sigmoid,
        tanh=tanh,
        cell=IntFormat(bits=cell_fraction + 3, signed=True),
        cell_fraction=cell_fraction,
        cell_output=hidden,
        projection=None,
        rounding=Rounding(generator.choice(list(Rounding))),
    )


def random_contract(
    generator: np.random.Generator, layer: QuantizedLstm, rounding: Rounding | Stochastic
) -> LstmGradient:
    """Any formats that fit the layer; some saturate."""
    for _ in range(1000):
        dh, dc, dnet, dx = (int(bits) for bits in generator.integers(2, 21, 4))
        fractions = generator.integers(10, 24, 4).tolist()
        try:
            return LstmGradient(
                layer=layer,
                dh=GradientFormat(bits=dh, fraction=fractions[0]),
                dc=GradientFormat(bits=dc, fraction=fractions[1]),
                dnet=GradientFormat(bits=dnet, fraction=fractions[2]),
                dx=GradientFormat(bits=dx, fraction=fractions[3]),
                accumulator_bits=dnet + int(generator.integers(0, 20)),
                threshold=int(generator.choice([0, 1, min(5, (1 << dnet - 1) - 1)])),
                rounding=rounding,
            )
        except RangeError:
            continue
    raise AssertionError("no contract fits")


def random_case(
    seed: int, rounding: Rounding | Stochastic, *, inputs: int, cells: int, steps: int, count: int
) -> tuple[LstmGradient, IntArray, IntArray]:
    """Layer and contract, inputs and output gradients."""
    generator = np.random.default_rng(seed)
    layer = random_layer(generator, inputs, cells)
    gradient = random_contract(generator, layer, rounding)
    fmt, dh = layer.input.format, gradient.dh.format
    x = generator.integers(fmt.min, fmt.max, (count, steps, inputs), endpoint=True)
    dy = generator.integers(dh.min, dh.max, (count, steps, cells), endpoint=True)
    return gradient, x, dy >> int(generator.integers(0, dh.bits))
