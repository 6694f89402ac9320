"""Word lengths of 1 to k bits for single parameters, by their importance.

Tu et al. 2016, section II-C: the parameters that pruning has left are clustered by importance into
k groups; the least important group is quantized to 1 bit, the most important to k bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from fxsim.floats.checkpoint import LinearParameters
from fxsim.floats.prune import Parameters, flat, unflat
from fxsim.network import FloatArray, IntArray
from fxsim.quantizer.kmeans import clusters_of
from fxsim.quantizer.runs import RUN_BITS, encode
from fxsim.quantizer.step_size import l2_scale


class Quantizer(StrEnum):
    """Where the 2**bits values of a group lie.

    ``minmax`` divides the range of the group into equal parts and takes their middles. ``l2`` has
    the values of `fxsim.quantizer.step_size` (2**bits - 1 of them, symmetric), and for 1 bit plus
    and minus the mean magnitude.
    """

    MINMAX = "minmax"
    L2 = "l2"


@dataclass(frozen=True, kw_only=True, eq=False)
class Compressed:
    """Parameters with word lengths of their own, and what they cost in bits.

    Parameters
    ----------
    parameters : dict of str to LinearParameters
        Real values after quantization.
    average : float
        Bits of a parameter that is left, as the paper counts them.
    values, positions, groups, ranges : int
        Bits for the values; for telling which parameters are left (`fxsim.quantizer.runs`); for
        telling the group of each; and for the ranges or steps, 64 bits for each group of each
        product.
    total : int
        Number of parameters before pruning.
    """

    parameters: dict[str, LinearParameters]
    average: float
    values: int
    positions: int
    groups: int
    ranges: int
    total: int

    @property
    def paper_ratio(self) -> float:
        """Compression of 32-bit parameters, positions and groups being free."""
        return 32 * self.total / max(self.values, 1)

    @property
    def ratio(self) -> float:
        """Compression with everything that a decoder needs."""
        cost = self.values + self.positions + self.groups + self.ranges
        return 32 * self.total / max(cost, 1)


def compress(
    parameters: Parameters,
    clusters: int,
    *,
    importance: Parameters | None = None,
    logarithm: bool = True,
    quantizer: Quantizer = Quantizer.MINMAX,
    products: Sequence[str] | None = None,
    bits: int | None = None,
) -> Compressed:
    """Quantize the parameters that are not 0.

    Parameters
    ----------
    parameters : mapping of str to LinearParameters
        Pruned (`fxsim.floats.prune.prune`).
    clusters : int
        k; with fewer distinct importances than that there are fewer groups.
    importance : mapping of str to LinearParameters, optional
        Of each parameter, such as its Fisher information; its magnitude by default.
    logarithm : bool
        Cluster the logarithm. Fisher information itself has so heavy a tail that nearly all of it
        ends up in the group of 1 bit.
    quantizer : Quantizer
        Applied to each group of each product on its own.
    products : sequence of str, optional
        The products to quantize, all by default; the others stay as they are and count nothing.
    bits : int, optional
        The same word length for all instead.
    """
    names = list(parameters) if products is None else list(products)
    values = flat(parameters, names)
    left = values != 0
    if bits is None:
        known = np.abs(values) if importance is None else flat(importance, names)
        lengths = np.zeros(values.size, dtype=np.int64)
        lengths[left] = word_lengths(known[left], clusters, logarithm=logarithm)
    else:
        lengths = np.where(left, bits, 0)
    ranges, start = 0, 0
    for name in names:
        size = parameters[name].weight.size + parameters[name].bias.size
        own = slice(start, start + size)
        for length in np.unique(lengths[own][left[own]]):
            group = start + np.flatnonzero(lengths[own] == length)
            values[group] = quantize_group(values[group], int(length), quantizer)
            ranges += 64
        start += size
    kinds = len(np.unique(lengths[left]))
    count = int(left.sum())
    return Compressed(
        parameters=dict(parameters) | unflat(values, parameters, names),
        average=int(lengths.sum()) / max(count, 1),
        values=int(lengths.sum()),
        positions=RUN_BITS * len(encode(left)),
        groups=count * math.ceil(math.log2(kinds)) if kinds > 1 else 0,
        ranges=ranges,
        total=values.size,
    )


def word_lengths(importance: FloatArray, clusters: int, *, logarithm: bool = True) -> IntArray:
    """Bits for each parameter: one for the least important group, one more for each one above."""
    data = np.log10(np.maximum(importance, 1e-30)) if logarithm else importance
    return 1 + clusters_of(data, clusters)


def quantize_group(values: FloatArray, bits: int, quantizer: Quantizer) -> FloatArray:
    """Real values of a group after quantization to ``bits``; a value never becomes another's 0."""
    if quantizer is Quantizer.L2:
        if bits == 1:
            sign: FloatArray = np.copysign(np.abs(values).mean(), values)
            return sign
        top = (1 << bits - 1) - 1
        step = float(l2_scale(values[None], 2 * top + 1)[0])
        whole = np.clip(np.floor(np.abs(values) / step + 0.5), 0, top)
        result: FloatArray = np.copysign(whole * step, values)
        return result
    low, high = float(values.min()), float(values.max())
    if low == high:
        return values.copy()
    width = (high - low) / (1 << bits)
    part = np.minimum(np.floor((values - low) / width), (1 << bits) - 1)
    middle: FloatArray = low + (part + 0.5) * width
    return middle
