"""Cells between the configurations that were synthesised: a model fitted to those.

Ridge regression of the logarithm of a count with a kernel of two parts: linear in a few amounts of
hardware that each layer needs (bits of adders, of multipliers, of weight memory...), and a Gaussian
of word lengths and folding that takes up what they leave. Width and weights of the kernel are those
of least leave-one-out error, which has a closed form. What differs nowhere counts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from fxsim.errors import RangeError
from fxsim.explore.metrics import SYNTHESISED
from fxsim.network import FloatArray, QuantizedLinear, QuantizedNetwork

_WIDTHS = (0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
_LINEAR = (0.1, 1.0, 10.0)
_NOISE = (1e-4, 1e-3, 1e-2, 1e-1)
_LEAST = 4


def features(network: QuantizedNetwork) -> tuple[FloatArray, FloatArray]:
    """Amounts of hardware, summed over layers and by layer, and formats and folding by layer.

    Returns
    -------
    two float64 arrays
        Both as base-2 logarithms, but for flags.
    """
    amounts = np.array([_amounts(layer) for layer in network.linears])
    shape = [_shape(layer) for layer in network.linears]
    total = np.log2(1.0 + amounts.sum(axis=0))
    own = np.log2(1.0 + amounts.sum(axis=1))
    return np.concatenate([total, own]), np.concatenate(shape)


def _amounts(layer: QuantizedLinear) -> list[float]:
    rows, simd = layer.folding.rows, layer.folding.simd
    weight, source = layer.weight_format.bits, layer.input.format.bits
    accumulator, lanes = layer.accumulator.format.bits, layer.lanes_out
    multiplier = layer.requantizer.multiplier_bits if layer.requantizer else 0
    grows = 0 if layer.ternary else weight
    plain = not layer.ternary and not layer.folding.dsp
    return [
        rows * simd * source * grows * plain,
        rows * simd * (not layer.ternary) * layer.folding.dsp,
        rows * simd * source * layer.ternary,
        rows * (simd - 1) * (source + grows),
        rows * accumulator,
        layer.weight.size * weight,
        rows * simd * weight,
        layer.inputs * source,
        lanes * accumulator * multiplier,
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
    """Kernel regression of one count."""

    linear: FloatArray
    shape: FloatArray
    centre: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
    width: float
    weight: float
    mean: float
    dual: FloatArray

    def __call__(self, linear: FloatArray, shape: FloatArray) -> FloatArray:
        low, spread, middle, stretch = self.centre
        kernel = _kernel(
            (linear - low) / spread,
            (shape - middle) / stretch,
            self.linear,
            self.shape,
            self.width,
            self.weight,
        )
        found: FloatArray = np.expm1(self.mean + kernel @ self.dual)
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
        pairs = [features(network) for network in networks]
        self._linear, self._shape = (np.array(part) for part in zip(*pairs, strict=True))
        self._counts = {
            kind: np.array([cell[kind] for cell in cells], dtype=np.float64) for kind in SYNTHESISED
        }
        self._fits = _fit(self._linear, self._shape, self._counts)

    def predict(self, network: QuantizedNetwork) -> dict[str, float]:
        """Cells of a network by kind, rounded to whole ones."""
        linear, shape = features(network)
        return {
            kind: float(max(round(float(fit(linear[None], shape[None])[0])), 0))
            for kind, fit in self._fits.items()
        }

    def cross_validate(self, folds: int = 10) -> dict[str, dict[str, float]]:
        """Median and greatest relative error of each kind, on networks left out of the fit.

        The hyperparameters are chosen anew in each fold. Counts below 20 are compared with 20.
        """
        index = np.arange(len(self._linear))
        errors = {kind: np.empty(len(index)) for kind in self._counts}
        for fold in range(min(folds, len(index))):
            out = index % folds == fold
            known = {kind: counts[~out] for kind, counts in self._counts.items()}
            for kind, fit in _fit(self._linear[~out], self._shape[~out], known).items():
                predicted = fit(self._linear[out], self._shape[out])
                errors[kind][out] = relative(predicted, self._counts[kind][out])
        return {
            kind: {"median": float(np.median(found)), "worst": float(found.max())}
            for kind, found in errors.items()
        }


def relative(predicted: FloatArray, counts: FloatArray) -> FloatArray:
    """Relative error of rounded counts; those below 20 are compared with 20."""
    found: FloatArray = np.abs(np.round(predicted) - counts) / np.maximum(counts, 20.0)
    return found


def _fit(linear: FloatArray, shape: FloatArray, counts: dict[str, FloatArray]) -> dict[str, _Fit]:
    """Fit each count; the kernels and their eigenvectors are those of all."""
    low, spread = linear.mean(axis=0), _spread(linear)
    middle, stretch = shape.mean(axis=0), _spread(shape)
    a, b = (linear - low) / spread, (shape - middle) / stretch
    logs = {kind: np.log1p(count) for kind, count in counts.items()}
    best: dict[str, tuple[float, _Fit]] = {}
    for width, weight in product(_WIDTHS, _LINEAR):
        values, vectors = np.linalg.eigh(_kernel(a, b, a, b, width, weight))
        squares = np.square(vectors)
        for kind, known in logs.items():
            mean = float(known.mean())
            turned = vectors.T @ (known - mean)
            for noise in _NOISE:
                shrunk = 1.0 / (np.maximum(values, 0.0) + noise)
                dual = vectors @ (shrunk * turned)
                left_out = dual / (squares @ shrunk)  # leave-one-out residuals
                error = float(np.square(left_out).mean())
                if kind not in best or error < best[kind][0]:
                    centre = low, spread, middle, stretch
                    best[kind] = error, _Fit(a, b, centre, width, weight, mean, dual)
    return {kind: fit for kind, (_, fit) in best.items()}


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
