"""The float network in PyTorch: what `fxsim.floats.forward` computes, much faster, or rounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fxsim.floats.checkpoint import LinearParameters
from fxsim.floats.ports import checked_samples
from fxsim.network import FloatArray, QuantizedNetwork
from fxsim.spec.specification import NetworkSpec
from fxsim.training.calibrate import follow
from fxsim.training.epoch import together
from fxsim.training.module import Network


@torch.no_grad()
def predict(
    spec: NetworkSpec,
    parameters: Mapping[str, LinearParameters],
    x: npt.NDArray[Any] | Mapping[str, npt.NDArray[Any]],
    activations: QuantizedNetwork | None = None,
) -> FloatArray:
    """Outputs (n, outputs) of a network, or (n, t, outputs) with LSTM layers.

    Weights are not quantized here; give `fxsim.quantizer.quantizer.quantized_parameters` for that.
    In single precision, or with ``activations`` in double: fewer values then fall on the other side
    of a tie.

    Parameters
    ----------
    spec : NetworkSpec
    parameters : mapping of str to LinearParameters
    x : float array, shape (n, *input shape), or (n, t, ...) with LSTM layers
        Or a mapping of them by the names of several inputs. Sequences start from the state 0.
    activations : QuantizedNetwork, optional
        What to round activations like (`fxsim.training.calibrate.follow`); they stay float without.

    Raises
    ------
    SpecError
        If the network has several outputs.
    RangeError
        If ``x`` has another shape.
    """
    dtype = np.float32 if activations is None else np.float64
    arrays = checked_samples(spec, x, "x")
    samples = {name: torch.from_numpy(array.astype(dtype)) for name, array in arrays.items()}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    first = next(iter(samples.values()))
    with torch.random.fork_rng():
        network = Network(spec).to(device, first.dtype)
    for place, product in zip(spec.products, network.linears(), strict=True):
        found = parameters[place.name]
        if product.norm is not None and found.gain is None:  # it is in the weight
            found = LinearParameters(
                weight=found.weight, bias=found.bias, gain=np.ones(len(found.bias))
            )
        product.load(found)
    if activations is not None:
        follow(network, activations, {name: str(array.dtype) for name, array in arrays.items()})
    network.eval()
    logits, size = [], together(spec, first)
    for k in range(0, len(first), size):
        network.reset_state()
        piece = {name: array[k : k + size].to(device) for name, array in samples.items()}
        logits.append(network(piece).cpu().numpy())
    return np.concatenate(logits).astype(np.float64)
