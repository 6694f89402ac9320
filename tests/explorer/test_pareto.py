import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsim.explorer.outcome import Goals, Outcome
from fxsim.explorer.pareto import convergence, front, hypervolume, nondominated
from tests.explorer.small import make_space

points = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.tuples(*[st.integers(0, 5)] * n), min_size=1, max_size=9)
)


@given(points)
def test_nobody_dominates_the_front_and_everyone_else_is_dominated(found):
    def dominates(a, b):
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    kept = set(nondominated(found))
    for k, point in enumerate(found):
        assert (k in kept) == (not any(dominates(other, point) for other in found))


@given(points)
@settings(max_examples=60)
def test_the_hypervolume_is_the_number_of_unit_cells_that_are_dominated(found):
    reference = (4,) * len(found[0])
    cells = itertools.product(*(range(side) for side in reference))
    count = sum(
        any(all(p <= c for p, c in zip(q, cell, strict=True)) for q in found) for cell in cells
    )
    assert hypervolume(found, reference) == count


def test_hypervolume_of_nothing_is_nothing():
    assert hypervolume([], (1.0, 1.0)) == 0.0


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


def test_convergence_is_the_hypervolume_so_far():
    rng = np.random.default_rng(1)
    seen = [outcome(k, float(e), float(b)) for k, (e, b) in enumerate(rng.random((30, 2)))]
    curve = convergence(seen[::-1], goals(), (1.0, 1.0))
    for k in range(30):
        pairs = [(o.metrics["error"], o.metrics["weight_memory_bits"]) for o in seen[: k + 1]]
        assert curve[k] == pytest.approx(hypervolume(pairs, (1.0, 1.0)), rel=1e-12)
    assert curve == sorted(curve)
