import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsim.explorer.growing import GrowingFront
from fxsim.explorer.outcome import Goals, Outcome
from fxsim.explorer.pareto import convergence, front, hypervolume, nondominated
from tests.explorer.small import make_space

points = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.tuples(*[st.integers(0, 5)] * n), min_size=1, max_size=9)
)
number = st.integers(0, 3) | st.sampled_from([-math.inf, math.inf, math.nan, -0.0])
odd_points = st.integers(1, 7).flatmap(
    lambda n: st.lists(st.tuples(*[number] * n), min_size=1, max_size=12)
)


def dominates(a, b):
    pairs = list(zip(a, b, strict=True))
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


def those_that_nobody_dominates(found):
    return [k for k, p in enumerate(found) if not any(dominates(q, p) for q in found)]


@given(odd_points)
def test_the_front_is_what_nobody_dominates(found):
    assert nondominated(found) == those_that_nobody_dominates(found)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("values", [4, 10**6])
def test_many_points_too_for_which_other_methods_are_used(objectives, values):
    found = np.random.default_rng(objectives).integers(0, values, size=(700, objectives))
    assert nondominated(found) == those_that_nobody_dominates(found.tolist())


def test_equal_points_are_kept_together_and_infinity_is_worst():
    assert nondominated([(1, 2), (2, 1), (1, 2), (2, 2)]) == [0, 1, 2]
    assert nondominated([(math.inf, 1.0), (2.0, 1.0), (-math.inf, math.inf)]) == [1, 2]
    assert nondominated([]) == []


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_the_front_of_100_000_points_takes_a_moment(objectives):
    """A front that is half of all points, on a simplex: 38 s for 30,000 of them before."""
    rng = np.random.default_rng(1)
    front = rng.integers(1, 1 << 20, size=(50_000, objectives))
    front[:, -1] = (objectives << 20) - front[:, :-1].sum(axis=1)
    behind = front + rng.integers(1, 9, size=front.shape)
    assert nondominated(np.concatenate([front, behind])) == list(range(50_000))


@given(points)
@settings(max_examples=60)
def test_the_hypervolume_is_the_number_of_unit_cells_that_are_dominated(found):
    reference = (4,) * len(found[0])
    cells = itertools.product(*(range(side) for side in reference))
    count = sum(
        any(all(p <= c for p, c in zip(q, cell, strict=True)) for q in found) for cell in cells
    )
    assert hypervolume(found, reference) == count


def slices(points, reference):
    """Volume in rational numbers: slices along the last objective (Zitzler 1999)."""
    *others, end = reference
    levels = sorted({p[-1] for p in points if p[-1] < end})
    if not others:
        return Fraction(end) - Fraction(levels[0]) if levels else Fraction(0)
    return sum(
        (Fraction(above) - Fraction(level))
        * slices([p[:-1] for p in points if p[-1] <= level], others)
        for level, above in itertools.pairwise([*levels, end])
    )


@pytest.mark.parametrize("objectives", [1, 2, 3, 4, 5])
def test_the_hypervolume_is_exact_to_the_last_bits(objectives):
    found = np.random.default_rng(objectives).random((12, objectives)).tolist()
    reference = (0.75,) * objectives
    exact = float(slices(found, reference))
    assert hypervolume(found, reference) == pytest.approx(exact, rel=1e-14)


def test_hypervolume_of_nothing_is_nothing_and_that_of_infinity_infinite():
    assert hypervolume([], (1.0, 1.0)) == 0.0
    assert hypervolume([(0.5, 1.0), (2.0, 0.0), (math.nan, 0.0)], (1.0, 1.0)) == 0.0
    assert hypervolume([(0.5, -math.inf, 0.5)], (1.0, 1.0, 1.0)) == math.inf
    assert hypervolume([(0.5, 0.5)], (1.0, math.inf)) == math.inf


def test_300_points_in_four_objectives_take_a_moment():
    """A minute before."""
    found = np.abs(np.random.default_rng(1).normal(size=(300, 4)))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    assert 0.2 < hypervolume(1 - found, (1.0,) * 4) < np.pi**2 / 32


def test_volumes_that_take_long_are_estimated():
    found = np.abs(np.random.default_rng(1).normal(size=(250, 7)))
    found = 1 - found / np.linalg.norm(found, axis=1, keepdims=True)
    quick = hypervolume(found, (1.0,) * 7, quickly=True)
    exact = hypervolume(found, (1.0,) * 7)
    assert quick != exact
    assert quick == pytest.approx(exact, rel=3e-3)
    few = found[:100]
    assert hypervolume(few, (1.0,) * 7, quickly=True) == hypervolume(few, (1.0,) * 7)


def outcome(place, error, bits, choices=None):
    return Outcome((choices or (place,)), place, {"error": error, "weight_memory_bits": bits})


def goals(**constraints):
    space = make_space(objectives=["error", "weight_memory_bits"], constraints=constraints)
    return Goals(space, 0.1)


def test_the_front_keeps_limits_and_the_lowest_of_equals():
    seen = [
        outcome(0, 0.1, 90),
        outcome(1, 0.1, 90, (7,)),
        outcome(2, 0.3, 50),
        outcome(3, 0.3, 60),
        outcome(4, 0.6, 10),
        Outcome((5,), 5, None, "impossible"),
    ]
    places = [o.place for o in front(seen, goals())]
    assert places == [0, 2, 4]
    assert [o.place for o in front(reversed(seen), goals())] == places
    assert [o.place for o in front(seen, goals(error=0.5))] == [0, 2]
    assert [o.place for o in front(seen, goals(accuracy_loss=0.05, error=0.5))] == [0]
    assert [o.place for o in front(seen, goals(weight_memory_bits=50))] == [2, 4]


def test_the_excess_is_relative_and_parts_are_limits():
    assert goals(weight_memory_bits=40).excess(outcome(0, 0.0, 50)) == pytest.approx(0.25)
    assert goals().excess(Outcome((0,), 0, None, "x")) == math.inf
    limits = goals(part="xc7a35t", lut=30000).limits
    cells = {"logic": 20800.0, "ff": 41600.0, "dsp": 90.0, "block_ram": 50.0}
    assert limits == cells | {"lut": 30000.0}


@pytest.mark.parametrize("count", [2, 3, 4])
def test_convergence_is_the_hypervolume_so_far(count):
    names = ("error", "weight_memory_bits", "cycles", "energy")[:count]
    rows = np.random.default_rng(count).integers(0, 20, size=(60, count)) / 16
    seen = [
        Outcome((k,), k, dict(zip(names, row, strict=True))) for k, row in enumerate(rows.tolist())
    ]
    seen[10] = Outcome((10,), 10, None, "impossible")
    wanted = Goals(make_space(objectives=names, constraints={"error": 1.1}), 0.1)
    reference = (1.25,) * count
    curve = convergence(seen[::-1], wanted, reference)
    for k in range(60):
        points = [wanted.values(o) for o in front(seen[: k + 1], wanted)]
        assert curve[k] == pytest.approx(hypervolume(points, reference), rel=1e-12)
    assert curve == sorted(curve)
    assert len(set(curve)) < 60


def test_convergence_over_100_000_evaluations_takes_a_moment():
    pairs = np.random.default_rng(1).random((100_000, 2)).tolist()
    seen = [outcome(k, error, bits) for k, (error, bits) in enumerate(pairs)]
    curve = convergence(seen, goals(), (1.0, 1.0))
    assert curve[-1] == pytest.approx(hypervolume(pairs, (1.0, 1.0)), rel=1e-12)


def test_convergence_counts_nothing_and_infinity():
    assert convergence([], goals(), (1.0, 1.0)) == []
    seen = [outcome(0, 0.5, 2.0), outcome(1, 0.5, 0.5), outcome(2, 0.1, -math.inf)]
    assert convergence(seen, goals(), (1.0, 1.0)) == [0.0, 0.25, math.inf]


few = st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([None, 0, 1]))


@given(st.lists(few, max_size=25), st.integers(0, 25))
def test_a_growing_front_is_the_front_of_all_so_far(found, at_first):
    """Numbers come in any order, limits are passed, and some points have no network."""
    seen = [
        Outcome((-k * (k % 3), k), k, None, "impossible")
        if how is None
        else outcome(k, error / 8, bits + how, (-k * (k % 3), k))
        for k, (error, bits, how) in enumerate(found)
    ]
    wanted = goals(error=0.4)
    growing = GrowingFront(wanted, seen[:at_first])
    for late in seen[at_first:]:
        growing.add(late)
    assert growing.outcomes == front(seen, wanted)
    known = [p for o in seen if (p := wanted.values(o)) is not None]
    if known:
        worst = [max(column) or 1.0 for column in zip(*known, strict=True)]
        shares = np.array([wanted.values(o) for o in growing.outcomes]).reshape(-1, 2) / worst
        assert growing.share == hypervolume(shares, (1.0, 1.0))
    else:
        assert growing.share == 0.0
