"""The record of what joins streams."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.errors import ConfigError
from fxsim.plan.beat import Beat


@dataclass(frozen=True, kw_only=True)
class ConcatConfig:
    """Configuration of a `fxsim.hw.blocks.concat.Concat`: streams of equal beats, in turn.

    Parameters
    ----------
    beat : Beat
        Of each stream that is taken, and of the one that is given.
    counts : tuple of int
        Beats of each stream that are taken in a turn: those of a pixel, or of a vector.

    Raises
    ------
    ConfigError
        If there are fewer than 2 streams, or one gives no beat.
    """

    beat: Beat
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.counts) < 2 or min(self.counts) < 1:
            raise ConfigError(f"counts must be 2 or more integers from 1 on, not {self.counts}")

    @property
    def i(self) -> Beat:
        """Beat that is taken from each stream."""
        return self.beat

    @property
    def o(self) -> Beat:
        """Beat that is given."""
        return self.beat

    @property
    def ratio(self) -> tuple[int, int]:
        """Beats of the first stream, and those that are given for them."""
        return self.counts[0], sum(self.counts)
