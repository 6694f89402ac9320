"""What a bench has found out about a device, whichever bench it was, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.job import PATIENCE, Device
from fxsim.testbenches.bench.outcome import Subject
from fxsim.testbenches.bench.scoreboard import Mismatch


@dataclass(frozen=True, kw_only=True)
class StreamFindings:
    """Of one stream: words seen and wrong ones, the first of these, and the rule it broke."""

    channel: Channel
    seen: int
    wrong: int
    first: Mismatch | None
    broken: str | None
    times: list[int] = field(default_factory=list, repr=False)

    @property
    def done(self) -> bool:
        """True if every expected word has passed."""
        return self.seen >= len(self.channel.words)

    @property
    def progress(self) -> str:
        """Words seen of words expected."""
        return f"{self.seen} of {len(self.channel.words)}"


@dataclass(frozen=True, kw_only=True)
class DeviceFindings:
    """Of one device: its streams, in the order of `Device.channels`, its flag, and if it hung."""

    device: Device
    streams: Sequence[StreamFindings]
    flag: str | None = None
    hung: bool = False

    @property
    def sources(self) -> Sequence[StreamFindings]:
        """Of its inputs."""
        return self.streams[: len(self.device.sources)]

    @property
    def sinks(self) -> Sequence[StreamFindings]:
        """Of its outputs."""
        first = len(self.device.sources)
        return self.streams[first : first + len(self.device.sinks)]

    @property
    def compared(self) -> Sequence[StreamFindings]:
        """Streams whose words are compared, in the order of the data: inner ones, then outputs."""
        count = len(self.device.sources) + len(self.device.sinks)
        return [*self.streams[count:], *self.sinks]

    @property
    def complaints(self) -> list[str]:
        """Rules that were broken."""
        found = [self.flag, *(stream.broken for stream in self.streams)]
        messages = [text for text in found if text is not None]
        if self.hung and not messages:
            taken, given = (
                ", ".join(stream.progress for stream in streams)
                for streams in (self.sources, self.sinks)
            )
            messages.append(
                f"{self.device.sink.name}: no transfer for {PATIENCE} cycles:"
                f" {taken} words in, {given} out"
            )
        return messages

    @property
    def times(self) -> dict[str, Any]:
        """Cycles in which words were taken."""
        first, *more = self.sinks
        return {
            "inputs": self.sources[0].times,
            "outputs": first.times,
            "more_outputs": [stream.times for stream in more],
        }


@dataclass
class Findings:
    """Of one pattern, over all of its parts."""

    pattern: str
    compared: list[StreamFindings] = field(default_factory=list)
    last: Sequence[DeviceFindings] = ()
    cycles: int = 0
    registers: dict[str, int | str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def add(self, devices: Sequence[DeviceFindings], cycles: int) -> None:
        """Add a part, which took ``cycles``."""
        self.compared += [stream for device in devices for stream in device.compared]
        self.last, self.cycles = devices, cycles
        self.broken += [text for device in devices for text in device.complaints][:1]

    def write(self, subject: Subject, folder: Path) -> None:
        """Write the outcome of the pattern."""
        mismatch = self._mismatch
        outcome = {
            "pattern": self.pattern,
            "cycles": self.cycles,
            "words": sum(stream.seen for stream in self.compared),
            "wrong": sum(stream.wrong for stream in self.compared),
            "mismatch": mismatch.as_dict() if mismatch else None,
            "devices": [device.times for device in self.last],
            "registers": self.registers,
        }
        subject.write(folder, outcome)

    @property
    def messages(self) -> list[str]:
        """What is wrong: the first wrong word, the rule that was broken, the words missing."""
        mismatch = self._mismatch
        return [
            *([str(mismatch)] if mismatch else []),
            *self.broken,
            *_missing(stream for device in self.last for stream in device.compared),
        ]

    @property
    def _mismatch(self) -> Mismatch | None:
        return next((stream.first for stream in self.compared if stream.first is not None), None)


def _missing(streams: Iterable[StreamFindings]) -> list[str]:
    return [f"{s.channel.name}: only {s.progress} words" for s in streams if not s.done]
