"""Random words of stochastic rounding: the published function, and what it does to values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fxsim.arithmetic import stochastic
from fxsim.arithmetic.stochastic import Stochastic
from fxsim.errors import RangeError
from fxsim.network.lstm_gradient import LstmGradient
from fxsim.simulator import lstm
from fxsim.simulator.lstm_gradient import backward
from fxsim.testbenches.cases.gradient_cases import random_case
from tests.messages import raises

KNOWN = [0x6B4ED927, 0xB48681B6, 0xFE64C182]
"""`mix` of 0, 1 and 2**32 - 1, from the published C code."""


def test_mix_known_words_and_one_to_one():
    assert [stochastic.mix(word) for word in (0, 1, 0xFFFFFFFF)] == KNOWN
    words = {stochastic.mix(word) for word in range(1 << 16)}
    assert len(words) == 1 << 16


def test_words_are_uniform():
    """Each bit, and the chi-square of the top and the low byte, over one stream."""
    count = 1 << 14
    key = stochastic.stream_key(1, 2, 3, 4)
    words = np.array([stochastic.random_word(key, k) for k in range(count)])
    for bit in range(32):
        assert abs((words >> bit & 1).mean() - 0.5) < 4 * 0.5 / math.sqrt(count)
    for low in (0, 24):
        hits = np.bincount(words >> low & 255, minlength=256)
        chi2 = ((hits - count / 256) ** 2 / (count / 256)).sum()
        assert abs(chi2 - 255) < 4 * math.sqrt(2 * 255)
    other = np.array(
        [stochastic.random_word(stochastic.stream_key(1, 2, 3, 5), k) for k in range(count)]
    )
    assert abs(np.corrcoef(words, other)[0, 1]) < 4 / math.sqrt(count)
    assert abs(np.corrcoef(words[1:], words[:-1])[0, 1]) < 4 / math.sqrt(count)


@pytest.mark.parametrize("shift", [1, 3, 8, 20, 40])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("sign", [1, -1])
def test_stochastic_rounding_is_unbiased(shift, fraction, sign):
    value = sign * ((5 << shift) + int(fraction * (1 << shift)))
    exact, count = value / (1 << shift), 4000
    results = [
        stochastic.shift_round(value, shift, stochastic.random_word(99, k)) for k in range(count)
    ]
    share = exact - math.floor(exact)
    assert set(results) <= {math.floor(exact), math.ceil(exact)}
    assert abs(np.mean(results) - exact) <= 4 * math.sqrt(share * (1 - share) / count)


def test_stochastic_rounding_by_hand():
    top = 0xFFFFFFFF
    assert stochastic.shift_round(-77, 0, top) == -77
    assert stochastic.shift_round(16, 4, top) == 1
    assert stochastic.shift_round(17, 4, top) == 2
    assert stochastic.shift_round(17, 4, top >> 4) == 1
    assert stochastic.shift_round(-17, 4, 0) == -2
    assert stochastic.shift_round(-17, 4, 1 << 28) == -1
    assert stochastic.shift_round((1 << 40) + (1 << 8), 40, top) == 2
    assert stochastic.shift_round((1 << 40) + (1 << 7), 40, top) == 1


def test_seed_and_position_decide_the_word():
    assert Stochastic(seed=3) == Stochastic(seed=3)
    with raises(RangeError, f"seed must be an integer from 0 to {2**32 - 1}, not -1"):
        Stochastic(seed=-1)
    keys = {
        stochastic.stream_key(seed, sequence, step, stream)
        for seed in range(4)
        for sequence in range(4)
        for step in range(4)
        for stream in range(8)
    }
    assert len(keys) == 4 * 4 * 4 * 8
    case = random_case(11, Stochastic(seed=1), inputs=6, cells=6, steps=4, count=2)
    gradient, x, dy = case
    trace = lstm.trace(gradient.layer, x)
    again = backward(gradient, trace, x, dy)
    np.testing.assert_array_equal(backward(gradient, trace, x, dy).dnet, again.dnet)
    other = LstmGradient(**(vars(gradient) | {"rounding": Stochastic(seed=2)}))
    assert (backward(other, trace, x, dy).dnet != again.dnet).any()
