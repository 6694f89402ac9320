"""The papers by name: what the command line needs of each experiment."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fxsim.errors import SpecError

if TYPE_CHECKING:
    from fxsim.reproduce.experiment import Outcome
    from fxsim.reproduce.runs import Experiment, Plan


class Paper(StrEnum):
    """Papers whose experiments can be done again."""

    SUNG2015 = "sung2015"
    SHIN2017 = "shin2017"
    ALVAREZ2016 = "alvarez2016"
    TU2016 = "tu2016"
    ZHU2017 = "zhu2017"


ABOUT = {
    Paper.SUNG2015: "resiliency under quantization: direct and retrained, width, depth, groups",
    Paper.SHIN2017: "retraining with adaptive steps, and gradually",
    Paper.ALVAREZ2016: "8-bit weights with a zero point, and training that knows of them",
    Paper.TU2016: "pruning and word lengths by Fisher information",
    Paper.ZHU2017: "training LSTM with sparsified SGD: zeros in gate gradients",
}


class Tell(Protocol):
    """Told of each thing done: its key in `Job.amount`, and a remark."""

    def __call__(self, key: str, remark: str) -> None:
        """See the class."""


class Job(Protocol):
    """An experiment of one size, with its folder."""

    @property
    def amount(self) -> Mapping[str, int]:
        """How much there is to do, by what is counted."""

    def perform(self, tell: Tell) -> Outcome:
        """Do what is left, and evaluate all."""


def job(
    paper: Paper, folder: Path, *, full: bool, sets: Sequence[str] = (), processes: int = 1
) -> Job:
    """The experiment of a paper.

    Parameters
    ----------
    paper : Paper
    folder : Path
        Keeps finished runs.
    full : bool
        As large as the paper.
    sets : sequence of str
        Data sets to take instead of its own.
    processes : int
        That many runs at a time.

    Raises
    ------
    SpecError
        If the experiment takes no other data.
    """
    module = importlib.import_module(f"fxsim.reproduce.{paper}")
    if paper is Paper.ZHU2017:
        if sets:
            raise SpecError(f"{paper} takes no other data than pydoc, not {sets[0]}")
        found: Job = module.Job(module.FULL if full else module.QUICK, folder, processes)
        return found
    return _Runs(module.EXPERIMENT, folder, full, sets, processes)


class _Runs:
    def __init__(
        self,
        experiment: Experiment[Plan],
        folder: Path,
        full: bool,
        sets: Sequence[str],
        processes: int,
    ) -> None:
        self._experiment, self._folder, self._sets = experiment, folder, sets
        self._processes = processes
        self._plan = experiment.full if full else experiment.quick
        self.amount = {"runs": len(self._plan.recipes)}

    def perform(self, tell: Tell) -> Outcome:
        return self._experiment.perform(
            self._plan,
            self._folder,
            self._sets,
            lambda name: tell("runs", name),
            self._processes,
        )
