"""A weight of the Verilog with one bit wrong."""

from __future__ import annotations

import re

_WORD = re.compile(r"( word_0 = \d+'h)([0-9a-f]+);")


def with_flipped_weight(verilog: str, array: str = "mac_array") -> str:
    """Verilog in which bit 0 of the first word of weights of a MAC array is another.

    Parameters
    ----------
    verilog : str
    array : str
        End of the name of the array's module; the first such one is taken. Its weights are a choice
        of words.
    """
    place = re.search(rf"^module \\\S*{re.escape(array)}\.weights", verilog, re.MULTILINE)
    assert place is not None

    def flip(word: re.Match[str]) -> str:
        return f"{word[1]}{int(word[2], 16) ^ 1:x};"

    flipped, count = _WORD.subn(flip, verilog[place.end() :], count=1)
    assert count == 1
    return verilog[: place.end()] + flipped
