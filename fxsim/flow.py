"""Chains of hardware blocks as an abstract machine that knows cycles, and nothing of values.

The closed forms of `fxsim.cycles` hold where buffers take whole vectors. A line buffer holds a few
rows of an image, so a layer may have to wait for the ones behind it; here every wait happens as it
does in the hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np

from fxsim.kernels import flow
from fxsim.network import Windows


@dataclass(frozen=True)
class Block:
    """Kind and sizes of a block, and the row plan of a line buffer."""

    kind: int
    sizes: tuple[int, ...]
    plan: tuple[tuple[int, int], ...] = ()


def resize(lanes_in: int, lanes_out: int, items: int) -> list[Block]:
    """Blocks of ``hw.resize`` for vectors of ``items``."""
    common = lanes_in * lanes_out // gcd(lanes_in, lanes_out)
    blocks = []
    if common != lanes_in:
        blocks.append(Block(flow.WIDEN, (common // lanes_in, -(-items // lanes_in))))
    if common != lanes_out:
        blocks.append(Block(flow.NARROW, (common // lanes_out, -(-items // lanes_out))))
    return blocks


def buffer(beats: int, tiles: int) -> Block:
    """``hw.buffers.VectorBuffer``."""
    return Block(flow.BUFFER, (beats, tiles))


def pipe(beats: int, latency: int) -> Block:
    """A pipeline that stalls as a whole and yields one word for each ``beats``."""
    return Block(flow.PIPE, (beats, latency))


def window(windows: Windows, simd: int, repeats: int = 1) -> Block:
    """``hw.window.Window``."""
    tall, _ = windows.taps(simd)
    sizes = (
        windows.groups * repeats * (windows.size // simd),
        windows.columns,
        windows.rows,
        windows.stride,
        windows.kernel[1],
        windows.channels // windows.lanes_in(simd),
        windows.width,
        windows.padding,
        -(-windows.stored_rows // tall) * tall,
    )
    return Block(flow.WINDOW, sizes, tuple(windows.row_plan()))


def completion_times(
    blocks: Sequence[Block], vectors: int, beats_in: int, beats_out: int
) -> list[int]:
    """Cycle of the last output word of each vector; the first input word is taken in cycle 0.

    Parameters
    ----------
    blocks : sequence of Block
        In the order of the data.
    beats_in, beats_out : int
        Words of a vector at either end.
    """
    table = np.zeros((len(blocks), 1 + flow.PARAMETERS), np.int64)
    plans = np.zeros((2, len(blocks), max((len(block.plan) for block in blocks), default=0) + 1))
    for k, block in enumerate(blocks):
        table[k, : 1 + len(block.sizes)] = (block.kind, *block.sizes)
        if block.plan:
            plans[:, k, : len(block.plan)] = np.array(block.plan).T
    needs, frees = plans.astype(np.int64)
    taken = flow.run(table, needs, frees, vectors * beats_in, vectors * beats_out)
    return [int(cycle) for cycle in taken[beats_out - 1 :: beats_out]]
