"""Float training, then retraining with quantized weights; seeded, repeatable and resumable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from fxsim.arguments import check_type
from fxsim.data import Dataset
from fxsim.errors import SpecError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.spec.specification import NetworkSpec
from fxsim.training.epoch import OnStep
from fxsim.training.module import Network
from fxsim.training.run import Run
from fxsim.training.stages import Progress, stages


def train(
    spec: NetworkSpec,
    dataset: Dataset,
    on_epoch: Callable[[Progress], None] | None = None,
    on_step: OnStep | None = None,
    on_start: Callable[[Network], None] | None = None,
    *,
    start: Mapping[str, LinearParameters] | None = None,
    resume: Path | None = None,
) -> Checkpoint:
    """Train the float network, then retrain it with quantized weights if the file asks for it.

    In retraining, forward and backward passes use quantized weights (the backward pass float ones
    with ``backward: float``), and the float weights they are made of take the updates; biases stay
    float, and so do activations unless ``activations`` says otherwise. `RetrainSpec` says how the
    step sizes come about. Only the training split moves weights; the validation split, if there is
    one, steers plateaus, early stopping and the search for steps.

    Two runs on one machine give the same arrays. They do not touch the state of torch outside. A
    GPU is used where PyTorch sees one, with the deterministic algorithms of cuDNN.

    Parameters
    ----------
    spec : NetworkSpec
    dataset : Dataset
    on_epoch : callable, optional
        Called with each `Progress`.
    on_step : callable, optional
        With ``train.sparsify``: called after each step with its `StepRecord` and the network.
    on_start : callable, optional
        Called with the network before its first step.
    start : mapping of str to LinearParameters, optional
        Parameters to start from, in place of random ones: with ``train.epochs`` 0 the parent of the
        retraining, with more a network that is trained on. Mean and variance of batch
        normalisation are measured on the training samples.
    resume : Path, optional
        File that keeps the state after every epoch; a run that finds it goes on from there. To be
        removed once the result is safe.

    Raises
    ------
    SpecError
        If input shape or units do not fit the data, ``start`` does not fit the network, or this
        has several inputs or outputs.
    RangeError
        If the loss stops being finite.
    FileError
        If ``resume`` is malformed or belongs to another run.
    """
    return _run(spec, dataset, on_epoch, on_step, on_start, start, resume).checkpoint()


def train_with_fisher(
    spec: NetworkSpec, dataset: Dataset, on_epoch: Callable[[Progress], None] | None = None
) -> tuple[Checkpoint, dict[str, LinearParameters]]:
    """Train, and find the Fisher information of every parameter of the float parent.

    It is the second moment that Adam has found by the end of float training: the mean squared
    gradient over about the last 1000 batches (Tu et al. 2016, Algorithm 1; line 7 lacks a root).
    It falls with the size of the batch, which leaves the order of the parameters as it is.

    Raises
    ------
    SpecError
        If the optimizer is not adam, or as in `train`.
    """
    if spec.train.optimizer.type != "adam":
        raise SpecError(
            f"train.optimizer.type must be 'adam' for Fisher information,"
            f" not {spec.train.optimizer.type!r}"
        )
    run = _run(spec, dataset, on_epoch)
    return run.checkpoint(), run.fisher


def _run(
    spec: NetworkSpec,
    dataset: Dataset,
    on_epoch: Callable[[Progress], None] | None,
    on_step: OnStep | None = None,
    on_start: Callable[[Network], None] | None = None,
    start: Mapping[str, LinearParameters] | None = None,
    resume: Path | None = None,
) -> Run:
    check_type(spec, NetworkSpec, "spec")
    check_type(dataset, Dataset, "dataset")
    _check(spec, dataset)
    with _repeatable(spec.train.seed):
        run = Run(spec, dataset, on_epoch or (lambda progress: None), on_step, start, resume)
        if on_start is not None:
            on_start(run.network)
        for index, stage in enumerate(stages(spec)):
            run.stage(index, stage)
    return run


def _check(spec: NetworkSpec, dataset: Dataset) -> None:
    """Refuse a network that does not fit the data, or has nothing to train."""
    spec.check_single()
    if not spec.products:
        raise SpecError(
            "training needs a layer with weights (linear, convolution, lstm), but"
            f" {spec.name} has none"
        )
    leading = dataset.train.y.ndim
    if spec.recurrent != (leading == 2):
        raise SpecError(
            f"{dataset.name} has {'sequences' if leading == 2 else 'no sequences'}, so layers must"
            f" have {'an' if leading == 2 else 'no'} lstm"
        )
    if dataset.train.x.shape[leading:] != spec.input.shape:
        raise SpecError(
            f"input.shape must be {list(dataset.train.x.shape[leading:])} for {dataset.name},"
            f" not {list(spec.input.shape)}"
        )
    outputs = math.prod(spec.shapes[spec.logits(spec.output)])
    if outputs != dataset.classes:
        raise SpecError(
            f"layers[{spec.last}].units must be {dataset.classes}, the classes of {dataset.name},"
            f" not {outputs}"
        )


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Seed torch and fix its order of summation, then leave it as it was."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(), torch.backends.cudnn.flags(enabled=True, deterministic=True):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
