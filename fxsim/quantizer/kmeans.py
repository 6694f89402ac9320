"""Groups of numbers of least squared error: k-means in one dimension, exactly.

Optimal groups are neighbours in sorted order, so dynamic programming finds them: the best j groups
of the first i values are the best j - 1 groups of the first s values and one group of the rest. The
best s grows with i, so halving the range of s from both sides takes O(k n log n) steps (Gronlund et
al. 2017, "Fast Exact k-Means, k-Medians and Bregman Divergence Clustering in 1D", section 2.1).
"""

from __future__ import annotations

import numpy as np

from fxsim.errors import RangeError
from fxsim.kernels.jit import jit
from fxsim.network import FloatArray, IntArray


def clusters_of(values: FloatArray, k: int) -> IntArray:
    """Group of each value, from 0 for the smallest values.

    Equal values share a group: no optimum parts them while there are other values to part. Sums are
    rounded as floats are, about 1e-16 of the squared error of a single group; of groups that are
    equally good within that, one is taken, whatever the order of the values.

    Parameters
    ----------
    values : float64 array, shape (n,)
        Finite.
    k : int
        Number of groups, at least 1; of distinct values, if there are fewer of them.

    Returns
    -------
    int64 array, shape (n,)

    Raises
    ------
    RangeError
        If ``k`` is less than 1.
    """
    if k < 1:
        raise RangeError(f"clusters must be at least 1, not {k}")
    distinct, place, count = np.unique(values, return_inverse=True, return_counts=True)
    n = len(distinct)
    if k >= n:
        return place
    weight = count.astype(np.float64)
    total = np.append(0.0, np.cumsum(weight))
    middle = np.average(distinct, weights=weight)  # sums about it lose the fewest bits
    scale = max(np.abs(distinct - middle).max(), np.finfo(np.float64).tiny)
    moment = np.append(0.0, np.cumsum(weight * ((distinct - middle) / scale)))
    starts = np.zeros((k, n + 1), dtype=np.int64)
    _fill(total, moment, starts)
    group, end = np.empty(n, dtype=np.int64), n
    for j in reversed(range(k)):
        group[starts[j, end] : end] = j
        end = starts[j, end]
    return group[place]


@jit
def _fill(total: FloatArray, moment: FloatArray, starts: IntArray) -> None:
    """Fill ``starts[j, i]``, the first value of the last of j + 1 groups of the first i values.

    A group saves ``moment**2 / total`` of the error of its values about 0, so the groups whose sum
    of that is greatest have the least error.

    Parameters
    ----------
    total, moment : float64 array, shape (n + 1,)
        Sums of weights and of weighted values before each place.
    starts : int64 array, shape (k, n + 1)
        Zero.
    """
    k, n = starts.shape[0], len(total) - 1
    saved = np.zeros(n + 1)
    for i in range(1, n + 1):
        saved[i] = moment[i] ** 2 / total[i]
    for j in range(1, k):
        before = saved.copy()
        stride = 1
        while stride <= n:
            stride *= 2
        while stride > 0:  # odd multiples lie between places that are done
            for i in range(stride, n + 1, 2 * stride):
                if i <= j:  # too few for so many groups
                    continue
                low = max(starts[j, i - stride], j)
                high = min(starts[j, i + stride], i - 1) if i + stride <= n else i - 1
                best = -1.0
                for s in range(low, high + 1):
                    gain = moment[i] - moment[s]
                    gain = before[s] + gain * gain / (total[i] - total[s])
                    if gain > best:
                        best = gain
                        starts[j, i] = s
                saved[i] = best
            stride //= 2
