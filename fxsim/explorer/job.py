"""Everything that evaluating a point takes, in one object that travels to workers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.tensors import SampleArray
from fxsim.cost.model import CostModel
from fxsim.data import Dataset, Split
from fxsim.errors import SpecError
from fxsim.explorer.space import Space
from fxsim.floats.checkpoint import Checkpoint
from fxsim.floats.forward import forward
from fxsim.floats.scores import accuracy
from fxsim.simulator.evaluate import calibration_samples


@dataclass(frozen=True, eq=False)
class Job:
    """A search space, parameters and samples.

    Parameters
    ----------
    calibration : float array
        Samples that set the activation scales, those of ``fxsim quantize``: the network of a point
        is the one that command makes of its specification.
    validation : Split
        Samples that points are compared on.
    direct : bool
        True if retrained parameters are left aside where the point has their levels.
    costs : CostModel, optional
        Predicts what synthesis would find.
    """

    space: Space
    checkpoint: Checkpoint
    calibration: SampleArray
    validation: Split
    direct: bool = True
    costs: CostModel | None = None

    @cached_property
    def float_error(self) -> float:
        """Share of wrong answers of the float parent on the validation samples."""
        logits = forward(self.space.spec, self.checkpoint.parent, self.validation.x)
        return 1.0 - accuracy(logits, self.validation.y)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all that a result depends on but the cost model and versions."""
        facts = {
            "spec": self.space.spec.model_dump(mode="json", exclude={"explore"}),
            "space": self.space.describe(),
            "direct": self.direct,
        }
        digest = hashlib.sha256(json.dumps(facts).encode())
        arrays: dict[str, npt.NDArray[Any]] = self.checkpoint.arrays() | {
            "calibration": self.calibration,
            "validation.x": self.validation.x,
            "validation.y": self.validation.y,
        }
        for name, array in arrays.items():
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def with_costs(job: Job, costs: CostModel) -> Job:
    """Job with a cost model."""
    return replace(job, costs=costs)


def make_job(space: Space, checkpoint: Checkpoint, dataset: Dataset, *, direct: bool = True) -> Job:
    """Job of a network on a data set.

    Raises
    ------
    SpecError
        If the data set has no validation split: nothing is chosen on the test split. Or if the
        network has several inputs or outputs.
    """
    space.spec.check_single()
    if dataset.validation is None:
        raise SpecError(f"{dataset.name} must have a validation split to choose word lengths on")
    return Job(
        space=space,
        checkpoint=checkpoint,
        calibration=calibration_samples(dataset),
        validation=dataset.validation,
        direct=direct,
    )
