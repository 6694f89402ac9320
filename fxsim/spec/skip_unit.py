"""YAML of ``kind: zero-skip`` -> `fxsim.network.skip_unit.SkipUnit`; errors are as for networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import numpy as np
from pydantic import Field, ValidationError

from fxsim.arithmetic.formats import MAX_BITS, IntFormat, MemoryStyle, Overflow, Rounding
from fxsim.errors import SpecError
from fxsim.files import read_npy, read_yaml
from fxsim.names import check_identifier
from fxsim.network import Activation, IntArray, Tail
from fxsim.network.skip_unit import SkipProduct, SkipUnit, product_accumulator
from fxsim.spec.errors import explain
from fxsim.spec.formats import FormatSpec, Model, Size

KIND = "zero-skip"


class SignedFormatSpec(FormatSpec):
    """Word length and signedness of gradients and of what is made from them."""

    signed: bool = True


class MatrixSpec(Model):
    """Weights: a ``file`` (npy of integers, shape (items, outputs)) next to it, or a ``seed``.

    ``load`` lets them be replaced over a stream; those given are then what is there after power-up.
    """

    levels: Annotated[int, Field(ge=3, le=(1 << 16) - 1)] = 255
    file: str | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
    load: bool = False


class ScaleSpec(Model):
    """Accumulator to output: times ``multiplier``, shifted right; see docs/arithmetic.md.

    Without a multiplier it is a plain shift; without a ``shift`` the largest accumulator just fits.
    """

    multiplier: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
    shift: Annotated[int, Field(ge=0, le=62)] | None = None
    rounding: Rounding = Rounding.TIES_AWAY
    overflow: Overflow = Overflow.SATURATE


class MatvecSpec(Model):
    """The product after the skipper: sizes, weights, output and hardware."""

    outputs: Size
    rows: Size
    weights: MatrixSpec
    requantize: ScaleSpec = ScaleSpec()
    output: SignedFormatSpec = SignedFormatSpec()
    dsp: bool = True
    memory: MemoryStyle = MemoryStyle.AUTO


class ZeroSkipSpec(Model):
    """A unit as the user writes it; see docs/zero-skipping.md."""

    kind: Literal["zero-skip"]
    name: str
    unit: Literal["skipper", "matvec"]
    gradient: SignedFormatSpec = SignedFormatSpec()
    items: Size
    lanes: Annotated[int, Field(ge=1, le=256)] = 16
    issue: Annotated[int, Field(ge=1, le=256)] = 1
    depth: Annotated[int, Field(ge=1, le=4096)] = 16
    matvec: MatvecSpec | None = None


def load_skip_unit(path: Path) -> SkipUnit:
    """Read the specification of a unit, and its weights.

    Raises
    ------
    FileError
        If a file cannot be read.
    SpecError
        If a key is unknown, missing, of the wrong type or breaks a constraint.
    """
    spec, source = parse_skip_spec(read_yaml(path), str(path)), str(path)
    product = None
    if spec.matvec is not None:
        product = _product(spec, spec.matvec, _weights(spec, spec.matvec, path), source)
    return SkipUnit(
        name=spec.name,
        gradient=spec.gradient.format,
        items=spec.items,
        lanes=spec.lanes,
        issue=spec.issue,
        depth=spec.depth,
        product=product,
    )


def parse_skip_spec(value: Any, source: str) -> ZeroSkipSpec:
    """Validate plain values (from YAML); ``source`` names them in errors."""
    if not isinstance(value, dict):
        raise SpecError(f"a specification must be a mapping, not {type(value).__name__} ({source})")
    try:
        spec = ZeroSkipSpec.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise SpecError(explain(error, value, source, ZeroSkipSpec)) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(f"values must be plain YAML ({error}) ({source})") from None
    _check(spec, source)
    return spec


def _fail(message: str, source: str, path: str) -> NoReturn:
    raise SpecError(f"{message} ({source}: {path})")


def _check(spec: ZeroSkipSpec, source: str) -> None:
    """Constraints between keys."""
    try:
        check_identifier(spec.name, "name")
    except SpecError as error:
        _fail(str(error), source, "name")
    if spec.issue > spec.lanes:
        _fail(f"issue must be at most lanes ({spec.lanes}), not {spec.issue}", source, "issue")
    if (spec.matvec is not None) != (spec.unit == "matvec"):
        verb = "given" if spec.matvec is None else "left out"
        _fail(f"matvec must be {verb} when unit is {spec.unit!r}", source, "matvec")
    formats = [("gradient", spec.gradient)]
    if (matvec := spec.matvec) is not None:
        formats.append(("matvec.output", matvec.output))
        if matvec.rows > matvec.outputs:
            message = f"rows must be at most {matvec.outputs}, not {matvec.rows}"
            _fail(message, source, "matvec.rows")
        if (matvec.weights.file is None) == (matvec.weights.seed is None):
            _fail("weights must have either file or seed", source, "matvec.weights")
        if matvec.weights.levels % 2 == 0:
            message = f"levels must be odd, not {matvec.weights.levels}"
            _fail(message, source, "matvec.weights.levels")
    for key, fmt in formats:
        if fmt.narrow:
            _fail("narrow must be false", source, f"{key}.narrow")


def _weights(spec: ZeroSkipSpec, matvec: MatvecSpec, path: Path) -> IntArray:
    fmt, shape = IntFormat.for_levels(matvec.weights.levels), (spec.items, matvec.outputs)
    if matvec.weights.file is None:
        generator = np.random.default_rng(matvec.weights.seed)
        return generator.integers(fmt.min, fmt.max, shape, endpoint=True)
    weights = read_npy(path.parent / matvec.weights.file)
    where = f"({path}: matvec.weights.file)"
    if weights.shape != shape or weights.dtype.kind not in "iu":
        raise SpecError(
            f"{matvec.weights.file} must hold integers of shape {shape}, not {weights.dtype} of"
            f" {weights.shape} {where}"
        )
    if not fmt.holds(int(weights.min()), int(weights.max())):
        raise SpecError(
            f"{matvec.weights.file} must hold integers from {fmt.min} to {fmt.max}, not"
            f" {weights.min()} to {weights.max()} {where}"
        )
    return weights.astype(np.int64)


def _product(spec: ZeroSkipSpec, matvec: MatvecSpec, weights: IntArray, source: str) -> SkipProduct:
    fmt, scale = IntFormat.for_levels(matvec.weights.levels), matvec.requantize
    bits = 0 if scale.multiplier is None else max(scale.multiplier.bit_length(), 1)
    shift = scale.shift
    load, gradient = matvec.weights.load, spec.gradient.format
    reach = product_accumulator(weights, fmt, gradient, loadable=load).bits + bits
    if reach > MAX_BITS:
        message = f"accumulator times multiplier must fit {MAX_BITS} bits, not {reach}"
        _fail(message, source, "matvec.requantize.multiplier")
    if shift is None:
        shift = max(reach - matvec.output.bits, 0)
    multiplier = 1 if scale.multiplier is None else scale.multiplier
    return SkipProduct(
        rows=matvec.rows,
        weight=fmt,
        weights=weights,
        loadable=matvec.weights.load,
        tail=Tail(
            multiplier=np.array([multiplier]),
            multiplier_bits=bits,
            shift=shift,
            rounding=scale.rounding,
            overflow=scale.overflow,
        ),
        output=Activation(format=matvec.output.format, scale=1.0),
        dsp=matvec.dsp,
        memory=matvec.memory,
    )
