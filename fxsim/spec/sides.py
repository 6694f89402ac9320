"""Numbers of a specification that may differ by direction or side of an image."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

from fxsim.arithmetic.windows import MAX_SIDE, Padding


def _in(value: Any, least: int, most: int) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and bool(least <= value <= most)


def sides(most: int) -> PlainValidator:
    """Validator of one integer from 1 to ``most``, or of two: down and across."""

    def parse(value: Any) -> Any:
        match value:
            case int() if _in(value, 1, most):
                return value
            case [down, across] if _in(down, 1, most) and _in(across, 1, most):
                return (down, across)
        raise PydanticCustomError(
            "sides", f"an integer from 1 to {most}, or a list of two: down and across"
        )

    return PlainValidator(parse)


WRITTEN = PlainSerializer(lambda given: given if isinstance(given, int) else list(given))
"""Serializer of what `sides` takes."""

Sides: TypeAlias = Annotated[int | tuple[int, int], sides(MAX_SIDE), WRITTEN]
"""Pixels down and across, or one number for both."""


def both(given: int | tuple[int, int]) -> tuple[int, int]:
    """Down and across."""
    return given if isinstance(given, tuple) else (given, given)


def parse_padding(value: Any) -> Any:
    """Check what stands under ``padding``: a number, ``same``, or a mapping by side."""
    match value:
        case Padding() | "same":
            return value
        case int() if _in(value, 0, MAX_SIDE):
            return value
        case {} if value.keys() <= set(Padding._fields):
            if value and all(_in(pixels, 0, MAX_SIDE) for pixels in value.values()):
                return Padding(**value)
    raise PydanticCustomError(
        "padding",
        f"an integer from 0 to {MAX_SIDE}, 'same', or a mapping of such integers by side: top,"
        " left, bottom, right",
    )


def write_padding(choice: Any) -> Any:
    """Plain values of a choice, which `parse_padding` takes."""
    return choice._asdict() if isinstance(choice, Padding) else choice


PaddingChoice: TypeAlias = Annotated[
    int | Padding | Literal["same"],
    PlainValidator(parse_padding),
    PlainSerializer(write_padding),
]
"""Pixels of real 0 beside an image: of every side; by side, 0 where it is left out; or as many as
make ceil(size / stride) windows in each direction, of an odd number the larger half after."""


def padding_of(
    choice: int | Padding | Literal["same"],
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
) -> Padding:
    """Padding of an image of ``size``."""
    match choice:
        case Padding():
            return choice
        case int():
            return Padding(choice, choice, choice, choice)
    down, across = (
        max((-(-pixels // step) - 1) * step + taps - pixels, 0)
        for pixels, taps, step in zip(size, kernel, stride, strict=True)
    )
    top, left = down // 2, across // 2
    return Padding(top, left, down - top, across - left)
