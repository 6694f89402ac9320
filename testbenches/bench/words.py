"""Words that go into a block and must come out, and the vectors that they are made of."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from amaranth.lib.wiring import Component

from fxsim.arithmetic.formats import IntFormat
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.packed import pack_words

FORMATS = [IntFormat(bits=bits, signed=signed) for bits in (1, 4, 8, 9) for signed in (False, True)]


class Traffic(Protocol):
    """Words that pass a stream, in any layout."""

    def channel(self, name: str, port: str) -> Channel:
        """Channel at the stream ``port`` of the top module."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """Vectors on a stream of ``lanes`` lanes; a last beat that is not full ends in ``pad``."""

    format: IntFormat
    lanes: int
    vectors: list[list[int]]
    pad: int = 0

    def channel(self, name: str, port: str) -> Channel:
        """Channel at the stream ``port`` of the top module."""
        for vector in self.vectors:
            assert self.format.holds(min(vector), max(vector))
        return Channel(
            name=name,
            data=f"{port}__payload",
            valid=f"{port}__valid",
            ready=f"{port}__ready",
            lanes=self.lanes,
            stride=self.format.bits,
            bits=self.format.bits,
            signed=self.format.signed,
            beats=-(-len(self.vectors[0]) // self.lanes) if self.vectors else 1,
            words=pack_words(self.vectors, lanes=self.lanes, stride=self.format.bits, pad=self.pad),
        )


@dataclass(frozen=True, kw_only=True)
class Case:
    """One configuration of a block.

    Parameters
    ----------
    name : str
        Of the instance, and in reports.
    block : Component
    given, expected : Traffic
        At the streams ``input`` and ``output``.
    more_given, more_expected : mapping of str to Traffic
        At further streams.
    watched : mapping of str to Traffic
        At streams that are always ready, so that their valid is their ready.
    due : list of int
        Cycle of each output word without pauses; the first input word is taken in cycle 0.
    overflows : int
        Beats that overflow an accumulator; a case that is about overflow must have some.
    """

    name: str
    block: Component
    given: Traffic
    expected: Traffic
    due: list[int]
    overflows: int = 0
    more_given: Mapping[str, Traffic] = field(default_factory=dict)
    more_expected: Mapping[str, Traffic] = field(default_factory=dict)
    watched: Mapping[str, Traffic] = field(default_factory=dict)
    input: str = "i"
    output: str = "o"


def draw(generator: random.Random, fmt: IntFormat, vectors: int, items: int) -> list[list[int]]:
    """Vectors at the limits, then random ones."""
    corners = [[fmt.min] * items, [fmt.max] * items]
    rest = [[generator.randint(fmt.min, fmt.max) for _ in range(items)] for _ in range(vectors)]
    return (corners + rest)[:vectors]
