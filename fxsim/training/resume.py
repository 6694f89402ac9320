"""State of a training run on disk, so that an interrupted one goes on to the same result."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from fxsim.data import Dataset
from fxsim.differences import first_difference
from fxsim.errors import FileError
from fxsim.files import read_bytes, replacing
from fxsim.floats.checkpoint import LinearParameters
from fxsim.spec.specification import NetworkSpec

_MAX_BYTES = 1 << 32
_STATE = 3  # version of what a state holds


@dataclass(kw_only=True)
class TrainingState:
    """State that a run has reached.

    Parameters
    ----------
    fingerprint : str
        Recipe, data and version of PyTorch (`fingerprint`).
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
    """Everything that the result of training depends on, as JSON; data by their SHA-256."""
    data, begin = hashlib.sha256(), hashlib.sha256()
    for split in (dataset.train, dataset.validation):
        if split is not None:
            data.update(f"{split.x.dtype} {split.x.shape}".encode())
            data.update(split.x.tobytes())
            data.update(split.y.tobytes())
    for parameters in (start or {}).values():
        begin.update(parameters.weight.tobytes())
        begin.update(parameters.bias.tobytes())
    facts = {
        "state": _STATE,
        "PyTorch": torch.__version__,
        "recipe": spec.model_dump(mode="json"),
        "SHA-256 of the data": data.hexdigest(),
        "SHA-256 of the first parameters": begin.hexdigest(),
    }
    return json.dumps(facts)


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
            f"{path}: is of a run that was interrupted {_difference(state.fingerprint, expected)};"
            " finish that one or remove the file"
        )
    return state


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """State and checksum of a file."""
    size = hashlib.sha256().digest_size
    return raw[:-size], raw[-size:]


def _difference(stored: str, expected: str) -> str | None:
    try:
        return first_difference(json.loads(stored), json.loads(expected))
    except ValueError:  # before states told more than a hash
        return "in an earlier fxsim"
