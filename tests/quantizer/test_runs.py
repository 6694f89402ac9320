"""The code of positions against its decoder, over every pattern of few parameters."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.quantizer.runs import decode, encode


def words(left, bits=4):
    return encode(np.array(left, dtype=bool), bits).tolist()


def test_words_are_runs_and_15_goes_on():
    assert words([1, 0, 0, 1]) == [0, 2]
    assert words([0] * 14 + [1]) == [14]
    assert words([0] * 15 + [1]) == [15, 0]
    assert words([0] * 32 + [1]) == [15, 15, 2]


def test_the_last_word_may_reach_beyond_the_end():
    assert words([]) == []
    assert words([1, 0, 0]) == [0, 2]
    assert words([0] * 15) == [15]
    assert words([0] * 31) == [15, 15, 1]


@pytest.mark.parametrize(("bits", "size"), [(1, 8), (2, 10), (3, 12), (4, 1), (4, 12)])
def test_every_pattern_has_a_code_of_its_own_that_no_other_begins_with(bits, size):
    """Kraft's inequality is what a code that can be decoded must fulfil."""
    seen, kraft = set(), Fraction(0)
    for left in itertools.product([False, True], repeat=size):
        code = encode(np.array(left), bits)
        assert tuple(decode(code, size, bits)) == left
        seen.add(tuple(code.tolist()))
        kraft += Fraction(1, 1 << bits * len(code))
    assert len(seen) == 1 << size
    assert kraft <= 1
    assert not any(code[:k] in seen for code in seen for k in range(len(code)))


@given(st.lists(st.integers(0, 70), max_size=30), st.integers(0, 70), st.integers(1, 6))
def test_long_runs_are_decoded(runs, rest, bits):
    left = np.array([here for run in runs for here in [False] * run + [True]] + [False] * rest)
    left = left.astype(bool)
    code = encode(left, bits)
    np.testing.assert_array_equal(decode(code, left.size, bits), left)
    longest = 2**bits - 1
    assert len(code) == sum(1 + run // longest for run in runs) + -(-rest // longest)
