"""Frames of the wrong length among right ones: what is sent, and what the hardware makes of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fxsim.network import IntArray
from fxsim.testbenches.bench.channel import Channel


def lengths_of(generator: random.Random, count: int, right: int, shortest: int = 1) -> list[int]:
    """Words of frames: some of the right length, as the last one, some shorter or longer."""

    def length() -> int:
        near = (right - 1, right + 1, shortest, 2 * right, 3 * right - 1)
        kinds = [right, right, generator.choice(near), generator.randint(shortest, 3 * right)]
        return max(generator.choice(kinds), shortest)

    return [*(length() for _ in range(count - 1)), right]


def cut(vectors: IntArray, lengths: Sequence[int], lanes: int) -> IntArray:
    """Vectors of frames as the hardware takes them, shape (frames, vectors of a frame, items).

    What lacks of a frame of ``lengths`` words of ``lanes`` items is 0.
    """
    found = vectors.copy()
    beats = -(-vectors.shape[-1] // lanes)
    for frame, length in zip(found, lengths, strict=True):
        whole, rest = divmod(length, beats)
        frame[whole : whole + 1, rest * lanes :] = 0
        frame[whole + 1 :] = 0
    return found


def reframed(
    channel: Channel, lengths: Sequence[int], generator: random.Random, *, sequences: bool
) -> Channel:
    """The channel with frames of other lengths: the first words of each, and any words after.

    With ``sequences`` a frame of whole vectors is a right one, whatever their number.
    """
    right = channel.beats * channel.vectors
    words: list[int] = []
    wrong = []
    for k, length in enumerate(lengths):
        start = len(words)
        words += channel.words[k * right : k * right + min(length, right)]
        words += [generator.getrandbits(channel.width) for _ in range(length - right)]
        if sequences and length % channel.beats:
            wrong.append(start + length - 1)
        elif not sequences and length != right:
            wrong.append(start + min(length, right) - 1)
    return replace(channel, words=words, frames=list(lengths), misframed=wrong)


def errors_of(channel: Channel, lengths: Sequence[int]) -> int:
    """Frames of another length than the channel's."""
    return int(np.count_nonzero(np.array(lengths) != channel.beats * channel.vectors))
