"""A `QuantizedNetwork` as plain values and arrays, and back.

What a network computes and how large its hardware is stand apart, so that either has a hash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias, assert_never

import numpy as np

from fxsim.arithmetic.codes import parse_code
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, MemoryStyle, Overflow, Rounding
from fxsim.arithmetic.tables import Nonlinearity, Table
from fxsim.arithmetic.tensors import Activation
from fxsim.arithmetic.windows import Windows
from fxsim.errors import ConfigError
from fxsim.network.add import QuantizedAdd
from fxsim.network.argmax import Argmax
from fxsim.network.concat import Concat
from fxsim.network.convolution import QuantizedConvolution
from fxsim.network.layer import Layer
from fxsim.network.linear import Accumulator, Folding, QuantizedLinear
from fxsim.network.lstm import QuantizedLstm
from fxsim.network.pool import MaxPool
from fxsim.network.quantized import InputQuantizer, QuantizedNetwork
from fxsim.network.rescale import Rescale
from fxsim.network.resize import Resize
from fxsim.network.tail import Tail

SCHEMA = "fxsim-network/2"

TYPES = (
    *("linear", "lstm", "convolution", "max_pool", "add", "argmax"),
    *("concat", "resize", "rescale"),
)
"""Names of the kinds of layers."""

Tensors: TypeAlias = dict[str, np.ndarray[Any, Any]]

Sizes: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Sizes of hardware, by the name of a layer or product."""


def _activation(activation: Activation) -> dict[str, Any]:
    return {
        "format": str(activation.format),
        "scale": activation.scale,
        "zero_point": activation.zero_point,
    }


def _describe_tail(tail: Tail) -> dict[str, Any]:
    """All but multiplier, offsets and relu; slack bits and clamp only where there are any."""
    return {
        "multiplier_bits": tail.multiplier_bits,
        "shift": tail.shift,
        "rounding": str(tail.rounding),
        "overflow": str(tail.overflow),
        **({"slack_bits": tail.slack_bits} if tail.slack_bits else {}),
        **({"clamp": list(tail.clamp)} if tail.clamp else {}),
    }


def _build_tail(
    entry: dict[str, Any], relu: bool, multiplier: Any, offset: Any, below: Any
) -> Tail:
    clamp = entry.get("clamp")
    return Tail(
        multiplier=multiplier,
        multiplier_bits=entry["multiplier_bits"],
        shift=entry["shift"],
        rounding=Rounding(entry["rounding"]),
        overflow=Overflow(entry["overflow"]),
        offset=np.zeros(1, np.int64) if offset is None else offset,
        below=np.zeros(1, np.int64) if below is None else below,
        slack_bits=entry.get("slack_bits", 0),
        relu=relu,
        clamp=None if clamp is None else tuple(clamp),
    )


def _describe_linear(layer: QuantizedLinear) -> dict[str, Any]:
    tail = layer.tail
    return {
        "type": "linear",
        "name": layer.name,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "weight_format": str(layer.code),
        "accumulator": _describe_accumulator(layer),
        "relu": tail is not None and tail.relu,
        "requantize": None if tail is None else _describe_tail(tail),
        "output": _activation(layer.output),
    }


def _describe_accumulator(layer: QuantizedLinear) -> dict[str, Any]:
    """Format and overflow; if that saturates, also the products that are added at a time."""
    mode = layer.accumulator.mode
    beat = {"beat": layer.folding.simd} if mode is AccumulatorMode.SATURATE else {}
    return {"format": str(layer.accumulator.format), "overflow": str(mode)} | beat


def _describe_folding(folding: Folding) -> dict[str, Any]:
    return {
        "rows": folding.rows,
        "simd": folding.simd,
        "pad": folding.pad,
        "dsp": folding.dsp,
        "memory": str(folding.memory),
    }


def _describe_table(table: Table) -> dict[str, Any]:
    return {"bits": table.bits, "step_bits": table.step_bits, "values": list(table.values)}


def _describe_lstm(layer: QuantizedLstm) -> dict[str, Any]:
    projection = layer.projection
    return {
        "type": "lstm",
        "name": layer.name,
        "input_product": _describe_linear(layer.input_product),
        "hidden_product": _describe_linear(layer.hidden_product),
        "guard_bits": layer.guard_bits,
        "preactivation": {
            "format": str(layer.tanh.input),
            "fraction": layer.tanh.input_fraction,
        },
        "sigmoid": _describe_table(layer.sigmoid),
        "tanh": _describe_table(layer.tanh),
        "cell": {"format": str(layer.cell), "fraction": layer.cell_fraction},
        "cell_output": _activation(layer.cell_output),
        "projection": None if projection is None else _describe_linear(projection),
        "rounding": str(layer.rounding),
    }


def _describe_windows(windows: Windows) -> dict[str, Any]:
    return {
        **asdict(windows),
        "kernel": list(windows.kernel),
        "stride": _one_or_all(windows.stride),
        "padding": _one_or_all(windows.padding),
    }


def _one_or_all(values: Sequence[int]) -> int | list[int]:
    return values[0] if len(set(values)) == 1 else list(values)


def _describe_add(layer: QuantizedAdd) -> dict[str, Any]:
    tail = layer.tail
    return {
        "type": "add",
        "name": layer.name,
        "shape": list(layer.shape),
        "multipliers": list(layer.multipliers),
        **_describe_tail(tail),
        "accumulator": str(layer.accumulator),
        "relu": tail.relu,
        "output": _activation(layer.output),
    }


def _describe_rescale(layer: Rescale) -> dict[str, Any]:
    tail = layer.tail
    return {
        "type": "rescale",
        "name": layer.name,
        "shape": list(layer.shape),
        "multiplier": tail.multiplier.tolist(),
        "offset": tail.offset.tolist(),
        **({"below": tail.below.tolist()} if tail.below.any() else {}),
        **_describe_tail(tail),
        "relu": tail.relu,
        "output": _activation(layer.output),
    }


def _describe_layer(layer: Layer) -> dict[str, Any]:
    match layer:
        case QuantizedLstm():
            return _describe_lstm(layer)
        case QuantizedConvolution():
            return {
                "type": "convolution",
                "windows": _describe_windows(layer.windows),
                "product": _describe_linear(layer.product),
            }
        case MaxPool():
            return {
                "type": "max_pool",
                "name": layer.name,
                "windows": _describe_windows(layer.windows),
            }
        case QuantizedAdd():
            return _describe_add(layer)
        case Argmax():
            return {"type": "argmax", "name": layer.name, "items": layer.items}
        case QuantizedLinear():
            return _describe_linear(layer)
        case Concat():
            return {
                "type": "concat",
                "name": layer.name,
                "shapes": [list(shape) for shape in layer.shapes],
            }
        case Resize():
            return {
                "type": "resize",
                "name": layer.name,
                "shape": list(layer.shape),
                "factors": list(layer.factors),
            }
        case Rescale():
            return _describe_rescale(layer)
        case _:
            assert_never(layer)


def describe(network: QuantizedNetwork) -> dict[str, Any]:
    """All of a network but its tensors."""
    return describe_arithmetic(network) | {"hardware": describe_hardware(network)}


def describe_arithmetic(network: QuantizedNetwork) -> dict[str, Any]:
    """Manifest of what a network computes; tensors apart."""
    return {
        "schema": SCHEMA,
        "name": network.name,
        "data": network.data,
        "inputs": {
            name: {
                "shape": list(source.shape),
                "rounding": str(source.rounding),
                **_activation(source.activation),
            }
            for name, source in network.inputs.items()
        },
        "layers": [
            _describe_layer(layer) | _described("sources", network.sources.get(layer.name))
            for layer in network.layers
        ],
        **_described("outputs", network.outputs),
    }


def _described(key: str, names: Sequence[str] | None) -> dict[str, list[str]]:
    """Names under a key; nothing where they are those of a chain."""
    return {key: list(names)} if names else {}


def describe_hardware(network: QuantizedNetwork) -> dict[str, Any]:
    """Sizes of a network's hardware: what it computes does not depend on them."""
    sizes = {product.name: _describe_folding(product.folding) for product in network.linears} | {
        layer.name: dict(layer.sizes) for layer in network.layers if layer.sizes
    }
    return {
        "layers": sizes,
        "depths": {name: list(depths) for name, depths in network.depths.items()},
        "output_depths": dict(network.output_depths),
        **({"ends_depth": network.ends_depth} if network.ends_depth else {}),
        **({"control": True} if network.control else {}),
        # Of ports; the last word of a sequence is marked at the first. A mapping keeps no order.
        **_described("inputs", list(network.inputs)[1:] and list(network.inputs)),
    }


def tensors_of(network: QuantizedNetwork) -> Tensors:
    """Arrays of a network by name."""
    tensors: Tensors = {}
    for layer in network.linears:
        tensors[f"{layer.name}.weight"] = layer.weight
        tensors[f"{layer.name}.bias"] = layer.bias
        tensors[f"{layer.name}.weight_scale"] = layer.weight_scale
        if layer.tail is not None:
            tensors[f"{layer.name}.multiplier"] = layer.tail.multiplier
            if layer.tail.offset.any():  # absent: 0
                tensors[f"{layer.name}.offset"] = layer.tail.offset
            if layer.tail.below.any():
                tensors[f"{layer.name}.below"] = layer.tail.below
    return tensors


def _read_activation(value: dict[str, Any]) -> Activation:
    scale, zero_point = value["scale"], value["zero_point"]
    if type(scale) is not float or type(zero_point) is not int:
        raise ConfigError("scale must be a float and zero_point an integer")
    return Activation(format=IntFormat.parse(value["format"]), scale=scale, zero_point=zero_point)


def _build_accumulator(entry: dict[str, Any], simd: Any) -> Accumulator:
    mode = AccumulatorMode(entry["overflow"])
    if mode is AccumulatorMode.SATURATE and (type(entry["beat"]), entry["beat"]) != (int, simd):
        raise ConfigError(
            f"simd must be {entry['beat']}, the beat of a saturating accumulator, not {simd}"
        )
    return Accumulator(format=IntFormat.parse(entry["format"]), mode=mode)


def _tail_of(entry: dict[str, Any], tensors: Tensors) -> Tail | None:
    """Tail of a matrix product; one without has no relu, either."""
    name, requantize, relu = entry["name"], entry["requantize"], entry["relu"]
    if requantize is not None:
        found = (tensors.get(f"{name}.{key}") for key in ("offset", "below"))
        return _build_tail(requantize, relu, tensors[f"{name}.multiplier"], *found)
    if relu is not False:
        raise ConfigError(f"{name}: relu must be false without a requantizer, not {relu}")
    return None


def _build_linear(
    entry: dict[str, Any], tensors: Tensors, sizes: Sizes, source: Activation
) -> QuantizedLinear:
    name = entry["name"]
    folding = sizes[name]
    if entry["type"] != "linear":
        raise ConfigError(f"type must be 'linear', not {entry['type']!r}")
    return QuantizedLinear(
        name=name,
        weight=tensors[f"{name}.weight"],
        code=parse_code(entry["weight_format"]),
        weight_scale=tensors[f"{name}.weight_scale"],
        bias=tensors[f"{name}.bias"],
        input=source,
        accumulator=_build_accumulator(entry["accumulator"], folding["simd"]),
        tail=_tail_of(entry, tensors),
        output=_read_activation(entry["output"]),
        folding=Folding(
            rows=folding["rows"],
            simd=folding["simd"],
            pad=folding["pad"],
            dsp=folding["dsp"],
            memory=MemoryStyle(folding["memory"]),
        ),
    )


def _build_lstm(
    entry: dict[str, Any], tensors: Tensors, sizes: Sizes, source: Activation
) -> QuantizedLstm:
    def table(function: Nonlinearity) -> Table:
        facts = entry[str(function)]
        return Table(
            function=function,
            input=IntFormat.parse(entry["preactivation"]["format"]),
            input_fraction=entry["preactivation"]["fraction"],
            bits=facts["bits"],
            step_bits=facts["step_bits"],
            values=tuple(facts["values"]),
        )

    cell_output = _read_activation(entry["cell_output"])
    projection = entry["projection"]
    projected = (
        None if projection is None else _build_linear(projection, tensors, sizes, cell_output)
    )
    return QuantizedLstm(
        name=entry["name"],
        input_product=_build_linear(entry["input_product"], tensors, sizes, source),
        hidden_product=_build_linear(
            entry["hidden_product"],
            tensors,
            sizes,
            cell_output if projected is None else projected.output,
        ),
        guard_bits=entry["guard_bits"],
        sigmoid=table(Nonlinearity.SIGMOID),
        tanh=table(Nonlinearity.TANH),
        cell=IntFormat.parse(entry["cell"]["format"]),
        cell_fraction=entry["cell"]["fraction"],
        cell_output=cell_output,
        projection=projected,
        rounding=Rounding(entry["rounding"]),
        **sizes[entry["name"]],
    )


def _build_windows(entry: dict[str, Any]) -> Windows:
    return Windows(**{**entry, "kernel": tuple(entry["kernel"])})


def _build_add(entry: dict[str, Any], sizes: Sizes, sources: Sequence[Activation]) -> QuantizedAdd:
    return QuantizedAdd(
        name=entry["name"],
        shape=tuple(entry["shape"]),
        summands=tuple(sources),
        tail=_build_tail(entry, entry["relu"], np.array(entry["multipliers"]), None, None),
        accumulator=IntFormat.parse(entry["accumulator"]),
        output=_read_activation(entry["output"]),
        **sizes[entry["name"]],
    )


def _build_rescale(entry: dict[str, Any], sizes: Sizes, source: Activation) -> Rescale:
    multiplier, offset, below = (
        np.array(entry.get(key, [0])) for key in ("multiplier", "offset", "below")
    )
    return Rescale(
        name=entry["name"],
        shape=tuple(entry["shape"]),
        input=source,
        tail=_build_tail(entry, entry["relu"], multiplier, offset, below),
        output=_read_activation(entry["output"]),
        **sizes[entry["name"]],
    )


def _build_layer(
    entry: dict[str, Any], tensors: Tensors, sizes: Sizes, sources: Sequence[Activation]
) -> Layer:
    source, *_ = sources
    match entry["type"]:
        case "lstm":
            return _build_lstm(entry, tensors, sizes, source)
        case "convolution":
            product = _build_linear(entry["product"], tensors, sizes, source)
            return QuantizedConvolution(product=product, windows=_build_windows(entry["windows"]))
        case "max_pool":
            return MaxPool(
                name=entry["name"],
                input=source,
                windows=_build_windows(entry["windows"]),
                **sizes[entry["name"]],
            )
        case "add":
            return _build_add(entry, sizes, sources)
        case "argmax":
            return Argmax(
                name=entry["name"], input=source, items=entry["items"], **sizes[entry["name"]]
            )
        case "linear":
            return _build_linear(entry, tensors, sizes, source)
        case "concat":
            return Concat(
                name=entry["name"],
                shapes=tuple(map(tuple, entry["shapes"])),
                input=source,
                **sizes[entry["name"]],
            )
        case "resize":
            return Resize(
                name=entry["name"],
                shape=tuple(entry["shape"]),
                factors=tuple(entry["factors"]),
                input=source,
                **sizes[entry["name"]],
            )
        case "rescale":
            return _build_rescale(entry, sizes, source)
        case unknown:
            raise ConfigError(f"type must be one of {', '.join(TYPES)}, not {unknown!r}")


def build(value: dict[str, Any], tensors: Tensors) -> QuantizedNetwork:
    """Network of plain values and tensors; raises what its parts do, or Python on odd values."""
    inputs = {
        name: InputQuantizer(
            shape=tuple(entry["shape"]),
            activation=_read_activation(entry),
            rounding=Rounding(entry["rounding"]),
        )
        for name, entry in value["inputs"].items()
    }
    layers: list[Layer] = []
    hardware = value["hardware"]
    yielded = {name: source.activation for name, source in inputs.items()}
    given = dict[str, tuple[str, ...]]()
    for entry in value["layers"]:
        before = list(yielded)[-1:] if layers or len(inputs) == 1 else []
        names = entry.get("sources", before)
        if not names:
            raise ConfigError("sources must be named after several inputs")
        for source in names:
            if source not in yielded:
                known = ", ".join(yielded)
                raise ConfigError(f"sources must be among {known}, not {source!r}")
        sources = [yielded[source] for source in names]
        layer = _build_layer(entry, tensors, hardware["layers"], sources)
        layers.append(layer)
        yielded[layer.name], given[layer.name] = layer.output, tuple(names)
    return QuantizedNetwork(
        name=value["name"],
        data=value["data"],
        inputs=inputs,
        layers=tuple(layers),
        sources=given,
        outputs=tuple(value.get("outputs", ())),
        depths={name: tuple(depths) for name, depths in hardware["depths"].items()},
        output_depths=hardware["output_depths"],
        ends_depth=hardware.get("ends_depth", 0),
        control=hardware.get("control", False),
    )
