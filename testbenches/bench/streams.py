"""Source, sink and monitor of a valid/ready stream, one step a clock cycle.

Steps are plain calls from one loop: a coroutine each would triple the cost of a cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.findings import StreamFindings
from fxsim.testbenches.bench.rules import Fault, told
from fxsim.testbenches.bench.scoreboard import Scoreboard

if TYPE_CHECKING:  # a command that runs simulators needs no cocotb until then
    from cocotb.handle import (
        HierarchyObject,
        LogicArrayObject,
        LogicObject,
        PackedObject,
        SimHandleBase,
    )

    Signal = LogicObject | LogicArrayObject | PackedObject[LogicObject]

_BITS = ("0", "1")


def resolve(dut: HierarchyObject, path: str) -> Signal:
    """Handle of a signal by its dotted path below the top module.

    Raises
    ------
    KeyError
        If there is no such signal.
    TypeError
        If what is there has no bits, or has others inside.
    """
    from cocotb.handle import HierarchyObject, LogicArrayObject, LogicObject, PackedObject

    handle: SimHandleBase = dut
    for part in path.split("."):
        if not isinstance(handle, HierarchyObject):
            raise TypeError(f"{path}: nothing can be inside of {handle!r}")
        handle = handle[part]
    if not isinstance(handle, LogicObject | LogicArrayObject | PackedObject):
        raise TypeError(f"{path} must be a signal, not {handle!r}")
    return handle


def clock_of(dut: HierarchyObject, path: str) -> LogicObject:
    """Handle of a clock, which is a single bit."""
    from cocotb.handle import LogicObject

    handle = resolve(dut, path)
    if not isinstance(handle, LogicObject):
        raise TypeError(f"{path} must be a single bit, not {handle!r}")
    return handle


class Pause(Protocol):
    """Says when a source or a sink pauses."""

    def now(self) -> bool:
        """True to pause in this cycle."""


def read_bit(handle: Signal, what: str | None, cycle: int) -> int:
    """Value of a one-bit signal, which must be known."""
    try:
        return int(handle.value)
    except ValueError:
        raise AssertionError(f"{what} is {handle.value} at cycle {cycle}") from None


def read_word(handle: Signal) -> int | str:
    """Value of a signal; its bits, highest first, where some are unknown."""
    value = handle.value
    return int(value) if value.is_resolvable else str(value)


class Monitor:
    """Watches a stream: checks the rules of valid/ready and hands each word to a scoreboard.

    The rules (AXI4-Stream; Amaranth's streams have the same): once valid, a word stays valid and
    unchanged until it is taken. Valid, ready and last are never unknown. What was broken first
    stands in ``broken``.
    """

    def __init__(self, dut: HierarchyObject, channel: Channel):
        self.board = Scoreboard(channel)
        self.broken: str | None = None
        self.transfers: list[int] = []
        self.valid = False
        self._data = resolve(dut, channel.data)
        self._valid = resolve(dut, channel.valid)
        self._ready = resolve(dut, channel.ready)
        self._last = resolve(dut, channel.last) if channel.last else None
        self._held: tuple[int | str, str] | None = None

    def step(self, cycle: int) -> bool:
        """Look at the values that the clock edge samples; return whether a word was taken."""
        channel, valid = self.board.channel, str(self._valid.value)
        self.valid = valid == "1"
        if valid == "0":
            return self._held is not None and self._tell(Fault.FELL, cycle)
        if valid != "1":
            return self._tell(Fault.VALID, cycle, valid)
        last = "0" if self._last is None else str(self._last.value)
        if last not in _BITS:
            return self._tell(Fault.LAST, cycle, last)
        now, held, self._held = (read_word(self._data), last), self._held, None
        if held not in (None, now):
            return self._tell(Fault.CHANGED, cycle)
        if (ready := str(self._ready.value)) not in _BITS:
            return self._tell(Fault.READY, cycle, ready)
        if ready == "0":
            self._held = now
            return False
        place = self.board.seen
        if self.board.done:
            return self._tell(Fault.MORE, cycle)
        self.board.check(now[0], cycle)
        if self._last is not None and int(last) != channel.ends[place]:
            return self._tell(Fault.WRONG_LAST, cycle, last)
        self.transfers.append(cycle)
        return True

    def _tell(self, fault: Fault, cycle: int, bit: str = "") -> bool:
        self.broken = told(fault, self.board.channel, cycle, bit)
        return False

    @property
    def findings(self) -> StreamFindings:
        """What was found so far."""
        return StreamFindings(
            channel=self.board.channel,
            seen=self.board.seen,
            wrong=self.board.wrong,
            first=self.board.first,
            broken=self.broken,
            times=self.transfers,
        )

    @property
    def vectors(self) -> int:
        """Whole vectors that have passed."""
        return self.board.seen // self.board.channel.beats


class Turn:
    """Pauses of a stream that waits for its turn: a vector of each, one after the other.

    Parameters
    ----------
    monitor : Monitor
        Of the stream.
    earlier, later : sequence of Monitor
        Of the streams whose vectors come before its own, and after it.
    """

    def __init__(self, monitor: Monitor, earlier: Sequence[Monitor], later: Sequence[Monitor]):
        self._monitor, self._earlier, self._later = monitor, earlier, later

    @classmethod
    def of(cls, monitors: Sequence[Monitor], order: int) -> list[Turn]:
        """Turns of several streams, in their order or, for -1, in the reverse one."""
        ordered = monitors[::order]
        return [
            cls(monitor, ordered[: ordered.index(monitor)], ordered[ordered.index(monitor) + 1 :])
            for monitor in monitors
        ]

    def now(self) -> bool:
        """True if another stream has to pass a vector first."""
        vectors = self._monitor.vectors
        return any(other.vectors <= vectors for other in self._earlier) or any(
            other.vectors < vectors for other in self._later
        )


class Source:
    """Drives the words of a channel, holding each until it is taken."""

    def __init__(self, dut: HierarchyObject, channel: Channel, pauses: Pause):
        self._channel = channel
        self._pauses = pauses
        self._next = 0
        self._active = False
        self._data = resolve(dut, channel.data)
        self._valid = resolve(dut, channel.valid)
        self._last = resolve(dut, channel.last) if channel.last else None
        self._valid.value = 0
        self._data.value = 0
        if self._last is not None:
            self._last.value = 0

    def step(self, taken: bool) -> None:
        """Set up the next cycle; ``taken`` says whether the word on offer has just been taken."""
        if self._active and not taken:
            return
        offered = self._active
        self._active = self._next < len(self._channel.words) and not self._pauses.now()
        if self._active:
            self._data.value = self._channel.words[self._next]
            if self._last is not None:
                self._last.value = int(self._channel.ends[self._next])
            self._next += 1
        if self._active != offered:
            self._valid.value = int(self._active)


class Sink:
    """Drives ready. Every other pause lasts until valid, which must not depend on ready."""

    def __init__(self, dut: HierarchyObject, channel: Channel, pauses: Pause, *, patient: bool):
        self._ready = resolve(dut, channel.ready)
        self._ready.value = 0
        self._pauses = pauses
        self._level = False
        self._patient = self._waiting = patient

    def step(self, valid: bool) -> None:
        """Set up the next cycle; ``valid`` is the one that the last clock edge sampled."""
        if self._waiting and not valid:
            return
        level = not self._pauses.now()
        if self._level and not level:
            self._patient = not self._patient
        self._waiting = not level and self._patient
        if level != self._level:
            self._level = level
            self._ready.value = int(level)
