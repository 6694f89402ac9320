"""Scale of a format in a specification: found by calibration, or given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn, TypeAlias

from pydantic import PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError


@dataclass(frozen=True)
class Percentile:
    """Scale at which ``percentile`` percent of the calibration values just fit the format."""

    percentile: float


@dataclass(frozen=True)
class Range:
    """Finest scale at which the format holds both ends of ``range``, which holds 0."""

    range: tuple[float, float]


def parse_scale(value: Any) -> Any:
    """Check what stands under ``scale``: a number, a name, or a mapping with one key."""
    match value:
        case Percentile() | Range() | "calibrated" | "power_of_two":
            return value
        case bool():
            pass
        case int() | float() if 0 < value < math.inf:
            return float(value)
        case {"percentile": percentile} if len(value) == 1 and _numbers(percentile):
            if 0 < percentile <= 100:
                return Percentile(float(percentile))
        case {"range": [low, high]} if len(value) == 1 and _numbers(low, high):
            if low <= 0 <= high and low < high and math.isfinite(high - low):
                return Range((float(low), float(high)))
    raise PydanticCustomError(
        "scale",
        "a positive number, 'calibrated', 'power_of_two', a percentile above 0 and at most 100, or"
        " a range [LOW, HIGH] that holds 0",
    )


def write_scale(choice: Any) -> Any:
    """Plain values of a choice, which `parse_scale` takes."""
    match choice:
        case Percentile(percentile=percentile):
            return {"percentile": percentile}
        case Range(range=ends):
            return {"range": list(ends)}
    return choice


def _numbers(*values: Any) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


ScaleChoice: TypeAlias = Annotated[
    float | Literal["calibrated", "power_of_two"] | Percentile | Range,
    PlainValidator(parse_scale),
    PlainSerializer(write_scale),
]
"""Real value of one step, or how calibration samples set it.

``calibrated``: for an input the scale at which the greatest magnitude just fits, for an output that
of least squared error. ``power_of_two``: the least power of two that clips nothing, or the one of
least squared error.
"""


def check_scale(scale: ScaleChoice, signed: bool, fail: Callable[[str, str], NoReturn]) -> None:
    """Refuse a range that an unsigned format has no numbers for."""
    if isinstance(scale, Range) and scale.range[0] < 0 and not signed:
        fail(
            f"range must start at 0 in an unsigned format, not {scale.range[0]:g}"
            " (or set signed: true)",
            "scale",
        )
