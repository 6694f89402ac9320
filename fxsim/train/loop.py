"""Float training, then retraining with quantized weights; seeded, repeatable and resumable."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fxsim.checkpoint import Checkpoint, LinearParameters, RetrainedParameters
from fxsim.data import Dataset, Split
from fxsim.errors import RangeError, SpecError
from fxsim.network import FloatArray
from fxsim.quantize import weight_scale
from fxsim.spec import NetworkSpec, RetrainSpec, TrainSpec
from fxsim.train import step_sizes
from fxsim.train.module import Network, Product
from fxsim.train.resume import TrainingState, fingerprint, load_state, save_state
from fxsim.train.schedule import Schedule, make_optimizer
from fxsim.train.sparsify import StepRecord, correlation, dense

Batch = tuple[torch.Tensor, torch.Tensor]
"""Samples and labels."""

_ARRAYS = ("weight", "bias", "gain")
"""Of `LinearParameters`; not all have a gain."""

OnStep = Callable[[StepRecord, Network], None]


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

    In retraining, forward and backward passes use quantized weights, and the float weights behind
    them take the updates; biases and activations stay float. `RetrainSpec` says how the step sizes
    come about. Only the training split moves weights; the validation split, if there is one, steers
    plateaus, early stopping and the search for steps.

    Two runs on one machine give the same arrays. They do not touch the state of torch outside. A
    GPU is used where PyTorch sees one.

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
        retraining, with more a network that is trained on.
    resume : Path, optional
        File that keeps the state after every epoch; a run that finds it goes on from there. To be
        removed once the result is safe.

    Raises
    ------
    SpecError
        If input shape or units do not fit the data, or with ``start`` a layer has ``batch_norm``.
    RangeError
        If the loss stops being finite.
    FileError
        If ``resume`` is malformed or belongs to another run.
    """
    return _run(spec, dataset, on_epoch, on_step, on_start, start, resume).checkpoint()


def train_with_fisher(
    spec: NetworkSpec, dataset: Dataset, on_epoch: Callable[[Progress], None] | None = None
) -> tuple[Checkpoint, dict[str, LinearParameters]]:
    """Like `train`, with the Fisher information of every parameter of the float parent.

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
) -> _Run:
    _check(spec, dataset)
    if start is not None:
        _check_start(spec)
    with _repeatable(spec.train.seed):
        run = _Run(spec, dataset, on_epoch or (lambda progress: None), on_step, start, resume)
        if on_start is not None:
            on_start(run.network)
        for index, stage in enumerate(stages(spec)):
            run.stage(index, stage)
    return run


def snapshot(spec: NetworkSpec, network: Network) -> Checkpoint:
    """The float parameters as they are now."""
    names = [product.name for product in spec.products]
    return Checkpoint(parent=dict(zip(names, map(_parameters, network.linears()), strict=True)))


class _Run:
    """A network on its way through the stages."""

    def __init__(
        self,
        spec: NetworkSpec,
        dataset: Dataset,
        report: Callable[[Progress], None],
        on_step: OnStep | None,
        start: Mapping[str, LinearParameters] | None,
        path: Path | None,
    ) -> None:
        self.spec, self.report, self.on_step, self.path = spec, report, on_step, path
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.data = _tensors(dataset.train, device)
        self.held_out = None if dataset.validation is None else _tensors(dataset.validation, device)
        x, y = self.data
        self.network = Network(spec, float(x.square().sum()) / y.numel()).to(device)
        if start is not None:
            Checkpoint(parent=start).check(spec)
            for place, product in zip(spec.products, self.network.linears(), strict=True):
                product.load(start[place.name])
        self.parent: dict[str, LinearParameters] = {}
        self.fisher: dict[str, LinearParameters] = {}
        if path is None:
            self.state = TrainingState(fingerprint="")
        else:
            self.state = load_state(path, fingerprint(spec, dataset, start))
        if self.state.values:
            self._restore(self.state.values["network"])
            torch.set_rng_state(self.state.values["random"])

    def stage(self, index: int, stage: Stage) -> None:
        """Run one stage, or what is left of it."""
        state, network, recipe = self.state, self.network, stage.recipe
        names = [product.name for product in self.spec.products]
        if stage.levels is not None:
            for product in network.linears():
                product.limit_levels(stage.levels)
            if not self.parent:
                self.parent = state.values.get("parent", {}) and _unpack(state.values["parent"])
        if index < state.stage:
            return
        count = self._batches()[1]
        optimizer = make_optimizer(network, recipe.optimizer)
        schedule = Schedule(optimizer, recipe, recipe.epochs * count)
        refreshes: frozenset[int] = frozenset()
        best = None
        resumed = state.epoch > 0
        if resumed:
            optimizer.load_state_dict(state.values["optimizer"])
            schedule.load_state_dict(state.values["schedule"])
            best = state.values["best"]
        if isinstance(recipe, RetrainSpec):
            refreshes = step_sizes.refresh_updates(recipe, count)
            if not resumed:
                step_sizes.choose(network, recipe.step, lambda: self._held_out_loss()[0])
        for epoch in range(state.epoch, recipe.epochs):
            if schedule.ended:
                break
            loss, accuracy = self._epoch(epoch, optimizer, schedule, refreshes, recipe)
            held_out = None if self.held_out is None else self._evaluate(self.held_out)
            better = schedule.after_epoch(loss if held_out is None else held_out[0])
            if better and recipe.early_stop is not None:
                best = self._snapshot()
            self._save(index, epoch + 1, optimizer, schedule, best)
            self.report(
                Progress(
                    stage=stage.name,
                    epoch=epoch + 1,
                    epochs=recipe.epochs,
                    loss=loss,
                    accuracy=accuracy,
                    validation_loss=held_out and held_out[0],
                    validation_accuracy=held_out and held_out[1],
                    steps={
                        name: product.scale
                        for name, product in zip(names, network.linears(), strict=True)
                        if product.scale is not None
                    },
                )
            )
        if best is not None:
            self._restore(best)
        if stage.levels is None:
            self.parent = dict(snapshot(self.spec, network).parent)
            if recipe.optimizer.type == "adam":
                self.fisher = dict(zip(names, _fisher(network, optimizer), strict=True))
        state.stage, state.epoch = index + 1, 0
        state.values.pop("best", None)

    def checkpoint(self) -> Checkpoint:
        """The float parent, and the retrained network if there is one."""
        if self.spec.retrain is None:
            return Checkpoint(parent=self.parent)
        names = [product.name for product in self.spec.products]
        for product in self.network.linears():
            if product.scale is None:
                product.scale = weight_scale(product.array(), product.layer)
        retrained = dict(zip(names, map(_retrained, self.network.linears()), strict=True))
        return Checkpoint(parent=self.parent, retrained=retrained)

    def _batches(self) -> tuple[Iterator[Batch], int]:
        """Batches of an epoch, and their number; float training says how to cut the data."""
        (x, y), common = self.data, self.spec.train
        if y.ndim == 2:
            return _chunks(x, y, common), -(-(y.numel() // common.batch) // common.steps)
        return _shuffled(x, y, common), -(-len(x) // common.batch)

    def _epoch(
        self,
        epoch: int,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        refreshes: frozenset[int],
        recipe: TrainSpec | RetrainSpec,
    ) -> tuple[float, float]:
        """Mean loss and accuracy of one epoch."""
        network, clip = self.network, self.spec.train.clip
        batches, count = self._batches()
        total, hits, seen = 0.0, 0, 0
        network.train()
        network.reset_state()
        for i, (x, y) in enumerate(batches):
            if epoch * count + i in refreshes:
                assert isinstance(recipe, RetrainSpec)
                step_sizes.refresh(network, recipe.step)
            logits = network(x).flatten(0, -2)
            labels = y.flatten()
            loss = torch.nn.functional.cross_entropy(logits, labels)
            if not torch.isfinite(loss):
                raise RangeError(f"loss must stay finite, not {loss:g} in epoch {epoch + 1}")
            optimizer.zero_grad()
            record = _backward(network, loss, epoch * count + i + 1)
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            schedule.after_update()
            if record is not None and self.on_step is not None:
                self.on_step(record, network)
            total += loss.item() * len(labels)
            hits += int((logits.argmax(dim=1) == labels).sum())
            seen += len(labels)
        return total / seen, hits / seen

    def _held_out_loss(self) -> tuple[float, float]:
        return self._evaluate(self.data if self.held_out is None else self.held_out)

    @torch.no_grad()
    def _evaluate(self, data: Batch) -> tuple[float, float]:
        """Mean loss and accuracy without dropout, every sequence from the initial state."""
        self.network.eval()
        piece = 256 if self.spec.spatial else 4096  # the tensors between the layers are large
        total, hits = 0.0, 0
        for x, y in zip(torch.split(data[0], piece), torch.split(data[1], piece), strict=True):
            self.network.reset_state()
            logits, labels = self.network(x).flatten(0, -2), y.flatten()
            total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
            hits += int((logits.argmax(dim=1) == labels).sum())
        self.network.reset_state()
        return total / data[1].numel(), hits / data[1].numel()

    def _snapshot(self) -> dict[str, Any]:
        """Weights, step sizes and rules on gate gradients."""
        scales = [product.scale for product in self.network.linears()]
        return {
            "weights": copy.deepcopy(self.network.state_dict()),
            "scales": [None if s is None else torch.from_numpy(s.copy()) for s in scales],
            "rules": [layer.rule and layer.rule.state_dict() for layer in self.network.lstms],
        }

    def _restore(self, snapshot: dict[str, Any]) -> None:
        self.network.load_state_dict(snapshot["weights"])
        for product, scale in zip(self.network.linears(), snapshot["scales"], strict=True):
            product.scale = None if scale is None else scale.numpy()
        for layer, rule in zip(self.network.lstms, snapshot["rules"], strict=True):
            if layer.rule is not None:
                layer.rule.load_state_dict(rule)

    def _save(
        self,
        stage: int,
        epoch: int,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        best: dict[str, Any] | None,
    ) -> None:
        if self.path is None:
            return
        self.state.stage, self.state.epoch = stage, epoch
        self.state.values = {
            "network": self._snapshot(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "random": torch.get_rng_state(),
            "best": best,
            "parent": _pack(self.parent),
        }
        save_state(self.state, self.path)


def _backward(network: Network, loss: torch.Tensor, step: int) -> StepRecord | None:
    """Gradients of the loss; with rules on gate gradients, what these did."""
    rules = [layer.rule for layer in network.lstms if layer.rule is not None]
    if not rules:
        loss.backward()  # type: ignore[no-untyped-call]
        return None
    weights = [
        product.weight
        for layer in network.lstms
        for product in (layer.input_product, layer.hidden_product)
    ]
    likeness = None
    if step % rules[0].spec.probe == 0:
        with dense(rules):
            expected = torch.autograd.grad(loss, weights, retain_graph=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if step % rules[0].spec.probe == 0:
        found = [weight.grad for weight in weights if weight.grad is not None]
        likeness = correlation(found, expected)
        for rule in rules:
            rule.steer(likeness)
    return StepRecord(
        step=step,
        loss=loss.item(),
        thresholds=np.array([rule.threshold for rule in rules]),
        sparsity=np.array([rule.sparsity for rule in rules]),
        correlation=likeness,
    )


def _check(spec: NetworkSpec, dataset: Dataset) -> None:
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
    last = len(spec.layers) - 1 - spec.classifies
    if (outputs := spec.layer_inputs(last + 1)) != dataset.classes:
        raise SpecError(
            f"layers[{last}].units must be {dataset.classes}, the classes of {dataset.name},"
            f" not {outputs}"
        )


def _check_start(spec: NetworkSpec) -> None:
    for product in spec.products:
        if product.gain:
            raise SpecError(
                f"layers[{product.layer}].batch_norm must be false to start from parameters:"
                " these do not hold its running mean and variance"
            )


def _tensors(split: Split, device: str) -> Batch:
    x = torch.from_numpy(split.x.astype(np.float32))
    return x.to(device), torch.from_numpy(split.y.copy()).to(device)


def _shuffled(x: torch.Tensor, y: torch.Tensor, recipe: TrainSpec) -> Iterator[Batch]:
    """Batches of samples in a new order."""
    order = torch.randperm(len(x)).to(x.device)
    for start in range(0, len(x), recipe.batch):
        batch = order[start : start + recipe.batch]
        yield x[batch], y[batch]


def _chunks(x: torch.Tensor, y: torch.Tensor, recipe: TrainSpec) -> Iterator[Batch]:
    """All sequences end to end as ``batch`` streams side by side, ``steps`` vectors at a time."""
    length = y.numel() // recipe.batch
    if not length:
        raise RangeError(f"batch must be at most {y.numel()}, the steps of all sequences")
    streams = recipe.batch * length
    x = x.flatten(0, 1)[:streams].reshape(recipe.batch, length, -1)
    y = y.flatten()[:streams].reshape(recipe.batch, length)
    for start in range(0, length, recipe.steps):
        yield x[:, start : start + recipe.steps], y[:, start : start + recipe.steps]


def _parameters(linear: Product) -> LinearParameters:
    return LinearParameters(
        weight=linear.array(),
        **linear.folded(),
    )


def _fisher(network: Network, optimizer: torch.optim.Optimizer) -> list[LinearParameters]:
    """Second moments of Adam, without their bias towards 0."""
    decay = optimizer.param_groups[0]["betas"][1]

    def moment(parameter: torch.Tensor) -> FloatArray:
        state = optimizer.state[parameter]
        if not state:  # no update, or a bias that stays 0
            return np.zeros(tuple(parameter.shape))
        moment = state["exp_avg_sq"] / (1 - decay ** float(state["step"]))
        return np.asarray(moment.cpu().numpy(), dtype=np.float64)

    return [
        LinearParameters(weight=moment(product.weight), bias=moment(product.bias))
        for product in network.linears()
    ]


def _retrained(linear: Product) -> RetrainedParameters:
    assert linear.scale is not None
    parameters = _parameters(linear)
    return RetrainedParameters(
        weight=parameters.weight,
        bias=parameters.bias,
        gain=parameters.gain,
        scale=linear.scale,
        levels=linear.layer.weights.levels,
    )


def _pack(parameters: Mapping[str, LinearParameters]) -> dict[str, list[torch.Tensor]]:
    return {
        name: [torch.from_numpy(a) for a in (p.weight, p.bias, p.gain) if a is not None]
        for name, p in parameters.items()
    }


def _unpack(packed: Mapping[str, list[torch.Tensor]]) -> dict[str, LinearParameters]:
    return {
        name: LinearParameters(**{k: a.numpy() for k, a in zip(_ARRAYS, arrays, strict=False)})
        for name, arrays in packed.items()
    }


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Seed torch and fix its order of summation, then leave it as it was."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
