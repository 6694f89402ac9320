"""Channel: one stream of a device, and the words that must pass it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

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
    frames : list of int
        Words of each frame, where they are not all of ``vectors`` vectors.
    misframed : list of int
        Places of words by whose end-of-vector flag the receiver knows that a frame is wrong.
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
    frames: list[int] = field(default_factory=list)
    misframed: list[int] = field(default_factory=list)

    @cached_property
    def ends(self) -> npt.NDArray[np.bool_]:
        """End-of-vector flag of each word."""
        period = self.beats * self.vectors
        places = np.arange(len(self.words))
        if self.frames:
            return np.isin(places, np.cumsum(self.frames) - 1)
        found: npt.NDArray[np.bool_] = places % period == period - 1
        return found

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
        wrong = np.isin(np.arange(len(rows)), self.misframed)
        flags = self.ends.astype(np.uint8) | wrong.astype(np.uint8) << 1
        return np.column_stack([flags, rows])

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
