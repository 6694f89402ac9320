"""Beats: the words of a stream."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError


@dataclass(frozen=True)
class Beat:
    """Word of a stream: ``lanes`` integers of one format."""

    format: IntFormat
    lanes: int

    def __post_init__(self) -> None:
        if self.lanes < 1:
            raise ConfigError(f"lanes must be at least 1, not {self.lanes}")

    @property
    def bits(self) -> int:
        """Width of the beat."""
        return self.lanes * self.format.bits


def check_sizes(record: object, *names: str) -> None:
    """Refuse sizes of a record that are less than 1."""
    for name in names:
        if (size := getattr(record, name)) < 1:
            raise ConfigError(f"{name} must be at least 1, not {size}")
