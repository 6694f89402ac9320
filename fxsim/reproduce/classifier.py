"""Feed-forward networks of the experiments: float, quantized, retrained, and in integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fxsim.checkpoint import Checkpoint, LinearParameters
from fxsim.data import Dataset, Split
from fxsim.evaluate import calibration_samples
from fxsim.floating import forward
from fxsim.network import IntArray
from fxsim.quantize import quantize, quantized_parameters
from fxsim.simulate import simulate
from fxsim.spec import NetworkSpec, parse_spec

Parameters = Mapping[str, LinearParameters]

_BATCH = 4096


def levels_of(bits: int) -> int:
    """Levels of symmetric weights of so many bits."""
    return (1 << bits) - 1


def feed_forward(
    dataset: Dataset,
    hidden: Sequence[int],
    levels: int | Sequence[int],
    train: Mapping[str, Any],
    retrain: Mapping[str, Any] | None = None,
    *,
    activation_bits: int = 8,
    signed: bool = True,
) -> NetworkSpec:
    """Fully connected layers with ReLU, and one without for the classes.

    Parameters
    ----------
    hidden : sequence of int
        Units of the hidden layers.
    levels : int or sequence of int
        Weight levels of all layers, or of each.
    signed : bool
        Whether the inputs are.
    """
    each = [levels] * (len(hidden) + 1) if isinstance(levels, int) else list(levels)
    layers: list[dict[str, Any]] = [
        {"type": "linear", "units": units, "nonlinearity": "relu"}
        | {"output": {"bits": activation_bits}}
        for units in hidden
    ]
    layers.append({"type": "linear", "units": dataset.classes})
    for layer, count in zip(layers, each, strict=True):
        layer["weights"] = {"levels": count}
    value = {
        "name": "network",
        "data": dataset.name,
        "input": {"shape": list(dataset.train.shape), "bits": activation_bits, "signed": signed},
        "layers": layers,
        "train": dict(train),
    }
    return parse_spec(value | ({} if retrain is None else {"retrain": dict(retrain)}), "recipe")


def error(spec: NetworkSpec, parameters: Parameters, dataset: Dataset) -> float:
    """Errors of the float network on the test split, in percent; classes folded."""
    return 100 * (1 - dataset.accuracy(predictions(spec, parameters, dataset.test), dataset.test.y))


def predictions(spec: NetworkSpec, parameters: Parameters, split: Split) -> IntArray:
    """Class numbers that the float network gives."""
    starts = range(0, len(split.x), _BATCH)
    parts = [forward(spec, parameters, split.x[s : s + _BATCH]).argmax(axis=1) for s in starts]
    return np.concatenate(parts)


def direct(spec: NetworkSpec, parent: Parameters) -> dict[str, LinearParameters]:
    """The parent's weights after direct quantization."""
    return quantized_parameters(spec, Checkpoint(parent=parent), direct=True)


def in_integers(
    spec: NetworkSpec, checkpoint: Checkpoint, dataset: Dataset, samples: int = 4000
) -> dict[str, float]:
    """The fixed-point network beside the one with quantized weights and float activations.

    Returns
    -------
    dict
        ``fake`` and ``fixed``: errors in percent over the first ``samples`` test samples;
        ``differing``: predictions that differ; ``differing_16``: those that still do when
        activations have 16 bits, so that the other differences come from the activations.
    """
    split = Split(dataset.test.x[:samples], dataset.test.y[:samples])
    fake = predictions(spec, quantized_parameters(spec, checkpoint), split)
    calibration = calibration_samples(dataset)
    found = {"fake": 100 * (1 - dataset.accuracy(fake, split.y))}
    for bits, key in ((8, "differing"), (16, "differing_16")):
        network = quantize(_with_activations(spec, bits), checkpoint, calibration)
        fixed = simulate(network, split.x).argmax(axis=1)
        found[key] = int((fixed != fake).sum())
        if bits == 8:
            found["fixed"] = 100 * (1 - dataset.accuracy(fixed, split.y))
    return found


def _with_activations(spec: NetworkSpec, bits: int) -> NetworkSpec:
    value = spec.model_dump(mode="json", exclude_unset=True)
    value["input"]["bits"] = bits
    for layer in value["layers"]:
        if "output" in layer:
            layer["output"]["bits"] = bits
    return parse_spec(value, "recipe")
