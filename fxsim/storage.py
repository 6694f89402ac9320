"""Save and load a `QuantizedNetwork`: a folder with a YAML manifest and an npz of integers.

The manifest carries the content hash; `load_network` recomputes it, so neither file can change
alone.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from fxsim.errors import ConfigError, FileError, FxsimError
from fxsim.files import read_npz, read_yaml, write_npz, write_yaml
from fxsim.formats import AccumulatorMode, IntFormat, MemoryStyle, Overflow, Rounding
from fxsim.network import (
    Accumulator,
    Activation,
    Folding,
    InputQuantizer,
    QuantizedLinear,
    QuantizedNetwork,
    Requantizer,
)

SCHEMA = "fxsim-network/1"
MANIFEST, TENSORS = "network.yaml", "network.npz"


def _activation(activation: Activation) -> dict[str, Any]:
    return {
        "format": str(activation.format),
        "scale": activation.scale,
        "zero_point": activation.zero_point,
    }


def _describe(network: QuantizedNetwork) -> dict[str, Any]:
    layers = []
    for layer in network.layers:
        entry: dict[str, Any] = {
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
            "requantize": None,
            "output": _activation(layer.output),
            "folding": {
                "rows": layer.folding.rows,
                "simd": layer.folding.simd,
                "pad": layer.folding.pad,
                "dsp": layer.folding.dsp,
                "memory": str(layer.folding.memory),
            },
        }
        if layer.requantizer is not None:
            entry["requantize"] = {
                "multiplier_bits": layer.requantizer.multiplier_bits,
                "shift": layer.requantizer.shift,
                "rounding": str(layer.requantizer.rounding),
                "overflow": str(layer.requantizer.overflow),
            }
        layers.append(entry)
    return {
        "schema": SCHEMA,
        "name": network.name,
        "data": network.data,
        "input": {
            "shape": list(network.input.shape),
            "rounding": str(network.input.rounding),
            **_activation(network.input.activation),
        },
        "layers": layers,
    }


def _tensors(network: QuantizedNetwork) -> dict[str, np.ndarray[Any, Any]]:
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    for layer in network.layers:
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


def save_network(network: QuantizedNetwork, folder: Path) -> None:
    """Write the network into ``folder`` (made if missing); each file is replaced atomically."""
    tensors = {name: _smallest(tensor) for name, tensor in _tensors(network).items()}
    write_npz(folder / TENSORS, tensors)
    write_yaml(folder / MANIFEST, {**_describe(network), "hash": network_hash(network)})


def load_network(folder: Path) -> QuantizedNetwork:
    """Read a network and check its hash.

    Raises
    ------
    FileError
        If a file is missing, damaged or inconsistent; the message names the file and the key.
    """
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


def _build(value: dict[str, Any], tensors: dict[str, np.ndarray[Any, Any]]) -> QuantizedNetwork:
    activation = _read_activation(value["input"])
    layers = []
    source = InputQuantizer(
        shape=tuple(value["input"]["shape"]),
        activation=activation,
        rounding=Rounding(value["input"]["rounding"]),
    )
    for entry in value["layers"]:
        name, folding = entry["name"], entry["folding"]
        if entry["type"] != "linear":
            raise ConfigError(f"type must be 'linear', not {entry['type']!r}")
        requantize = entry["requantize"]
        layer = QuantizedLinear(
            name=name,
            weight=tensors[f"{name}.weight"],
            weight_format=IntFormat.parse(entry["weight_format"]),
            weight_scale=tensors[f"{name}.weight_scale"],
            bias=tensors[f"{name}.bias"],
            input=activation,
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
        layers.append(layer)
        activation = layer.output
    return QuantizedNetwork(
        name=value["name"], data=value["data"], input=source, layers=tuple(layers)
    )
