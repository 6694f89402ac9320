"""Work after the search, mostly on its front: test accuracy, retraining, clock.

Each finding is a note of its point in the store as soon as it is known, so a run that is killed
here goes on here. The search never sees a note.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fxsim.data import Dataset, Split
from fxsim.errors import SpecError
from fxsim.explorer.evaluate import Evaluator
from fxsim.explorer.job import Job
from fxsim.explorer.outcome import Goals, Outcome
from fxsim.explorer.pareto import front
from fxsim.explorer.store import Store
from fxsim.files import make_folder
from fxsim.floats.checkpoint import load_checkpoint, save_checkpoint
from fxsim.floats.scores import accuracy, bits_per_character
from fxsim.network import QuantizedNetwork
from fxsim.quantizer import quantize
from fxsim.simulator import simulate
from fxsim.simulator.evaluate import with_logits
from fxsim.spec.specification import RetrainSpec, parse_spec

if TYPE_CHECKING:
    from fxsim.spec.specification import NetworkSpec

Show = Callable[[str], None]
Clock = Callable[[QuantizedNetwork], list[float]]
"""Clocks of a network in MHz, one for each seed of the placer."""


def test_front(job: Job, store: Store, test: Split, show: Show) -> None:
    """Note error and loss on the test split; nothing was chosen on it."""
    evaluate = Evaluator(job)
    for point in _missing(job, store, "test"):
        show(f"point {job.space.number(point.choices)}")
        store.note(point.choices, "test", scores(evaluate.network(point.choices), test))


def clock_front(job: Job, store: Store, clock: Clock, show: Show) -> None:
    """Note the clocks that place and route reaches."""
    evaluate = Evaluator(job)
    for point in _missing(job, store, "clock"):
        show(f"point {job.space.number(point.choices)}")
        store.note(point.choices, "clock", {"mhz": clock(evaluate.network(point.choices))})


def weigh_variables(job: Job, store: Store) -> None:
    """Note the loss at the cheapest value of each variable alone, and at the finest point."""
    evaluate, finest = Evaluator(job), job.space.finest
    known = store.predicted().keys() | store.notes("alone").keys()
    for v in range(len(finest) + 1):
        point = finest if v == len(finest) else (*finest[:v], 0, *finest[v + 1 :])
        if point not in known:
            found = evaluate(point)
            store.note(point, "alone", {} if isinstance(found, str) else found)


def retrain_front(
    job: Job, store: Store, dataset: Dataset, recipe: RetrainSpec, folder: Path, show: Show
) -> None:
    """Retrain each point from the float parent and note what it is worth then.

    Checkpoints go into ``folder``, ``point<number>.npz`` each. A point that cannot be retrained has
    the reason in its note.

    Parameters
    ----------
    recipe : RetrainSpec
        A point that was retrained with another one is retrained again.

    Raises
    ------
    MissingToolError
        If PyTorch is not installed.
    """
    plain = recipe.model_dump(mode="json")
    done = store.notes("retrained")
    for point in _front(job, store):
        if (seen := done.get(point.choices)) is not None and seen["recipe"] == plain:
            continue
        number = job.space.number(point.choices)
        show(f"point {number}")
        spec = _recipe_of(job.space.apply(point.choices), plain)
        path = folder / f"point{number}.npz"
        found = {"recipe": plain, "checkpoint": str(path)}
        try:
            network = _retrained(job, spec, dataset, path)
        except SpecError as error:
            found |= {"reason": str(error)}
        else:
            found |= {
                "validation": scores(network, job.validation),
                "test": scores(network, dataset.test),
            }
        store.note(point.choices, "retrained", found)


def scores(network: QuantizedNetwork, split: Split) -> dict[str, float]:
    """Error and loss of a network on a split, by what enters its argmax if it ends in one."""
    network = with_logits(network)
    output = network.output
    answer = simulate(network, split.x)
    real = output.scale * (answer.astype(np.float64) - output.zero_point)
    return {"error": 1.0 - accuracy(real, split.y), "loss": bits_per_character(real, split.y)}


def _retrained(job: Job, spec: NetworkSpec, dataset: Dataset, path: Path) -> QuantizedNetwork:
    from fxsim.training import train  # PyTorch takes seconds

    state = path.with_name(f"{path.name}.resume")
    make_folder(path.parent)
    checkpoint = train(spec, dataset, start=job.checkpoint.parent, resume=state)
    save_checkpoint(checkpoint, path)
    state.unlink(missing_ok=True)
    return quantize(spec, load_checkpoint(path, spec), job.calibration)


def _recipe_of(spec: NetworkSpec, recipe: dict[str, Any]) -> NetworkSpec:
    """The point with a recipe of retraining, and no epoch of float training."""
    tree = spec.model_dump(mode="json")
    tree["train"]["epochs"] = 0
    return parse_spec(tree | {"retrain": recipe}, f"retraining of {spec.name}")


def _front(job: Job, store: Store) -> list[Outcome]:
    return front(store.outcomes(), Goals(job.space, job.float_error))


def _missing(job: Job, store: Store, name: str) -> list[Outcome]:
    done = store.notes(name)
    return [point for point in _front(job, store) if point.choices not in done]
