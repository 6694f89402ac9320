"""Source, sink and monitor of a valid/ready stream, one step a clock cycle.

Steps are plain calls from one loop: a coroutine each would triple the cost of a cycle.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from testbenches.job import Channel
from testbenches.scoreboard import Scoreboard


def resolve(dut: Any, path: str) -> Any:
    """Handle of a signal by its dotted path below the top module."""
    handle = dut
    for part in path.split("."):
        handle = handle[part]
    return handle


class Pauses:
    """Seeded stream of pauses: bursts of random length, about half of all cycles when active."""

    def __init__(self, active: bool, seed: int):
        self._bits = self._draw(random.Random(seed)) if active else None

    @staticmethod
    def _draw(generator: random.Random) -> Iterator[bool]:
        while True:
            busy, idle = generator.choice([(1, 1), (3, 1), (1, 3), (8, 8), (20, 2), (2, 20)])
            yield from [False] * generator.randint(0, busy)
            yield from [True] * generator.randint(0, idle)

    def now(self) -> bool:
        """Whether to pause in this cycle."""
        return self._bits is not None and next(self._bits)


class Monitor:
    """Watches a stream: checks the rules of valid/ready and hands each word to a scoreboard.

    The rules (AXI4-Stream; Amaranth's streams have the same): once valid, a word stays valid and
    unchanged until it is taken.
    """

    def __init__(self, dut: Any, channel: Channel):
        self.board = Scoreboard(channel)
        self.transfers: list[int] = []
        self._data = resolve(dut, channel.data)
        self._valid = resolve(dut, channel.valid)
        self._ready = resolve(dut, channel.ready)
        self._last = resolve(dut, channel.last) if channel.last else None
        self._held: int | None = None

    def step(self, cycle: int) -> bool:
        """Look at the values that the clock edge samples; return whether a word was taken."""
        channel = self.board.channel
        if not int(self._valid.value):
            if self._held is not None:
                raise AssertionError(f"{channel.name}: valid fell before ready at cycle {cycle}")
            return False
        word = int(self._data.value)
        if self._last is not None:
            word |= int(self._last.value) << (channel.lanes * channel.stride)
        if self._held is not None and word != self._held:
            raise AssertionError(f"{channel.name}: payload changed while waiting, cycle {cycle}")
        if not int(self._ready.value):
            self._held = word
            return False
        self._held = None
        if self._last is not None:
            last = self.board.seen % channel.beats == channel.beats - 1
            if word >> (channel.lanes * channel.stride) != last:
                raise AssertionError(f"{channel.name}: last must be {int(last)} at cycle {cycle}")
            word &= (1 << (channel.lanes * channel.stride)) - 1
        self.board.check(word, cycle)
        self.transfers.append(cycle)
        return True


class Source:
    """Drives the words of a channel, holding each until it is taken."""

    def __init__(self, dut: Any, channel: Channel, pauses: Pauses):
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
        if taken:
            self._active = False
        if self._active:
            return
        if self._next < len(self._channel.words) and not self._pauses.now():
            self._active = True
            self._data.value = self._channel.words[self._next]
            if self._last is not None:
                self._last.value = int(self._next % self._channel.beats == self._channel.beats - 1)
            self._next += 1
        self._valid.value = int(self._active)


class Sink:
    """Drives ready; when it pauses, it first waits for valid, which must not depend on ready."""

    def __init__(self, dut: Any, channel: Channel, pauses: Pauses, *, patient: bool):
        self._ready = resolve(dut, channel.ready)
        self._valid = resolve(dut, channel.valid)
        self._pauses = pauses
        self._waiting = patient
        self._level = -1

    def step(self) -> None:
        """Set up the next cycle."""
        if self._waiting and int(self._valid.value):
            self._waiting = False
        level = int(not (self._waiting or self._pauses.now()))
        if level != self._level:
            self._ready.value = self._level = level
