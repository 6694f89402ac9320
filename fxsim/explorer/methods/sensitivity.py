"""An additive model: what each value of each variable alone costs in loss, and saves.

Loss and cost of a point are those of the finest point plus the differences that each value makes
alone. Where the network has fully connected layers only, the loss of weight levels is predicted
from the Fisher information instead of measured.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from fxsim.errors import SpecError
from fxsim.explorer.fisher import diagonal_fisher, predicted_loss
from fxsim.explorer.metrics import ACCURACY
from fxsim.explorer.search import Search
from fxsim.explorer.space import Choices
from fxsim.quantizer.quantizer import quantized_parameters

_WEIGHTS = re.compile(r"layers\[(\d+)\]\.weights\.(levels|per)")


@dataclass(frozen=True)
class Sensitivity:
    """For each variable and value: loss and cost in excess of those of the finest point."""

    loss: tuple[tuple[float, ...], ...]
    cost: tuple[tuple[float, ...], ...]


def cost_name(search: Search) -> str:
    """The objective that is traded for accuracy: the first that is no accuracy."""
    names = [name for name in search.goals.names if name not in ACCURACY]
    return names[0] if names else "weight_memory_bits"


def one_by_one(search: Search) -> list[list[Choices]]:
    """For each variable its values, with every other variable at its finest."""
    finest = search.space.finest
    return [
        [(*finest[:v], k, *finest[v + 1 :]) for k in range(size)]
        for v, size in enumerate(search.space.sizes)
    ]


def measure(search: Search, *, fisher: bool) -> Sensitivity:
    """Ask for the values one by one; with ``fisher`` predict the loss of weights if possible."""
    lines = one_by_one(search)
    (start,) = search.ask([search.space.finest])
    predicted = _predict(search, lines) if fisher else {}
    asked = [point for v, line in enumerate(lines) if v not in predicted for point in line]
    search.ask(asked)
    name = cost_name(search)
    base = start.metrics or {"loss": 0.0, name: 0.0}
    losses, costs = [], []
    for v, line in enumerate(lines):
        # The cost of a line with predicted losses is asked for too: costs are never guessed.
        seen = [outcome.metrics for outcome in search.ask(line)]
        costs.append(tuple(np.inf if m is None else m[name] - base[name] for m in seen))
        losses.append(
            predicted.get(v)
            or tuple(np.inf if m is None else max(m["loss"] - base["loss"], 0.0) for m in seen)
        )
    return Sensitivity(tuple(losses), tuple(costs))


def _predict(search: Search, lines: list[list[Choices]]) -> dict[int, tuple[float, ...]]:
    """Predicted loss of the variables that set weights only."""
    space, job = search.space, search.job
    if not all(layer.dense for layer in space.spec.layers):
        return {}
    parent = job.checkpoint.parent
    information = diagonal_fisher(space.spec, parent, job.validation)
    found = {}
    for v, name in enumerate(space.names):
        matches = [_WEIGHTS.fullmatch(key) for key in space.wanted.variables[name].set]
        if not all(matches):
            continue
        products = [space.spec.layer_name(int(match[1])) for match in matches if match]
        losses = []
        for point in lines[v]:
            try:
                spec = space.apply(point)
            except SpecError:  # an impossible point
                losses.append(np.inf)
                continue
            real = quantized_parameters(spec, job.checkpoint, direct=True)
            losses.append(
                sum(
                    predicted_loss(information[p], parent[p].weight, real[p].weight)
                    for p in products
                )
            )
        least = losses[-1] if math.isfinite(losses[-1]) else 0.0
        found[v] = tuple(max(loss - least, 0.0) for loss in losses)
    return found
