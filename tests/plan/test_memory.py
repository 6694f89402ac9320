"""Weight memories: what they are made of, and what their checksum finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.arithmetic.codes import TernaryCode
from fxsim.arithmetic.formats import MemoryStyle
from fxsim.network import Folding
from fxsim.plan.memory import POLYNOMIAL, WeightMemory, checksum

WORDS = st.lists(st.integers(0, (1 << 100) - 1), min_size=1, max_size=40)


def remainder(words: list[int]) -> int:
    """The folded words as coefficients of x^32 steps of 1: sum of w[i] x^(n-1-i) modulo P."""
    total = 0
    for i, word in enumerate(words):
        folded = 0
        for start in range(0, word.bit_length(), 32):
            folded ^= word >> start & 0xFFFFFFFF
        total ^= folded << len(words) - 1 - i
    divisor = 1 << 32 | POLYNOMIAL
    while total.bit_length() > 32:
        total ^= divisor << total.bit_length() - 33
    return total


@given(WORDS)
def test_the_checksum_is_a_remainder_of_polynomials(words: list[int]) -> None:
    assert checksum(words) == remainder(words)


@given(WORDS, st.data())
def test_a_burst_in_one_word_is_found(words: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    burst = data.draw(st.integers(1, (1 << 32) - 1)) << data.draw(st.integers(0, 68))
    changed = [word ^ burst * (k == place) for k, word in enumerate(words)]
    assert checksum(changed) != checksum(words)


@given(WORDS, st.integers(1, 100))
def test_a_cut_that_matters_is_found(words: list[int], lines: int) -> None:
    """A file that is cut short leaves zeros, or whatever a memory powers up with."""
    kept = words[:-lines] if lines < len(words) else []
    rest = [0] * (len(words) - len(kept))
    last = [word for word in words[len(kept) :] if remainder([word])]
    if len(last) == 1:
        assert checksum([*kept, *rest]) != checksum(words)


@pytest.mark.parametrize(
    ("outputs", "inputs", "style", "expected"),
    [
        (64, 128, "auto", "auto"),  # 16,384 bits
        (64, 130, "auto", "block"),
        (64, 128, "block", "block"),
        (64, 130, "distributed", "distributed"),
        (2, 4200, "auto", "block"),
        (65, 1, "auto", "auto"),
    ],
)
def test_what_a_memory_is_made_of(outputs: int, inputs: int, style: str, expected: str) -> None:
    folding = Folding(rows=1, simd=1, memory=MemoryStyle(style))
    weights = np.ones((outputs, inputs), np.int64)
    memory = WeightMemory.holding(weights, TernaryCode(), folding, "first")
    assert str(memory.style) == expected
    assert memory.filled == (expected == "block")
    assert (memory.depth, memory.bits) == (outputs * inputs, 2 * outputs * inputs)
    assert len(memory.text.splitlines()) == memory.depth


def test_few_wide_words_stay_in_luts() -> None:
    """64 words: a LUT of 6 inputs has room for a bit of each."""
    folding = Folding(rows=64, simd=16)
    weights = np.ones((64, 16 * 64), np.int64)
    memory = WeightMemory.holding(weights, TernaryCode(), folding, "wide")
    assert (memory.depth, memory.bits) == (64, 1 << 17)
    assert memory.style is MemoryStyle.AUTO
    folding = replace(folding, rows=32)
    assert WeightMemory.holding(weights, TernaryCode(), folding, "deep").style is MemoryStyle.BLOCK
