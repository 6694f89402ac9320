"""Recorded gate gradients of a character LSTM in training: what hardware for them is tested on.

Stored are the network, its input x, the gradient dy of its LSTM layer's output and the contract of
the backward pass; everything else is simulated when a trace is loaded. A hash of the results is
stored next to them, so that a simulator that changed cannot go unseen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fxsim.arithmetic.formats import Rounding
from fxsim.errors import FileError, FxsimError
from fxsim.files import read_npz, read_yaml, write_npz, write_yaml
from fxsim.network import FloatArray, IntArray, QuantizedLstm, QuantizedNetwork
from fxsim.network.lstm_gradient import GradientFormat, LstmGradient
from fxsim.network.storage import load_network, save_network
from fxsim.shipped import models_folder
from fxsim.simulator import lstm
from fxsim.simulator.lstm_gradient import LstmGradients, backward
from fxsim.simulator.trace import LayerTrace

STAGES = ("early", "middle", "late")
"""After 0.5 %, 50 % and all of the training."""

SCHEMA = "fxsim-gradient-trace/1"
TENSORS = ("dh", "dc", "dnet", "dx")
RESULTS = ("dnet", "dx", "dh0", "dW", "dU", "db")


@dataclass(frozen=True, kw_only=True, eq=False)
class GradientTrace:
    """A batch of ``n`` sequences of ``t`` steps, forward and backward through one LSTM layer.

    Parameters
    ----------
    stage : str
        Recording, such as ``late``.
    step : int
        Training steps that the network had seen.
    network : QuantizedNetwork
        Its first layer is the LSTM layer.
    gradient : LstmGradient
        Numeric contract of the backward pass; holds the layer.
    x : int64 array, shape (n, t, inputs)
    dy : int64 array, shape (n, t, cells)
        In the format ``gradient.dh``.
    forward : LayerTrace
        Gates, cell states and outputs.
    backward : LstmGradients
        dnet after the threshold, and all that follows from it.
    """

    stage: str
    step: int
    network: QuantizedNetwork
    gradient: LstmGradient
    x: IntArray
    dy: IntArray
    forward: LayerTrace
    backward: LstmGradients

    @property
    def layer(self) -> QuantizedLstm:
        """The LSTM layer."""
        return self.gradient.layer

    @property
    def density(self) -> FloatArray:
        """Share of gate gradients that are not zero, by sequence and step: shape (n, t)."""
        density: FloatArray = np.count_nonzero(self.backward.dnet, axis=2) / (4 * self.layer.cells)
        return density

    @property
    def hash(self) -> str:
        """SHA-256 of the results, in hexadecimal."""
        digest = hashlib.sha256()
        for name in RESULTS:
            array = getattr(self.backward, name)
            digest.update(f"{name} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
        return digest.hexdigest()


def run(
    stage: str,
    step: int,
    network: QuantizedNetwork,
    gradient: LstmGradient,
    x: IntArray,
    dy: IntArray,
) -> GradientTrace:
    """Simulate what the stored parts imply; see `GradientTrace`.

    Raises
    ------
    RangeError
        If a shape is wrong or an integer leaves its format.
    """
    forward = lstm.trace(gradient.layer, x)
    return GradientTrace(
        stage=stage,
        step=step,
        network=network,
        gradient=gradient,
        x=x,
        dy=dy,
        forward=forward,
        backward=backward(gradient, forward, x, dy),
    )


def shipped() -> Path:
    """Folder of the traces that come with fxsim."""
    return models_folder() / "gradient-traces"


def load(stage: str, folder: Path | None = None) -> GradientTrace:
    """Load a recorded trace and simulate it.

    Parameters
    ----------
    stage : str
        One of `STAGES`, or what `save` stored.
    folder : Path, optional
        Default: `shipped`.

    Raises
    ------
    FileError
        If a file is missing or malformed, or the simulator does not yield the recorded results.
    """
    place = (folder or shipped()) / stage
    if not place.is_dir():
        raise FileError(f"{place}: no such trace; stages are {', '.join(STAGES)}")
    path = place / "trace.yaml"
    value, arrays, network = read_yaml(path), read_npz(place / "trace.npz"), load_network(place)
    try:
        if value["schema"] != SCHEMA:
            raise FileError(f"{path}: schema must be {SCHEMA!r}, not {value['schema']!r}")
        x, dy = (arrays[name].astype(np.int64) for name in ("x", "dy"))
        gradient = _gradient(network, value["gradient"])
        trace = run(value["stage"], value["step"], network, gradient, x, dy)
        expected = value["hash"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{path}: malformed ({type(error).__name__}: {error})") from error
    except FileError:
        raise
    except FxsimError as error:
        raise FileError(f"{path}: {error}") from error
    if trace.hash != expected:
        raise FileError(f"{path}: hash of the results must be {expected}, not {trace.hash}")
    return trace


def save(trace: GradientTrace, folder: Path) -> None:
    """Store a trace in a folder of its own, named after its stage, below ``folder``."""
    place, gradient = folder / trace.stage, trace.gradient
    assert isinstance(gradient.rounding, Rounding)
    formats = {name: getattr(gradient, name) for name in TENSORS}
    save_network(trace.network, place)
    write_npz(place / "trace.npz", {"x": _small(trace.x), "dy": _small(trace.dy)})
    write_yaml(
        place / "trace.yaml",
        {
            "schema": SCHEMA,
            "stage": trace.stage,
            "step": trace.step,
            "gradient": {
                name: {"bits": fmt.bits, "fraction": fmt.fraction} for name, fmt in formats.items()
            }
            | {
                "accumulator_bits": gradient.accumulator_bits,
                "threshold": gradient.threshold,
                "rounding": str(gradient.rounding),
            },
            "hash": trace.hash,
        },
    )


def _gradient(network: QuantizedNetwork, value: dict[str, Any]) -> LstmGradient:
    if not network.layers[0].lstms:
        raise FileError(f"{network.name}: first layer must be an LSTM layer")
    (layer,) = network.layers[0].lstms
    return LstmGradient(
        layer=layer,
        **{name: GradientFormat(**value[name]) for name in TENSORS},
        accumulator_bits=value["accumulator_bits"],
        threshold=value["threshold"],
        rounding=Rounding(value["rounding"]),
    )


def _small(values: IntArray) -> np.ndarray[Any, Any]:
    """Integers in the least signed type that holds them."""
    most = int(np.abs(values).max(initial=0))
    return values.astype(np.min_scalar_type(-most - 1))
