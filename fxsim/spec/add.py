"""Layers of a specification without weights that are no pools: add and argmax."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Literal

from pydantic import field_validator

from fxsim.spec.formats import Fail, Model, OutputSpec, check_format, signed_by_nonlinearity, under
from fxsim.spec.layers import LanesSpec, RequantizeSpec

INPUT = "input"
"""The shortcut from the network's input."""

Shape = tuple[int, ...]


class AddSpec(Model):
    """The sum of what the layer before yields and what ``shortcut`` does, for residual networks.

    ``shortcut`` is the name of an earlier layer, or ``input``.
    """

    type: Literal["add"]
    name: str | None = None
    shortcut: str
    nonlinearity: Literal["none", "relu"] = "none"
    output: OutputSpec
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: LanesSpec = LanesSpec()

    _signed = field_validator("output")(signed_by_nonlinearity)


class ArgmaxSpec(Model):
    """Index of the greatest value, the lowest of equals; the last layer of a classifier."""

    type: Literal["argmax"]
    name: str | None = None
    hardware: LanesSpec = LanesSpec()


def check_add(
    layer: AddSpec, shape: Shape, starts: Mapping[str, Shape], before: str, fail: Fail
) -> None:
    """Refuse an add whose operands do not go together.

    Parameters
    ----------
    layer : AddSpec
    shape : tuple of int
        Of what the layer before yields.
    starts : mapping of str to tuple of int
        Where a shortcut may start, in the order of the data, and the shapes there.
    before : str
        Name of the layer before; a shortcut from there would double it.
    """
    start = layer.shortcut
    if start == before:
        fail(f"shortcut must start before {before!r}, whose output is added to", "shortcut")
    if start not in starts:
        near = difflib.get_close_matches(start, starts, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f" ({', '.join(starts)})"
        fail(f"shortcut must name an earlier layer or 'input', not {start!r}{hint}", "shortcut")
    if starts[start] != shape:
        fail(
            f"shortcut must have shape {list(shape)}, that of {before!r}; {start!r} has"
            f" {list(starts[start])}",
            "shortcut",
        )
    check_format(layer.output, layer.requantize.overflow, under(fail, "output"))
    if layer.requantize.multiplier_bits == 0:
        fail(
            "multiplier_bits must be at least 1, not 0: two scales need two multipliers",
            "requantize.multiplier_bits",
        )
    _check_lanes(layer.hardware, shape, fail)


def check_argmax(layer: ArgmaxSpec, shape: Shape, last: bool, fail: Fail) -> None:
    """Refuse an argmax in the middle of a network, of images or of a single value."""
    if not last:
        fail("type must not be 'argmax' before another layer: it is the answer", "type")
    if len(shape) != 1:
        fail("type must not be 'argmax' behind an image; flatten it first", "type")
    if math.prod(shape) < 2:
        fail("type must not be 'argmax' behind a single value", "type")
    _check_lanes(layer.hardware, shape, fail)


def _check_lanes(hardware: LanesSpec, shape: Shape, fail: Fail) -> None:
    if shape[0] % hardware.lanes:
        what = "values" if len(shape) == 1 else "channels"
        fail(f"lanes must divide {shape[0]} {what}, not {hardware.lanes}", "hardware.lanes")
