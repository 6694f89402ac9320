"""Exact groups in one dimension against every partition of few values."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.errors import RangeError
from fxsim.quantizer.kmeans import clusters_of


def error(parts):
    return sum(np.square(part - np.mean(part)).sum() for part in parts)


def least_error(values, k):
    """Over all ways to cut the sorted values into k parts."""
    ordered = np.sort(values)
    cuts = itertools.combinations(range(1, len(ordered)), k - 1)
    return min(error(np.split(ordered, cut)) for cut in cuts)


def parts(values, groups):
    return [values[groups == group] for group in range(groups.max() + 1)]


def test_groups_are_numbered_from_the_smallest_values():
    values = np.array([200.2, 4.1, -50, 80, 4.0, 102, 200.4, 100, 4.2, 200.9])
    assert clusters_of(values, 4).tolist() == [3, 1, 0, 2, 1, 2, 3, 2, 1, 3]


def test_no_triple_is_cut_where_seven_groups_hold_eight():
    """Four restarts of Lloyd's iteration cut one, at an error of 1.84 instead of 1.66."""
    values = np.add.outer(np.arange(8), [-0.1, 0.0, 0.1])
    groups = clusters_of(values.ravel(), 7).reshape(8, 3)
    assert (groups == groups[:, :1]).all()
    assert sorted(np.bincount(groups.ravel())) == [3] * 6 + [6]


def test_fewer_values_than_groups_are_groups_of_their_own():
    assert clusters_of(np.array([3.0, 1.0, 3.0]), 5).tolist() == [1, 0, 1]
    assert clusters_of(np.full(4, 0.1), 3).tolist() == [0] * 4
    assert clusters_of(np.array([]), 2).tolist() == []
    with pytest.raises(RangeError, match=r"^clusters must be at least 1, not 0$"):
        clusters_of(np.ones(3), 0)


small = st.lists(st.integers(-9, 9) | st.floats(-9, 9, width=32), min_size=1, max_size=9)


@given(small.map(lambda found: np.array(found, dtype=np.float64)), st.integers(1, 9))
def test_no_partition_has_a_smaller_error(values, k):
    groups = clusters_of(values, k)
    k = min(k, len(np.unique(values)))
    assert set(groups.tolist()) == set(range(k))
    spread = np.square(values - values.mean()).sum()
    assert error(parts(values, groups)) <= least_error(values, k) + 1e-12 * spread


@given(small, st.integers(1, 9), st.randoms())
def test_neither_order_nor_ties_change_the_groups(found, k, random):
    values = np.array(found, dtype=np.float64)
    order = list(range(len(found)))
    random.shuffle(order)
    groups = clusters_of(values, k)
    np.testing.assert_array_equal(clusters_of(values[order], k), groups[order])
    one_each = dict(zip(values.tolist(), groups.tolist(), strict=True))
    np.testing.assert_array_equal([one_each[value] for value in values.tolist()], groups)


def test_equal_values_count_each():
    """Without their number the gap in the middle would be the best cut."""
    values = np.array([0.0] * 50 + [1.0] * 50 + [2.1])
    assert clusters_of(values, 2).tolist() == [0] * 50 + [1] * 51


def test_many_values_take_a_moment():
    values = np.random.default_rng(1).gamma(0.1, size=100_000)
    groups = clusters_of(np.log10(np.maximum(values, 1e-30)), 10)
    borders = [float(part.max()) for part in parts(values, groups)]
    assert borders == sorted(borders)
    assert len(borders) == 10
