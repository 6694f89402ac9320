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
        If a layer is not fully connected, or the network has several inputs or outputs.
    """
    graph = spec.graph
    x: FloatArray = split.x.reshape(len(split.y), *spec.input.shape).astype(np.float64)
    yielded = dict.fromkeys(graph.inputs, x)
    for i, (name, layer) in enumerate(zip(graph.layers, spec.layers, strict=True)):
        if not layer.dense:
            raise SpecError(f"{name}: Fisher information needs linear layers")
        linear = parameters[name]
        x = yielded[graph.sources[i][0]] @ linear.weight.T + linear.bias
        yielded[name] = np.clip(x, *layer.limits) if layer.relu else x
    logits = yielded[spec.output]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    gradient = odds / odds.sum(axis=1, keepdims=True)
    gradient[np.arange(len(split.y)), split.y] -= 1.0
    found: dict[str, FloatArray] = {}
    name = spec.output
    while (i := spec.layer_index(name)) >= 0:  # dense layers take one operand, so it is a chain
        if spec.layers[i].relu and name != spec.output:
            low, high = spec.layers[i].limits
            gradient = gradient * ((yielded[name] > low) & (yielded[name] < high))
        (source,) = graph.sources[i]
        found[name] = np.square(gradient).T @ np.square(yielded[source]) / len(split.y)
        gradient = gradient @ parameters[name].weight
        name = source
    return found


def predicted_loss(fisher: FloatArray, weight: FloatArray, quantized: FloatArray) -> float:
    """Growth of the mean -log2 p that replacing ``weight`` by ``quantized`` is to cost."""
    return float(0.5 * (fisher * np.square(weight - quantized)).sum() / np.log(2.0))
