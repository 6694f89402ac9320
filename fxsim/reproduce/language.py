"""Character language models of the experiments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fxsim.data import Dataset
from fxsim.spec import NetworkSpec, parse_spec


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
