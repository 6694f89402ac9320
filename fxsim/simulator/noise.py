"""Signal-to-quantization-noise ratio of the tensors of a network.

For a tensor x that quantization makes y it is sum(x^2) / sum((x - y)^2), in decibels: 6 dB for each
bit where the noise is that of rounding alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from fxsim.arithmetic.tensors import SampleArray
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.floats.forward import layer_outputs
from fxsim.network import (
    FloatArray,
    QuantizedNetwork,
)
from fxsim.quantizer.quantizer import quantized_parameters, uses_retrained
from fxsim.simulator.simulator import simulate_trace
from fxsim.spec.specification import NetworkSpec
from fxsim.spec.weight_groups import weight_groups


def decibels(signal: FloatArray, quantized: FloatArray) -> float:
    """Signal-to-quantization-noise ratio; infinite without noise, minus infinity without signal."""
    noise = float(np.square(signal - quantized).sum())
    if noise == 0:
        return math.inf
    power = float(np.square(signal).sum())
    return 10 * math.log10(power / noise) if power > 0 else -math.inf


def weight_noise(
    spec: NetworkSpec, checkpoint: Checkpoint, *, direct: bool = False
) -> dict[str, float]:
    """Ratio of each named group of weights (`fxsim.spec.weight_groups`), in decibels.

    The signal is the float weight that quantization starts from: the parent's, or, after
    retraining, the one that retraining has moved. Gains of batch normalisation are part of it.
    """
    own = not direct and uses_retrained(spec, checkpoint)
    source: Mapping[str, LinearParameters] = checkpoint.parent
    if own and checkpoint.retrained is not None:
        source = checkpoint.retrained
    return weight_ratios(spec, source, quantized_parameters(spec, checkpoint, direct=direct))


def weight_ratios(
    spec: NetworkSpec,
    source: Mapping[str, LinearParameters],
    quantized: Mapping[str, LinearParameters],
) -> dict[str, float]:
    """Noise of given float weights and what they became."""
    return {
        group: decibels(source[name].effective_weight, quantized[name].effective_weight)
        for group, name in weight_groups(spec).items()
    }


def activation_noise(
    spec: NetworkSpec,
    parameters: Mapping[str, LinearParameters],
    network: QuantizedNetwork,
    x: SampleArray,
) -> dict[str, float]:
    """Ratio of what each layer yields, in decibels, with all noise from the layers before it.

    A layer that yields class numbers has none.

    Parameters
    ----------
    spec : NetworkSpec
    parameters : mapping of str to LinearParameters
        Of the network without noise: the float parent, or
        `fxsim.quantizer.quantizer.quantized_parameters` for the noise of activations alone.
    network : QuantizedNetwork
    x : float array, shape (n, *spec.input.shape), or (n, t, ...) with LSTM layers
    """
    trace = simulate_trace(network, x)
    seen = {layer.name: layer.activations for layer in trace.layers}
    found = {}
    for layer in network.layers:
        output = layer.output
        found[layer.name] = output.scale * (seen[layer.name] - output.zero_point).astype(np.float64)
    classes = {spec.layer_name(i) for i, w in enumerate(spec.layers) if w.classifies}
    return {
        name: decibels(signal, found[name].reshape(signal.shape))
        for name, signal in layer_outputs(spec, parameters, x).items()
        if name in found and name not in classes
    }
