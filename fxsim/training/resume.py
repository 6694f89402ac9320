"""State of a training run on disk, so that an interrupted one goes on to the same result."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from fxsim.data import Dataset
from fxsim.errors import FileError
from fxsim.files import read_bytes, replacing
from fxsim.floats.checkpoint import LinearParameters
from fxsim.spec.specification import NetworkSpec

_MAX_BYTES = 1 << 32
_STATE = 2  # version of what a state holds


@dataclass(kw_only=True)
class TrainingState:
    """State that a run has reached.

    Parameters
    ----------
    fingerprint : str
        Of recipe, data and version of PyTorch (`fingerprint`).
    stage : int
        Stages that are finished.
    epoch : int
        Finished epochs of the stage after them.
    values : dict
        State of network, optimizer, schedule and random numbers after that epoch; tensors, plain
        values and containers of them.
    """

    fingerprint: str
    stage: int = 0
    epoch: int = 0
    values: dict[str, Any] = field(default_factory=dict)


def fingerprint(
    spec: NetworkSpec, dataset: Dataset, start: Mapping[str, LinearParameters] | None = None
) -> str:
    """Hash of everything that the result of training depends on."""
    digest = hashlib.sha256(f"{_STATE} {torch.__version__} {spec.model_dump_json()}".encode())
    for split in (dataset.train, dataset.validation):
        if split is not None:
            digest.update(f"{split.x.dtype} {split.x.shape}".encode())
            digest.update(split.x.tobytes())
            digest.update(split.y.tobytes())
    for parameters in (start or {}).values():
        digest.update(parameters.weight.tobytes())
        digest.update(parameters.bias.tobytes())
    return digest.hexdigest()


def random_state() -> list[torch.Tensor]:
    """State of the random numbers of the processor, and of each GPU."""
    return [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]


def set_random_state(states: list[torch.Tensor]) -> None:
    """Go on from a `random_state`."""
    torch.set_rng_state(states[0])
    for gpu, state in enumerate(states[1 : 1 + torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, gpu)


def save_state(state: TrainingState, path: Path) -> None:
    """Write ``state`` atomically, with a SHA-256 at its end."""
    packed = io.BytesIO()
    torch.save(vars(state), packed)
    digest = hashlib.sha256(packed.getbuffer()).digest()
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(packed.getbuffer())
        file.write(digest)


def load_state(path: Path, expected: str) -> TrainingState:
    """Read what `save_state` wrote; the state of a fresh run if there is no such file.

    Raises
    ------
    FileError
        If the file is damaged, or belongs to another recipe or other data.
    """
    if not path.exists():
        return TrainingState(fingerprint=expected)
    raw, digest = _split(read_bytes(path, limit=_MAX_BYTES))
    if hashlib.sha256(raw).digest() != digest:
        raise FileError(
            f"{path}: must be a training state as it was written, but its checksum is another;"
            " remove the file to start anew"
        )
    try:
        # Without weights_only a file could run code.
        state = TrainingState(**torch.load(io.BytesIO(raw), weights_only=True, map_location="cpu"))
    except Exception as error:  # torch, zipfile and pickle raise many types
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileError(f"{path}: not a training state ({reason})") from None
    if state.fingerprint != expected:
        raise FileError(
            f"{path}: must belong to this recipe and its data, but another one was interrupted;"
            " finish that one or remove the file"
        )
    return state


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """State and checksum of a file."""
    size = hashlib.sha256().digest_size
    return raw[:-size], raw[-size:]
