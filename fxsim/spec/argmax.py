"""The number of the class with the greatest value."""

from __future__ import annotations

from typing import ClassVar, Literal

from fxsim.spec.common import LanesSpec, Shape, check_lanes
from fxsim.spec.formats import Fail
from fxsim.spec.kind import Context, Kind


class ArgmaxSpec(Kind):
    """Index of the greatest value, the lowest of equals; an output of a classifier."""

    type: Literal["argmax"]
    hardware: LanesSpec = LanesSpec()

    classifies: ClassVar[bool] = True
    takes_raw: ClassVar[bool] = True

    def shape_out(self, *shapes: Shape) -> Shape:
        """One value."""
        return (1,)

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse the middle of a network, an image and a single value."""
        if context.consumers:
            fail(f"argmax must be an output only, but {context.consumers[0]!r} takes it", "type")
        self.needs_vector(context, fail)
        if context.shape[0] < 2:
            (source,) = context.sources
            fail(f"argmax needs 2 values or more, but {source!r} is a single one", "type")
        check_lanes(self.hardware, context.shape, fail)
