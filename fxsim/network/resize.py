"""Images made larger by whole factors: each pixel becomes a block of equal ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fxsim.arithmetic.tensors import Activation
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.shapes import check_lanes, check_shape
from fxsim.network.tensor_type import NO_TENSORS, NO_UNIT, TensorType

MAX_FACTOR = 1 << 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Resize:
    """Nearest neighbour by whole factors; format, scale and zero point stay.

    Pixel (y, x) of the output is pixel (y // vertical, x // horizontal) of the input.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Shape of the input: (channels, height, width).
    factors : tuple of int
        Vertical and horizontal, 1 to 1024, not both 1.
    input : Activation
    lanes : int
        Channels that hardware passes at a time; they divide the channels.

    Raises
    ------
    RangeError
        If the shape is not that of an image, or factors or lanes do not fit.
    """

    name: str
    shape: tuple[int, ...]
    factors: tuple[int, int]
    input: Activation
    lanes: int = 1

    # Answers of `LayerKind`.
    linears = adds = pools = lstms = ()
    state = probes = NO_TENSORS
    classifies, spatial, raw = False, True, False
    places, settling, unit = 1, 0, NO_UNIT

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        object.__setattr__(self, "shape", tuple(self.shape))
        object.__setattr__(self, "factors", tuple(self.factors))
        try:
            self._check()
        except RangeError as error:
            raise RangeError(f"{self.name}: {error}") from None

    def _check(self) -> None:
        check_shape(self.shape)
        if len(self.shape) != 3:
            raise RangeError(f"shape must be (channels, height, width), not {self.shape}")
        factors = self.factors
        whole = all(type(factor) is int and 1 <= factor <= MAX_FACTOR for factor in factors)
        if len(factors) != 2 or not whole or max(factors) == 1:
            raise RangeError(
                f"factors must be 2 integers from 1 to {MAX_FACTOR}, not both 1, not {factors}"
            )
        check_lanes(self.lanes, self.shape)

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """An image."""
        return (TensorType(self.shape, self.input),)

    @property
    def output(self) -> Activation:
        """Activation of the output, which is that of the input."""
        return self.input

    @property
    def idle(self) -> int:
        """Integer on an idle output lane."""
        return self.output.zero_point

    @property
    def inputs(self) -> int:
        """Integers of an input image."""
        return math.prod(self.shape)

    @property
    def outputs(self) -> int:
        """Integers of an output image."""
        return math.prod(self.shape_out)

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Channels, height and width of the output."""
        channels, height, width = self.shape
        vertical, horizontal = self.factors
        return channels, height * vertical, width * horizontal

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
