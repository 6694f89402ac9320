"""Optimizers, learning rates, and the end of a stage of training."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from fxsim.spec.train import OptimizerSpec, ScheduleSpec


def make_optimizer(network: nn.Module, spec: OptimizerSpec) -> torch.optim.Optimizer:
    """The optimizer of a recipe, for all parameters of ``network``."""
    parameters, lr, decay = network.parameters(), spec.lr, spec.weight_decay
    match spec.type:
        case "adam":
            return torch.optim.Adam(parameters, lr=lr, weight_decay=decay)
        case "adadelta":
            return torch.optim.Adadelta(parameters, lr=lr, rho=spec.smoothing, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(
                parameters,
                lr=lr,
                alpha=spec.smoothing,
                momentum=spec.momentum,
                weight_decay=decay,
            )
        case "sgd":
            return torch.optim.SGD(
                parameters,
                lr=lr,
                momentum=spec.momentum,
                nesterov=spec.nesterov and spec.momentum > 0,
                weight_decay=decay,
            )


class Schedule:
    """Learning rate of one stage, and whether it goes on.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    spec : ScheduleSpec
    steps : int
        Updates in the whole stage.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, spec: ScheduleSpec, steps: int) -> None:
        self._optimizer = optimizer
        self._spec = spec
        self._least = optimizer.param_groups[0]["lr"] * spec.final_lr
        self._exponential = self._plateau = None
        if spec.plateau is None:
            rate = spec.final_lr ** (1 / max(steps - 1, 1))
            self._exponential = lr_scheduler.ExponentialLR(optimizer, rate)
        else:
            self._plateau = lr_scheduler.ReduceLROnPlateau(
                optimizer,
                factor=spec.plateau.factor,
                patience=spec.plateau.patience - 1,
                threshold=0.0,
            )
        self.best_loss = float("inf")
        self._waited = 0

    def after_update(self) -> None:
        """Count an update of the weights."""
        if self._exponential is not None:
            self._exponential.step()

    def after_epoch(self, loss: float) -> bool:
        """Count an epoch that ended with ``loss``; returns whether it is the best so far."""
        if self._plateau is not None:
            self._plateau.step(loss)
        better = loss < self.best_loss
        self.best_loss = min(loss, self.best_loss)
        self._waited = 0 if better else self._waited + 1
        return better

    @property
    def ended(self) -> bool:
        """True if the stage ends before its last epoch."""
        if self._spec.early_stop is not None and self._waited >= self._spec.early_stop:
            return True
        return self._plateau is not None and self._optimizer.param_groups[0]["lr"] < self._least

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs, in plain values."""
        inner = self._exponential or self._plateau
        assert inner is not None
        return {"inner": inner.state_dict(), "best": self.best_loss, "waited": self._waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        inner = self._exponential or self._plateau
        assert inner is not None
        inner.load_state_dict(state["inner"])
        self.best_loss, self._waited = state["best"], state["waited"]
