"""Character language models of the experiments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fxsim.data import Dataset, Split
from fxsim.floats import scores
from fxsim.floats.checkpoint import Checkpoint
from fxsim.floats.forward import forward
from fxsim.quantizer.quantizer import quantize, quantized_parameters
from fxsim.reproduce.fake import rounded_outputs
from fxsim.simulator import simulate
from fxsim.simulator.evaluate import bits_per_character, calibration_samples
from fxsim.spec.specification import NetworkSpec, parse_spec


def language_model(
    dataset: Dataset,
    cells: int,
    levels: int,
    train: Mapping[str, Any],
    retrain: Mapping[str, Any] | None = None,
    *,
    scheme: str = "symmetric",
    projection: int | None = None,
    embedding: int = 32,
    last_levels: int | None = None,
) -> NetworkSpec:
    """An embedding, an LSTM layer and a classifier.

    Parameters
    ----------
    levels : int
        Of all weights; LSTM layers have a scale for each gate.
    scheme : str
        Of the weights.
    projection : int, optional
        Units of the recurrent projection.
    last_levels : int, optional
        Of the classifier instead of ``levels``.
    """
    weights = {"levels": levels, "scheme": scheme}
    lstm: dict[str, Any] = {"type": "lstm", "name": "lstm", "cells": cells, "weights": weights}
    if projection is not None:
        lstm["projection"] = {"units": projection, "weights": weights}
    return parse_spec(
        {
            "name": "charlm",
            "data": dataset.name,
            "input": {"shape": list(dataset.train.shape), "bits": 1},
            "layers": [
                {"type": "linear", "name": "embedding", "units": embedding, "weights": weights}
                | {"output": {"bits": 8, "signed": True}},
                lstm,
                {"type": "linear", "name": "classes", "units": dataset.classes}
                | {"weights": weights | {"levels": last_levels or levels}},
            ],
            "train": dict(train),
        }
        | ({} if retrain is None else {"retrain": dict(retrain)}),
        "recipe",
    )


def in_integers(
    spec: NetworkSpec, checkpoint: Checkpoint, dataset: Dataset, sequences: int = 16
) -> dict[str, float]:
    """The fixed-point network next to the one with quantized weights and float arithmetic.

    Returns
    -------
    dict
        ``fake`` and ``fixed``: bits per character over the first ``sequences`` test sequences;
        ``samples``: characters in them; ``differing``: predictions that differ;
        ``differing_rounded``: those that still do from `fxsim.reproduce.fake.rounded_outputs`;
        ``differing_16``: those that still do when activations, tables and states have 16 bits and
        more.
    """
    split = Split(dataset.test.x[:sequences], dataset.test.y[:sequences])
    parameters = quantized_parameters(spec, checkpoint)
    logits = forward(spec, parameters, split.x)
    calibration = calibration_samples(dataset)
    found: dict[str, float] = {
        "fake": scores.bits_per_character(logits, split.y),
        "samples": split.y.size,
    }
    for wanted, key in ((spec, "differing"), (_wide(spec), "differing_16")):
        network = quantize(wanted, checkpoint, calibration)
        fixed = simulate(network, split.x)
        found[key] = int((fixed.argmax(axis=-1) != logits.argmax(axis=-1)).sum())
        if wanted is spec:
            found["fixed"] = bits_per_character(network, split)
            near = rounded_outputs(spec, parameters, network, split.x).argmax(axis=-1)
            found["differing_rounded"] = int((fixed.argmax(axis=-1) != near).sum())
    return found


def _wide(spec: NetworkSpec) -> NetworkSpec:
    """Network with words so long that little is lost but in the weights."""
    value = spec.model_dump(mode="json", exclude_unset=True)
    wide = {"bits": 16}
    for layer in value["layers"]:
        if layer["type"] == "lstm":
            layer |= {
                "preactivation": {"bits": 16, "fraction": 11},
                "tables": {"sigmoid_bits": 16, "tanh_bits": 16},
                "cell": {"bits": 32, "fraction": 24},
                "output": dict(wide),
            }
            if "projection" in layer:
                layer["projection"]["output"] = dict(wide)
        elif "output" in layer:
            layer["output"] |= wide
    return parse_spec(value, "recipe")
