"""Memories that Verilog declares, as its text says: an independent look at what is built."""

from __future__ import annotations

import re
from collections import Counter

_WORDS = re.compile(r"^ +reg (?:\[(\d+):0\] )?\S+ \[(\d+):0\];$", re.MULTILINE)
_INSTANCE = re.compile(
    r"^  \w+__(?:r[ao]m(?:_\w+)?|register_file)"
    r" #\([^;]*?\.DEPTH\(32'd(\d+)\),[^;]*?\.WIDTH\(32'd(\d+)\)",
    re.MULTILINE,
)
_MODULE = re.compile(r"^module .*?^endmodule", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"^  (?:reg|wire) (?:\[(\d+):0\] )?word_0;", re.MULTILINE)
_CHOSEN = re.compile(r"^ +(?:assign )?word_0 = ", re.MULTILINE)


def declared_memories(verilog: str) -> Counter[tuple[int, int]]:
    """Bits of a word and words of each memory: words in the text, and instances of modules.

    Constants are choices of words, one in a module for each port; the first tells what they hold.
    """
    found = Counter((int(high or 0) + 1, int(last) + 1) for high, last in _WORDS.findall(verilog))
    found += Counter((int(width), int(depth)) for depth, width in _INSTANCE.findall(verilog))
    for module in _MODULE.findall(verilog):
        for high in _WORD.findall(module):
            found[int(high or 0) + 1, len(_CHOSEN.findall(module))] += 1
    return found
