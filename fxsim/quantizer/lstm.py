"""LSTM layers: real weights, biases and scales -> integers.

The formats of gates, cell state and cell output follow from the specification, as the
nonlinearities bound what they hold; only the output of a projection is calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.arithmetic.tables import build_table
from fxsim.floats.checkpoint import LinearParameters
from fxsim.floats.forward import lstm_cells
from fxsim.network import (
    Activation,
    FloatArray,
    Folding,
    IntArray,
    Nonlinearity,
    QuantizedLinear,
    QuantizedLstm,
)
from fxsim.network.linear import rounded_bounds
from fxsim.quantizer.activation import integers
from fxsim.quantizer.linear import quantize_linear
from fxsim.quantizer.requantize import requantized
from fxsim.spec.common import AccumulatorSpec
from fxsim.spec.kind import Product
from fxsim.spec.specification import LstmSpec, NetworkSpec

Parameters = tuple[IntArray, FloatArray, FloatArray]
"""Integer weights of a product, their scale, and the float bias."""


def quantize_lstm(
    spec: NetworkSpec,
    index: int,
    layer: LstmSpec,
    parameters: Sequence[Parameters],
    source: Activation,
    x: IntArray,
) -> tuple[QuantizedLstm, IntArray]:
    """Quantize one LSTM layer; returns it with the calibration samples that leave it.

    W x has all of the bias; its offset makes up for accumulators whose unit is coarse (ternary
    weights and one-hot inputs: the weight scale itself).

    Parameters
    ----------
    parameters : sequence of tuples of int64, float64 and float64 arrays
        Of each product (`fxsim.spec.specification.NetworkSpec.layer_products`) the weights W, U or
        P, their scale, and the float bias.
    source : Activation
        Input format.
    x : int64 array, shape (n, t, inputs)
        Calibration samples; the outputs for them are those of the float equations with quantized
        weights, rounded.
    """
    rounding = spec.layer_rounding(index)
    scale = 2.0 ** (1 - layer.output.bits)
    output = Activation(format=IntFormat(bits=layer.output.bits, signed=True), scale=scale)
    from_input, from_hidden, *_ = parameters
    w, u, *others = spec.layer_products(index)
    bias = from_input[2] + from_hidden[2]
    w_real, u_real, *projected = (
        LinearParameters(weight=scale[:, None] * weight, bias=bias)
        for weight, scale, bias in parameters
    )
    real = (source.scale * (x - source.zero_point)).astype(np.float64)
    x = integers(lstm_cells(w_real, u_real, real, *projected), output, rounding)
    projection, fed_back = None, output
    if layer.projection is not None:
        wanted, place = layer.projection, others[0]
        projection, x = quantize_linear(spec, place, wanted, *parameters[2], output, x)
        fed_back = projection.output
    input_product = _product(layer, w, from_input, bias, source, rounding)
    hidden_product = _product(layer, u, from_hidden, np.zeros_like(bias), fed_back, rounding)
    sigmoid, tanh = (
        build_table(
            function,
            bits=bits,
            input_bits=layer.preactivation.bits,
            input_fraction=layer.preactivation.fraction,
            step_bits=layer.tables.step_bits,
        )
        for function, bits in (
            (Nonlinearity.SIGMOID, layer.tables.sigmoid_bits),
            (Nonlinearity.TANH, layer.tables.tanh_bits),
        )
    )
    quantized = QuantizedLstm(
        name=spec.layer_name(index),
        input_product=input_product,
        hidden_product=hidden_product,
        guard_bits=layer.preactivation.guard_bits,
        sigmoid=sigmoid,
        tanh=tanh,
        cell=IntFormat(bits=layer.cell.bits, signed=True),
        cell_fraction=layer.cell.fraction,
        cell_output=output,
        projection=projection,
        rounding=rounding,
        multipliers=layer.hardware.multipliers,
    )
    return quantized, x


def _product(
    layer: LstmSpec,
    product: Product,
    parameters: Parameters,
    real_bias: FloatArray,
    source: Activation,
    rounding: Rounding,
) -> QuantizedLinear:
    """W x or U h: requantized to the fraction of the sum, in a format that never saturates."""
    weight, scale, _ = parameters
    preactivation = layer.preactivation
    step = 2.0 ** -(preactivation.fraction + preactivation.guard_bits)
    bias, accumulator, tail = requantized(
        product.name,
        weight,
        source,
        scale * source.scale,
        real_bias,
        step,
        accumulator=AccumulatorSpec(),
        requantize=layer.requantize,
        rounding=rounding,
        span=1 << preactivation.bits + preactivation.guard_bits,
        saturates=False,
        step=1 << preactivation.guard_bits,
    )
    bounds = rounded_bounds(weight, bias, source.format, accumulator, tail)
    return QuantizedLinear(
        name=product.name,
        weight=weight,
        code=layer.weights.code,
        weight_scale=scale,
        bias=bias,
        input=source,
        accumulator=accumulator,
        tail=tail,
        output=Activation(
            format=IntFormat.spanning(min(bounds[0], 0), max(bounds[1], 0), signed=True), scale=step
        ),
        folding=Folding(**product.hardware.model_dump()),
    )
