"""The float network in PyTorch: what `fxsim.floats.forward` computes, much faster, or rounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fxsim.floats.checkpoint import LinearParameters
from fxsim.network import FloatArray, QuantizedNetwork
from fxsim.spec.specification import NetworkSpec
from fxsim.training.calibrate import follow
from fxsim.training.epoch import IMAGES, VECTORS
from fxsim.training.module import Network


@torch.no_grad()
def predict(
    spec: NetworkSpec,
    parameters: Mapping[str, LinearParameters],
    x: npt.NDArray[Any],
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
    x : float array, shape (n, *spec.input.shape), or (n, t, ...) with LSTM layers
        Sequences start from the state 0.
    activations : QuantizedNetwork, optional
        What to round activations like (`fxsim.training.calibrate.follow`); they stay float without.
    """
    samples = torch.from_numpy(x.astype(np.float32 if activations is None else np.float64))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng():
        network = Network(spec).to(device, samples.dtype)
    for place, product in zip(spec.products, network.linears(), strict=True):
        found = parameters[place.name]
        if product.norm is not None and found.gain is None:  # it is in the weight
            found = LinearParameters(
                weight=found.weight, bias=found.bias, gain=np.ones(len(found.bias))
            )
        product.load(found)
    if activations is not None:
        follow(network, activations, samples=str(x.dtype))
    network.eval()
    logits = []
    for piece in torch.split(samples, IMAGES if spec.spatial else VECTORS):
        network.reset_state()
        logits.append(network(piece.to(device)).cpu().numpy())
    return np.concatenate(logits).astype(np.float64)
