"""Values of a front for people."""

import pytest

from fxsim.explorer.front import in_words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        ("channel", "channel"),
        ({"overflow": "wrap", "bits": 12}, "wrap, 12"),
        ({"rows": 8, "simd": 30}, "8, 30"),
    ],
)
def test_mappings_are_their_values(value, text):
    assert in_words(value) == text
