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

from fxsim.errors import FileError, FxsimError
from fxsim.files import read_npz, read_yaml, write_npz, write_yaml
from fxsim.manifest import SCHEMA, build, describe, tensors_of
from fxsim.network import QuantizedNetwork

MANIFEST, TENSORS = "network.yaml", "network.npz"


def network_hash(network: QuantizedNetwork) -> str:
    """SHA-256 over every integer, format, scale and name of the network, as 64 hex digits."""
    digest = hashlib.sha256(json.dumps(describe(network), sort_keys=True).encode())
    for name, tensor in sorted(tensors_of(network).items()):
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
    tensors = {name: _smallest(tensor) for name, tensor in tensors_of(network).items()}
    folder = Path(folder)
    write_npz(folder / TENSORS, tensors)
    write_yaml(folder / MANIFEST, {**describe(network), "hash": network_hash(network)})


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
        network = build(value, tensors)
    except KeyError as error:
        raise FileError(f"{manifest}: {error.args[0]!r} is missing") from None
    except FxsimError as error:
        raise FileError(f"{manifest}: {error}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{manifest}: malformed ({error})") from None
    if extra := sorted(tensors.keys() - tensors_of(network).keys()):
        raise FileError(f"{folder / TENSORS}: {extra[0]!r} belongs to no layer")
    if value.get("hash") != network_hash(network) or describe(network) != {
        key: item for key, item in value.items() if key != "hash"
    }:
        raise FileError(f"{manifest}: hash does not match the content of {folder}")
    return network
