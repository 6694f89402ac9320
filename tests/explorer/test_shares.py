"""Points shared out to those who evaluate."""

import random

import pytest

from fxsim.explorer.shares import Shares

POINTS = [(k,) for k in range(100)]


def test_takers_have_neighbours_of_their_own():
    shares = Shares(POINTS, 2)
    seen = {"a": [], "b": []}
    for _ in range(3):
        for taker, found in seen.items():
            found += shares.take(taker)
    assert seen["a"] == POINTS[: len(seen["a"])]
    assert seen["b"] == POINTS[50 : 50 + len(seen["b"])]


def test_who_is_done_takes_half_of_another_run():
    shares = Shares(POINTS, 2)
    first = shares.take("slow")
    taken = []
    while shares and (points := shares.take("fast")):
        taken += points
    assert sorted([*first, *taken]) == POINTS
    # The other's run from the middle on, then nearer and nearer to where the slow one is.
    assert taken[50] == (len(first) + (50 - len(first)) // 2,)
    assert len(shares) == 0


@pytest.mark.parametrize("seed", range(20))
def test_no_point_is_lost_or_taken_twice(seed):
    source = random.Random(seed)
    points = POINTS[: source.randrange(1, 100)]
    shares = Shares(points, source.randrange(1, 5))
    alive, done = list("abcdefgh"[: source.randrange(2, 8)]), []
    while shares:
        taker = source.choice(alive)
        found = shares.take(taker)
        assert found
        if len(alive) > 1 and source.random() < 0.1:
            alive.remove(taker)
            half = len(found) // 2
            done += found[:half]
            shares.lose(taker, found[half:])
        else:
            done += found
    assert sorted(done) == points
