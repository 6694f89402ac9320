"""Save and load a `QuantizedNetwork`: a folder with a YAML manifest and an npz of integers.

The manifest carries the content hash; `load_network` recomputes it, so neither file can change
alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from fxsim.errors import ConfigError, FileError, FxsimError
from fxsim.files import read_npz, read_yaml, write_npz, write_yaml
from fxsim.formats import AccumulatorMode, IntFormat, MemoryStyle, Overflow, Rounding
from fxsim.network import (
    Accumulator,
    Activation,
    Folding,
    InputQuantizer,
    Layer,
    MaxPool,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
    Requantizer,
    Windows,
)
from fxsim.tables import Nonlinearity, Table

SCHEMA = "fxsim-network/1"
MANIFEST, TENSORS = "network.yaml", "network.npz"


def _activation(activation: Activation) -> dict[str, Any]:
    return {
        "format": str(activation.format),
        "scale": activation.scale,
        "zero_point": activation.zero_point,
    }


def _describe_linear(layer: QuantizedLinear) -> dict[str, Any]:
    requantizer = layer.requantizer
    return {
        "type": "linear",
        "name": layer.name,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "weight_format": str(layer.weight_format),
        "accumulator": {
            "format": str(layer.accumulator.format),
            "overflow": str(layer.accumulator.mode),
        },
        "relu": layer.relu,
        "requantize": None
        if requantizer is None
        else {
            "multiplier_bits": requantizer.multiplier_bits,
            "shift": requantizer.shift,
            "rounding": str(requantizer.rounding),
            "overflow": str(requantizer.overflow),
        },
        "output": _activation(layer.output),
        "folding": {
            "rows": layer.folding.rows,
            "simd": layer.folding.simd,
            "pad": layer.folding.pad,
            "dsp": layer.folding.dsp,
            "memory": str(layer.folding.memory),
        },
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
        "multipliers": layer.multipliers,
    }


def _describe_windows(windows: Windows) -> dict[str, Any]:
    return {**asdict(windows), "kernel": list(windows.kernel)}


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
                "lanes": layer.lanes,
            }
        case QuantizedLinear():
            return _describe_linear(layer)


def _describe(network: QuantizedNetwork) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": network.name,
        "data": network.data,
        "input": {
            "shape": list(network.input.shape),
            "rounding": str(network.input.rounding),
            **_activation(network.input.activation),
        },
        "layers": [_describe_layer(layer) for layer in network.layers],
    }


def _tensors(network: QuantizedNetwork) -> dict[str, np.ndarray[Any, Any]]:
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    for layer in network.linears:
        tensors[f"{layer.name}.weight"] = layer.weight
        tensors[f"{layer.name}.bias"] = layer.bias
        tensors[f"{layer.name}.weight_scale"] = layer.weight_scale
        if layer.requantizer is not None:
            tensors[f"{layer.name}.multiplier"] = layer.requantizer.multiplier
    return tensors


def network_hash(network: QuantizedNetwork) -> str:
    """SHA-256 over every integer, format, scale and name of the network, as 64 hex digits."""
    digest = hashlib.sha256(json.dumps(_describe(network), sort_keys=True).encode())
    for name, tensor in sorted(_tensors(network).items()):
        kind = "<i8" if tensor.dtype.kind == "i" else "<f8"
        digest.update(f"{name}{tensor.shape}{kind}".encode())
        digest.update(tensor.astype(kind).tobytes())
    return digest.hexdigest()


def _smallest(tensor: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if tensor.dtype.kind != "i":
        return tensor
    for dtype in (np.int8, np.int16, np.int32):
        limits = np.iinfo(dtype)
        if limits.min <= tensor.min() and tensor.max() <= limits.max:
            return tensor.astype(dtype)
    return tensor


def save_network(network: QuantizedNetwork, folder: str | Path) -> None:
    """Write the network into ``folder`` (made if missing); each file is replaced atomically."""
    tensors = {name: _smallest(tensor) for name, tensor in _tensors(network).items()}
    folder = Path(folder)
    write_npz(folder / TENSORS, tensors)
    write_yaml(folder / MANIFEST, {**_describe(network), "hash": network_hash(network)})


def load_network(folder: str | Path) -> QuantizedNetwork:
    """Read a network and check its hash.

    Raises
    ------
    FileError
        If a file is missing, damaged or inconsistent; the message names the file and the key.
    """
    folder = Path(folder)
    manifest = folder / MANIFEST
    value = read_yaml(manifest)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise FileError(f"{manifest}: schema must be {SCHEMA!r}")
    tensors = read_npz(folder / TENSORS)
    try:
        network = _build(value, tensors)
    except KeyError as error:
        raise FileError(f"{manifest}: {error.args[0]!r} is missing") from None
    except FxsimError as error:
        raise FileError(f"{manifest}: {error}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{manifest}: malformed ({error})") from None
    if extra := sorted(tensors.keys() - _tensors(network).keys()):
        raise FileError(f"{folder / TENSORS}: {extra[0]!r} belongs to no layer")
    if value.get("hash") != network_hash(network) or _describe(network) != {
        key: item for key, item in value.items() if key != "hash"
    }:
        raise FileError(f"{manifest}: hash does not match the content of {folder}")
    return network


def _read_activation(value: dict[str, Any]) -> Activation:
    scale, zero_point = value["scale"], value["zero_point"]
    if type(scale) is not float or type(zero_point) is not int:
        raise ConfigError("scale must be a float and zero_point an integer")
    return Activation(format=IntFormat.parse(value["format"]), scale=scale, zero_point=zero_point)


Tensors: TypeAlias = dict[str, np.ndarray[Any, Any]]


def _build_linear(entry: dict[str, Any], tensors: Tensors, source: Activation) -> QuantizedLinear:
    name, folding, requantize = entry["name"], entry["folding"], entry["requantize"]
    if entry["type"] != "linear":
        types = "'linear', 'lstm', 'convolution' or 'max_pool'"
        raise ConfigError(f"type must be {types}, not {entry['type']!r}")
    return QuantizedLinear(
        name=name,
        weight=tensors[f"{name}.weight"],
        weight_format=IntFormat.parse(entry["weight_format"]),
        weight_scale=tensors[f"{name}.weight_scale"],
        bias=tensors[f"{name}.bias"],
        input=source,
        accumulator=Accumulator(
            format=IntFormat.parse(entry["accumulator"]["format"]),
            mode=AccumulatorMode(entry["accumulator"]["overflow"]),
        ),
        requantizer=None
        if requantize is None
        else Requantizer(
            multiplier=tensors[f"{name}.multiplier"],
            multiplier_bits=requantize["multiplier_bits"],
            shift=requantize["shift"],
            rounding=Rounding(requantize["rounding"]),
            overflow=Overflow(requantize["overflow"]),
        ),
        relu=entry["relu"],
        output=_read_activation(entry["output"]),
        folding=Folding(
            rows=folding["rows"],
            simd=folding["simd"],
            pad=folding["pad"],
            dsp=folding["dsp"],
            memory=MemoryStyle(folding["memory"]),
        ),
    )


def _build_lstm(entry: dict[str, Any], tensors: Tensors, source: Activation) -> QuantizedLstm:
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
    projected = None if projection is None else _build_linear(projection, tensors, cell_output)
    return QuantizedLstm(
        name=entry["name"],
        input_product=_build_linear(entry["input_product"], tensors, source),
        hidden_product=_build_linear(
            entry["hidden_product"],
            tensors,
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
        multipliers=entry["multipliers"],
    )


def _build_windows(entry: dict[str, Any]) -> Windows:
    return Windows(**{**entry, "kernel": tuple(entry["kernel"])})


def _build_layer(entry: dict[str, Any], tensors: Tensors, source: Activation) -> Layer:
    match entry["type"]:
        case "lstm":
            return _build_lstm(entry, tensors, source)
        case "convolution":
            product = _build_linear(entry["product"], tensors, source)
            return QuantizedConvolution(product=product, windows=_build_windows(entry["windows"]))
        case "max_pool":
            return MaxPool(
                name=entry["name"],
                input=source,
                windows=_build_windows(entry["windows"]),
                lanes=entry["lanes"],
            )
        case _:
            return _build_linear(entry, tensors, source)


def _build(value: dict[str, Any], tensors: Tensors) -> QuantizedNetwork:
    activation = _read_activation(value["input"])
    source = InputQuantizer(
        shape=tuple(value["input"]["shape"]),
        activation=activation,
        rounding=Rounding(value["input"]["rounding"]),
    )
    layers: list[Layer] = []
    for entry in value["layers"]:
        layers.append(_build_layer(entry, tensors, activation))
        activation = layers[-1].output
    return QuantizedNetwork(
        name=value["name"], data=value["data"], input=source, layers=tuple(layers)
    )
