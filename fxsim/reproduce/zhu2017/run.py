"""One training run of the character language model with sparsified gate gradients."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from fxsim.data import Dataset, Split
from fxsim.network.lstm import GATES
from fxsim.spec.specification import NetworkSpec, parse_spec
from fxsim.training import Network, StepRecord, train
from fxsim.training.measure import gate_values, one_step, validate
from fxsim.training.sparsify import literal_threshold

EMBEDDING = 64
STAGES = (0.005, 0.1, 1.0)
"""Shares of the training after which a single step is looked at."""

TAUS = (0.0, 8e-6, 8e-5, 8e-4, 8e-3, 2.4e-2, 8e-2, 0.24, 0.8)
"""Thresholds, times batch * time, of a single step."""

BINS = 25
VALIDATIONS = 16
POINTS = 100


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A run; ``sparsify`` is the key of a specification, ``stages`` asks for looks at a step."""

    layers: int = 2
    cells: int = 64
    batch: int = 16
    steps: int = 50
    epochs: int = 2
    seed: int = 1
    sparsify: dict[str, Any] = field(default_factory=lambda: {"threshold": 0.0})
    literal: bool = False
    stages: bool = False

    def spec(self, classes: int, data: str) -> NetworkSpec:
        """An embedding, LSTM layers, a classifier; Adam from 5e-3 to an eighth of it."""
        hidden = [{"type": "lstm", "cells": self.cells} for _ in range(self.layers)]
        embedding = {"type": "linear", "units": EMBEDDING, "output": {"bits": 8, "signed": True}}
        return parse_spec(
            {
                "name": "charlm",
                "data": data,
                "input": {"shape": [classes], "bits": 1},
                "layers": [embedding, *hidden, {"type": "linear", "units": classes}],
                "train": {
                    "optimizer": {"type": "adam", "lr": 0.005},
                    "batch": self.batch,
                    "steps": self.steps,
                    "epochs": self.epochs,
                    "clip": 1.0,
                    "final_lr": 0.125,
                    "seed": self.seed,
                    "sparsify": self.sparsify,
                },
            },
            "zhu2017",
        )

    @property
    def vectors(self) -> int:
        """Vectors in a step, batch * time."""
        return self.batch * self.steps

    def total(self, dataset: Dataset) -> int:
        """Training steps."""
        return self.epochs * -(-(dataset.train.y.size // self.batch) // self.steps)

    def plain(self, digest: str) -> dict[str, Any]:
        """All that the result depends on, for the store."""
        return asdict(self) | {"text": digest}


def run(
    recipe: Recipe, dataset: Dataset, on_step: Callable[[StepRecord], None] | None = None
) -> dict[str, Any]:
    """Train, and return plain values.

    Returns
    -------
    dict
        ``validation``: pairs of step and bits per character; ``test``: bits per character;
        ``sparsity``: by layer and gate, mean of all steps; ``curve``: step, sparsity and threshold
        times batch * time by layer; ``correlation``: pairs of step and value; ``redundant``: share
        of all multiplications of training that have a zero gate gradient; ``stages``: looks at
        single steps; ``wall`` and ``cpu``: seconds.
    """
    assert dataset.validation is not None
    validation, total = dataset.validation, recipe.total(dataset)
    spec = recipe.spec(dataset.classes, dataset.name)
    rate = max(total // POINTS, 1)
    checks = {round(total * (k + 1) / VALIDATIONS) for k in range(VALIDATIONS)}
    looks = {max(round(total * share), 1): share for share in STAGES} if recipe.stages else {}
    found: dict[str, Any] = {key: [] for key in ("validation", "curve", "correlation", "stages")}
    summed = np.zeros((recipe.layers, len(GATES)))

    def start(network: Network) -> None:
        for layer in network.lstms:
            if recipe.literal and layer.rule is not None:
                layer.rule.prune = literal_threshold

    def step(record: StepRecord, network: Network) -> None:
        nonlocal summed
        summed += record.sparsity
        if record.correlation is not None:
            found["correlation"].append([record.step, record.correlation])
        if record.step % rate == 0:
            layers, taus = record.sparsity.mean(axis=1), record.thresholds * recipe.vectors
            found["curve"].append([record.step, layers.tolist(), taus.tolist()])
        if record.step in checks:
            found["validation"].append([record.step, validate(network, validation)])
            if record.step == total:
                found["test"] = validate(network, dataset.test)
        if record.step in looks:
            found["stages"].append(_look(looks[record.step], network, validation, recipe.steps))
        if on_step is not None:
            on_step(record)

    wall, cpu = time.perf_counter(), time.process_time()
    train(spec, dataset, on_step=step, on_start=start)
    sparsity = summed / total
    return found | {
        "sparsity": sparsity.tolist(),
        "redundant": redundant_share(recipe, sparsity.mean(axis=1).tolist()),
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
    }


def redundant_share(recipe: Recipe, sparsity: list[float]) -> float:
    """Share of the multiplications of training with a zero gate gradient.

    Of the six products of a layer (W x and U h forward; dx, dh, dW and dU) the last four have gate
    gradients as operands. ``sparsity`` is that of each layer.
    """
    inputs = [EMBEDDING, *[recipe.cells] * (recipe.layers - 1)]
    sizes = np.array([4 * recipe.cells * (n + recipe.cells) for n in inputs])
    return float(2 * (sizes * sparsity).sum() / (3 * sizes.sum()))


def _look(share: float, network: Network, split: Split, steps: int) -> dict[str, Any]:
    """Thresholds on one step, and histograms of the gates."""
    part = Split(split.x[:16, :steps], split.y[:16, :steps])
    values = gate_values(network, part)
    limits = {name: (-1.0 if name == "g" else 0.0, 1.0) for name in GATES}
    counts = {
        name: np.histogram(values[k], BINS, limits[name])[0] / values.shape[1]
        for k, name in enumerate(GATES)
    }
    return {
        "share": share,
        "points": [asdict(point) for point in one_step(network, part, TAUS)],
        "gates": {name: shares.tolist() for name, shares in counts.items()},
    }
