"""Records of what holds, copies or joins the beats of streams."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.errors import ConfigError
from fxsim.plan.beat import Beat, check_sizes


@dataclass(frozen=True, kw_only=True)
class _SameBeat:
    """Block that gives the beats that it takes."""

    beat: Beat

    @property
    def i(self) -> Beat:
        """Beat that is taken."""
        return self.beat

    @property
    def o(self) -> Beat:
        """Beat that is given."""
        return self.beat

    @property
    def ratio(self) -> tuple[int, int]:
        """Beats after the block, as many as before it."""
        return 1, 1


@dataclass(frozen=True, kw_only=True)
class VectorBufferConfig(_SameBeat):
    """Configuration of a `fxsim.hw.blocks.buffers.VectorBuffer`: each vector, ``tiles`` times.

    Parameters
    ----------
    beat : Beat
    beats : int
        Beats of a vector.
    tiles : int
        How often each vector is given out.

    Raises
    ------
    ConfigError
        If a size is less than 1.
    """

    beats: int
    tiles: int

    def __post_init__(self) -> None:
        check_sizes(self, "beats", "tiles")

    @property
    def depth(self) -> int:
        """Words of the memory: two vectors."""
        return 2 * self.beats

    @property
    def ratio(self) -> tuple[int, int]:
        """Beats of a vector before and after."""
        return self.beats, self.beats * self.tiles


@dataclass(frozen=True, kw_only=True)
class QueueConfig(_SameBeat):
    """Configuration of a `fxsim.hw.blocks.queue.Queue` of ``depth`` beats, 2 or more.

    Raises
    ------
    ConfigError
        If ``depth`` is less than 2.
    """

    depth: int

    def __post_init__(self) -> None:
        if self.depth < 2:
            raise ConfigError(f"depth must be at least 2, not {self.depth}")

    @property
    def bits(self) -> int:
        """Bits that it holds, those of the register that words leave by included."""
        return self.depth * self.beat.bits


@dataclass(frozen=True, kw_only=True)
class SkidConfig(_SameBeat):
    """Configuration of a `fxsim.hw.blocks.skid.Skid`: room for one beat."""


@dataclass(frozen=True, kw_only=True)
class ForkConfig(_SameBeat):
    """Configuration of a `fxsim.hw.blocks.fork.Fork`: one stream to ``sinks``.

    Raises
    ------
    ConfigError
        If ``sinks`` is less than 1.
    """

    sinks: int

    def __post_init__(self) -> None:
        check_sizes(self, "sinks")


@dataclass(frozen=True, kw_only=True)
class ConcatConfig:
    """Configuration of a `fxsim.hw.blocks.concat.Concat`: streams of equal beats, in turn.

    Parameters
    ----------
    beat : Beat
        Beats of each stream that is taken, and of the one that is given.
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
    def operands(self) -> tuple[Beat, ...]:
        """Beat of each stream that is taken."""
        return (self.beat,) * len(self.counts)

    @property
    def o(self) -> Beat:
        """Beat that is given."""
        return self.beat

    @property
    def ratio(self) -> tuple[int, int]:
        """Beats of the first stream, and those that are given for them."""
        return self.counts[0], sum(self.counts)
