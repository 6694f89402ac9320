"""Job of one cocotb run, as plain data that crosses the process border as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PATTERNS = ("none", "idle_source", "slow_sink", "both")
"""Pause patterns: never, random source idle, random back-pressure, both."""

TURNS = ("in_turn", "in_reverse")
"""A vector of each input, and of each output, one after the other, in either order."""

RESTART = "restart"
"""The pattern "both", after several resets in mid-stream."""


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
    words: list[int] = field(repr=False)
    vectors: int = 1
    inverted: list[int] = field(default_factory=list)

    def ends(self, place: int) -> bool:
        """Value of the end-of-vector flag of a word."""
        period = self.beats * self.vectors
        return (place % period == period - 1) != (place in self.inverted)

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


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device with inputs, outputs and any number of inner streams to watch.

    Parameters
    ----------
    source, sink : Channel
    more_sources, more_sinks : list of Channel
        Further inputs and outputs.
    probes : list of Channel
    flag : str or None
        Path of a signal that goes high, and stays, after a word with a wrong end-of-vector flag.
    """

    source: Channel
    sink: Channel
    more_sources: list[Channel] = field(default_factory=list)
    more_sinks: list[Channel] = field(default_factory=list)
    probes: list[Channel] = field(default_factory=list)
    flag: str | None = None

    @property
    def sources(self) -> list[Channel]:
        """All inputs."""
        return [self.source, *self.more_sources]

    @property
    def sinks(self) -> list[Channel]:
        """All outputs."""
        return [self.sink, *self.more_sinks]

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Device:
        """Inverse of `dataclasses.asdict`."""
        return cls(
            source=Channel(**value["source"]),
            sink=Channel(**value["sink"]),
            more_sources=[Channel(**channel) for channel in value["more_sources"]],
            more_sinks=[Channel(**channel) for channel in value["more_sinks"]],
            probes=[Channel(**probe) for probe in value["probes"]],
            flag=value["flag"],
        )


@dataclass(frozen=True, kw_only=True)
class Registers:
    """An AXI4-Lite port: what is written before the first word, and read after the last.

    Parameters
    ----------
    prefix : str
        Of its signals.
    writes : list of [int, int]
        Addresses and data.
    reads : dict of str to int
        Addresses by name; what they gave is part of the outcome.
    """

    prefix: str
    writes: list[list[int]] = field(default_factory=list)
    reads: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Independent devices in one top module, and the pause patterns to run them with.

    ``settle`` is the number of idle cycles after reset, before the first word. ``preload`` is
    streamed in first, and nothing comes out for it; then ``registers`` are written.
    """

    clock: str
    reset: str
    reset_active: int
    devices: list[Device]
    patterns: list[str]
    seed: int
    settle: int = 0
    preload: list[Channel] = field(default_factory=list)
    registers: Registers | None = None

    @property
    def text(self) -> str:
        """The job as JSON."""
        return json.dumps(asdict(self))

    @property
    def passing(self) -> dict[str, int]:
        """Words that a run compares, and completion times of words that it has of each stream."""
        found = {"words": 0}
        for number, device in enumerate(self.devices):
            found["words"] += sum(len(c.words) for c in (*device.probes, *device.sinks))
            for k, channel in enumerate((device.source, *device.sinks)):
                found[passing(number, k)] = len(channel.words)
        return found

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job back."""
        value = json.loads(path.read_text())
        value["devices"] = [Device.from_dict(item) for item in value["devices"]]
        value["preload"] = [Channel(**item) for item in value["preload"]]
        if value["registers"] is not None:
            value["registers"] = Registers(**value["registers"])
        return cls(**value)


def passing(device: int, stream: int) -> str:
    """Name in `Job.passing` of a stream: 0 is the input, then come the outputs."""
    return f"times at {f'output {stream}' if stream else 'the input'} of device {device}"


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
