"""Channel: one stream of a device, and the words that must pass it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fxsim.testbenches.bench.packed import Bytes, Packed, bytes_of


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A stream of the device and the words that must pass it.

    Parameters
    ----------
    name : str
        What a report calls it: a layer, or the port itself.
    data, valid, ready : str
        Paths of the signals below the top module.
    last : str or None
        Path of the end-of-vector flag, for AXI4-Stream.
    lanes, stride, bits, signed
        How a word falls into lanes: lane k is ``bits`` wide from bit ``k * stride``.
    beats : int
        Words of one vector.
    words : sequence of int
        The words, as unsigned integers of ``lanes * stride`` bits.
    vectors : int
        Vectors between end flags: 1, or the length of a sequence.
    inverted : list of int
        Places of words whose end-of-vector flag is wrong on purpose.
    """

    name: str
    data: str
    valid: str
    ready: str
    last: str | None = None
    lanes: int
    stride: int
    bits: int
    signed: bool
    beats: int
    words: Sequence[int] = field(repr=False)
    vectors: int = 1
    inverted: list[int] = field(default_factory=list)

    def ends(self, place: int) -> bool:
        """Value of the end-of-vector flag of a word."""
        period = self.beats * self.vectors
        return (place % period == period - 1) != (place in self.inverted)

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.lanes * self.stride

    @property
    def framed(self) -> bool:
        """Whether words have an end-of-vector flag."""
        return self.last is not None

    @property
    def record(self) -> Bytes:
        """Words as they stand in the file, shape (n, bytes)."""
        rows = Packed.of(self.words, self.width).rows
        if not self.framed:
            return rows
        period = self.beats * self.vectors
        ends = np.arange(len(rows)) % period == period - 1
        inverted = np.zeros(len(rows), bool)
        inverted[[place for place in self.inverted if place < len(rows)]] = True
        flags = (ends ^ inverted) | inverted.astype(np.uint8) << 1
        return np.column_stack([flags.astype(np.uint8), rows])

    def of_record(self, data: bytes) -> Channel:
        """The channel with the words of bytes that are `record`'s."""
        rows = np.frombuffer(data, np.uint8).reshape(-1, bytes_of(self.width) + self.framed)
        return replace(self, words=Packed(rows[:, int(self.framed) :]))

    def lane_values(self, word: int) -> list[int]:
        """Integers in the lanes of ``word``."""
        return [self._value(bits) for bits in self._lane_bits(word)]

    def lanes_read(self, word: int | str) -> list[int | str]:
        """Integers in the lanes of what was read; the bits themselves where some are unknown."""
        known = {"0", "1"}
        return [self._value(bits) if set(bits) <= known else bits for bits in self._lane_bits(word)]

    def _lane_bits(self, word: int | str) -> list[str]:
        text = word if isinstance(word, str) else f"{word:0{self.lanes * self.stride}b}"
        ends = [len(text) - lane * self.stride for lane in range(self.lanes)]
        return [text[end - self.bits : end] for end in ends]

    def _value(self, bits: str) -> int:
        negative = self.signed and bits[0] == "1"
        return int(bits, 2) - (negative << self.bits)
