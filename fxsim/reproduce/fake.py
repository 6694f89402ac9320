"""The fake-quantized network, as near to the integers as real numbers come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.floats.checkpoint import LinearParameters
from fxsim.network import FloatArray, QuantizedLinear, QuantizedNetwork
from fxsim.spec.specification import NetworkSpec
from fxsim.training import predict


def rounded_outputs(
    spec: NetworkSpec,
    parameters: Mapping[str, LinearParameters],
    network: QuantizedNetwork,
    x: npt.NDArray[Any],
) -> FloatArray:
    """Outputs with quantized weights, and activations and biases rounded as the integers are.

    What is left to differ from the simulator are multipliers, accumulators that overflow, and the
    tables, sums and states of LSTM layers. Inputs have a zero point of 0.

    Parameters
    ----------
    spec : NetworkSpec
    parameters : mapping of str to LinearParameters
        From `fxsim.quantizer.quantizer.quantized_parameters`.
    network : QuantizedNetwork
    x : float array, shape (n, *spec.input.shape), or (n, t, ...) with LSTM layers
    """
    biases = {product.name: _real_bias(product) for product in network.linears}
    rounded = {
        name: LinearParameters(weight=found.weight, bias=biases[name])
        for name, found in parameters.items()
    }
    return predict(spec, rounded, x, network)


def _real_bias(product: QuantizedLinear) -> FloatArray:
    """Bias that the integers stand for: start value of the accumulator, and offset."""
    real: FloatArray = product.weight_scale * product.input.scale * product.bias
    if (tail := product.tail) is None:
        return real
    return real + product.output.scale * np.ldexp(tail.offset, -tail.shift)
