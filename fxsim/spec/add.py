"""Sums of what layers yield, for residual networks."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from fxsim.spec.common import LanesSpec, RequantizeSpec, Shape, check_lanes
from fxsim.spec.formats import Fail, OutputSpec, check_format, signed_by_nonlinearity, under
from fxsim.spec.kind import Context, Kind, left_out
from fxsim.spec.nonlinearity import Name, check_nonlinearity


class AddSpec(Kind):
    """The sum of two operands or more, the ``sources``.

    ``shortcut: x`` is short for ``sources: [<layer before>, x]``, for residual networks.
    """

    type: Literal["add"]
    shortcut: str | None = Field(default=None, exclude_if=left_out)
    nonlinearity: Name = "none"
    output: OutputSpec
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: LanesSpec = LanesSpec()

    _signed = field_validator("output")(signed_by_nonlinearity)

    joins: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True

    def operands(self, before: str) -> tuple[str, ...]:
        """The sources, or the layer before and where the shortcut starts."""
        if self.shortcut is None:
            return super().operands(before)
        return before, self.shortcut

    @property
    def sources_key(self) -> str:
        """Key that names the operands."""
        return "sources" if self.shortcut is None else "shortcut"

    def shape_out(self, *shapes: Shape) -> Shape:
        """Word length of each operand."""
        return shapes[0]

    @property
    def tail(self) -> AddSpec:
        """Its own keys."""
        return self

    def check_operands(self, context: Context, fail: Fail) -> None:
        """Refuse a single operand, one twice, and both ways to name them."""
        if self.shortcut is not None and self.sources is not None:
            fail("shortcut must be left out with sources", "shortcut")
        names, seen = context.sources, dict[str, str]()
        if len(names) < 2:
            fail(f"add needs 2 sources or more, or a shortcut, not {names[0]!r} alone", "sources")
        for name, origin in zip(names, context.origins, strict=True):
            if origin in seen:
                both = f"not be {name!r} twice"
                if seen[origin] != name:
                    both = f"but {seen[origin]!r} and {name!r} are both {origin!r}"
                fail(f"operands of an add must differ, {both}", self.sources_key)
            seen[origin] = name

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse operands of different shapes, and keys that do not go together."""
        first, *others = zip(context.sources, context.shapes, strict=True)
        for name, shape in others:
            if shape != first[1]:
                fail(
                    f"{name!r} must have shape {list(first[1])}, that of {first[0]!r},"
                    f" not {list(shape)}",
                    self.sources_key,
                )
        check_format(self.output, self.requantize.overflow, under(fail, "output"))
        check_nonlinearity(self.nonlinearity, self.requantize.overflow, fail)
        if self.requantize.multiplier_bits == 0:
            fail(
                "multiplier_bits must be at least 1, not 0: each scale needs a multiplier",
                "requantize.multiplier_bits",
            )
        check_lanes(self.hardware, context.shape, fail)
