"""Remove parameters of a trained network by magnitude, by Fisher information, or by both.

Tu, Berisha, Cao and Seo, "Reducing the Model Order of Deep Neural Networks Using Information
Theory" (2016), section II-C. Small entries of the estimated Fisher information are unreliable, so
Fisher information alone is a poor guide; it serves to choose among what magnitude has left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np

from fxsim.errors import RangeError
from fxsim.floats.checkpoint import LinearParameters
from fxsim.network import FloatArray

Parameters = Mapping[str, LinearParameters]
"""Weights and biases by product, or as many numbers about them."""


class Criterion(StrEnum):
    """Measure of importance: parameters that have least of it go first."""

    MAGNITUDE = "mag"
    FISHER = "fisher"
    COMBINED = "mag_fisher"


def prune(
    parameters: Parameters,
    share: float,
    criterion: Criterion,
    *,
    fisher: Parameters | None = None,
    fisher_share: float = 0.05,
    products: Sequence[str] | None = None,
) -> dict[str, LinearParameters]:
    """Parameters with the least important of them set to 0.

    Parameters
    ----------
    parameters : mapping of str to LinearParameters
    share : float
        Part of the parameters to remove, 0 to 1, counted over all weights and biases together; on
        ties the first in the order of the data go.
    criterion : Criterion
        ``mag_fisher`` removes (1 - ``fisher_share``) of them by magnitude, then the others by
        Fisher information among what is left.
    fisher : mapping of str to LinearParameters, optional
        Fisher information of each parameter (`fxsim.training.train_with_fisher`).
    fisher_share : float
        The paper's r.
    products : sequence of str, optional
        The products to prune, all by default; the others stay as they are.

    Raises
    ------
    RangeError
        If a share is not in 0 .. 1, or Fisher information is needed and missing.
    """
    for name, value in (("share", share), ("fisher_share", fisher_share)):
        if not 0 <= value <= 1:
            raise RangeError(f"{name} must be in 0 to 1, not {value}")
    names = list(parameters) if products is None else list(products)
    values = flat(parameters, names)
    count = round(share * values.size)
    by_fisher = {Criterion.MAGNITUDE: 0.0, Criterion.FISHER: 1.0}.get(criterion, fisher_share)
    first = round(count * (1 - by_fisher))
    gone = np.argsort(np.abs(values), kind="stable")[:first]
    if first < count:
        if fisher is None:
            raise RangeError(f"fisher must be given with {criterion}")
        information = flat(fisher, names)
        information[gone] = np.inf
        rest = np.argsort(information, kind="stable")[: count - first]
        gone = np.concatenate((gone, rest))
    values[gone] = 0.0
    return dict(parameters) | unflat(values, parameters, names)


def flat(parameters: Parameters, names: Sequence[str]) -> FloatArray:
    """All weights and biases of the named products in one new row."""
    parts = [part for name in names for part in (parameters[name].weight, parameters[name].bias)]
    return np.concatenate([part.ravel() for part in parts]).astype(np.float64)


def unflat(
    values: FloatArray, like: Parameters, names: Sequence[str]
) -> dict[str, LinearParameters]:
    """The inverse of `flat`."""
    found, start = {}, 0
    for name in names:
        weight, bias = like[name].weight, like[name].bias
        middle, end = start + weight.size, start + weight.size + bias.size
        found[name] = LinearParameters(
            weight=values[start:middle].reshape(weight.shape),
            bias=values[middle:end],
            gain=like[name].gain,
        )
        start = end
    return found
