"""Step sizes of quantized weights in retraining: how they are chosen, and when again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from fxsim.errors import RangeError
from fxsim.network import FloatArray
from fxsim.quantizer.quantizer import fitting_scale, groups_of, weight_scale
from fxsim.quantizer.step_size import scale_of_levels
from fxsim.spec.train import RetrainSpec
from fxsim.training.module import Network
from fxsim.training.product import Product

_FACTORS = 2.0 ** (np.arange(-8, 9) / 8)
"""Multiples of a step that `search` tries, from half to twice."""


def choose(
    network: Network,
    method: str,
    loss: Callable[[], float],
    calibrate: Callable[[], None] = lambda: None,
) -> None:
    """Quantize the products that are to be, from now on, with step sizes for the present weights.

    Parameters
    ----------
    network : Network
    method : str
        ``l2``: least squared error (Sung et al. 2015, eq. (4)). ``moments``: from mean and variance
        alone, the step that would be L2-optimal for a normal distribution of the same second
        moment. ``search``: product by product in the order of the data, the multiple of the
        L2-optimal step between half and twice with the least loss, all products being quantized.
    loss : callable
        Loss of the network as it stands, on the evaluation set; asked by ``search`` only.
    calibrate : callable, optional
        Called when steps have changed: before the loss is asked, and in the end.
    """
    refresh(network, method)
    calibrate()
    if method != "search":
        return
    for product in network.quantized():
        start = product.scale
        assert start is not None
        losses = []
        candidates = [fitting_scale(product.array(), start * f, product.layer) for f in _FACTORS]
        for candidate in candidates:
            product.scale = candidate
            losses.append(loss())
        product.scale = candidates[int(np.argmin(losses))]
    calibrate()


def refresh(network: Network, method: str) -> None:
    """Fit every step size to the present weights, by ``moments`` or else L2-optimal.

    Raises
    ------
    RangeError
        If a weight is not finite.
    """
    for product in network.quantized():
        if not np.isfinite(product.array()).all():
            raise RangeError("weights must stay finite")
        if method == "moments":
            product.scale = moment_scale(product)
        else:
            product.scale = weight_scale(product.array(), product.layer)


def moment_scale(product: Product) -> FloatArray:
    """Step sizes, shape (1,) or (outputs,), from the second moment of each group of weights.

    Asymmetric weights have their range instead.
    """
    weight, layer = product.array(), product.layer
    if layer.weights.asymmetric:
        return weight_scale(weight, layer)
    groups = weight.reshape(groups_of(layer, len(weight)), -1)
    scale = _normal_step(tuple(layer.weights.magnitudes.tolist())) * np.sqrt(
        np.square(groups).mean(axis=1)
    )
    scale[scale == 0] = 1.0
    if len(scale) > 1:
        scale = np.repeat(scale, len(weight) // len(scale))
    return fitting_scale(weight, scale, layer)


@functools.cache
def _normal_step(magnitudes: tuple[int, ...]) -> float:
    """L2-optimal step of a standard normal distribution: 1.22 for 3 levels, 0.65 for 7."""
    normal, count = NormalDist(), 4096
    weight = np.array([normal.inv_cdf((i + 0.5) / count) for i in range(count)])
    return float(scale_of_levels(weight[None], np.array(magnitudes))[0])


def refresh_updates(recipe: RetrainSpec, per_epoch: int) -> frozenset[int]:
    """Updates of a stage before which the steps are refreshed, counted from 0.

    Never 0, when the steps are new, and never after the last update: a refreshed step flips
    integers that only further updates can relearn.

    Parameters
    ----------
    recipe : RetrainSpec
    per_epoch : int
        Updates in an epoch.
    """
    total = recipe.epochs * per_epoch
    if recipe.scheme == "every_update":
        return frozenset(range(1, total))
    if recipe.scheme == "adaptive":
        times = (recipe.refreshes or 1) * (recipe.epochs // 2)
        spacing = per_epoch / (recipe.refreshes or 1)
    elif recipe.scheme == "first":
        times = (recipe.refreshes or 8) + 1
        spacing = per_epoch / (recipe.refreshes or 8)
    else:
        return frozenset()
    updates = (round(k * spacing) for k in range(1, times))
    return frozenset(update for update in updates if 0 < update < total)
