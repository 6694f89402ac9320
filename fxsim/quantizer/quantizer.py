"""Float parameters and a specification -> `QuantizedNetwork`.

With `fxsim.quantizer.linear`, `fxsim.quantizer.lstm` and `fxsim.arithmetic.tables` the only float
-> int place.

Weights use the L2-optimal scale (`fxsim.quantizer.step_size`), or the scale that they were
retrained with. Activation scales are calibrated layer by layer on samples that run through the
layers already quantized, so that each scale suits what its layer really gets.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from fxsim.arguments import as_array, check_type
from fxsim.arithmetic.tensors import SampleArray, as_vectors
from fxsim.errors import RangeError, RetrainedWarning, SpecError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters, RetrainedParameters
from fxsim.floats.ports import checked_samples
from fxsim.network import (
    Activation,
    InputQuantizer,
    IntArray,
    Layer,
    QuantizedNetwork,
)
from fxsim.quantizer.activation import integers
from fxsim.quantizer.add import quantize_add
from fxsim.quantizer.argmax import quantize_argmax
from fxsim.quantizer.concat import alike, quantize_concat
from fxsim.quantizer.convolution import quantize_convolution
from fxsim.quantizer.linear import quantize_linear
from fxsim.quantizer.lstm import Parameters, quantize_lstm
from fxsim.quantizer.pool import quantize_average_pool, quantize_max_pool
from fxsim.quantizer.rescale import quantize_rescale
from fxsim.quantizer.resize import quantize_resize
from fxsim.quantizer.scale import input_activation
from fxsim.quantizer.weight import (
    fitting_scale,
    groups_of,
    integer_weight,
    power_of_two,
    quantize_weight,
    round_real,
    weight_scale,
)
from fxsim.spec.specification import (
    AddSpec,
    ArgmaxSpec,
    AveragePoolSpec,
    ConcatSpec,
    ConvolutionSpec,
    FlattenSpec,
    LayerSpec,
    LinearSpec,
    LstmSpec,
    MaxPoolSpec,
    NetworkSpec,
    ProductSpec,
    RescaleSpec,
    ResizeSpec,
)
from fxsim.timing.depths import with_depths

_IMAGES = 200
"""Images that calibrate a network at most; each has thousands of values."""

_VALUES = 1 << 24
"""Values of any one layer that they are chosen to have at most, for the memory that they take."""

__all__ = [
    "fitting_scale",
    "groups_of",
    "integer_weight",
    "quantize",
    "quantize_input",
    "quantize_weight",
    "quantized_parameters",
    "round_real",
    "uses_retrained",
    "weight_scale",
]

Leaving: TypeAlias = tuple[Activation, IntArray]
"""Format of what an input or a layer yields, and the calibration samples as integers of it."""

Remember = Callable[[Hashable, Callable[[], Any]], Any]
"""Gives what it remembers under a key, else what the function makes."""


def _forget(key: Hashable, make: Callable[[], Any]) -> Any:
    return make()


def quantize(
    spec: NetworkSpec,
    checkpoint: Checkpoint,
    calibration: SampleArray | Mapping[str, SampleArray],
    *,
    direct: bool = False,
    depths: bool = True,
    remember: Remember = _forget,
) -> QuantizedNetwork:
    """Quantize a network.

    Retrained parameters keep the scales of their last retraining step. They are used if
    `uses_retrained` and not ``direct``; direct quantization starts from the float parent. If they
    do not fit, a `RetrainedWarning` says why.

    Parameters
    ----------
    spec : NetworkSpec
    checkpoint : Checkpoint
    calibration : float array, shape (n, *input shape), or (n, t, ...) with LSTM layers
        Typical samples, about 1000 of the training split; a mapping of them by the names of several
        inputs. They set the scales of the inputs and of the outputs; those of LSTM layers without a
        projection are fixed.
    direct : bool
        Leave retrained parameters aside.
    depths : bool
        Give the queues of hardware their depths (`fxsim.timing.depths`), which depend on the
        foldings of all layers; integers do not.
    remember : callable, optional
        A memory for calls with the same checkpoint, samples and ``direct``: layers whose own keys
        and those of all that they depend on are the same, and weights of the same levels, are not
        quantized again.

    Raises
    ------
    SpecError
        If the checkpoint belongs to another network, or the specification asks for the impossible.
    RangeError
        If the calibration samples are malformed, or a width exceeds its limit.
    """
    check_type(spec, NetworkSpec, "spec")
    check_type(checkpoint, Checkpoint, "checkpoint")
    checkpoint.check(spec)
    inputs: dict[str, InputQuantizer] = {}
    leaving: dict[str, Leaving] = {}
    for name, wanted in spec.inputs.items():

        def begin(name: str = name) -> tuple[InputQuantizer, IntArray]:
            samples = _calibration(spec, calibration)[name]
            source = _input_quantizer(spec, name, samples)
            return source, integers(samples, source.activation, source.rounding)

        inputs[name], x = remember(("input", name, wanted, spec.rounding), begin)
        leaving[name] = (inputs[name].activation, x)
    retrained = None if direct else checkpoint.retrained
    if retrained is not None and (other := _retrained_for(spec, retrained)) is not None:
        warnings.warn(
            f"{other}: all retrained parameters are left aside, and the float parent is quantized",
            RetrainedWarning,
            stacklevel=2,
        )
        retrained = None
    direct = retrained is None
    parameters = _parameters(spec, checkpoint, direct=direct, remember=remember)
    graph, layers, sources = spec.graph, list[Layer](), dict[str, tuple[str, ...]]()
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            for i, (name, released) in enumerate(zip(graph.layers, graph.released(), strict=True)):
                products = spec.layer_products(i)
                own = [parameters[product.name] for product in products]
                taken = [leaving[source] for source in graph.sources[i]]

                def make(
                    i: int = i, own: list[Parameters] = own, taken: list[Leaving] = taken
                ) -> tuple[Layer | None, IntArray]:
                    return _quantize(spec, i, own, taken)

                foldings = (*(product.hardware for product in products), spec.layers[i])
                key = ("layer", arithmetic_key(spec, i), foldings, direct)
                layer, x = remember(key, make)
                if layer is not None:
                    starts = {source: spec.in_network(source) for source in graph.sources[i]}
                    for start, rescale in alike(spec, i, layer, [a for a, _ in taken]).items():
                        layers.append(rescale)
                        sources[rescale.name] = (starts[start],)
                        starts[start] = rescale.name
                    layers.append(layer)
                    sources[name] = tuple(starts[source] for source in graph.sources[i])
                leaving[name] = (taken[0][0] if layer is None else layer.output, x)
                for gone in released:
                    del leaving[gone]
    except FloatingPointError:
        raise RangeError(f"{name}: parameters are too large or too small for float64") from None
    network = QuantizedNetwork(
        name=spec.name,
        data=spec.data,
        inputs=inputs,
        layers=tuple(layers),
        sources=sources,
        outputs=tuple(map(spec.in_network, spec.outputs)),
        control=spec.control,
    )
    return with_depths(network) if depths else network


def _quantize(
    spec: NetworkSpec, index: int, parameters: list[Parameters], operands: Sequence[Leaving]
) -> tuple[Layer | None, IntArray]:
    """One layer, and what leaves it; n * t vectors enter those without a state."""
    leading = operands[0][1].shape[:-1]
    if not spec.layers[index].recurrent:
        operands = [
            (source, x.reshape(-1, x.shape[-1]) if x.ndim > 2 else x) for source, x in operands
        ]
    layer, x = _quantize_layer(spec, index, parameters, operands)
    return layer, x.reshape(*leading, -1) if x.size else x  # raw accumulators calibrate nothing


def _quantize_layer(
    spec: NetworkSpec, index: int, parameters: list[Parameters], operands: Sequence[Leaving]
) -> tuple[Layer | None, IntArray]:
    """One layer, if the network has one for it, and the calibration samples that leave it.

    ``parameters`` are those of its products.
    """
    wanted: LayerSpec = spec.layers[index]
    source, x = operands[0]
    match wanted:
        case LstmSpec():
            return quantize_lstm(spec, index, wanted, parameters, source, x)
        case LinearSpec():
            (product,) = spec.layer_products(index)
            return quantize_linear(spec, product, wanted, *parameters[0], source, x)
        case ConvolutionSpec():
            return quantize_convolution(spec, index, wanted, *parameters[0], source, x)
        case MaxPoolSpec():
            return quantize_max_pool(spec, index, wanted, source, x)
        case AveragePoolSpec():
            return quantize_average_pool(spec, index, wanted, source, x)
        case RescaleSpec():
            return quantize_rescale(spec, index, wanted, source, x)
        case ResizeSpec():
            return quantize_resize(spec, index, wanted, source, x)
        case ConcatSpec():
            return quantize_concat(spec, index, wanted, operands)
        case AddSpec():
            return quantize_add(spec, index, wanted, operands)
        case ArgmaxSpec():
            return quantize_argmax(spec, index, wanted, source, x)
        case FlattenSpec():  # images are stored as vectors already
            return None, x
        case _:
            assert_never(wanted)


def arithmetic_key(spec: NetworkSpec, index: int) -> Hashable:
    """Key of all that the integers leaving a layer depend on, given parameters and samples.

    Those are the layers on the way to it and what they take, every key but those of the folding.
    """
    graph = spec.graph
    layers = tuple(
        (graph.layers[i], graph.sources[i], spec.arithmetic[i]) for i in graph.ancestors(index)
    )
    return (
        tuple((name, spec.inputs[name]) for name in graph.inputs_of(index)),
        spec.rounding,
        layers,
    )


def quantize_input(quantizer: InputQuantizer, x: SampleArray) -> IntArray:
    """Turn real samples into the integers that a network takes: saturate(round(x / scale) + zero).

    Parameters
    ----------
    quantizer : InputQuantizer
    x : float array, shape (n, *quantizer.shape)

    Returns
    -------
    int64 array, shape (n, inputs)

    Raises
    ------
    RangeError
        If ``x`` has another shape or holds a NaN or an infinity.
    """
    check_type(quantizer, InputQuantizer, "quantizer")
    array = as_array(x, "x")
    if array.ndim < 1 or array.shape[1:] != quantizer.shape:
        expected = ", ".join(("n", *map(str, quantizer.shape)))
        raise RangeError(f"x must have shape ({expected}), not {array.shape}")
    samples = _vectors(array, quantizer.shape, "x")
    return integers(samples, quantizer.activation, quantizer.rounding)


def quantized_parameters(
    spec: NetworkSpec, checkpoint: Checkpoint, *, direct: bool = False
) -> dict[str, LinearParameters]:
    """Real values of the quantized weights, and the float biases, for `fxsim.floats.forward`."""
    checkpoint.check(spec)
    return {
        name: LinearParameters(weight=scale[:, None] * weight, bias=bias)
        for name, (weight, scale, bias) in _parameters(spec, checkpoint, direct=direct).items()
    }


def uses_retrained(spec: NetworkSpec, checkpoint: Checkpoint) -> bool:
    """True if a checkpoint was retrained for the levels and scale groups of the specification."""
    return checkpoint.retrained is not None and _retrained_for(spec, checkpoint.retrained) is None


def _retrained_for(spec: NetworkSpec, retrained: Mapping[str, RetrainedParameters]) -> str | None:
    """First product that was retrained for other weights than the specification has, and which."""
    for product in spec.products:
        wanted, found = product.spec.weights, retrained[product.name]
        pairs = {
            "levels": (found.levels, wanted.levels),
            "exponents": (found.exponents, wanted.exponents),
            "scales": (found.scale.size, product.scales),
        }
        for what, (one, other) in pairs.items():
            if one != other:
                return f"{product.name} was retrained with {one or 0} {what}, not {other or 0}"
    return None


def _calibration(
    spec: NetworkSpec, calibration: SampleArray | Mapping[str, SampleArray]
) -> dict[str, SampleArray]:
    """Calibration samples of each input as vectors, of images only some."""
    found = {}
    largest = max(map(math.prod, spec.shapes.values()))
    most = min(_IMAGES, -(-_VALUES // largest))
    for name, samples in checked_samples(spec, calibration, "calibration").items():
        shape = spec.inputs[name].shape
        what = "calibration" if len(spec.inputs) == 1 else f"calibration of {name!r}"
        vectors = _vectors(samples, shape, what)
        if not vectors.size:
            raise RangeError("calibration must have at least one sample")
        if spec.spatial:
            images = math.prod(vectors.shape[:-1])
            vectors = vectors[:: -(-images // most)]
        found[name] = vectors
    return found


def _vectors(array: npt.NDArray[Any], shape: tuple[int, ...], what: str) -> SampleArray:
    """Check numbers and make each sample a vector.

    Their type stays, whose precision `integers` must know.
    """
    if array.dtype.kind not in "iufb":
        raise RangeError(f"{what} must hold numbers, not {array.dtype}")
    if (bad := np.argwhere(~np.isfinite(array))).size:
        index = tuple(bad[0].tolist())
        raise RangeError(f"{what} must be finite, not {array[index]} at {list(index)}")
    return as_vectors(array if array.dtype.kind == "f" else array.astype(np.float64), shape)


def _input_quantizer(spec: NetworkSpec, name: str, samples: SampleArray) -> InputQuantizer:
    wanted = spec.inputs[name]
    return InputQuantizer(
        shape=wanted.shape,
        activation=input_activation(name, wanted, samples),
        rounding=spec.rounding,
    )


def _parameters(
    spec: NetworkSpec, checkpoint: Checkpoint, *, direct: bool, remember: Remember = _forget
) -> dict[str, Parameters]:
    """Integer weights, their scale and the float biases of each product."""
    retrained = None if direct or not uses_retrained(spec, checkpoint) else checkpoint.retrained
    result = {}
    for product in spec.products:
        layer = product.spec
        plain_shift = layer.output is not None and layer.requantize.multiplier_bits == 0
        source = (checkpoint.parent if retrained is None else retrained)[product.name]

        def make(
            name: str = product.name,
            layer: ProductSpec = layer,
            linear: LinearParameters = source,
            plain_shift: bool = plain_shift,
        ) -> Parameters:
            try:
                if isinstance(linear, RetrainedParameters):
                    scale = linear.scale
                    if plain_shift:
                        scale = power_of_two(linear.weight, scale, layer)
                else:
                    scale = weight_scale(linear.weight, layer)
            except SpecError as error:
                raise SpecError(f"{name}: {error}") from None
            weight = integer_weight(linear.weight, scale, layer)
            groups = groups_of(layer, len(weight))
            if linear.gain is not None:  # a sign goes to the weights, which are symmetric
                sign = np.where(linear.gain < 0, -1, 1)
                if layer.weights.code.pads:
                    sign[linear.gain == 0] = 0
                weight = weight * sign[:, None]
                # A product too small for a float is as good as the least normal number.
                with np.errstate(over="ignore"):  # refused as infinite
                    scale = np.maximum(scale * np.abs(linear.gain), np.finfo(np.float64).tiny)
                groups = len(weight)
            live = np.repeat(weight.reshape(groups, -1).any(axis=1), len(weight) // groups)
            if scale.size > 1 and live.any():
                # Any scale suits zeros; an outlying one would cost the multipliers of others bits.
                scale = np.where(live, scale, scale[live].max())
            return weight, scale, linear.bias

        key = ("weights", product.name, layer.weights, plain_shift, retrained is None, product.gain)
        result[product.name] = remember(key, make)
    return result
