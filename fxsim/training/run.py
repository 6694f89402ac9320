"""A network on its way through the stages of training, interrupted or not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from fxsim.data import Dataset
from fxsim.errors import RangeError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.quantizer.quantizer import weight_scale
from fxsim.quantizer.remarks import quiet
from fxsim.simulator.evaluate import calibration_samples
from fxsim.spec.specification import NetworkSpec, RetrainSpec
from fxsim.training import step_sizes
from fxsim.training.batches import batches, tensors
from fxsim.training.calibrate import (
    calibrate,
    calibrated_state,
    quantize_on_the_fly,
    restore_calibrated,
)
from fxsim.training.epoch import OnStep, evaluate, run_epoch
from fxsim.training.module import Network
from fxsim.training.parameters import fisher, pack, retrained, snapshot, unpack
from fxsim.training.resume import (
    TrainingState,
    fingerprint,
    load_state,
    random_state,
    save_state,
    set_random_state,
)
from fxsim.training.schedule import Schedule, make_optimizer
from fxsim.training.stages import Progress, Stage
from fxsim.training.statistics import measure_statistics

_MEASURED = 1 << 13
"""Training samples that statistics of batch normalisation are measured on."""


class Run:
    """A network, its data, and the state that a resumed run needs.

    Parameters
    ----------
    spec : NetworkSpec
    dataset : Dataset
    report : callable
        Called with the `Progress` of each epoch.
    on_step : callable, optional
        Called after each step of a network with rules on gate gradients.
    start : mapping of str to LinearParameters, optional
        Parameters to start from.
    path : Path, optional
        File that keeps the state.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        dataset: Dataset,
        report: Callable[[Progress], None],
        on_step: OnStep | None = None,
        start: Mapping[str, LinearParameters] | None = None,
        path: Path | None = None,
    ) -> None:
        self.spec, self.report, self.on_step, self.path = spec, report, on_step, path
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.data = tensors(dataset.train, device)
        held_out = dataset.validation
        self.held_out = None if held_out is None else tensors(held_out, device)
        x, y = self.data
        power = float(x.square().sum()) / y.numel() if spec.recurrent else None
        self.network = Network(spec, power).to(device)
        if start is not None:
            Checkpoint(parent=start).check(spec)
            for place, product in zip(spec.products, self.network.linears(), strict=True):
                product.load(start[place.name])
            pieces = torch.split(self.data[0][:_MEASURED], spec.train.batch)
            measure_statistics(self.network, iter(pieces))
        self.samples = calibration_samples(dataset)
        self.warned = False
        self.parent: dict[str, LinearParameters] = {}
        self.fisher: dict[str, LinearParameters] = {}
        if path is None:
            self.state = TrainingState(fingerprint="")
        else:
            self.state = load_state(path, fingerprint(spec, dataset, start))
        if self.state.values:
            self._restore(self.state.values["network"])
            set_random_state(self.state.values["random"])

    def stage(self, index: int, stage: Stage) -> None:
        """Run one stage, or what is left of it."""
        if stage.levels is not None:
            self._limit(stage.levels)
        if index < self.state.stage:
            return
        if stage.retrain is not None and stage.retrain.activations == "on_the_fly":
            quantize_on_the_fly(self.network)
        count = batches(self.data, self.spec.train)[1]
        optimizer = make_optimizer(self.network, stage.recipe.optimizer)
        schedule = Schedule(optimizer, stage.recipe, stage.recipe.epochs * count)
        best = self._begin(stage, optimizer, schedule)
        for epoch in range(self.state.epoch, stage.recipe.epochs):
            if schedule.ended:
                break
            loss, accuracy = self._epoch(epoch, count, optimizer, schedule, stage.retrain)
            held_out = None if self.held_out is None else evaluate(self.network, self.held_out)
            better = schedule.after_epoch(loss if held_out is None else held_out[0])
            if better and stage.recipe.early_stop is not None:
                best = self._snapshot()
            self._save(index, epoch + 1, optimizer, schedule, best)
            self.report(self._progress(stage, epoch, loss, accuracy, held_out))
        if best is not None:
            self._restore(best)
        if stage.levels is None:
            self._keep_parent(stage, optimizer)
        self.state.stage, self.state.epoch = index + 1, 0
        self.state.values.pop("best", None)

    def _limit(self, levels: int) -> None:
        """Train with weights of so many levels from now on; the parent stays that of floats."""
        for product in self.network.linears():
            product.limit_levels(levels)
        if not self.parent:
            values = self.state.values
            self.parent = values.get("parent", {}) and unpack(values["parent"])

    def _begin(
        self, stage: Stage, optimizer: torch.optim.Optimizer, schedule: Schedule
    ) -> dict[str, Any] | None:
        """Go on with an interrupted stage, or choose step sizes; returns the best state so far."""
        values, retrain = self.state.values, stage.retrain
        if self.state.epoch > 0:
            optimizer.load_state_dict(values["optimizer"])
            schedule.load_state_dict(values["schedule"])
            best: dict[str, Any] | None = values["best"]
            return best
        if retrain is not None:
            data = self.data if self.held_out is None else self.held_out
            step_sizes.choose(
                self.network,
                retrain.step,
                lambda: evaluate(self.network, data)[0],
                self._calibrate,
            )
        return None

    def _progress(
        self,
        stage: Stage,
        epoch: int,
        loss: float,
        accuracy: float,
        held_out: tuple[float, float] | None,
    ) -> Progress:
        return Progress(
            stage=stage.name,
            epoch=epoch + 1,
            epochs=stage.recipe.epochs,
            loss=loss,
            accuracy=accuracy,
            validation_loss=held_out and held_out[0],
            validation_accuracy=held_out and held_out[1],
            steps={
                name: product.scale
                for name, product in zip(self._names, self.network.linears(), strict=True)
                if product.scale is not None
            },
        )

    def _keep_parent(self, stage: Stage, optimizer: torch.optim.Optimizer) -> None:
        """Keep the float parameters, and with Adam their Fisher information."""
        self.parent = dict(snapshot(self.spec, self.network).parent)
        if stage.recipe.optimizer.type == "adam":
            self.fisher = dict(zip(self._names, fisher(self.network, optimizer), strict=True))

    def checkpoint(self) -> Checkpoint:
        """The float parent, and the retrained network if there is one."""
        if self.spec.retrain is None:
            return Checkpoint(parent=self.parent)
        for product in self.network.linears():
            if product.scale is None:
                product.scale = weight_scale(product.array(), product.layer)
        found = map(retrained, self.network.linears())
        return Checkpoint(parent=self.parent, retrained=dict(zip(self._names, found, strict=True)))

    @property
    def _names(self) -> list[str]:
        return [product.name for product in self.spec.products]

    def _epoch(
        self,
        epoch: int,
        count: int,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        retrain: RetrainSpec | None,
    ) -> tuple[float, float]:
        """Mean loss and accuracy of one epoch, steps refreshed on the way."""

        def refresh(update: int) -> None:
            if retrain is not None and update in refreshes:
                step_sizes.refresh(self.network, retrain.step)
                self._calibrate()

        refreshes: frozenset[int] = frozenset()
        if retrain is not None:
            refreshes = step_sizes.refresh_updates(retrain, count)
        try:
            return run_epoch(
                self.network,
                batches(self.data, self.spec.train)[0],
                optimizer,
                before_update=refresh,
                after_update=schedule.after_update,
                clip=self.spec.train.clip,
                first=epoch * count,
                on_step=self.on_step,
            )
        except RangeError as error:
            raise RangeError(f"{error} in epoch {epoch + 1}") from None

    def _calibrate(self) -> None:
        """Fit activations to the present weights, if they are calibrated; warn the first time."""
        if self.spec.retrain is not None and self.spec.retrain.activations == "calibrated":
            with quiet() if self.warned else nullcontext():
                calibrate(self.network, self.samples)
            self.warned = True

    def _snapshot(self) -> dict[str, Any]:
        """Weights, step sizes, calibrated activations and rules on gate gradients."""
        scales = [product.scale for product in self.network.linears()]
        return {
            "weights": copy.deepcopy(self.network.state_dict()),
            "scales": [None if s is None else torch.from_numpy(s.copy()) for s in scales],
            "activations": calibrated_state(self.network),
            "rules": [layer.rule and layer.rule.state_dict() for layer in self.network.lstms],
        }

    def _restore(self, snapshot: dict[str, Any]) -> None:
        self.network.load_state_dict(snapshot["weights"])
        for product, scale in zip(self.network.linears(), snapshot["scales"], strict=True):
            product.scale = None if scale is None else scale.numpy()
        restore_calibrated(self.network, snapshot["activations"])
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
            "random": random_state(),
            "best": best,
            "parent": pack(self.parent),
        }
        save_state(self.state, self.path)
