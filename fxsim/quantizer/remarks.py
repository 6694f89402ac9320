"""Warnings of the quantizer: what samples do to a scale, or a scale to the samples."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from fxsim.errors import CalibrationWarning, FxsimWarning
from fxsim.network import Activation, FloatArray
from fxsim.spec.scale import ScaleChoice

_FAR = 8
"""How far from the other values those few lie that are said to set the scale: 3 bits."""

_RARE = 1000
"""One value in so many is few."""

_FEWEST = 16
"""Values from which on a single one can be told from the others."""


_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Warn of nothing inside the block, where a network is quantized again and again."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def remark(
    place: str, key: str, choice: ScaleChoice, real: FloatArray, chosen: Activation, cut: str
) -> None:
    """Warn (`CalibrationWarning`) of calibration values that a format treats badly.

    Parameters
    ----------
    place : str
        Name of the layer, or ``input``.
    key : str
        Key path of the format within the layer, such as ``output``.
    choice : float, str, Percentile or Range
        The ``scale`` that was asked for.
    real : float64 array
        Calibration values.
    chosen : Activation
        What they will be quantized to.
    cut : str
        What becomes of values below an unsigned range, such as ``become 0``.
    """
    fmt, scale = chosen.format, chosen.scale
    below = real < -scale / 2
    if not fmt.signed and below.any():
        tell(
            f"{place}: {_percent(below.mean())} of the calibration values are below 0, down to"
            f" {real.min():.4g}, and {cut} in an unsigned format; set {key}.signed: true, or"
            " nonlinearity: relu if that is meant"
        )
    magnitude = np.abs(real)
    magnitude = magnitude[magnitude > 0]
    peak = float(magnitude.max(initial=0.0))
    free = choice in ("calibrated", "power_of_two")
    if peak == 0:
        if free:
            tell(
                f"{place}: all calibration values are 0, which sets no scale, so it is {scale:g};"
                f" calibrate with typical samples, or set {key}.scale"
            )
    elif peak < scale / 2:
        tell(
            f"{place}: no calibration value reaches half a step of {scale:.4g}, the greatest"
            f" is {peak:.4g}; set a finer {key}.scale"
        )
    elif free and magnitude.size >= _FEWEST:
        few = max(magnitude.size // _RARE, 1)
        rest = float(np.partition(magnitude, -few - 1)[-few - 1])
        reach = min(peak, scale * max(fmt.max, -fmt.min))
        if reach > _FAR * rest:
            lost = np.log2(reach / rest)
            enough = np.floor(1000 * (1 - few / (real.size - 1))) / 10
            tell(
                f"{place}: {few} of {magnitude.size} calibration values set the scale of all: up to"
                f" {peak:.4g}, the others up to {rest:.4g}, which leaves {lost:.1f} of {fmt.bits}"
                f" bits unused; set {key}.scale, to {{percentile: {enough:.1f}}} for example"
            )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def tell(text: str, category: type[FxsimWarning] = CalibrationWarning) -> None:
    """Warn, unless `quiet`."""
    if not _QUIET.get():
        warnings.warn(text, category, stacklevel=4)
