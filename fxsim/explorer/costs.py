"""Synthesized costs of a job: samples for the model, and the front for real."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fxsim.cost.model import CostModel
from fxsim.cost.synth_cache import SynthCache
from fxsim.errors import RangeError, SpecError
from fxsim.explorer.evaluate import Evaluator
from fxsim.explorer.job import Job
from fxsim.explorer.outcome import Goals
from fxsim.explorer.pareto import front
from fxsim.explorer.space import Choices, Space
from fxsim.explorer.store import Store
from fxsim.network import QuantizedNetwork

T = TypeVar("T")
Show = Callable[[int, int], None]
"""Called with how many are done, and of how many."""


def fit_costs(
    job: Job, synthesis: SynthCache, *, seed: int, parallel: int = 1, show: Show | None = None
) -> CostModel:
    """Synthesize a sample of the space and fit the model to it.

    Raises
    ------
    RangeError
        If the space has too few networks.
    """
    evaluate = Evaluator(job)
    networks = []
    for choices in sample(job.space, job.space.wanted.cost_samples, seed):
        try:
            networks.append(evaluate.network(choices))
        except (SpecError, RangeError):
            continue
    cells = _each(synthesis.blocks, networks, parallel, show)
    return CostModel(networks, cells, target=synthesis.target, dsp=synthesis.dsp)


def sample(space: Space, count: int, seed: int) -> list[Choices]:
    """Distinct points: the corners of cheapest and finest values, then at random by ``seed``."""
    chosen = dict.fromkeys([space.finest, (0,) * len(space.sizes)])
    source = random.Random(seed)
    if space.size <= count:
        return list(space)
    while len(chosen) < count:
        chosen[space.choices(source.randrange(space.size))] = None
    return list(chosen)[:count]


def measure_front(
    job: Job,
    store: Store,
    synthesis: SynthCache,
    *,
    parallel: int = 1,
    show: Show | None = None,
) -> int:
    """Synthesize the points of the front until all on it are measured; returns how many were.

    A measured cost may move a point off the front and others onto it, so this goes on until the
    front holds no prediction.
    """
    evaluate = Evaluator(job)
    goals = Goals(job.space, job.float_error)
    total = 0
    while True:
        missing = [point for point in front(store.outcomes(), goals) if not point.measured]
        if not missing:
            return total
        networks = [evaluate.network(point.choices) for point in missing]
        for point, cells in zip(missing, _each(synthesis, networks, parallel, show), strict=True):
            store.measure(point.choices, cells)
        total += len(missing)


def _each(
    count: Callable[[QuantizedNetwork], T],
    networks: Sequence[QuantizedNetwork],
    parallel: int,
    show: Show | None,
) -> list[T]:
    """Cells of each network; Yosys runs in processes of its own, so threads suffice."""
    found = []
    with ThreadPoolExecutor(parallel) as pool:
        for cells in pool.map(count, networks):
            found.append(cells)
            if show is not None:
                show(len(found), len(networks))
    return found
