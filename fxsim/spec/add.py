"""Sums of what two layers yield, for residual networks."""

from __future__ import annotations

import difflib
from typing import ClassVar, Literal

from pydantic import field_validator

from fxsim.spec.common import LanesSpec, RequantizeSpec, Shape, check_lanes
from fxsim.spec.formats import Fail, OutputSpec, check_format, signed_by_nonlinearity, under
from fxsim.spec.kind import Context, Kind

INPUT = "input"
"""The shortcut from the network's input."""


class AddSpec(Kind):
    """The sum of what the layer before yields and what ``shortcut`` does, for residual networks.

    ``shortcut`` is the name of an earlier layer, or ``input``.
    """

    type: Literal["add"]
    shortcut: str
    nonlinearity: Literal["none", "relu"] = "none"
    output: OutputSpec
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: LanesSpec = LanesSpec()

    _signed = field_validator("output")(signed_by_nonlinearity)

    elementwise: ClassVar[bool] = True

    def shape_out(self, shape: Shape) -> Shape:
        """That of either operand."""
        return shape

    @property
    def shortcuts(self) -> tuple[str, ...]:
        """The one."""
        return (self.shortcut,)

    @property
    def tail(self) -> AddSpec:
        """Its own keys."""
        return self

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse state, and operands that do not go together."""
        self.needs_no_state(context, fail)
        start, before, starts = self.shortcut, context.before, context.starts
        if start == before:
            fail(f"shortcut must start before {before!r}, whose output is added to", "shortcut")
        if start not in starts:
            near = difflib.get_close_matches(start, [s for s in starts if s != before], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f" ({', '.join(starts)})"
            fail(f"shortcut must name an earlier layer or 'input', not {start!r}{hint}", "shortcut")
        if starts[start] != context.shape:
            fail(
                f"shortcut must have shape {list(context.shape)}, that of {before!r}; {start!r} has"
                f" {list(starts[start])}",
                "shortcut",
            )
        check_format(self.output, self.requantize.overflow, under(fail, "output"))
        if self.requantize.multiplier_bits == 0:
            fail(
                "multiplier_bits must be at least 1, not 0: two scales need two multipliers",
                "requantize.multiplier_bits",
            )
        check_lanes(self.hardware, context.shape, fail)
