"""Gate gradients to study: of a recorded trace, of a file, or of a network on its own data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.data import load_split
from fxsim.errors import FileError, RangeError
from fxsim.files import read_npy, read_npz
from fxsim.network import IntArray, QuantizedNetwork
from fxsim.network.lstm_gradient import GradientFormat, LstmGradient
from fxsim.simulator import gradient_traces
from fxsim.simulator.inputs import as_input
from fxsim.simulator.lstm_gradient import backward
from fxsim.simulator.simulator import simulate_trace

SEQUENCES, STEPS = 16, 50
_FORMAT = IntFormat(bits=32, signed=True)


def from_file(path: Path) -> IntArray:
    """Integers of an npy file, or ``dnet`` of an npz file, shape (..., items); as vectors.

    Raises
    ------
    FileError
        If the file cannot be read or holds no such integers.
    """
    if path.suffix == ".npz":
        arrays = read_npz(path)
        if "dnet" not in arrays:
            raise FileError(f"{path}: must hold 'dnet', not {', '.join(arrays) or 'nothing'}")
        values = arrays["dnet"]
    else:
        values = read_npy(path)
    if values.dtype.kind not in "iu" or values.ndim < 2 or values.size == 0:
        raise FileError(
            f"{path}: must hold integers of shape (..., items), not {values.dtype} of"
            f" {values.shape}"
        )
    low, high = int(values.min()), int(values.max())
    if not _FORMAT.holds(low, high):
        raise FileError(f"{path}: must hold integers in {_FORMAT}, not {low} to {high}")
    # In the type of a file the magnitude of the least integer may have no place.
    wide = np.int64 if values.dtype.itemsize > 2 else np.int32
    return values.reshape(-1, values.shape[-1]).astype(wide)


def from_trace(stage: str) -> IntArray:
    """Gate gradients of a recorded trace, shape (vectors, 4 * cells)."""
    dnet = gradient_traces.load(stage).backward.dnet
    return dnet.reshape(-1, dnet.shape[-1])


def from_network(network: QuantizedNetwork, *, bits: int = 8, fraction: int = 6) -> IntArray:
    """Gate gradients of the cross entropy on the first sequences of the network's test data.

    Parameters
    ----------
    network : QuantizedNetwork
        An LSTM layer and a linear one.
    bits, fraction : int
        Format of the gate gradients.

    Raises
    ------
    RangeError
        If the network has other layers.
    """
    if len(network.layers) != 2 or network.layers != (*network.lstms, *network.linears[-1:]):
        raise RangeError(f"{network.name}: must be an LSTM layer and a linear one")
    (layer,), last = network.lstms, network.linears[-1]
    split = load_split(f"{network.data}:test")
    x = as_input(network, split.x[:SEQUENCES, :STEPS])
    trace = simulate_trace(network, x)
    logits = network.output.scale * (trace.output - network.output.zero_point)
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    wrong = shares - np.eye(last.outputs)[split.y[:SEQUENCES, :STEPS]]
    state = GradientFormat(bits=16, fraction=11)
    real = wrong @ (last.weight_scale.reshape(-1, 1) * last.weight)
    dy = np.clip(np.rint(np.ldexp(real, state.fraction)), state.format.min, state.format.max)
    gradient = LstmGradient(
        layer=layer,
        dh=state,
        dc=state,
        dnet=GradientFormat(bits=bits, fraction=fraction),
        dx=GradientFormat(bits=16, fraction=9),
        accumulator_bits=32,
        threshold=0,
        rounding=Rounding.TIES_AWAY,
    )
    dnet = backward(gradient, trace.layers[0], x, dy.astype(np.int64)).dnet
    return dnet.reshape(-1, dnet.shape[-1])
