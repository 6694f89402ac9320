"""YAML of ``kind: zero-skip`` -> `fxsim.network.skip_unit.SkipUnit`; errors are as for networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from fxsim.arithmetic.formats import IntFormat, MemoryStyle
from fxsim.files import read_yaml
from fxsim.network import Activation, IntArray
from fxsim.network.skip_unit import SkipProduct, SkipUnit, product_accumulator
from fxsim.spec.formats import Fail, Model, Size, under
from fxsim.spec.unit import (
    ScaleSpec,
    SignedFormatSpec,
    SourceSpec,
    check_name,
    check_wide,
    failing,
    parse_unit,
    read_integers,
)

KIND = "zero-skip"


class MatrixSpec(SourceSpec):
    """Weights of shape (items, outputs).

    ``load`` lets them be replaced over a stream; those given are then what is there after power-up.
    """

    levels: Annotated[int, Field(ge=3, le=(1 << 16) - 1)] = 255
    load: bool = False


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
    return parse_unit(ZeroSkipSpec, _check, value, source)


def _check(spec: ZeroSkipSpec, fail: Fail) -> None:
    """Constraints between keys."""
    check_name(spec.name, fail)
    if spec.issue > spec.lanes:
        fail(f"issue must be at most lanes ({spec.lanes}), not {spec.issue}", "issue")
    if (spec.matvec is not None) != (spec.unit == "matvec"):
        verb = "given" if spec.matvec is None else "left out"
        fail(f"matvec must be {verb} when unit is {spec.unit!r}", "matvec")
    check_wide(spec.gradient, fail, "gradient")
    if (matvec := spec.matvec) is None:
        return
    if matvec.rows > matvec.outputs:
        fail(f"rows must be at most {matvec.outputs}, not {matvec.rows}", "matvec.rows")
    matvec.weights.check(fail, "matvec.weights")
    if matvec.weights.levels % 2 == 0:
        fail(f"levels must be odd, not {matvec.weights.levels}", "matvec.weights.levels")
    check_wide(matvec.output, fail, "matvec.output")


def _weights(spec: ZeroSkipSpec, matvec: MatvecSpec, path: Path) -> IntArray:
    fmt, shape = IntFormat.for_levels(matvec.weights.levels), (spec.items, matvec.outputs)
    if matvec.weights.file is None:
        generator = np.random.default_rng(matvec.weights.seed)
        return generator.integers(fmt.min, fmt.max, shape, endpoint=True)
    place = "matvec.weights.file"
    return read_integers(matvec.weights.file, path, shape, fmt, failing(path), place)


def _product(spec: ZeroSkipSpec, matvec: MatvecSpec, weights: IntArray, source: str) -> SkipProduct:
    fmt, load = IntFormat.for_levels(matvec.weights.levels), matvec.weights.load
    accumulator = product_accumulator(weights, fmt, spec.gradient.format, loadable=load)
    fail = under(failing(source), "matvec")
    return SkipProduct(
        rows=matvec.rows,
        weight=fmt,
        weights=weights,
        loadable=load,
        tail=matvec.requantize.tail(accumulator.bits, matvec.output.bits, fail),
        output=Activation(format=matvec.output.format, scale=1.0),
        dsp=matvec.dsp,
        memory=matvec.memory,
    )
