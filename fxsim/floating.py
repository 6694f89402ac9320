"""The float network that a fixed-point one descends from, in float64 and without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fxsim.checkpoint import LinearParameters
from fxsim.errors import RangeError
from fxsim.network import FloatArray
from fxsim.spec import NetworkSpec


def forward(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], x: FloatArray
) -> FloatArray:
    """Outputs of the last layer.

    Nothing is quantized here; give `fxsim.quantize.quantized_parameters` for quantized weights.

    Parameters
    ----------
    spec : NetworkSpec
    parameters : mapping of str to LinearParameters
        By layer name: ``checkpoint.parent`` or ``checkpoint.retrained``.
    x : float array, shape (n, *spec.input.shape)

    Returns
    -------
    float64 array, shape (n, outputs)

    Raises
    ------
    RangeError
        If ``x`` has another shape.
    """
    x = np.asarray(x, dtype=np.float64)
    if x.shape[1:] != spec.input.shape:
        expected = ", ".join(map(str, spec.input.shape))
        raise RangeError(f"x must have shape (n, {expected}), not {x.shape}")
    for i, layer in enumerate(spec.layers):
        linear = parameters[spec.layer_name(i)]
        x = x @ linear.weight.T + linear.bias
        if layer.nonlinearity == "relu":
            x = np.maximum(x, 0.0)
    return x


def accuracy(logits: FloatArray, labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Share of rows whose greatest entry (the first of equals) is at the label."""
    return float((logits.argmax(axis=1) == labels).mean())
