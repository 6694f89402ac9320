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
    """Epochs with one recipe.

    Parameters
    ----------
    name : str
    recipe : TrainSpec or RetrainSpec
    retrain : RetrainSpec, optional
        The recipe, if weights are quantized; float training has none.
    levels : int, optional
        Least number of levels of the weights then.
    """

    name: str
    recipe: TrainSpec | RetrainSpec
    retrain: RetrainSpec | None = None
    levels: int | None = None


def stages(spec: NetworkSpec) -> list[Stage]:
    """The stages of training a network: float, then each number of levels down to the layers'."""
    found = [Stage("float", spec.train)]
    if (retrain := spec.retrain) is not None:
        found += [Stage(f"retrain {n}", retrain, retrain, n) for n in retrain.gradual]
        found.append(Stage("retrain", retrain, retrain, 2))
    return found
