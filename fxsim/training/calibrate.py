"""Which activations of a network in training are rounded, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

import numpy as np

from fxsim.arithmetic.tensors import SampleArray
from fxsim.floats.checkpoint import Checkpoint, RetrainedParameters
from fxsim.network import (
    Argmax,
    Concat,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
    Rescale,
    Resize,
    Tail,
)
from fxsim.quantizer.quantizer import fitting_scale, quantize
from fxsim.spec.kind import Product as Place
from fxsim.spec.specification import NetworkSpec
from fxsim.training.activations import Calibrated, OnTheFly
from fxsim.training.module import Network
from fxsim.training.product import Product, float_array

_FINEST = (1 << 16) - 1
"""Levels that quantized weights are among, and that float ones hardly differ from."""


def calibrate(network: Network, samples: SampleArray) -> None:
    """Round activations as a network that `fxsim.quantizer.quantize` makes of the present weights.

    Quantized weights go in as they are, float ones with 16 bits, so that formats and scales are
    those of the network in training, found by the very function that finds them in the end.

    Parameters
    ----------
    network : Network
    samples : float array
        Those that will calibrate the integers (`fxsim.simulator.evaluate.calibration_samples`).

    Raises
    ------
    SpecError, RangeError
        As `quantize` does: a signed input that must not be, or a multiplier that is too short.
    """
    spec = _finest(network.spec)
    found = {
        place.name: _frozen(product, place)
        for place, product in zip(spec.products, network.linears(), strict=True)
    }
    checkpoint = Checkpoint(parent=found, retrained=found)
    follow(network, quantize(spec, checkpoint, samples, depths=False))


def follow(
    network: Network, quantized: QuantizedNetwork, samples: Mapping[str, str] | None = None
) -> None:
    """Round activations as a quantized network does.

    These are the inputs, what linear and convolutional layers, adds and average pools yield, and
    the outputs of LSTM layers and of their cells. The gates and states of cells stay float.

    Parameters
    ----------
    network : Network
    quantized : QuantizedNetwork
    samples : mapping of str to str, optional
        Type that the samples of each input are stored in, such as ``float32``; that of the tensor
        if left out.
    """
    types = samples or {}
    network.leaving = {
        name: Calibrated(
            activation=source.activation, rounding=source.rounding, dtype=types.get(name)
        )
        for name, source in quantized.inputs.items()
    }
    products = dict(zip((p.name for p in network.spec.products), network.linears(), strict=True))
    for layer in quantized.layers:
        if (yielded := _leaving(layer, products)) is not None:
            network.leaving[layer.name] = yielded


def _leaving(layer: Layer, products: Mapping[str, Product]) -> Calibrated | None:
    """Format and scale of what a layer yields; None if it yields some of what it takes, or sums.

    The products of an LSTM layer get those of what they take from within it.
    """
    match layer:
        case QuantizedLinear() | QuantizedAdd():
            return _calibrated(layer, layer.tail) if layer.tail else None
        case Rescale():
            return _calibrated(layer, layer.tail)
        case QuantizedConvolution():
            product = layer.product
            return _calibrated(product, product.tail) if product.tail else None
        case QuantizedLstm():
            yielded = cells = Calibrated(activation=layer.cell_output, rounding=layer.rounding)
            if (projection := layer.projection) is not None:
                products[projection.name].inputs = cells
                assert projection.tail is not None
                yielded = _calibrated(projection, projection.tail)
            products[layer.hidden_product.name].inputs = yielded
            return yielded
        case MaxPool() | Argmax() | Resize() | Concat():
            return None
        case _:
            assert_never(layer)


def quantize_on_the_fly(network: Network) -> None:
    """Round the inputs of every product that retraining quantizes when they arrive (`OnTheFly`).

    The word length is that of what arrives: of an input, or of what an earlier layer yields; for
    LSTM layers, of their own output at U, and of that of the cells at a projection.
    """
    bits = _arriving_bits(network.spec)
    chosen = network.quantized()
    for place, product in zip(network.spec.products, network.linears(), strict=True):
        if product in chosen:
            product.inputs = OnTheFly(bits=bits[place.name])


def calibrated_state(network: Network) -> list[dict[str, list[Any]]]:
    """Findings of `calibrate` in plain values."""
    inputs = {str(i): product.inputs for i, product in enumerate(network.linears())}
    return [
        {key: found.state() for key, found in place.items() if isinstance(found, Calibrated)}
        for place in (network.leaving, inputs)
    ]


def restore_calibrated(network: Network, state: list[dict[str, list[Any]]]) -> None:
    """Go on from a `calibrated_state`."""
    leaving, inputs = state
    network.leaving = {name: Calibrated.from_state(found) for name, found in leaving.items()}
    for i, product in enumerate(network.linears()):
        if str(i) in inputs:
            product.inputs = Calibrated.from_state(inputs[str(i)])


def _calibrated(
    layer: QuantizedLinear | QuantizedConvolution | QuantizedAdd | Rescale, tail: Tail
) -> Calibrated:
    return Calibrated(activation=layer.output, rounding=tail.rounding, overflow=tail.overflow)


def _finest(spec: NetworkSpec) -> NetworkSpec:
    """Copy of the network with weights of `_FINEST` levels."""
    layers = tuple(layer.with_levels(_FINEST) for layer in spec.layers)
    return spec.model_copy(update={"layers": layers})


def _frozen(product: Product, place: Place) -> RetrainedParameters:
    """The present weight, quantized or float; the latter over its range, which is found fast."""
    weight, scale = float_array(product.real_weight()), product.scale
    if scale is None:
        step = float(np.abs(weight).max()) / (_FINEST // 2) or 1.0
        scale = fitting_scale(weight, np.full(place.scales, step), place.spec)
    own = product.folded()
    return RetrainedParameters(
        weight=weight, bias=own["bias"], gain=own.get("gain"), scale=scale, levels=_FINEST
    )


def _arriving_bits(spec: NetworkSpec) -> dict[str, int]:
    """Word length of what each product takes, by its name."""
    bits = {name: source.bits for name, source in spec.inputs.items()}
    for i, layer in enumerate(spec.layers):
        bits[spec.layer_name(i)] = layer.bits_out(*(bits[name] for name in spec.layer_sources(i)))
    return {
        product.name: product.inner_bits or bits[spec.layer_sources(product.layer)[0]]
        for product in spec.products
    }
