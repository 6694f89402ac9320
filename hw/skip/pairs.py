"""Pairs (index, value), which are left of a gradient without its zeros."""

from dataclasses import dataclass
from typing import Self

from amaranth.hdl import Shape, unsigned
from amaranth.lib import data

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError
from fxsim.hw.blocks.layouts import beat_of, shape_of
from fxsim.network.skip_unit import SkipUnit


@dataclass(frozen=True, kw_only=True)
class ZeroSkipConfig:
    """Configuration of the blocks of a `fxsim.hw.skip.zero_skip.ZeroSkipper`.

    Parameters
    ----------
    gradient : IntFormat
        Format of a value.
    items : int
        Values of a vector.
    lanes : int
        Values of a beat; the last beat of a vector may be partly idle.
    issue : int
        Most pairs of a cycle, at most ``lanes``.
    depth : int
        Beats that the queue holds, zeros not counted.
    threshold : bool
        Whether values within a threshold count as zeros.

    Raises
    ------
    ConfigError
        If a size is out of range.
    """

    gradient: IntFormat
    items: int
    lanes: int
    issue: int
    depth: int = 16
    threshold: bool = False

    def __post_init__(self) -> None:
        for key in ("items", "lanes", "issue", "depth"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key} must be at least 1, not {getattr(self, key)}")
        if self.issue > self.lanes:
            raise ConfigError(f"issue must be at most lanes ({self.lanes}), not {self.issue}")

    @classmethod
    def from_unit(cls, unit: SkipUnit) -> Self:
        """Configuration of the skipper of ``unit``, with a threshold."""
        return cls(
            gradient=unit.gradient,
            items=unit.items,
            lanes=unit.lanes,
            issue=unit.issue,
            depth=unit.depth,
            threshold=True,
        )

    @property
    def beats(self) -> int:
        """Beats of a vector."""
        return -(-self.items // self.lanes)

    @property
    def groups(self) -> int:
        """Groups of a vector without any zero."""
        return -(-self.items // self.issue)

    @property
    def magnitude(self) -> Shape:
        """Shape of a threshold: holds the magnitude of every value."""
        return unsigned(self.gradient.bits)

    @property
    def pair(self) -> data.StructLayout:
        """One value that is not 0, and its place in the vector; a value of 0 is no pair."""
        index = unsigned(max((self.items - 1).bit_length(), 1))
        return data.StructLayout({"value": shape_of(self.gradient), "index": index})

    @property
    def marked(self) -> data.StructLayout:
        """A beat as it came, with a bit for each lane that holds a pair.

        ``last`` says that no pairs follow in this vector.
        """
        return data.StructLayout(
            {
                "values": beat_of(self.gradient, self.lanes),
                "keep": self.lanes,
                "beat": range(max(self.beats, 2)),
                "last": 1,
            }
        )

    @property
    def piece(self) -> data.StructLayout:
        """The next ``count`` pairs of one beat, lane 0 first; unused lanes are 0."""
        return data.StructLayout(
            {"pairs": data.ArrayLayout(self.pair, self.issue), "count": range(self.issue + 1)}
            | {"last": 1}
        )

    @property
    def group(self) -> data.StructLayout:
        """Pairs to be worked on in one cycle, lane 0 first; unused lanes are 0."""
        return data.StructLayout({"pairs": data.ArrayLayout(self.pair, self.issue), "last": 1})
