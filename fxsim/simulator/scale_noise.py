"""Cost of a scale: noise of the rounding to one format, with the scale that it has and others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fxsim.arithmetic.formats import Overflow, Rounding
from fxsim.arithmetic.tensors import SampleArray, as_vectors
from fxsim.errors import SpecError
from fxsim.floats.checkpoint import LinearParameters
from fxsim.floats.forward import layer_outputs
from fxsim.network import Activation, FloatArray, QuantizedNetwork
from fxsim.quantizer.activation import integers
from fxsim.quantizer.remarks import quiet
from fxsim.quantizer.scale import calibrated_output, input_activation
from fxsim.simulator.noise import decibels
from fxsim.spec.formats import ProjectedSpec
from fxsim.spec.scale import Percentile, ScaleChoice
from fxsim.spec.specification import INPUT, NetworkSpec, OutputSpec, RequantizeSpec

CHOICES: dict[str, ScaleChoice] = {
    "calibrated": "calibrated",
    "power of two": "power_of_two",
    "percentile 99.9": Percentile(99.9),
    "percentile 100": Percentile(100.0),
}
"""Ways to a scale that `scale_noise` compares."""


@dataclass(frozen=True, kw_only=True)
class ScaleNoise:
    """Noise of the rounding to one format alone.

    Parameters
    ----------
    place : str
        Layer, or ``input``.
    chosen : Activation
        Activation of the network.
    clipped : float
        Share of the values that its range cuts.
    decibels : float
        Signal-to-quantization-noise ratio with it.
    others : mapping of str to float
        The ratio with each of `CHOICES`; None where a plain shift cannot have it.
    """

    place: str
    chosen: Activation
    clipped: float
    decibels: float
    others: Mapping[str, float | None]


def scale_noise(
    spec: NetworkSpec,
    parameters: Mapping[str, LinearParameters],
    network: QuantizedNetwork,
    x: SampleArray,
) -> list[ScaleNoise]:
    """Cost of the scale of the input and of each output that has a ``scale``, and of others.

    Signals are those of the float network, and so are the samples that calibrate the other scales.

    Parameters
    ----------
    spec : NetworkSpec
    parameters : mapping of str to LinearParameters
        As for `activation_noise`; `fxsim.quantizer.quantizer.quantized_parameters` where only
        activations are of interest.
    network : QuantizedNetwork
    x : float array, shape (n, *spec.input.shape), or (n, t, ...) with LSTM layers
    """
    samples = as_vectors(x, spec.input.shape)

    def of_input(choice: ScaleChoice) -> Activation:
        return input_activation(INPUT, spec.input.model_copy(update={"scale": choice}), samples)

    source = network.input
    found = [_compare(INPUT, source.activation, samples, source.rounding, of_input)]
    outputs = layer_outputs(spec, parameters, x)
    layers = {layer.name: layer for layer in network.layers}
    for i, layer in enumerate(spec.layers):
        tail = layer.tail
        if tail is None or tail.output is None:
            continue
        name, output, requantize = spec.layer_name(i), tail.output, tail.requantize
        rounding = requantize.rounding or spec.rounding
        real, unit = outputs[name], layers[name].unit

        def of_output(
            choice: ScaleChoice,
            name: str = name,
            real: FloatArray = real,
            output: OutputSpec | ProjectedSpec = output,
            requantize: RequantizeSpec = requantize,
            rounding: Rounding = rounding,
            unit: FloatArray = unit,
        ) -> Activation:
            wanted = output.model_copy(update={"scale": choice})
            return calibrated_output(name, real, wanted, requantize, rounding, unit)

        chosen = layers[name].output
        found.append(_compare(name, chosen, real, rounding, of_output, requantize.overflow))
    return found


def _compare(
    place: str,
    chosen: Activation,
    real: SampleArray,
    rounding: Rounding,
    choose: Callable[[ScaleChoice], Activation],
    overflow: Overflow = Overflow.SATURATE,
) -> ScaleNoise:
    def ratio(activation: Activation) -> float:
        q = integers(real, activation, rounding, overflow)
        signal: FloatArray = real.astype(np.float64)
        return decibels(signal, activation.scale * q.astype(np.float64))

    def of(choice: ScaleChoice) -> float | None:
        try:
            return ratio(choose(choice))
        except SpecError:
            return None

    fmt, scale = chosen.format, chosen.scale
    outside = (real > (fmt.max + 0.5) * scale) | (real < (fmt.min - 0.5) * scale)
    with quiet():
        others = {name: of(choice) for name, choice in CHOICES.items()}
    return ScaleNoise(
        place=place,
        chosen=chosen,
        clipped=float(outside.mean()),
        decibels=ratio(chosen),
        others=others,
    )
