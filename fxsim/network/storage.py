"""Save and load a `QuantizedNetwork`: a folder with a YAML manifest and an npz of integers.

The manifest carries the content hash; `load_network` recomputes it, so neither file can change
alone. While a network is saved over another, its tensors have a name with the hash: the manifest
says whose tensors count, and that is the old network until the instant when it is the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from fxsim.arguments import as_path, check_type
from fxsim.errors import FileError, FxsimError
from fxsim.files import move, read_npz, read_yaml, write_npz, write_yaml
from fxsim.folders import writing
from fxsim.leftovers import sweep
from fxsim.network.manifest import (
    SCHEMA,
    Tensors,
    build,
    describe,
    describe_arithmetic,
    describe_hardware,
    tensors_of,
)
from fxsim.network.quantized import QuantizedNetwork
from fxsim.network.schema1 import SCHEMA as SCHEMA_1
from fxsim.network.schema1 import convert

MANIFEST, TENSORS = "network.yaml", "network.npz"
_FAMILY = SCHEMA.partition("/")[0]
"""Schema of a network, without its version."""
_HASH = re.compile("[0-9a-f]{64}")
_LEFT = re.compile(r"network-[0-9a-f]{64}\.npz")
"""Files that a killed save leaves: tensors under their first name."""


def network_hash(network: QuantizedNetwork) -> str:
    """SHA-256 over every integer, format, scale, size and name of the network, as 64 hex digits."""
    return _digest([arithmetic_hash(network), hardware_hash(network)])


def arithmetic_hash(network: QuantizedNetwork) -> str:
    """SHA-256 over what the network computes: equal for two foldings of it."""
    return _digest(describe_arithmetic(network), tensors_of(network))


def hardware_hash(network: QuantizedNetwork) -> str:
    """SHA-256 over the sizes of the network's hardware."""
    return _digest(describe_hardware(network))


def _digest(value: Any, tensors: Tensors | None = None) -> str:
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode())
    for name, tensor in sorted((tensors or {}).items()):
        kind = "<i8" if tensor.dtype.kind == "i" else "<f8"
        digest.update(f"{name}{tensor.shape}{kind}".encode())
        digest.update(tensor.astype(kind).tobytes())
    return digest.hexdigest()


def _hashes(network: QuantizedNetwork) -> dict[str, str]:
    """Hashes of a network under their keys in the manifest."""
    return {
        "arithmetic_hash": arithmetic_hash(network),
        "hardware_hash": hardware_hash(network),
        "hash": network_hash(network),
    }


def _smallest(tensor: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if tensor.dtype.kind != "i":
        return tensor
    for dtype in (np.int8, np.int16, np.int32):
        limits = np.iinfo(dtype)
        if limits.min <= tensor.min() and tensor.max() <= limits.max:
            return tensor.astype(dtype)
    return tensor


def save_network(network: QuantizedNetwork, folder: str | Path) -> None:
    """Write the network into ``folder``, which is made if missing.

    If this is interrupted at any point, even by a kill, the folder holds either the network that
    it held before or this one. The next save removes what was left over. Saves into one folder
    follow one another, by a lock in its folder ``.fxsim``.
    """
    check_type(network, QuantizedNetwork, "network")
    folder = as_path(folder, "folder")
    tensors = {name: _smallest(tensor) for name, tensor in tensors_of(network).items()}
    folder, digest = Path(folder), network_hash(network)
    pending = _pending(folder, digest)
    with writing(folder):
        write_npz(pending, tensors)
        write_yaml(folder / MANIFEST, {**describe(network), **_hashes(network)})
        move(pending, folder / TENSORS)
        for name in leftovers(folder):
            (folder / name).unlink(missing_ok=True)
        sweep(folder)


def leftovers(folder: Path) -> list[str]:
    """Names of the files in ``folder`` that a save removes: those of saves that were killed."""
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if _LEFT.fullmatch(p.name) and p.is_file())


def check_free(folder: Path) -> None:
    """Check that a network can be saved in ``folder`` without a loss: no other file has its name.

    Raises
    ------
    FileError
        If the file where the manifest goes is not one, or tensors are there without a manifest: a
        save, however it ends, leaves none.
    """
    path, tensors = folder / MANIFEST, folder / TENSORS
    if not os.path.lexists(path):
        if os.path.lexists(tensors):
            raise FileError(
                f"{tensors}: exists, and is of no network, since there is no {MANIFEST};"
                " move it away, or give another folder"
            )
        return
    value = read_yaml(path)
    if not isinstance(value, dict) or not str(value.get("schema")).startswith(_FAMILY):
        raise FileError(
            f"{path}: exists, and is not a network; move it away, or give another folder"
        )


def _pending(folder: Path, digest: str) -> Path:
    """Where the tensors of a network are until the manifest is that of it, too."""
    return folder / f"network-{digest}.npz"


def _tensors_path(folder: Path, digest: object) -> Path:
    """File with the tensors of the network whose hash the manifest has."""
    if isinstance(digest, str) and _HASH.fullmatch(digest):
        pending = _pending(folder, digest)
        if pending.exists():
            return pending
    return folder / TENSORS


def load_network(folder: str | Path) -> QuantizedNetwork:
    """Read a network and check its hash.

    Raises
    ------
    FileError
        If a file is missing, damaged or inconsistent; the message names the file and the key.
    """
    folder = as_path(folder, "folder")
    manifest = folder / MANIFEST
    value = read_yaml(manifest)
    if not isinstance(value, dict) or value.get("schema") not in (SCHEMA, SCHEMA_1):
        raise FileError(f"{manifest}: schema must be {SCHEMA!r}")
    source = _tensors_path(folder, value.get("hash"))
    tensors = read_npz(source)
    old = value["schema"] == SCHEMA_1
    try:
        network = build(convert(value) if old else value, tensors)
        if old:
            given = {key: item for key, item in value.items() if key != "hash"}
            same = value.get("hash") == _digest(given, tensors)
        else:
            same = value == describe(network) | _hashes(network)
    except KeyError as error:
        raise FileError(f"{manifest}: {error.args[0]!r} is missing") from None
    except FxsimError as error:
        raise FileError(f"{manifest}: {error}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{manifest}: malformed ({error})") from None
    if extra := sorted(tensors.keys() - tensors_of(network).keys()):
        raise FileError(f"{source}: {extra[0]!r} belongs to no layer")
    if not same:
        raise FileError(f"{manifest}: hash does not match the content of {folder}")
    return network
