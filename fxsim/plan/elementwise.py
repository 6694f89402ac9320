"""Records of what compares or adds integers."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError
from fxsim.plan.beat import Beat, check_sizes


@dataclass(frozen=True, kw_only=True)
class GreatestConfig:
    """Configuration of a `fxsim.hw.blocks.greatest.Greatest`: over ``beats``, lane by lane."""

    beat: Beat
    beats: int

    def __post_init__(self) -> None:
        check_sizes(self, "beats")

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
        """One beat of many."""
        return self.beats, 1


@dataclass(frozen=True, kw_only=True)
class GreatestPlaceConfig:
    """Configuration of a `fxsim.hw.blocks.greatest_place.GreatestPlace`.

    Parameters
    ----------
    format, place : IntFormat
        Formats of a lane and of the index.
    lanes : int
    beats : int
        Of a vector.
    """

    format: IntFormat
    place: IntFormat
    lanes: int
    beats: int

    def __post_init__(self) -> None:
        check_sizes(self, "lanes", "beats")

    @property
    def i(self) -> Beat:
        """Beat that is taken."""
        return Beat(self.format, self.lanes)

    @property
    def o(self) -> Beat:
        """The index."""
        return Beat(self.place, 1)

    @property
    def ratio(self) -> tuple[int, int]:
        """One index for each vector."""
        return self.beats, 1


@dataclass(frozen=True, kw_only=True)
class WeightedSumConfig:
    """Configuration of a `fxsim.hw.blocks.weighted_sum.WeightedSum`.

    Parameters
    ----------
    formats : tuple of IntFormat
        Format of a lane of each operand.
    multipliers : tuple of int
        One an operand.
    bias : int
        Constant for all zero points.
    accumulator : IntFormat
        Format of the sums.
    lanes : int
    """

    formats: tuple[IntFormat, ...]
    multipliers: tuple[int, ...]
    bias: int
    accumulator: IntFormat
    lanes: int

    def __post_init__(self) -> None:
        check_sizes(self, "lanes")
        if len(self.formats) != len(self.multipliers):
            raise ConfigError(
                f"multipliers must be {len(self.formats)}, not {len(self.multipliers)}"
            )

    @property
    def operands(self) -> tuple[Beat, ...]:
        """Beat of each operand."""
        return tuple(Beat(fmt, self.lanes) for fmt in self.formats)

    @property
    def o(self) -> Beat:
        """Beat of sums."""
        return Beat(self.accumulator, self.lanes)

    @property
    def ratio(self) -> tuple[int, int]:
        """One sum for a beat of each operand."""
        return 1, 1
