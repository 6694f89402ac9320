"""The float network in single precision: what `fxsim.floating` computes, much faster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fxsim.checkpoint import LinearParameters
from fxsim.network import FloatArray
from fxsim.spec import NetworkSpec
from fxsim.train.epoch import IMAGES, VECTORS
from fxsim.train.module import Network


@torch.no_grad()
def predict(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], x: npt.NDArray[Any]
) -> FloatArray:
    """Outputs (n, outputs) of a network without an LSTM layer.

    Nothing is quantized here; give `fxsim.quantize.quantized_parameters` for quantized weights.

    Parameters
    ----------
    spec : NetworkSpec
    parameters : mapping of str to LinearParameters
    x : float array, shape (n, *spec.input.shape)
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng():
        network = Network(spec).to(device)
    for place, product in zip(spec.products, network.linears(), strict=True):
        found = parameters[place.name]
        if product.norm is not None and found.gain is None:  # it is in the weight
            found = LinearParameters(
                weight=found.weight, bias=found.bias, gain=np.ones(len(found.bias))
            )
        product.load(found)
    network.eval()
    pieces = torch.split(
        torch.from_numpy(x.astype(np.float32)), IMAGES if spec.spatial else VECTORS
    )
    logits = [network(piece.to(device)).cpu().numpy() for piece in pieces]
    return np.concatenate(logits).astype(np.float64)
