"""The number of the class with the greatest value."""

from __future__ import annotations

from typing import ClassVar, Literal

from fxsim.spec.common import LanesSpec, Shape, check_lanes
from fxsim.spec.formats import Fail
from fxsim.spec.kind import Context, Kind


class ArgmaxSpec(Kind):
    """Index of the greatest value, the lowest of equals; the last layer of a classifier."""

    type: Literal["argmax"]
    hardware: LanesSpec = LanesSpec()

    classifies: ClassVar[bool] = True
    takes_raw: ClassVar[bool] = True

    def shape_out(self, shape: Shape) -> Shape:
        """One value."""
        return (1,)

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse the middle of a network, an image and a single value."""
        if not context.last:
            fail("type must not be 'argmax' before another layer: it is the answer", "type")
        self.needs_vector(context.shape, fail)
        if context.shape[0] < 2:
            fail("type must not be 'argmax' behind a single value", "type")
        check_lanes(self.hardware, context.shape, fail)
