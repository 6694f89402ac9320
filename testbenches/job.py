"""What one cocotb run is to do, as plain data that crosses the process border as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

PATTERNS = ("none", "idle_source", "slow_sink", "both")
"""Pause patterns: never, random source idle, random back-pressure, both."""


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
    words : list of int
        The words, as unsigned integers of ``lanes * stride`` bits.
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
    words: list[int] = field(repr=False)

    def lane_values(self, word: int) -> list[int]:
        """Integers in the lanes of ``word``."""
        values = []
        for lane in range(self.lanes):
            value = word >> (lane * self.stride) & ((1 << self.bits) - 1)
            if self.signed and value >> (self.bits - 1):
                value -= 1 << self.bits
            values.append(value)
        return values


@dataclass(frozen=True, kw_only=True)
class Job:
    """One device with one input, one output and any number of inner streams to watch."""

    clock: str
    reset: str
    reset_active: int
    source: Channel
    sink: Channel
    probes: list[Channel]
    patterns: list[str]
    seed: int

    def write(self, path: Path) -> None:
        """Write the job as JSON."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job back."""
        value = json.loads(path.read_text())
        for key in ("source", "sink"):
            value[key] = Channel(**value[key])
        value["probes"] = [Channel(**probe) for probe in value["probes"]]
        return cls(**value)


def pack_words(
    vectors: Sequence[Sequence[int]], *, lanes: int, stride: int, pad: int = 0
) -> list[int]:
    """Pack vectors into words of ``lanes`` two's complement fields of ``stride`` bits.

    The last word of a vector is filled up with ``pad``.
    """
    mask = (1 << stride) - 1
    words = []
    for vector in vectors:
        for start in range(0, len(vector), lanes):
            group = list(vector[start : start + lanes])
            group += [pad] * (lanes - len(group))
            words.append(sum((value & mask) << (k * stride) for k, value in enumerate(group)))
    return words
