"""Images to vectors."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from fxsim.spec.common import Shape
from fxsim.spec.formats import Fail
from fxsim.spec.kind import Context, Kind


class FlattenSpec(Kind):
    """An image becomes a vector: pixel by pixel, the channels of each together."""

    type: Literal["flatten"]

    in_hardware: ClassVar[bool] = False
    takes_raw: ClassVar[bool] = True

    def shape_out(self, *shapes: Shape) -> Shape:
        """A vector of all values."""
        return (math.prod(shapes[0]),)

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse a vector."""
        self.needs_image(context, fail)
