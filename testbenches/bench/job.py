"""Job of one cocotb run, as plain data that crosses the process border in two files.

`job.json` says which streams there are. `words.bin` has their words, and both benches read it: the
one in Python here, the one in Verilog by ``$fread``. At its head is a table with the place of the
first byte and the number of words of each channel, two numbers of 64 bits; then the words follow,
each after a byte with flags where the channel has ends: 1 for the end of a vector, 2 for a word
that shows that its frame has the wrong length. All numbers have their highest byte first.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fxsim.errors import FileError, RangeError
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.outcome import JOB


def idles(pattern: str) -> bool:
    """Whether sources pause at random."""
    return pattern in ("idle_source", "both", RESTART)


def slow(pattern: str) -> bool:
    """Whether sinks pause at random."""
    return pattern in ("slow_sink", "both", RESTART)


class Part(NamedTuple):
    """A part of a run, which begins with a reset: seed of its pauses, and the cycle of its end."""

    seed: int
    limit: int | None


def parts_of(pattern: str, seed: int) -> list[Part]:
    """Parts of a run: one, which goes on to the end, but for `RESTART`."""
    limits: list[int | None] = [None]
    if pattern == RESTART:
        generator = random.Random(seed)
        limits = [*(generator.randint(1, 40 * cut) for cut in range(1, 6)), None]
    return [Part(seed + 100 * k, limit) for k, limit in enumerate(limits)]


QUIET = 50
"""Cycles after the last word in which another one would show up."""

PATIENCE = 20_000
"""Cycles without a single transfer that mean that a device hangs."""

WORDS = "words.bin"
_ENTRY = 16  # bytes in the table
_MOST = 2**31 - 1  # bytes; $fseek takes places of 32 bits

PATTERNS = ("none", "idle_source", "slow_sink", "both")
"""Pause patterns: never, random source idle, random back-pressure, both."""

TURNS = ("in_turn", "in_reverse")
"""A vector of each input, and of each output, one after the other, in either order."""

RESTART = "restart"
"""The pattern "both", after several resets in mid-stream."""


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
        Path of a signal that goes high, and stays, after a word that shows that a frame is wrong.
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

    @property
    def channels(self) -> list[Channel]:
        """Inputs, outputs, then inner streams."""
        return [*self.sources, *self.sinks, *self.probes]

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

    def with_channels(self, channels: Sequence[Channel]) -> Device:
        """The device with other ``channels``, in their order."""
        sources, sinks = len(self.sources), len(self.sources) + len(self.sinks)
        return replace(
            self,
            source=channels[0],
            more_sources=list(channels[1:sources]),
            sink=channels[sources],
            more_sinks=list(channels[sources + 1 : sinks]),
            probes=list(channels[sinks:]),
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
    def channels(self) -> list[Channel]:
        """All streams: `preload`, then those of each device."""
        return [*self.preload, *(c for device in self.devices for c in device.channels)]

    @cached_property
    def words(self) -> bytes:
        """The words of all channels, as they stand in their file."""
        records = [channel.record for channel in self.channels]
        start, table = _ENTRY * len(records), []
        for record in records:
            table += [start, len(record)]
            start += record.size
        return np.array(table, ">u8").tobytes() + b"".join(record.tobytes() for record in records)

    @cached_property
    def text(self) -> str:
        """The job as JSON, with the SHA-256 of the words instead of themselves."""
        bare = self.with_channels([replace(channel, words=[]) for channel in self.channels])
        return json.dumps(asdict(bare) | {"words": hashlib.sha256(self.words).hexdigest()})

    def with_channels(self, channels: Sequence[Channel]) -> Job:
        """The job with other ``channels``, in their order."""
        place, devices = len(self.preload), []
        for device in self.devices:
            count = len(device.channels)
            devices.append(device.with_channels(channels[place : place + count]))
            place += count
        return replace(self, preload=list(channels[: len(self.preload)]), devices=devices)

    def write(self, folder: Path) -> None:
        """Write the files of the job.

        Raises
        ------
        RangeError
            If there are more words than a simulator can find in a file.
        """
        if len(self.words) > _MOST:
            raise RangeError(
                f"words of a run must take at most {_MOST:,} bytes, not {len(self.words):,};"
                " shards take data sets of any size"
            )
        (folder / JOB).write_text(self.text)
        (folder / WORDS).write_bytes(self.words)

    @property
    def length(self) -> int:
        """Words of the longest stream, in all patterns."""
        return max(len(channel.words) for channel in self.channels) * len(self.patterns)

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
    def read(cls, folder: Path) -> Job:
        """Read a job back.

        Raises
        ------
        FileError
            If the words are not those of the job.
        """
        value = json.loads((folder / JOB).read_text())
        words, digest = (folder / WORDS).read_bytes(), value.pop("words")
        if hashlib.sha256(words).hexdigest() != digest:
            raise FileError(f"{folder / WORDS}: not the words of {JOB}")
        value["devices"] = [Device.from_dict(item) for item in value["devices"]]
        value["preload"] = [Channel(**item) for item in value["preload"]]
        if value["registers"] is not None:
            value["registers"] = Registers(**value["registers"])
        bare = cls(**value)
        starts = np.frombuffer(words, ">u8", 2 * len(bare.channels)).tolist()[::2]
        ends = [*starts[1:], len(words)]
        return bare.with_channels(
            [
                channel.of_record(words[start:end])
                for channel, start, end in zip(bare.channels, starts, ends, strict=True)
            ]
        )


def passing(device: int, stream: int) -> str:
    """Name in `Job.passing` of a stream: 0 is the input, then come the outputs."""
    return f"times at {f'output {stream}' if stream else 'the input'} of device {device}"
