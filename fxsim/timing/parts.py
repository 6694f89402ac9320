"""Parts of the machine of `fxsim.timing.machine`: kinds and sizes of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fxsim.plan.window import WindowConfig
from fxsim.timing.kernels import blocks

ENDLESS = 1 << 62
"""Depth of a queue that is never full."""


@dataclass(frozen=True)
class Block:
    """Kind and sizes of a block, and a plan: of rows of a line buffer, of turns of a concat."""

    kind: int
    sizes: tuple[int, ...] = ()
    plan: tuple[tuple[int, int], ...] = ()


def widen(parts: int, beats: int) -> Block:
    """``fxsim.hw.blocks.resize.Widen``: words of ``parts`` beats from vectors of ``beats``."""
    return Block(blocks.WIDEN, (parts, beats))


def narrow(parts: int, beats: int) -> Block:
    """``fxsim.hw.blocks.resize.Narrow``: words of ``parts`` beats to vectors of ``beats``."""
    return Block(blocks.NARROW, (parts, beats))


def buffer(beats: int, tiles: int) -> Block:
    """``fxsim.hw.blocks.buffers.VectorBuffer``."""
    return Block(blocks.BUFFER, (beats, tiles))


def pipe(beats: int, latency: int) -> Block:
    """A pipeline that stalls as a whole and yields one word for each ``beats``."""
    return Block(blocks.PIPE, (beats, latency))


def window(config: WindowConfig) -> Block:
    """``fxsim.hw.blocks.window.Window``."""
    windows = config.windows
    sizes = (
        config.beats,
        windows.columns,
        windows.rows,
        windows.stride[1],
        windows.kernel[1],
        config.pixel_words,
        windows.width,
        windows.padding.left,
        config.slots,
    )
    return Block(blocks.WINDOW, sizes, tuple(windows.row_plan()))


def fork() -> Block:
    """``fxsim.hw.blocks.fork.Fork``: gives each word to every stream that it yields."""
    return Block(blocks.FORK)


def join(latency: int, spacing: int = 1) -> Block:
    """A pipeline that takes a word of each of its streams together, ``spacing`` cycles apart."""
    return Block(blocks.JOIN, (1, latency, spacing))


def concat(counts: Sequence[int]) -> Block:
    """``fxsim.hw.blocks.concat.Concat``: so many words of each of its streams in turn."""
    return Block(blocks.CONCAT, (len(counts),), tuple((count, 0) for count in counts))


def queue(depth: int, room: int = 0, group: int = 0) -> Block:
    """A queue of ``depth`` words, the last of them in a register.

    The queues of a ``group`` take no words while each of them holds ``room`` words or more; those
    of group 0 always do.
    """
    return Block(blocks.QUEUE, (depth, room, group))


def skid() -> Block:
    """``fxsim.hw.blocks.skid.Skid``: passes words on, or keeps one."""
    return Block(blocks.SKID)


def feedback(beats: int) -> Block:
    """A stream that leads back, with a vector of ``beats`` zeros before it."""
    return Block(blocks.FEEDBACK, (beats,))
