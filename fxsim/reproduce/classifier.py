"""Classifiers of the experiments: float, quantized, retrained, and in integers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fxsim.data import Dataset, Split
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.network import IntArray
from fxsim.quantizer.quantizer import quantize, quantized_parameters
from fxsim.reproduce.experiment import Table
from fxsim.reproduce.fake import rounded_outputs
from fxsim.simulator import simulate
from fxsim.simulator.evaluate import calibration_samples
from fxsim.spec.specification import NetworkSpec, parse_spec
from fxsim.training import predict

Parameters = Mapping[str, LinearParameters]


def levels_of(bits: int) -> int:
    """Levels of symmetric weights of so many bits."""
    return (1 << bits) - 1


def feed_forward(
    dataset: Dataset,
    hidden: Sequence[int],
    levels: int,
    train: Mapping[str, Any],
    retrain: Mapping[str, Any] | None = None,
    *,
    batch_norm: bool = False,
    signed: bool = True,
) -> NetworkSpec:
    """Fully connected layers with ReLU, and one without for the classes.

    Parameters
    ----------
    hidden : sequence of int
        Units of the hidden layers.
    levels : int
        Of all weights.
    batch_norm : bool
        True if hidden layers have batch normalisation.
    signed : bool
        True if the inputs are signed.
    """
    layers = [_hidden(units) | {"batch_norm": batch_norm} for units in hidden]
    return _network(flat(dataset), layers, levels, train, retrain, signed=signed)


def convolutional(
    dataset: Dataset,
    maps: Sequence[int],
    units: Sequence[int],
    levels: int,
    train: Mapping[str, Any],
    retrain: Mapping[str, Any] | None = None,
    *,
    kernel: int = 5,
    padding: int = 2,
) -> NetworkSpec:
    """Convolutions with ReLU and a 2 x 2 max pool each, then fully connected layers.

    Parameters
    ----------
    maps : sequence of int
        Feature maps of the convolutions.
    units : sequence of int
        Of the fully connected hidden layers.
    levels : int
        Of all weights.
    """
    layers: list[dict[str, Any]] = []
    for i, count in enumerate(maps):
        layers += [
            _hidden(count)
            | {"type": "convolution", "name": f"conv{i + 1}", "kernel": kernel, "padding": padding},
            {"type": "max_pool", "name": f"pool{i + 1}", "kernel": 2},
        ]
    layers += [{"type": "flatten"}, *[_hidden(n) | {"name": f"full{n}"} for n in units]]
    return _network(dataset, layers, levels, train, retrain, signed=False)


def _hidden(units: int) -> dict[str, Any]:
    return {"type": "linear", "units": units, "nonlinearity": "relu", "output": {"bits": 8}}


def _network(
    dataset: Dataset,
    hidden: list[dict[str, Any]],
    levels: int,
    train: Mapping[str, Any],
    retrain: Mapping[str, Any] | None,
    *,
    signed: bool,
) -> NetworkSpec:
    layers = [*hidden, {"type": "linear", "name": "classes", "units": dataset.classes}]
    for layer in layers:
        if "units" in layer:
            layer["weights"] = {"levels": levels}
    value = {
        "name": "network",
        "data": dataset.name,
        "input": {"shape": list(dataset.train.shape), "bits": 8, "signed": signed},
        "layers": layers,
        "train": dict(train),
    }
    return parse_spec(value | ({} if retrain is None else {"retrain": dict(retrain)}), "recipe")


def flat(dataset: Dataset) -> Dataset:
    """Samples as vectors."""
    return dataset.shaped((math.prod(dataset.train.shape),))


def first(dataset: Dataset, train: int, test: int) -> Dataset:
    """The first samples of the splits, without a validation split."""
    shown, asked = dataset.train, dataset.test
    return replace(
        dataset,
        train=Split(shown.x[:train], shown.y[:train]),
        test=Split(asked.x[:test], asked.y[:test]),
        validation=None,
    )


def error(spec: NetworkSpec, parameters: Parameters, dataset: Dataset) -> float:
    """Errors of the float network on the test split, in percent; classes folded."""
    return 100 * (1 - dataset.accuracy(predictions(spec, parameters, dataset.test), dataset.test.y))


def predictions(spec: NetworkSpec, parameters: Parameters, split: Split) -> IntArray:
    """Class numbers that the float network gives."""
    classes: IntArray = predict(spec, parameters, split.x).argmax(axis=1)
    return classes


def direct(spec: NetworkSpec, parent: Parameters) -> dict[str, LinearParameters]:
    """The parent's weights after direct quantization."""
    return quantized_parameters(spec, Checkpoint(parent=parent), direct=True)


def in_integers(
    spec: NetworkSpec, checkpoint: Checkpoint, dataset: Dataset, samples: int = 4000
) -> dict[str, float]:
    """The fixed-point network next to the one with quantized weights and float activations.

    Returns
    -------
    dict
        ``fake`` and ``fixed``: errors in percent over the first ``samples`` test samples;
        ``samples``: how many these are;
        ``differing``: predictions that differ; ``differing_rounded``: those that still do from
        `fxsim.reproduce.fake.rounded_outputs`; ``differing_16``: those that still do when
        activations have 16 bits.
    """
    split = Split(dataset.test.x[:samples], dataset.test.y[:samples])
    parameters = quantized_parameters(spec, checkpoint)
    fake = predictions(spec, parameters, split)
    calibration = calibration_samples(dataset)
    found = {"fake": 100 * (1 - dataset.accuracy(fake, split.y)), "samples": len(split.y)}
    for bits, key in ((8, "differing"), (16, "differing_16")):
        network = quantize(_with_activations(spec, bits), checkpoint, calibration)
        fixed = simulate(network, split.x).argmax(axis=1)
        found[key] = int((fixed != fake).sum())
        if bits == 8:
            found["fixed"] = 100 * (1 - dataset.accuracy(fixed, split.y))
            near = rounded_outputs(spec, parameters, network, split.x).argmax(axis=1)
            found["differing_rounded"] = int((fixed != near).sum())
    return found


def integers_table(
    name: str,
    what: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Sequence[Any], Mapping[str, float]]],
    score: str = "Errors in percent",
) -> Table:
    """Table of what `in_integers` found, a row for each network, which ``columns`` name."""
    shown = {
        "fake": "fake",
        "fixed": "fixed point",
        "samples": "samples",
        "differing": "differing",
        "differing_rounded": "rounded",
        "differing_16": "at 16 bits",
    }
    return Table(
        name=name,
        title=f"{what}: integers against fake quantization",
        columns=[*columns, *shown.values()],
        rows=[[*label, *[found[key] for key in shown]] for label, found in rows],
        note=(
            f"{score}, and predictions that differ between the bit-exact simulator with 8-bit"
            " activations and quantized weights with float activations; how many still do when"
            " activations and biases are rounded there as in the integers, which leaves"
            " multipliers, and the tables and states of LSTM layers; and how many when the integers"
            " have 16-bit activations (and tables), which leaves biases, near ties and the last"
            " bits of 16."
        ),
    )


def _with_activations(spec: NetworkSpec, bits: int) -> NetworkSpec:
    value = spec.model_dump(mode="json", exclude_unset=True)
    value["input"]["bits"] = bits
    for layer in value["layers"]:
        if "output" in layer:
            layer["output"]["bits"] = bits
    return parse_spec(value, "recipe")
