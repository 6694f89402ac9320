"""Formats of activations in a specification, and what every part of one has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from fxsim.arithmetic.formats import IntFormat, Overflow
from fxsim.spec.scale import ScaleChoice, check_scale

Size = Annotated[int, Field(ge=1, le=1 << 16)]


class Model(BaseModel):
    """Strict and frozen; an unknown key is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class FormatSpec(Model):
    """Word length and signedness of an activation.

    ``signed`` may be left out of a layer's output: `signed_by_nonlinearity` sets it then.
    """

    bits: Annotated[int, Field(ge=1, le=16)] = 8
    signed: bool | None = None
    narrow: bool = False

    @property
    def format(self) -> IntFormat:
        """The integer format that these keys describe."""
        return IntFormat(bits=self.bits, signed=bool(self.signed), narrow=self.narrow)


class OutputSpec(FormatSpec):
    """Format of what a layer yields, and its scale."""

    scale: ScaleChoice = "calibrated"

    @property
    def signed_follows(self) -> bool:
        """True if the nonlinearity of the layer says if it is signed."""
        return "signed" not in self.model_fields_set


def signed_by_nonlinearity(output: OutputSpec | None, info: ValidationInfo) -> OutputSpec | None:
    """Make an output unsigned with relu and signed without, unless its ``signed`` is given.

    Dumps without the keys that were left out still lack it; others show it.
    """
    if output is None or output.signed is not None:
        return output
    found = {**dict(output), "signed": info.data.get("nonlinearity") in (None, "none")}
    return output.model_construct(_fields_set=output.model_fields_set, **found)


class InputSpec(FormatSpec):
    """Shape of one sample and the format that it is quantized to, unsigned by default.

    A vector, or an image: [channels, height, width].
    """

    signed: bool = False
    scale: ScaleChoice = "calibrated"
    shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)]


class HiddenSpec(Model):
    """Output of the cells: signed, with the scale 2**-(bits - 1) that -1 to 1 need."""

    bits: Annotated[int, Field(ge=2, le=16)] = 8

    @model_validator(mode="before")
    @classmethod
    def _fixed(cls, value: Any) -> Any:
        if isinstance(value, dict) and "scale" in value:
            raise PydanticCustomError(
                "scale", "without a scale: cells yield -1 to 1, so it is 2**-(bits - 1)"
            )
        return value


class ProjectedSpec(Model):
    """Output of a projection: signed."""

    bits: Annotated[int, Field(ge=2, le=16)] = 8
    scale: ScaleChoice = "calibrated"

    @property
    def format(self) -> IntFormat:
        """The integer format that these keys describe."""
        return IntFormat(bits=self.bits, signed=True)

    @property
    def signed_follows(self) -> bool:
        """Never: it is signed."""
        return False


Fail = Callable[[str, str], NoReturn]
"""Raises an error with a message and the key that it is about."""


def under(fail: Fail, path: str) -> Fail:
    """``fail`` for the keys below ``path``."""

    def inner(text: str, key: str) -> NoReturn:
        fail(text, f"{path}.{key}")

    return inner


def check_format(fmt: OutputSpec | InputSpec, overflow: Overflow, fail: Fail) -> None:
    """Refuse a scale that does not suit the format, and ``narrow`` where it means nothing."""
    check_scale(fmt.scale, bool(fmt.signed), fail)
    if not fmt.narrow:
        return
    if not fmt.signed or fmt.bits < 2:
        fail("narrow must be used with signed formats of 2 bits or more", "narrow")
    if overflow is Overflow.WRAP:
        fail("narrow must not be combined with overflow: wrap", "narrow")
