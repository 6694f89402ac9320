"""Diagonal of the Fisher information of weights, and the loss that quantizing them will cost.

Tu, Berisha, Cao and Seo, "Reducing the Model Order of Deep Neural Networks Using Information
Theory" (2016): the diagonal is the mean square of the gradient of the log-likelihood, and
parameters of high information get more bits. Here the groups that get bits are the layers, as
hardware wants it. To second order the loss grows by half the sum of F (w - Q(w))^2, as the Hessian
of the loss at its minimum is the information.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fxsim.data import Split
from fxsim.errors import SpecError
from fxsim.floats.checkpoint import LinearParameters
from fxsim.network import FloatArray
from fxsim.spec.specification import NetworkSpec


def diagonal_fisher(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], split: Split
) -> dict[str, FloatArray]:
    """Mean square of the gradient of -ln p(y | x), the softmax at the label, sample by sample.

    Parameters
    ----------
    parameters : mapping of str to LinearParameters
        By product name.
    split : Split
        Samples, x of shape (n, *spec.input.shape) and y of shape (n,).

    Returns
    -------
    dict of str to float64 array, shape (outputs, inputs)

    Raises
    ------
    SpecError
        If a layer is not fully connected.
    """
    inputs: list[FloatArray] = []
    x: FloatArray = split.x.reshape(len(split.y), -1).astype(np.float64)
    for i, layer in enumerate(spec.layers):
        if not layer.dense:
            raise SpecError(f"{spec.layer_name(i)}: Fisher information needs linear layers")
        inputs.append(x)
        linear = parameters[spec.layer_name(i)]
        x = x @ linear.weight.T + linear.bias
        if layer.relu:
            x = np.maximum(x, 0.0)
    odds = np.exp(x - x.max(axis=1, keepdims=True))
    gradient = odds / odds.sum(axis=1, keepdims=True)
    gradient[np.arange(len(split.y)), split.y] -= 1.0
    found: dict[str, FloatArray] = {}
    for i in reversed(range(len(spec.layers))):
        name = spec.layer_name(i)
        found[name] = np.square(gradient).T @ np.square(inputs[i]) / len(split.y)
        gradient = gradient @ parameters[name].weight
        if i and spec.layers[i - 1].relu:
            gradient = gradient * (inputs[i] > 0)
    return found


def predicted_loss(fisher: FloatArray, weight: FloatArray, quantized: FloatArray) -> float:
    """Growth of the mean -log2 p that replacing ``weight`` by ``quantized`` is to cost."""
    return float(0.5 * (fisher * np.square(weight - quantized)).sum() / np.log(2.0))
