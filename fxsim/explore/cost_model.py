"""Cells between the configurations that were synthesised: a model fitted to those.

A count is first a sum of amounts of hardware (bits of adders, of multipliers, of weight memory...),
each times what it costs, found by non-negative least squares of relative errors. What that leaves
is fitted by ridge regression of the logarithm with a kernel of two parts: linear in the logarithms
of the amounts, and a Gaussian of word lengths and folding. Width and weights of the kernel are
those of least leave-one-out error, which has a closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fxsim.errors import MissingToolError, RangeError
from fxsim.explore.metrics import SYNTHESISED
from fxsim.network import FloatArray, QuantizedLinear, QuantizedNetwork

_WIDTHS = (0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
_LINEAR = (0.1, 1.0, 10.0)
_NOISE = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_LEAST = 4


class Features(NamedTuple):
    """Of networks, a row each: amounts of hardware, their logarithms, formats and folding."""

    amounts: FloatArray
    linear: FloatArray
    shape: FloatArray

    def rows(self, chosen: npt.NDArray[np.bool_]) -> Features:
        """Some of the networks."""
        return Features(*(part[chosen] for part in self))


def features(networks: Sequence[QuantizedNetwork]) -> Features:
    """Amounts summed over layers; logarithms of these, and of each layer's sum; its formats."""
    found = []
    for network in networks:
        amounts = np.array([_amounts(layer) for layer in network.linears], dtype=np.float64)
        total = np.append(amounts.sum(axis=0), 1.0)
        linear = np.log2(1.0 + np.concatenate([total, amounts.sum(axis=1)]))
        shape = np.concatenate([_shape(layer) for layer in network.linears])
        found.append((total, linear, shape))
    return Features(*(np.array(part) for part in zip(*found, strict=True)))


def _amounts(layer: QuantizedLinear) -> list[float]:
    rows, simd = layer.folding.rows, layer.folding.simd
    weight, source = layer.weight_format.bits, layer.input.format.bits
    accumulator, lanes = layer.accumulator.format.bits, layer.lanes_out
    multiplier = layer.requantizer.multiplier_bits if layer.requantizer else 0
    grows = 0 if layer.ternary else weight
    products = 0 if layer.ternary else rows * simd
    # Yosys leaves products below some width to LUTs: 11 bits on ice40, fewer elsewhere.
    inside = [products * (layer.folding.dsp and weight + source >= least) for least in (2, 9, 11)]
    # Shallow memories become logic, deep ones block RAM; where, depends on the target.
    depth, width = layer.tiles * layer.beats, rows * simd * weight
    shallow = [depth * width * (depth < least) for least in (16, 32, 64, 100, 128, 256)]
    return [
        *inside,
        *shallow,
        *((products - used) * weight * source for used in inside),
        rows * simd * source * layer.ternary,
        rows * (simd - 1) * (source + grows),
        rows * accumulator,
        layer.weight.size * weight,
        rows * simd * weight,
        layer.inputs * source,
        layer.inputs,
        lanes * accumulator * multiplier,
        lanes * (multiplier > 0),
        lanes * layer.output.format.bits,
        layer.bias.size * accumulator,
    ]


def _shape(layer: QuantizedLinear) -> FloatArray:
    requantizer = layer.requantizer
    counts = [
        layer.weight_format.bits,
        layer.input.format.bits,
        layer.accumulator.format.bits,
        layer.output.format.bits,
        layer.folding.rows,
        layer.folding.simd,
        layer.lanes_out,
        1 + (requantizer.multiplier_bits if requantizer else 0),
    ]
    flags = [layer.ternary, layer.folding.dsp, bool(requantizer and requantizer.per_channel)]
    return np.concatenate([np.log2(counts), np.array(flags, dtype=float)])


@dataclass(frozen=True, eq=False)
class _Fit:
    """Sum of amounts, times what a kernel regression says."""

    prices: FloatArray
    known: tuple[FloatArray, FloatArray]
    scaling: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
    width: float
    weight: float
    mean: float
    dual: FloatArray

    def __call__(self, new: Features) -> FloatArray:
        low, spread, middle, stretch = self.scaling
        linear, shape = (new.linear - low) / spread, (new.shape - middle) / stretch
        kernel = _kernel(linear, shape, *self.known, self.width, self.weight)
        logs = _base(new.amounts, self.prices) + self.mean + kernel @ self.dual
        found: FloatArray = np.expm1(logs)
        return found


class CostModel:
    """Predicts cells; fitted to networks that were synthesised.

    Parameters
    ----------
    networks : sequence of QuantizedNetwork
        At least 4.
    cells : sequence of mapping
        The counts of each, by kind.

    Raises
    ------
    RangeError
        If there are too few.
    """

    def __init__(
        self, networks: Sequence[QuantizedNetwork], cells: Sequence[dict[str, float]]
    ) -> None:
        if len(networks) < _LEAST:
            raise RangeError(f"a cost model needs at least {_LEAST} networks, not {len(networks)}")
        self._features = features(networks)
        self._counts = {
            kind: np.array([cell[kind] for cell in cells], dtype=np.float64) for kind in SYNTHESISED
        }
        self._fits = _fit(self._features, self._counts)

    def predict(self, network: QuantizedNetwork) -> dict[str, float]:
        """Cells of a network by kind, rounded to whole ones."""
        new = features([network])
        return {kind: float(max(round(float(fit(new)[0])), 0)) for kind, fit in self._fits.items()}

    def cross_validate(self, folds: int = 10) -> dict[str, dict[str, float]]:
        """Median and greatest relative error of each kind, on networks left out of the fit.

        The hyperparameters are chosen anew in each fold. Counts below 20 are compared with 20.
        """
        index = np.arange(len(self._features.amounts))
        errors = {kind: np.empty(len(index)) for kind in self._counts}
        for fold in range(min(folds, len(index))):
            out = index % folds == fold
            known = {kind: counts[~out] for kind, counts in self._counts.items()}
            for kind, fit in _fit(self._features.rows(~out), known).items():
                predicted = fit(self._features.rows(out))
                errors[kind][out] = relative(predicted, self._counts[kind][out])
        return {
            kind: {"median": float(np.median(found)), "worst": float(found.max())}
            for kind, found in errors.items()
        }


def relative(predicted: FloatArray, counts: FloatArray) -> FloatArray:
    """Relative error of rounded counts; those below 20 are compared with 20."""
    found: FloatArray = np.abs(np.round(predicted) - counts) / np.maximum(counts, 20.0)
    return found


def _fit(known: Features, counts: dict[str, FloatArray]) -> dict[str, _Fit]:
    """Fit each count; the kernels and their eigenvectors are those of all."""
    low, spread = known.linear.mean(axis=0), _spread(known.linear)
    middle, stretch = known.shape.mean(axis=0), _spread(known.shape)
    a, b = (known.linear - low) / spread, (known.shape - middle) / stretch
    prices = {kind: _prices(known.amounts, count) for kind, count in counts.items()}
    rest = {
        kind: np.log1p(count) - _base(known.amounts, prices[kind]) for kind, count in counts.items()
    }
    best: dict[str, tuple[float, _Fit]] = {}
    for width, weight in product(_WIDTHS, _LINEAR):
        values, vectors = np.linalg.eigh(_kernel(a, b, a, b, width, weight))
        squares = np.square(vectors)
        for kind, logs in rest.items():
            mean = float(logs.mean())
            turned = vectors.T @ (logs - mean)
            for noise in _NOISE:
                shrunk = 1.0 / (np.maximum(values, 0.0) + noise)
                dual = vectors @ (shrunk * turned)
                left_out = dual / (squares @ shrunk)  # leave-one-out residuals
                error = float(np.square(left_out).mean())
                if kind not in best or error < best[kind][0]:
                    scaling = low, spread, middle, stretch
                    fit = _Fit(prices[kind], (a, b), scaling, width, weight, mean, dual)
                    best[kind] = error, fit
    return {kind: fit for kind, (_, fit) in best.items()}


def _prices(amounts: FloatArray, counts: FloatArray) -> FloatArray:
    """What each amount costs: non-negative least squares of relative errors."""
    try:
        from scipy.optimize import nnls
    except ImportError:
        raise MissingToolError(
            "scipy is not installed; install it with: pip install 'fxsim[explore]'"
        ) from None
    scale = np.maximum(amounts.max(axis=0), 1.0)
    weight = 1.0 / np.maximum(counts, 1.0)
    prices, _ = nnls(amounts / scale * weight[:, None], counts * weight)
    found: FloatArray = prices / scale
    return found


def _base(amounts: FloatArray, prices: FloatArray) -> FloatArray:
    found: FloatArray = np.log1p(amounts @ prices)
    return found


def _spread(values: FloatArray) -> FloatArray:
    """Standard deviation of each column; infinite where nothing differs."""
    spread = values.std(axis=0)
    found: FloatArray = np.where(spread > 1e-12, spread, np.inf)
    return found


def _kernel(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray, width: float, weight: float
) -> FloatArray:
    live = max(int((np.abs(d).sum(axis=0) > 0).sum()), 1)
    distance = np.square(b[:, None, :] - d[None, :, :]).sum(axis=2) / live
    count = max(int((np.abs(c).sum(axis=0) > 0).sum()), 1)
    gauss: FloatArray = np.exp(-distance / (2 * width**2))
    return gauss + weight * (a @ c.T) / count
