"""Nonlinearities at the end of a layer: what they leave of a real number."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from fxsim.arithmetic.formats import Overflow
from fxsim.spec.formats import Fail

Name: TypeAlias = Literal["none", "relu", "relu6"]

LIMITS: dict[Name, tuple[float, float]] = {
    "none": (-math.inf, math.inf),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
}
"""Least and greatest value that leaves each; what is beyond becomes that."""


def check_nonlinearity(name: Name, overflow: Overflow, fail: Fail) -> None:
    """Refuse a greatest value where outputs wrap."""
    if math.isfinite(LIMITS[name][1]) and overflow is Overflow.WRAP:
        fail(f"nonlinearity must not be {name} with overflow: wrap", "nonlinearity")
