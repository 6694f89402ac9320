"""Hardware blocks and their streams as an abstract machine that knows cycles, but no values.

Closed forms of cycles hold where buffers take whole vectors. A line buffer holds a few rows of an
image, so a layer may have to wait for the ones after it, and the join of a shortcut waits for
either side; here every wait happens as it does in the hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fxsim.errors import RangeError
from fxsim.network import IntArray
from fxsim.plan.window import WindowConfig
from fxsim.timing.kernels import flow

_NEVER = 1 << 62


@dataclass(frozen=True)
class Block:
    """Kind and sizes of a block, and the row plan of a line buffer."""

    kind: int
    sizes: tuple[int, ...]
    plan: tuple[tuple[int, int], ...] = ()


def widen(parts: int, beats: int) -> Block:
    """``fxsim.hw.blocks.resize.Widen``: words of ``parts`` beats from vectors of ``beats``."""
    return Block(flow.WIDEN, (parts, beats))


def narrow(parts: int, beats: int) -> Block:
    """``fxsim.hw.blocks.resize.Narrow``: words of ``parts`` beats to vectors of ``beats``."""
    return Block(flow.NARROW, (parts, beats))


def buffer(beats: int, tiles: int) -> Block:
    """``fxsim.hw.blocks.buffers.VectorBuffer``."""
    return Block(flow.BUFFER, (beats, tiles))


def pipe(beats: int, latency: int) -> Block:
    """A pipeline that stalls as a whole and yields one word for each ``beats``."""
    return Block(flow.PIPE, (beats, latency))


def window(config: WindowConfig) -> Block:
    """``fxsim.hw.blocks.window.Window``."""
    windows = config.windows
    sizes = (
        config.beats,
        windows.columns,
        windows.rows,
        windows.stride,
        windows.kernel[1],
        config.pixel_words,
        windows.width,
        windows.padding,
        config.slots,
    )
    return Block(flow.WINDOW, sizes, tuple(windows.row_plan()))


def fork() -> Block:
    """``fxsim.hw.blocks.fork.Fork``."""
    return Block(flow.FORK, ())


def join(latency: int) -> Block:
    """A pipeline that takes a word of each of two streams together."""
    return Block(flow.JOIN, (1, latency))


def queue(depth: int) -> Block:
    """A queue of ``depth`` words, the last of them in a register."""
    return Block(flow.QUEUE, (depth,))


def concat(counts: Sequence[int]) -> Block:
    """``fxsim.hw.blocks.concat.Concat``: so many beats of each stream in turn."""
    return Block(flow.CONCAT, (len(counts),), tuple((count, 0) for count in counts))


class Machine:
    """Blocks and the streams between them.

    Streams have numbers; 0 is the one that comes in. Blocks are added in the order of the data, and
    the last one's stream goes out.
    """

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._inputs: list[tuple[int, ...]] = []
        self._outputs: list[tuple[int, ...]] = []
        self._streams = 1

    def add(self, block: Block, *sources: int, sinks: int = 1) -> tuple[int, ...]:
        """Put a block behind streams; returns the ``sinks`` streams that it yields."""
        streams = tuple(range(self._streams, self._streams + sinks))
        self._streams += sinks
        self._blocks.append(block)
        self._inputs.append(sources)
        self._outputs.append(streams)
        return streams

    def run(
        self, words_in: int, words_out: int, latest: IntArray | None = None
    ) -> tuple[IntArray, dict[int, int]]:
        """Cycle of each output word; the first input word is taken in cycle 0.

        Parameters
        ----------
        words_in, words_out : int
            Words at either end.
        latest : int64 array, shape (words_out,), optional
            Cycles that the words must not be later than.

        Returns
        -------
        int64 array, dict of int to int
            The cycles; and for each queue, by the stream that it yields, its least depth that
            would have refused no word.

        Raises
        ------
        RangeError
            If blocks come to wait for one another, so that no word moves any more, or one is late.
        """
        table = np.zeros((len(self._blocks), 1 + flow.PARAMETERS), np.int64)
        longest = max((len(block.plan) for block in self._blocks), default=0)
        plans = np.zeros((2, len(self._blocks), longest + 1))
        for k, block in enumerate(self._blocks):
            table[k, : 1 + len(block.sizes)] = (block.kind, *block.sizes)
            if block.plan:
                plans[:, k, : len(block.plan)] = np.array(block.plan).T
        needs, frees = plans.astype(np.int64)
        taken, state = flow.run(
            table,
            _padded(self._inputs),
            _padded(self._outputs),
            needs,
            frees,
            words_in,
            np.full(words_out, _NEVER) if latest is None else latest,
        )
        if taken[-1] < 0:
            sent = int(np.count_nonzero(taken >= 0))
            raise RangeError(f"blocks wait for one another: only {sent} of {words_out} words leave")
        depths = {
            streams[0]: int(state[k, 2])
            for k, (block, streams) in enumerate(zip(self._blocks, self._outputs, strict=True))
            if block.kind == flow.QUEUE
        }
        return taken, depths


def _padded(streams: Sequence[tuple[int, ...]]) -> IntArray:
    """Rows of equal length; -1 fills them up."""
    table = np.full((len(streams), max(map(len, streams))), -1, np.int64)
    for k, row in enumerate(streams):
        table[k, : len(row)] = row
    return table
