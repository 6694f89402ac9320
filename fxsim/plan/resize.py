"""Records of what changes the number of lanes of a stream."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError
from fxsim.plan.beat import Beat, check_sizes


@dataclass(frozen=True, kw_only=True)
class _ResizeConfig:
    """Sizes of a change of lanes.

    Parameters
    ----------
    format : IntFormat
        Format of a lane.
    lanes_in, lanes_out : int
        One divides the other and is less.
    items : int
        Items of a vector.

    Raises
    ------
    ConfigError
        If the lanes are equal or do not divide one another, or ``items`` is less than 1.
    """

    format: IntFormat
    lanes_in: int
    lanes_out: int
    items: int

    def __post_init__(self) -> None:
        wide, slim = max(self.lanes_in, self.lanes_out), min(self.lanes_in, self.lanes_out)
        if slim < 1 or wide == slim or wide % slim:
            raise ConfigError(
                f"lanes must differ and divide one another, not {self.lanes_in} and"
                f" {self.lanes_out}"
            )
        check_sizes(self, "items")

    @property
    def parts(self) -> int:
        """Slim beats of a wide one."""
        return max(self.lanes_in, self.lanes_out) // min(self.lanes_in, self.lanes_out)

    @property
    def slim_beats(self) -> int:
        """Slim beats of a vector."""
        return max(self.ratio)

    @property
    def i(self) -> Beat:
        """Beat that is taken."""
        return Beat(self.format, self.lanes_in)

    @property
    def o(self) -> Beat:
        """Beat that is given."""
        return Beat(self.format, self.lanes_out)

    @property
    def ratio(self) -> tuple[int, int]:
        """Beats of a vector before and after."""
        return -(-self.items // self.lanes_in), -(-self.items // self.lanes_out)


@dataclass(frozen=True, kw_only=True)
class WidenConfig(_ResizeConfig):
    """Configuration of a `fxsim.hw.blocks.resize.Widen`: more lanes than before.

    Raises
    ------
    ConfigError
        If ``lanes_in`` does not divide ``lanes_out``, or equals it, or ``items`` is less than 1.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lanes_in > self.lanes_out:
            raise ConfigError(f"lanes must grow, not go from {self.lanes_in} to {self.lanes_out}")


@dataclass(frozen=True, kw_only=True)
class NarrowConfig(_ResizeConfig):
    """Configuration of a `fxsim.hw.blocks.resize.Narrow`: fewer lanes than before.

    Raises
    ------
    ConfigError
        If ``lanes_out`` does not divide ``lanes_in``, or equals it, or ``items`` is less than 1.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lanes_in < self.lanes_out:
            raise ConfigError(f"lanes must fall, not go from {self.lanes_in} to {self.lanes_out}")
