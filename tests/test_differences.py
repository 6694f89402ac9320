"""Words for the first difference between two configurations."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.differences import first_difference

LONG = "x" * 80


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"seed": 1}, {"seed": 2}, "with seed 1, not 2"),
        ({"a": [1, {"b": 8}]}, {"a": [1, {"b": 6}]}, "with a[1].b 8, not 6"),
        ({"a": [1]}, {"a": [1, 2]}, "without a[1], which is 2 now"),
        ({"a": [1, 2]}, {"a": [1]}, "with a[1] 2, which is left out now"),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}, "with a.b 1, which is left out now"),
        ({"a": {}}, {"a": {"lut": None}}, "without a.lut, which is null now"),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, "with a in the order x, y, not y, x"),
        ({"a": 1}, {"a": [1]}, "with a 1, not [1]"),
        ({"a": [8]}, {"a": (8,)}, None),
        ({"a": LONG + "1"}, {"a": LONG + "2"}, f'with a ...{LONG[:20]}1", not ...{LONG[:20]}2"'),
        ({"a": LONG}, {"a": LONG + "!"}, f'with a ...{LONG[:20]}", not ...{LONG[:20]}!"'),
    ],
)
def test_the_difference_by_eye(old, new, words):
    assert first_difference(old, new) == words


values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text("ab", max_size=90),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("xy", max_size=2), inner, max_size=4)
    ),
)


@given(values, values)
def test_nothing_is_said_of_equals_and_halves_are_never_equal(old, new):
    words = first_difference(old, new, "key")
    assert (words is None) == (json.dumps(old) == json.dumps(new))
    if words is not None and ", not " in words:
        _, _, halves = words.removeprefix("with ").partition(" ")
        one, _, other = halves.removeprefix("in the order ").partition(", not ")
        assert one != other
