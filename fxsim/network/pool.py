"""Max pooling in integers: maxima over the windows of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fxsim.arithmetic.tensors import Activation, set_int
from fxsim.arithmetic.windows import Windows
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.tensor_type import NO_TENSORS, NO_UNIT, TensorType


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool:
    """The greatest integer of each channel in each window; format, scale and zero point stay.

    Pixels outside the image never win: they are the least integer of the format.

    Parameters
    ----------
    name : str
    input : Activation
    windows : Windows
        In one group.
    lanes : int
        Channels that hardware compares at a time; they divide the channels.

    Raises
    ------
    RangeError
        If the lanes do not divide the channels, or there are groups.
    """

    name: str
    input: Activation
    windows: Windows
    lanes: int = 1

    # Answers of `LayerKind`.
    linears = adds = lstms = ()
    state = probes = NO_TENSORS
    classifies, spatial, raw = False, True, False
    places, settling, unit = 1, 0, NO_UNIT

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        set_int(self, "lanes", 1, self.windows.channels)
        if self.windows.channels % self.lanes:
            raise RangeError(
                f"{self.name}: lanes must divide {self.windows.channels} channels, not {self.lanes}"
            )
        if self.windows.groups != 1:
            raise RangeError(f"{self.name}: groups must be 1, not {self.windows.groups}")

    @property
    def pools(self) -> tuple[MaxPool, ...]:
        """Maxima over windows: itself."""
        return (self,)

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """An image."""
        return (TensorType(self.shape_in, self.input),)

    @property
    def idle(self) -> int:
        """Integer on an idle output lane."""
        return self.output.zero_point

    @property
    def by_lanes(self) -> Windows:
        """Windows as hardware gives them out: all pixels of ``lanes`` channels, then the next."""
        return replace(self.windows, groups=self.windows.channels // self.lanes)

    @property
    def shape_in(self) -> tuple[int, int, int]:
        """Channels, height and width of the input."""
        return self.windows.shape

    @property
    def shape_out(self) -> tuple[int, int, int]:
        """Channels, height and width of the output."""
        return self.windows.channels, self.windows.rows, self.windows.columns

    @property
    def inputs(self) -> int:
        """Integers of an input image."""
        return self.windows.items

    @property
    def outputs(self) -> int:
        """Integers of an output image."""
        return self.windows.channels * self.windows.places

    @property
    def output(self) -> Activation:
        """Activation of the output, which is that of the input."""
        return self.input

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of its hardware."""
        return {"lanes": self.lanes}

    @property
    def lanes_in(self) -> int:
        """Lanes of the input."""
        return self.lanes

    @property
    def lanes_out(self) -> int:
        """Lanes of the output."""
        return self.lanes
