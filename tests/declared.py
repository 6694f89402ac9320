"""Memories that Verilog declares, as its text says: an independent look at what is built."""

from __future__ import annotations

import re
from collections import Counter

_WORDS = re.compile(r"^ +reg (?:\[(\d+):0\] )?\S+ \[(\d+):0\];$", re.MULTILINE)
_INSTANCE = re.compile(
    r"^  \w+__r[ao]m(?:_\w+)? #\([^;]*?\.DEPTH\(32'd(\d+)\),[^;]*?\.WIDTH\(32'd(\d+)\)", re.M
)


def declared_memories(verilog: str) -> Counter[tuple[int, int]]:
    """Bits of a word and words of each memory: words in the text, and instances of modules."""
    found = Counter((int(high or 0) + 1, int(last) + 1) for high, last in _WORDS.findall(verilog))
    return found + Counter((int(width), int(depth)) for depth, width in _INSTANCE.findall(verilog))
