"""Parts that the specifications of units share: formats, scales, weights, and how errors end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from fxsim.arithmetic.formats import MAX_BITS, IntFormat, Overflow, Rounding
from fxsim.errors import SpecError
from fxsim.files import read_npy
from fxsim.names import check_identifier
from fxsim.network import IntArray, Tail
from fxsim.spec.errors import explain
from fxsim.spec.formats import Fail, FormatSpec, Model

UnitModel = TypeVar("UnitModel", bound=Model)

_PORT = re.compile(r"aclk|aresetn|frame_error|memory_error|(s_axis|m_axis|s_axi)(_.*)?")


class SignedFormatSpec(FormatSpec):
    """Word length and signedness of integers that no scale goes with."""

    signed: bool = True


class SourceSpec(Model):
    """Integers: a ``file`` (npy) next to the YAML, or a ``seed`` of random ones."""

    file: str | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None

    def check(self, fail: Fail, path: str) -> None:
        """Refuse both, and neither."""
        if (self.file is None) == (self.seed is None):
            fail(f"{path.rpartition('.')[2]} must have either file or seed", path)


class ScaleSpec(Model):
    """Accumulator to output: times ``multiplier``, shifted right; see docs/arithmetic.md.

    Without a multiplier it is a plain shift; without a ``shift`` the largest accumulator just fits.
    """

    multiplier: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
    shift: Annotated[int, Field(ge=0, le=62)] | None = None
    rounding: Rounding = Rounding.TIES_AWAY
    overflow: Overflow = Overflow.SATURATE

    def tail(self, accumulator: int, output: int, fail: Fail, *, relu: bool = False) -> Tail:
        """Tail between accumulators and outputs of so many bits; ``fail`` where it is too wide."""
        bits = 0 if self.multiplier is None else max(self.multiplier.bit_length(), 1)
        reach = accumulator + bits
        if reach > MAX_BITS:
            message = f"accumulator times multiplier must fit {MAX_BITS} bits, not {reach}"
            fail(message, "requantize.multiplier")
        return Tail(
            multiplier=np.array([1 if self.multiplier is None else self.multiplier]),
            multiplier_bits=bits,
            shift=max(reach - output, 0) if self.shift is None else self.shift,
            rounding=self.rounding,
            overflow=self.overflow,
            relu=relu,
        )


def failing(source: object) -> Fail:
    """Raise `SpecError` with a message and the key that it is about."""

    def fail(message: str, path: str) -> NoReturn:
        raise SpecError(f"{message} ({source}: {path})")

    return fail


def parse_unit(
    model: type[UnitModel], check: Callable[[UnitModel, Fail], None], value: Any, source: str
) -> UnitModel:
    """Validate plain values (from YAML); ``source`` names them in errors.

    Parameters
    ----------
    check : callable
        Constraints between keys.
    """
    if not isinstance(value, dict):
        raise SpecError(f"a specification must be a mapping, not {type(value).__name__} ({source})")
    try:
        spec = model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise SpecError(explain(error, value, source, model)) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(f"values must be plain YAML ({error}) ({source})") from None
    check(spec, failing(source))
    return spec


def check_name(name: str, fail: Fail) -> None:
    """Refuse a name that is no identifier of Verilog, or that of a port of the unit."""
    try:
        check_identifier(name, "name")
    except SpecError as error:
        fail(str(error), "name")
    if _PORT.fullmatch(name.lower()):
        fail(f"name must not be {name!r}, which is a port of the unit", "name")


def check_wide(fmt: FormatSpec, fail: Fail, path: str) -> None:
    """Refuse a narrow format."""
    if fmt.narrow:
        fail("narrow must be false", f"{path}.narrow")


def read_integers(
    file: str, spec: Path, shape: tuple[int, ...], fmt: IntFormat, fail: Fail, path: str
) -> IntArray:
    """Integers of a npy file next to a specification, of one shape and within a format."""
    found = read_npy(spec.parent / file)
    if found.shape != shape or found.dtype.kind not in "iu":
        fail(
            f"{file} must hold integers of shape {shape}, not {found.dtype} of {found.shape}", path
        )
    low, high = int(found.min()), int(found.max())
    if not fmt.holds(low, high):
        fail(f"{file} must hold integers from {fmt.min} to {fmt.max}, not {low} to {high}", path)
    return found.astype(np.int64)
