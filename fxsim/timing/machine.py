"""Hardware blocks and their streams as an abstract machine that knows cycles, but no values.

Closed forms of cycles hold where buffers take whole vectors. A line buffer holds a few rows of an
image, so a layer may have to wait for the ones after it, a join waits for each of its sources, and
the recurrence of an LSTM layer for itself; here every wait happens as it does in the hardware.

Words come in as fast as they are taken, and leave as soon as they can. So a machine whose blocks
are all as they were at the end of an earlier vector does the same again, and its run ends there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

import numpy as np

from fxsim.errors import RangeError
from fxsim.network import IntArray
from fxsim.timing.flow import Flow
from fxsim.timing.kernels import blocks
from fxsim.timing.kernels import machine as kernel
from fxsim.timing.parts import ENDLESS, Block

_PASSING = {blocks.FORK, blocks.FEEDBACK, blocks.SKID}
"""Blocks that offer what is offered to them."""

_STORING = {blocks.BUFFER, blocks.QUEUE, blocks.WINDOW, blocks.SKID}
"""Blocks that are ready, or not, whatever the blocks after them are."""

_VECTORS, _WORK = 4096, 1 << 32
"""Vectors, and cycles times blocks, that a machine may take to repeat itself: a minute."""

Key = tuple[tuple[object, ...], ...]


class Late(RangeError):
    """A word leaves later than it has to; ``cycle`` is when."""

    def __init__(self, cycle: int):
        super().__init__(f"a word is later than cycle {cycle}")
        self.cycle = cycle


class Deadlock(RangeError):
    """Blocks wait for one another; ``cycle`` is when they are found to."""

    def __init__(self, sent: Sequence[int], cycle: int):
        words = " and ".join(map(str, sent))
        super().__init__(f"deadlock after {words} output words")
        self.cycle = cycle


class Machine:
    """Blocks and the streams between them; both have numbers.

    Parameters
    ----------
    led : bool
        True if a vector must have come in by the first port before another takes the next one.
    """

    def __init__(self, *, led: bool = False) -> None:
        self._led = led
        self._blocks: list[Block] = []
        self._inputs: list[tuple[int, ...]] = []
        self._outputs: list[tuple[int, ...]] = []
        self._streams = 0
        self._entering: list[int] = []
        self._shares: list[int] = []
        self._leaving: list[int] = []
        self._counts: list[int] = []
        self._follows: list[bool] = []

    def stream(self) -> int:
        """A new stream."""
        self._streams += 1
        return self._streams - 1

    def enter(self, stream: int | None = None, count: int = 1) -> int:
        """A stream that comes in by a port of its own; a new one if left out.

        ``count`` of its words are a vector.
        """
        self._entering.append(self.stream() if stream is None else stream)
        self._shares.append(count)
        return self._entering[-1]

    def leave(self, stream: int, count: int, *, follows: bool = False) -> None:
        """Let a stream out by a port of its own; ``count`` of its words are a vector.

        If it ``follows``, the last of them waits until a vector has come in by the first port.
        """
        self._leaving.append(stream)
        self._counts.append(count)
        self._follows.append(follows)

    def put(self, block: Block, sources: Sequence[int], sinks: Sequence[int]) -> int:
        """Put a block between streams; its number is returned."""
        self._blocks.append(block)
        self._inputs.append(tuple(sources))
        self._outputs.append(tuple(sinks))
        return len(self._blocks) - 1

    def add(self, block: Block, *sources: int) -> int:
        """Put a block after streams; the new stream that it yields is returned."""
        sink = self.stream()
        self.put(block, sources, [sink])
        return sink

    @property
    def counts(self) -> tuple[int, ...]:
        """Words of a vector at each port by which streams leave."""
        return tuple(self._counts)

    @property
    def key(self) -> Key:
        """All that cycles depend on."""
        entering = (*self._entering,), (*self._shares, self._led)
        leaving = (*self._leaving,), (*self._counts,), (*self._follows,)
        return (*self._blocks,), (*self._inputs,), (*self._outputs,), *entering, *leaving

    def __len__(self) -> int:
        return len(self._blocks)

    def after(self, k: int) -> Block | None:
        """The block that takes the words of block ``k``."""
        taking = (j for j, streams in enumerate(self._inputs) if self._outputs[k][0] in streams)
        return next((self._blocks[j] for j in taking), None)

    def drained(self) -> dict[int, Block]:
        """Pipelines with one register, by the numbers of their blocks.

        They stall as a whole, so with pauses between its words one holds a single word while it
        waits, where it holds as many as it has stages without.
        """
        return {
            k: replace(block, sizes=(block.sizes[0], 1, *block.sizes[2:]))
            for k, block in enumerate(self._blocks)
            if block.kind in {blocks.PIPE, blocks.JOIN}
        }

    def repeat(
        self,
        queues: Mapping[int, Block | None] | None = None,
        latest: Sequence[IntArray] = (),
        *,
        together: bool = False,
    ) -> Flow:
        """Run until all comes again, if that does not take too long; see `run`."""
        work = _WORK // len(self)
        return self.run(_VECTORS, queues, latest, cycles=work, together=together)

    def run(
        self,
        vectors: int,
        queues: Mapping[int, Block | None] | None = None,
        latest: Sequence[IntArray] = (),
        *,
        cycles: int = ENDLESS,
        rests: bool = True,
        together: bool = False,
    ) -> Flow:
        """Run until ``vectors`` vectors have left by each port, or less if the rest is known then.

        Parameters
        ----------
        vectors : int
        queues : mapping of int to Block or None, optional
            Substitutes of blocks, by their numbers; None is a wire.
        latest : sequence of int64 arrays, optional
            For each port that words leave by, cycles that they must not be later than.
        cycles : int
            After which no other vector is waited for, from the second one on.
        rests : bool
            True if the first word waits until nothing moves any more after reset.
        together : bool
            True if no port by which words come in may be more than a vector ahead of another: an
            endless queue after it would hold ever more.

        Raises
        ------
        Late
            If a word is later than ``latest``.
        Deadlock
            If no word moves any more.
        RangeError
            If there is a circle of blocks without a memory.
        """
        queues = queues or {}
        placed = {k: queues.get(k, block) for k, block in enumerate(self._blocks)}
        built = {k: block for k, block in placed.items() if block is not None}
        wires = {self._outputs[k][0]: self._inputs[k][0] for k in placed.keys() - built}

        def start(stream: int) -> int:
            while stream in wires:
                stream = wires[stream]
            return stream

        needs, frees = _row_plans(list(built.values()))
        inputs = [[start(stream) for stream in self._inputs[k]] for k in built]
        outputs = [self._outputs[k] for k in built]
        apart = together and len(self._shares) > 1
        end, cycle, first, taken, sent, before, held = kernel.run(
            np.array([block.kind for block in built.values()]),
            _sizes(list(built.values()), inputs, outputs),
            _table(inputs, 1, -1),
            _table(outputs, 1, -1),
            needs,
            frees,
            _by_ready(list(built.values()), inputs, outputs),
            _by_valid(list(built.values()), inputs, outputs),
            np.array(self._entering),
            np.array(self._shares) * (apart or self._led or any(self._follows)),
            np.array([start(stream) for stream in self._leaving]),
            np.array(self._counts),
            np.array(self._follows),
            vectors,
            _latest(latest, len(self._counts)),
            cycles,
            rests,
            apart,
            self._led,
        )
        if end == kernel.STUCK:
            raise Deadlock(sent.tolist(), cycle)
        if end == kernel.LATE:
            raise Late(cycle)
        return Flow(
            times=tuple(row[:words] for row, words in zip(taken, sent, strict=True)),
            held={
                k: words
                for (k, block), words in zip(built.items(), held.tolist(), strict=True)
                if block.kind == blocks.QUEUE
            },
            counts=self.counts,
            first=first,
            last=cycle,
            before=tuple(before[kernel.WORDS :].tolist()),
            cycles=cycle - int(before[kernel.CYCLE]) if end == kernel.REPEATS else 0,
        )


Streams = Sequence[Sequence[int]]


def _sizes(built: Sequence[Block], inputs: Streams, outputs: Streams) -> IntArray:
    """Sizes of every block, after the first stream that it takes and gives."""
    rows = zip(built, inputs, outputs, strict=True)
    return _table([(i[0], o[0], *block.sizes) for block, i, o in rows], blocks.SIZES, 0)


def _row_plans(built: Sequence[Block]) -> IntArray:
    """Rows that the windows of every block need and free."""
    longest = max(len(block.plan) for block in built)
    plans = np.zeros((2, len(built), longest + 1), np.int64)
    for k, block in enumerate(built):
        if block.plan:
            plans[:, k, : len(block.plan)] = np.array(block.plan).T
    return plans


def _by_ready(built: Sequence[Block], inputs: Streams, outputs: Streams) -> IntArray:
    """Blocks without a memory, each after those whose ready it looks at: the next ones.

    A row each: kind, number, and the first streams that it takes and gives.
    """
    free = {k for k, block in enumerate(built) if block.kind not in _STORING}
    takers = {stream: k for k in free for stream in inputs[k]}
    order = _ordered({k: [takers[s] for s in outputs[k] if s in takers] for k in sorted(free)})
    rows = [(built[k].kind, k, inputs[k][0], outputs[k][0]) for k in order.tolist()]
    return np.array(rows, np.int64).reshape(-1, kernel.ORDER_COLUMNS)


def _by_valid(built: Sequence[Block], inputs: Streams, outputs: Streams) -> IntArray:
    """Blocks that pass words on without a register, each after those that it has them from."""
    givers = {stream: k for k, row in enumerate(outputs) for stream in row}
    passing = {k for k, block in enumerate(built) if block.kind in _PASSING}
    return _ordered(
        {k: [givers[s] for s in inputs[k] if givers.get(s) in passing] for k in sorted(passing)}
    )


def _ordered(looks: Mapping[int, list[int]]) -> IntArray:
    """Blocks, each after those that it looks at."""
    try:
        return np.array(list(TopologicalSorter(looks).static_order()), np.int64)
    except CycleError:
        raise RangeError("a circle of blocks must have one with a memory") from None


def _table(rows: Streams, columns: int, filling: int) -> IntArray:
    """Rows of equal length, ``columns`` at least."""
    table = np.full((len(rows), max(columns, *map(len, rows))), filling, np.int64)
    for k, row in enumerate(rows):
        table[k, : len(row)] = row
    return table


def _latest(latest: Sequence[IntArray], ports: int) -> IntArray:
    """Latest cycles, a row a port."""
    table = np.full((ports, max((len(row) for row in latest), default=0)), ENDLESS, np.int64)
    for port, row in enumerate(latest):
        table[port, : len(row)] = row
    return table
