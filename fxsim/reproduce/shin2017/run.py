"""Retraining of one network by all schemes, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fxsim.data import Dataset
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.quantizer.quantizer import quantized_parameters
from fxsim.reproduce.classifier import direct, levels_of
from fxsim.spec.specification import NetworkSpec
from fxsim.training import Progress, train

SCHEMES = ("fixed", "adaptive", "first")
"""Conventional; a refresh at each epoch of the first half; eight in the first epoch, then fixed."""

GRADUAL = (6, 4, 3)
"""Bits on the way down to 2."""

Parameters = Mapping[str, LinearParameters]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Differences between the kinds of networks.

    Parameters
    ----------
    make : callable
        Makes a network from its weight levels, its recipe and that of retraining, if there is one.
    dataset : Dataset
    common, base, optimizer : mapping
        Recipe of all training, of float training also, and the optimizer of retraining.
    epochs : int
        Of retraining, or of each of its stages.
    final_lr : float
        Of retraining.
    score : callable
        Error or bits per character of a network with these parameters.
    in_integers : callable
        Result of the simulator for a checkpoint.
    """

    make: Callable[..., NetworkSpec]
    dataset: Dataset
    common: Mapping[str, Any]
    base: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    epochs: int
    final_lr: float
    score: Callable[[NetworkSpec, Parameters], float]
    in_integers: Callable[[NetworkSpec, Checkpoint], dict[str, float]]


def retraining(
    task: Task, bits: tuple[int, ...], schemes: tuple[str, ...], *, gradual: bool
) -> dict[str, Any]:
    """Scores of the float network, of direct quantization, and of each scheme and word length.

    ``gradual`` goes down `GRADUAL` to the fewest bits, next to as many epochs straight. The last of
    ``schemes`` at the fewest bits runs in integers, and the steps of ``adaptive`` are kept.
    """
    dataset, few = task.dataset, min(bits)
    slow = {"optimizer": task.optimizer, "epochs": task.epochs, "final_lr": task.final_lr}

    def spec(bits: int, retrain: Mapping[str, Any] | None = None) -> NetworkSpec:
        own = task.base if retrain is None else {"epochs": 0}
        return task.make(levels_of(bits), {**task.common, **own}, retrain)

    plain = spec(few)
    parent = train(plain, dataset).parent
    further = task.make(levels_of(few), {**task.common, **slow})
    found: dict[str, Any] = {
        "float": task.score(plain, parent),
        "further": task.score(plain, train(further, dataset, start=parent).parent),
        "direct": {str(b): task.score(spec(b), direct(spec(b), parent)) for b in bits},
        "retrained": {},
        "steps": {},
        "gradual": {},
    }

    def retrained(
        bits: int, scheme: str, on_epoch: Callable[[Progress], None] | None = None, **changes: Any
    ) -> tuple[NetworkSpec, Checkpoint, float]:
        wanted = spec(bits, {**slow, "scheme": scheme, **changes})
        checkpoint = train(wanted, dataset, on_epoch, start=parent)
        return wanted, checkpoint, task.score(wanted, quantized_parameters(wanted, checkpoint))

    for scheme in schemes:
        for b in bits:
            steps: list[Progress] = []
            wanted, checkpoint, score = retrained(b, scheme, steps.append)
            found["retrained"][f"{scheme}-{b}"] = score
            if scheme == schemes[-1] and b == few:
                found["integers"] = task.in_integers(wanted, checkpoint)
            if scheme == "adaptive" and b == few:
                start = steps[0].steps
                found["steps"] = {
                    name: [float(p.steps[name][0] / start[name][0]) for p in steps]
                    for name in start
                }
    if gradual:
        levels = [levels_of(b) for b in GRADUAL if b > few]
        longer = task.epochs * (len(levels) + 1)
        for scheme in schemes[:2]:
            found["gradual"][f"gradual-{scheme}"] = retrained(few, scheme, gradual=levels)[2]
            found["gradual"][f"straight-{scheme}"] = retrained(few, scheme, epochs=longer)[2]
    return found
