"""Result of one point, and how it stands to objectives and constraints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from fxsim.explorer.metrics import METRICS
from fxsim.explorer.space import Choices, Space
from fxsim.targets.registry import find_part
from fxsim.targets.target import RESOURCES


@dataclass(frozen=True)
class Outcome:
    """Metrics of a point, or why there is no such network.

    ``place`` is its place in the order in which the method asked; ``measured`` says that its cells
    are synthesized, not predicted.
    """

    choices: Choices
    place: int
    metrics: Mapping[str, float] | None
    reason: str = ""
    measured: bool = False


@dataclass(frozen=True)
class Goals:
    """Objectives and upper limits of a space, against the error of the float parent."""

    space: Space
    float_error: float

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the objectives; each is to be small."""
        return self.space.wanted.objectives

    @cached_property
    def limits(self) -> dict[str, float]:
        """Upper limit of each metric that has one."""
        wanted = self.space.wanted.constraints
        limits = {name: limit for name in METRICS if (limit := getattr(wanted, name)) is not None}

        def limit_to(name: str, value: float) -> None:
            limits[name] = min(value, limits.get(name, value))

        if wanted.accuracy_loss is not None:
            limit_to("error", self.float_error + wanted.accuracy_loss)
        if wanted.part is not None:
            _, part = find_part(wanted.part)
            for name in RESOURCES:
                limit_to(name, float(getattr(part, name)))
        return limits

    def values(self, outcome: Outcome) -> tuple[float, ...] | None:
        """Objectives of an outcome; None where there is no network."""
        if outcome.metrics is None:
            return None
        return tuple(outcome.metrics[name] for name in self.names)

    def excess(self, outcome: Outcome) -> float:
        """Sum of how far limits are passed, each as a share of the limit; 0 if all hold."""
        if outcome.metrics is None:
            return float("inf")
        return sum(
            max(outcome.metrics[name] - limit, 0.0) / (limit or 1.0)
            for name, limit in self.limits.items()
        )
