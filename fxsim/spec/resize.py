"""Images made larger."""

from __future__ import annotations

from typing import Annotated, Literal

from fxsim.network.resize import MAX_FACTOR
from fxsim.spec.common import LanesSpec, Shape, check_lanes
from fxsim.spec.formats import Fail
from fxsim.spec.kind import Context, Kind
from fxsim.spec.sides import WRITTEN, both, sides


class ResizeSpec(Kind):
    """Each pixel becomes a block of equal ones: nearest neighbour.

    ``factor`` is that of height and width, or a list of both: [vertical, horizontal].
    """

    type: Literal["resize"]
    factor: Annotated[int | tuple[int, int], sides(MAX_FACTOR), WRITTEN]
    hardware: LanesSpec = LanesSpec()

    @property
    def factors(self) -> tuple[int, int]:
        """Vertical and horizontal factor."""
        return both(self.factor)

    def shape_out(self, *shapes: Shape) -> Shape:
        """An image of as many channels."""
        (channels, height, width), (vertical, horizontal) = shapes[0], self.factors
        return channels, height * vertical, width * horizontal

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse a vector, factors that change nothing, and lanes that do not divide channels."""
        self.needs_image(context, fail)
        if self.factors == (1, 1):
            fail("factor must be greater than 1, at least one of two", "factor")
        check_lanes(self.hardware, context.shape, fail)
