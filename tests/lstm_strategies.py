"""Random valid LSTM networks, beside `tests.strategies`."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.arithmetic.tables import build_table
from fxsim.network import (
    INPUT,
    Accumulator,
    Activation,
    InputQuantizer,
    Nonlinearity,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
    Tail,
    accumulator_bounds,
)
from fxsim.network.linear import rounded_bounds
from tests.strategies import activations, codes, foldings, linears, weights_of

_SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def products(draw, name, inputs, outputs, source, fraction):
    """Matrix products whose output is signed, of scale 2**-fraction, and never saturates."""
    generator = np.random.default_rng(draw(_SEEDS))
    code = draw(codes())
    weight = weights_of(generator, code, (outputs, inputs))
    bias = generator.integers(-30, 30, outputs, endpoint=True)
    low, high = accumulator_bounds(weight, bias, source.format)
    accumulator = IntFormat.spanning(low, high, signed=True)
    mode = draw(st.sampled_from(AccumulatorMode))
    if mode is not AccumulatorMode.WIDE:
        accumulator = IntFormat(bits=max(8, accumulator.bits - 1), signed=True)
        low, high = accumulator.min, accumulator.max
    multiplier_bits = draw(st.sampled_from([8, 12]))
    channels = outputs if draw(st.booleans()) else 1
    multiplier = generator.integers(1, 1 << multiplier_bits, channels)
    shift = max(0, accumulator.bits + multiplier_bits - draw(st.integers(9, 12)))
    reach = (1 << draw(st.integers(0, accumulator.bits + multiplier_bits - 1))) - 1
    tail = Tail(
        multiplier=multiplier,
        multiplier_bits=multiplier_bits,
        shift=shift,
        offset=generator.integers(
            -reach, reach, draw(st.sampled_from([1, outputs])), endpoint=True
        ),
        slack_bits=draw(st.sampled_from([0, 0, min(shift, 3)])),
        rounding=draw(st.sampled_from(Rounding)),
        overflow=Overflow.SATURATE,
    )
    found = Accumulator(format=accumulator, mode=mode)
    least, most = rounded_bounds(weight, bias, source.format, found, tail)
    return QuantizedLinear(
        name=name,
        weight=weight,
        code=code,
        weight_scale=np.ones(1),
        bias=bias,
        input=source,
        accumulator=found,
        tail=tail,
        output=Activation(
            format=IntFormat.spanning(min(least, 0), max(most, 0), signed=True),
            scale=2.0**-fraction,
        ),
        folding=draw(foldings(outputs, inputs, pads=code.pads)),
    )


@st.composite
def lstms(draw, *, source=None, inputs=None, max_size=9, name="lstm0"):
    """Random `QuantizedLstm` objects, with and without projection and interpolation."""
    source = draw(activations()) if source is None else source
    inputs = draw(st.integers(1, max_size)) if inputs is None else inputs
    cells = draw(st.integers(1, max_size))
    bits = draw(st.integers(5, 10))
    fraction = draw(st.integers(1, bits - 2))
    guard = draw(st.integers(0, 3))
    sigmoid_bits, tanh_bits = draw(st.integers(4, 9)), draw(st.integers(4, 9))
    cell_fraction = draw(st.integers(fraction, max(fraction, sigmoid_bits + tanh_bits - 1)))
    output_fraction = draw(st.integers(2, 7))
    cell_output = Activation(
        format=IntFormat(bits=draw(st.integers(3, 9)), signed=True), scale=2.0**-output_fraction
    )
    projection, output = None, cell_output
    if draw(st.booleans()):
        size = {"inputs": cells, "max_size": max_size}
        projection = draw(linears(source=cell_output, name=f"{name}_p", last=False, **size))
        output = projection.output

    def table(function, output_bits):
        return build_table(
            function,
            bits=output_bits,
            input_bits=bits,
            input_fraction=fraction,
            step_bits=draw(st.integers(0, 2)),
        )

    back = cells if projection is None else projection.outputs
    cell_fraction = min(cell_fraction, sigmoid_bits + tanh_bits)
    return QuantizedLstm(
        name=name,
        input_product=draw(products(f"{name}_x", inputs, 4 * cells, source, fraction + guard)),
        hidden_product=draw(products(f"{name}_h", back, 4 * cells, output, fraction + guard)),
        guard_bits=guard,
        sigmoid=table(Nonlinearity.SIGMOID, sigmoid_bits),
        tanh=table(Nonlinearity.TANH, tanh_bits),
        cell=IntFormat(bits=cell_fraction + draw(st.integers(1, 4)), signed=True),
        cell_fraction=cell_fraction,
        cell_output=cell_output,
        projection=projection,
        rounding=draw(st.sampled_from(Rounding)),
        multipliers=draw(st.sampled_from([1, 3])),
    )


@st.composite
def recurrent_networks(draw, max_size=9):
    """One or two LSTM layers, then perhaps a fully connected one."""
    source = draw(activations())
    size = draw(st.integers(1, max_size))
    layers = []
    for k in range(draw(st.integers(1, 2))):
        before = layers[-1] if layers else None
        layers.append(
            draw(
                lstms(
                    source=before.output if before else source,
                    inputs=before.outputs if before else size,
                    max_size=max_size,
                    name=f"lstm{k}",
                )
            )
        )
    if draw(st.booleans()):
        last = layers[-1]
        layers.append(
            draw(linears(source=last.output, inputs=last.outputs, max_size=max_size, name="head"))
        )
    return QuantizedNetwork(
        name="drawn",
        data="none",
        inputs={
            INPUT: InputQuantizer(
                shape=(size,), activation=source, rounding=draw(st.sampled_from(Rounding))
            )
        },
        layers=tuple(layers),
    )


@st.composite
def sequences(draw, network, count, steps):
    """Input integers (count, steps, inputs): uniform, and sequences at the limits of the format."""
    fmt = network.input.activation.format
    generator = np.random.default_rng(draw(_SEEDS))
    shape = (count, steps, network.layers[0].inputs)
    x = generator.integers(fmt.min, fmt.max, shape, dtype=np.int64, endpoint=True)
    x[-1] = generator.choice([fmt.min, fmt.max], shape[1:])
    return x
