"""Cells between the configurations that were synthesised: a model fitted to those.

A network costs what its blocks cost together, and each kind of block has a model of its own. A
count is first a sum of amounts of hardware (`fxsim.cost.amounts`), each times what it costs,
found by non-negative least squares of relative errors. What that leaves is fitted by ridge
regression of the logarithm with a kernel of two parts: linear in the logarithms of the amounts, and
a Gaussian of the sizes. Width and weights of the kernel are those of least leave-one-out error,
which has a closed form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fxsim.cost.amounts import SYNTHESISED, amounts
from fxsim.cost.facts import Block, blocks_of
from fxsim.errors import MissingToolError, RangeError
from fxsim.network import FloatArray, QuantizedNetwork

_WIDTHS = (0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
_LINEAR = (0.1, 1.0, 10.0)
_NOISE = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_LEAST = 4


class Features(NamedTuple):
    """Blocks of one kind, a row each: amounts of hardware, their logarithms, and sizes."""

    amounts: FloatArray
    linear: FloatArray
    shape: FloatArray

    def rows(self, chosen: npt.NDArray[np.bool_]) -> Features:
        """Some of the blocks."""
        return Features(*(part[chosen] for part in self))


def features(blocks: Sequence[Block], target: str, *, dsp: bool = True) -> Features:
    """Features of blocks of one kind on a target, with or without DSP blocks."""
    found = np.array([amounts(block.kind, block.facts, target, dsp=dsp) for block in blocks])
    sizes = np.array([list(block.facts.values()) for block in blocks], dtype=np.float64)
    return Features(found, np.log2(1.0 + found), np.log2(1.0 + sizes))


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
        # Amounts extrapolate; what is learned beyond them does not, since errors would be powers.
        linear = _within((new.linear - low) / spread, self.known[0])
        shape = _within((new.shape - middle) / stretch, self.known[1])
        kernel = _kernel(linear, shape, *self.known, self.width, self.weight)
        logs = _base(new.amounts, self.prices) + self.mean + kernel @ self.dual
        found: FloatArray = np.expm1(logs)
        return found


class CostModel:
    """Predicts cells; fitted to networks whose blocks were synthesised.

    Parameters
    ----------
    networks : sequence of QuantizedNetwork
        At least 4.
    cells : sequence of mapping
        For each network and block, by its path, the cells of each kind.
    target : str
        What they were synthesised for.
    dsp : bool
        Whether products could take DSP blocks.

    Raises
    ------
    RangeError
        If there are too few.
    """

    def __init__(
        self,
        networks: Sequence[QuantizedNetwork],
        cells: Sequence[Mapping[str, Mapping[str, float]]],
        *,
        target: str,
        dsp: bool = True,
    ) -> None:
        if len(networks) < _LEAST:
            raise RangeError(f"a cost model needs at least {_LEAST} networks, not {len(networks)}")
        self._target, self._dsp = target, dsp
        self._count = len(networks)
        self._known: dict[str, _Known] = {}
        rows: dict[str, list[tuple[Block, int, Mapping[str, float]]]] = {}
        for k, (network, counted) in enumerate(zip(networks, cells, strict=True)):
            for block in blocks_of(network):
                rows.setdefault(block.kind, []).append((block, k, counted[block.path]))
        for kind, found in rows.items():
            counts = {
                name: np.array([seen[name] for *_, seen in found], dtype=np.float64)
                for name in SYNTHESISED
            }
            owners = np.array([k for _, k, _ in found])
            blocks = self._features([block for block, *_ in found])
            self._known[kind] = _Known(blocks, owners, counts)
        self._fits = {kind: _fit(known.blocks, known.counts) for kind, known in self._known.items()}

    def predict(self, network: QuantizedNetwork) -> dict[str, float]:
        """Cells of a network by kind, rounded to whole ones.

        A block of a kind that no network of the fit has counts nothing.
        """
        total = dict.fromkeys(SYNTHESISED, 0.0)
        for block in blocks_of(network):
            for name, fit in self._fits.get(block.kind, {}).items():
                total[name] += float(fit(self._features([block]))[0])
        return {name: float(max(round(count), 0)) for name, count in total.items()}

    def _features(self, blocks: Sequence[Block]) -> Features:
        return features(blocks, self._target, dsp=self._dsp)

    def cross_validate(self, folds: int = 10) -> dict[str, dict[str, float]]:
        """Median and greatest relative error of each kind, on networks left out of the fit.

        The hyperparameters are chosen anew in each fold. Counts below 20 are compared with 20.
        """
        guess = {name: np.zeros(self._count) for name in SYNTHESISED}
        true = {name: np.zeros(self._count) for name in SYNTHESISED}
        for known in self._known.values():
            for fold in range(min(folds, self._count)):
                out = known.owners % folds == fold
                if not out.any():
                    continue
                owners = known.owners[out]
                for name, counts in known.counts.items():
                    np.add.at(true[name], owners, counts[out])
                if out.all():
                    continue
                rest = {name: count[~out] for name, count in known.counts.items()}
                for name, fit in _fit(known.blocks.rows(~out), rest).items():
                    np.add.at(guess[name], owners, fit(known.blocks.rows(out)))
        errors = {name: relative(guess[name], true[name]) for name in SYNTHESISED}
        return {
            name: {"median": float(np.median(found)), "worst": float(found.max())}
            for name, found in errors.items()
        }


class _Known(NamedTuple):
    """Blocks of one kind, the network of each, and their cells."""

    blocks: Features
    owners: npt.NDArray[np.int64]
    counts: dict[str, FloatArray]


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
    """Cost of each amount: non-negative least squares of relative errors."""
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


def _within(values: FloatArray, known: FloatArray) -> FloatArray:
    """Each column cut to the range that it has in the fit."""
    return np.clip(values, known.min(axis=0), known.max(axis=0))


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
