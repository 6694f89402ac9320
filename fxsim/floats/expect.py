"""Forward check: outputs of the float network against those that another tool computed.

It finds what no shape shows: weights in another order, a lost bias, another nonlinearity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.tensors import SampleArray
from fxsim.errors import MismatchError, RangeError
from fxsim.floats.checkpoint import Checkpoint
from fxsim.floats.forward import forward
from fxsim.floats.layouts import as_expected
from fxsim.network import FloatArray
from fxsim.spec.specification import NetworkSpec

TOLERANCE = 1e-4
"""Greatest difference that counts as equal, relative to the range of the expected outputs.

Sums in single precision differ by some 1e-6 of it.
"""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far outputs are from those expected.

    Parameters
    ----------
    differences : float64 array, shape (outputs,)
        Greatest difference of each output over all samples.
    tolerance : float
        Greatest difference that counts as equal, in units of the outputs.
    first : tuple of int, optional
        Sample (with LSTM layers sample and step) and output of the first that differs by more.
    expected, found : float
        Both values there.
    """

    differences: FloatArray
    tolerance: float
    first: tuple[int, ...] | None = None
    expected: float = 0.0
    found: float = 0.0


def compare(
    spec: NetworkSpec, checkpoint: Checkpoint, layout: str, x: SampleArray, y: npt.NDArray[Any]
) -> Agreement:
    """Compare the float parent's outputs for ``x`` with ``y``.

    Parameters
    ----------
    spec : NetworkSpec
    checkpoint : Checkpoint
    layout : str
        Order of ``y``, where it comes from an image (`fxsim.floats.layouts.as_expected`).
    x : float array, shape (n, *spec.input.shape), or (n, t, ...) with LSTM layers
    y : array, shape (n, outputs), or (n, t, outputs) with LSTM layers, or (n, *image shape)

    Raises
    ------
    RangeError
        If the shapes do not fit the network or each other, there are no samples, or a value is not
        finite.
    """
    for name, array in (("x", x), ("y", y)):
        if not np.isfinite(array).all():
            raise RangeError(f"{name} must be finite")
    if 0 in x.shape:
        raise RangeError(f"x must hold at least one sample, not have shape {x.shape}")
    found = forward(spec, checkpoint.parent, x)
    expected = as_expected(spec, layout, np.asarray(y, dtype=np.float64))
    if expected.shape != found.shape or not found.size:
        raise RangeError(f"y must have shape {found.shape} for these samples, not {y.shape}")
    reach = float(expected.max() - expected.min()) or float(np.abs(expected).max()) or 1.0
    difference = np.abs(found - expected)
    tolerance = TOLERANCE * reach
    greatest = difference.reshape(-1, difference.shape[-1]).max(axis=0)
    bad = np.argwhere(difference > tolerance)
    if not bad.size:
        return Agreement(differences=greatest, tolerance=tolerance)
    first = tuple(bad[0].tolist())
    return Agreement(
        differences=greatest,
        tolerance=tolerance,
        first=first,
        expected=float(expected[first]),
        found=float(found[first]),
    )


def expect(
    spec: NetworkSpec,
    checkpoint: Checkpoint,
    layout: str,
    x: SampleArray,
    y: npt.NDArray[Any],
    others: Mapping[str, Checkpoint],
) -> Agreement:
    """Raise unless the float parent yields ``y`` for ``x``, as `compare` has it.

    Parameters
    ----------
    others : mapping of str to Checkpoint
        The same file in other layouts, tried to say what would agree.

    Raises
    ------
    MismatchError
        With the first sample and output that differ, both values, and the layout that agrees.
    RangeError
        As `compare` does.
    """
    seen = compare(spec, checkpoint, layout, x, y)
    if seen.first is None:
        return seen
    *sample, output = seen.first
    place = f"sample {sample[0]}" + (f", step {sample[1]}" if len(sample) > 1 else "")
    tried = [layout]
    hint = ""
    for other, parameters in others.items():
        if other == layout:
            continue
        tried.append(other)
        if compare(spec, parameters, other, x, y).first is None:
            hint = f"outputs agree with layout {other!r}"
    raise MismatchError(
        f"output {output} of {place} must be {seen.expected:.6g} within {seen.tolerance:.2g},"
        f" not {seen.found:.6g} (layout {layout!r}); "
        + (hint or f"no layout agrees (tried {', '.join(tried)})")
    )
