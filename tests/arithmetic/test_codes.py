"""Weight codes: every weight and word of each, by eye and over all of them."""

import numpy as np
import pytest

from fxsim.arithmetic.codes import (
    WITHOUT_MULTIPLIER,
    BinaryCode,
    IntegerCode,
    PowerOfTwoCode,
    TernaryCode,
    code_of,
    parse_code,
)
from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError, RangeError

INTEGERS = [parse_code(f"int{bits}{narrow}") for bits in range(2, 10) for narrow in ("", "n")]
CODES = [*WITHOUT_MULTIPLIER, *(code for code in INTEGERS if code.multiplies)]


def weights_of(code):
    magnitudes = code.magnitudes.tolist()
    found = {sign * m for m in magnitudes for sign in (1, -1)}
    return np.array(sorted(found | ({code.format.min} if code.multiplies else set())))


@pytest.mark.parametrize(
    ("code", "weights", "bits", "words"),
    [
        ("int2n", [-1, 0, 1], 2, [0b11, 0b00, 0b01]),
        ("binary", [-1, 1], 1, [1, 0]),
        ("po2_2", [-2, -1, 0, 1, 2], 3, [0b110, 0b101, 0b000, 0b001, 0b010]),
        ("po2_3", [-4, -2, -1, 0, 1, 2, 4], 3, [7, 6, 5, 0, 1, 2, 3]),
        ("po2_4", [-8, -4, -2, -1, 0, 1, 2, 4, 8], 4, [12, 11, 10, 9, 0, 1, 2, 3, 4]),
        ("int3n", [-3, -2, -1, 0, 1, 2, 3], 3, [5, 6, 7, 0, 1, 2, 3]),
    ],
)
def test_words_by_eye(code, weights, bits, words):
    code = parse_code(code)
    assert weights_of(code).tolist() == weights
    assert code.bits == bits
    assert code.stored(np.array(weights)).tolist() == words
    assert code.levels == len(weights)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_every_weight_comes_back(code):
    weights = weights_of(code)
    words = code.stored(weights)
    assert len(set(words.tolist())) == len(weights)
    assert ((words >= 0) & (words < 1 << code.bits)).all()
    np.testing.assert_array_equal(code.restored(words), weights)
    assert parse_code(str(code)) == code
    assert code.levels == len(weights)
    assert code.pads == (0 in weights)
    assert code.format.holds(int(weights.min()), int(weights.max()))
    code.check(weights, "weight")


@pytest.mark.parametrize("code", CODES, ids=str)
def test_nearest_is_the_nearest(code):
    """Of all weights, found by trying each; ties go to the greater magnitude."""
    weights = weights_of(code)
    reals = np.arange(-300, 301) / 8
    found = code.nearest(reals)
    distance = np.abs(reals[:, None] - weights)
    symmetric = weights[weights >= -code.magnitudes[-1]]
    least = np.abs(reals[:, None] - symmetric).min(axis=1)
    np.testing.assert_array_equal(np.abs(reals - found), least)
    tied = (distance == least[:, None]).sum(axis=1) > 1
    for real, chosen in zip(reals[tied], found[tied], strict=True):
        ties = symmetric[np.abs(real - symmetric) == np.abs(real - symmetric).min()]
        assert abs(chosen) == np.abs(ties).max()
    assert BinaryCode().nearest(np.array([-0.0, 0.0, -1e-300])).tolist() == [1, 1, -1]
    assert code.nearest(np.array([np.inf, -np.inf])).tolist() == [
        code.magnitudes[-1],
        -code.magnitudes[-1],
    ]


def test_code_of_a_format():
    assert code_of(IntFormat.for_levels(3)) == TernaryCode()
    assert code_of(IntFormat(bits=2, signed=True)) == IntegerCode(IntFormat(bits=2, signed=True))
    assert [code.multiplies for code in (TernaryCode(), BinaryCode(), PowerOfTwoCode(2))] == [
        False
    ] * 3


@pytest.mark.parametrize(
    ("code", "weights", "message"),
    [
        ("binary", [[1, 0]], r"weight\[0, 1\] must be -1 or 1, not 0"),
        ("int2n", [[1, -2]], r"weight\[0, 1\] must be -1, 0 or 1, not -2"),
        ("po2_3", [[4], [3]], r"weight\[1, 0\] must be -4, -2, -1, 0, 1, 2 or 4, not 3"),
        ("int3n", [[-4]], r"weight\[0, 0\] must be from -3 to 3, not -4"),
    ],
)
def test_weights_without_a_word(code, weights, message):
    with pytest.raises(RangeError, match=f"^{message}$"):
        parse_code(code).check(np.array(weights), "weight")


@pytest.mark.parametrize(
    "text", ["", "uint8", "po2", "po2_1", "po2_7", "Binary", "int", "int1n", "int063"]
)
def test_names_that_are_no_code(text):
    message = (
        "weight code must look like int8 or int8n, or be one of binary, po2_2, po2_3, po2_4, po2_5,"
        f" po2_6, not {text!r}"
    )
    with pytest.raises(ConfigError, match=f"^{message}$"):
        parse_code(text)


@pytest.mark.parametrize("exponents", [1, 7, True, 2.0])
def test_exponents(exponents):
    message = f"exponents must be an integer from 2 to 6, not {exponents!r}"
    with pytest.raises(ConfigError, match=f"^{message}$"):
        PowerOfTwoCode(exponents)
