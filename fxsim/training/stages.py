"""The stages of training a network, and what an epoch of one reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fxsim.network import FloatArray
from fxsim.spec.specification import NetworkSpec, RetrainSpec, TrainSpec


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One finished epoch.

    Parameters
    ----------
    stage : str
        ``float``, ``retrain``, or ``retrain <levels>`` on the way down to the final levels.
    epoch, epochs : int
        Epochs done and in all, in this stage; it may end before the last.
    loss, accuracy : float
        Mean cross entropy and share of hits over the training samples (or the steps of sequences)
        of the epoch, with dropout.
    validation_loss, validation_accuracy : float or None
        The same after the epoch over the validation split, if there is one, without dropout.
    steps : mapping of str to float array
        Weight scales by product; empty in float training.
    """

    stage: str
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    steps: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """Epochs with one recipe; ``levels`` is the least number of weight levels, None for float."""

    name: str
    recipe: TrainSpec | RetrainSpec
    levels: int | None


def stages(spec: NetworkSpec) -> list[Stage]:
    """The stages of training a network: float, then each number of levels down to the layers'."""
    found = [Stage("float", spec.train, None)]
    if spec.retrain is not None:
        found += [Stage(f"retrain {n}", spec.retrain, n) for n in spec.retrain.gradual]
        found.append(Stage("retrain", spec.retrain, 3))
    return found
