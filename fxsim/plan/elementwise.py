"""Records of what compares or adds integers."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.arithmetic.formats import IntFormat
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
        Of a lane and of the index.
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
    first, second : IntFormat
        Of the operands' lanes.
    multipliers : tuple of int
    bias : int
        What both zero points come to.
    accumulator : IntFormat
        Of the sums.
    lanes : int
    """

    first: IntFormat
    second: IntFormat
    multipliers: tuple[int, int]
    bias: int
    accumulator: IntFormat
    lanes: int

    def __post_init__(self) -> None:
        check_sizes(self, "lanes")

    @property
    def i(self) -> Beat:
        """Beat of the first operand."""
        return Beat(self.first, self.lanes)

    @property
    def other(self) -> Beat:
        """Beat of the second operand."""
        return Beat(self.second, self.lanes)

    @property
    def o(self) -> Beat:
        """Beat of sums."""
        return Beat(self.accumulator, self.lanes)

    @property
    def ratio(self) -> tuple[int, int]:
        """One sum for each pair."""
        return 1, 1
