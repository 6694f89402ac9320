"""Weights as the user writes them: their levels, and what the levels share."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from fxsim.arithmetic.codes import AnyCode, BinaryCode, PowerOfTwoCode, code_of
from fxsim.arithmetic.codes.power_of_two import FEWEST, MOST
from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import IntArray
from fxsim.spec.formats import Fail, Model

Scheme = Literal["symmetric", "asymmetric", "binary", "power_of_two"]

MOST_ASYMMETRIC = 256


class LevelsSpec(Model):
    """Number of quantization levels, and where they lie.

    Symmetric: an odd number about 0, with the scale of least squared error. Asymmetric (Alvarez et
    al. 2016): an even number from the least weight to the greatest; 256 for the paper's 8 bits.
    Binary: the two levels -1 and +1. Power of two: 0 and both signs of 2 to 6 powers of two, so 5,
    7, 9, 11 or 13 levels. Binary levels and powers of two have a scale of least squared error too.
    """

    levels: Annotated[int, Field(ge=2, le=(1 << 16) - 1)] = 255
    scheme: Scheme = "symmetric"

    @model_validator(mode="before")
    @classmethod
    def _two_levels(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("scheme") == "binary":
            return {"levels": 2} | value
        return value

    @property
    def asymmetric(self) -> bool:
        """True if the levels have a zero point."""
        return self.scheme == "asymmetric"

    @property
    def exponents(self) -> int | None:
        """Number of powers of two, None with other levels."""
        return self.levels // 2 if self.scheme == "power_of_two" else None

    @property
    def code(self) -> AnyCode:
        """Code of the stored integers: with a zero point the difference of two levels."""
        match self.scheme:
            case "symmetric":
                return code_of(IntFormat.for_levels(self.levels))
            case "asymmetric":
                return code_of(IntFormat.for_levels(2 * self.levels - 1))
            case "binary":
                return BinaryCode()
            case "power_of_two":
                return PowerOfTwoCode(self.levels // 2)

    @property
    def magnitudes(self) -> IntArray:
        """Magnitudes of levels about 0, in rising order; the code may have more."""
        return (
            np.arange(self.levels // 2 + 1) if self.scheme == "symmetric" else self.code.magnitudes
        )

    def with_levels(self, levels: int) -> Self:
        """Copy with the groups of weights as they are, each of ``levels`` levels about 0."""
        return self.model_copy(update={"levels": levels, "scheme": "symmetric"})

    def at_least(self, levels: int) -> Self:
        """Levels that are no fewer than ``levels``, which is odd.

        Too few become ``levels`` about 0, or one more with a zero point.
        """
        if self.levels >= levels:
            return self
        if self.asymmetric:
            return self.model_copy(update={"levels": levels + 1})
        return self.with_levels(levels)


class WeightsSpec(LevelsSpec):
    """Levels of the weights, and whether the scale is per tensor or per channel."""

    per: Literal["tensor", "channel"] = "tensor"


class GateWeightsSpec(LevelsSpec):
    """Levels of the weights W and U, and whether each has a scale per tensor or per gate."""

    per: Literal["tensor", "gate"] = "gate"


def check_weights(weights: LevelsSpec, fail: Fail) -> None:
    """Refuse numbers of levels that a scheme does not have."""
    found, scheme = weights.levels, f" with scheme: {weights.scheme}"
    match weights.scheme:
        case "symmetric":
            wanted, scheme = ("" if found % 2 else "odd"), ""
        case "asymmetric" if found % 2 == 0 and found > MOST_ASYMMETRIC:
            wanted = f"at most {MOST_ASYMMETRIC}"
        case "asymmetric" if found == 2:
            wanted = "at least 4"
        case "asymmetric":
            wanted = "even" if found % 2 else ""
        case "binary":
            wanted = "" if found == 2 else "2"
        case "power_of_two":
            *others, last = (2 * exponents + 1 for exponents in range(FEWEST, MOST + 1))
            wanted = "" if found in (*others, last) else f"{', '.join(map(str, others))} or {last}"
    if wanted:
        fail(f"levels must be {wanted}{scheme}, not {found}", "weights.levels")
