"""Frames of any length become whole vectors, and only the vectors of wrong frames are wrong."""

from __future__ import annotations

import random

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsim.hw.edges.framer import Framer

QUIET = settings(max_examples=40, deadline=None)
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=8)


def frames_of(lengths):
    """Frames of the beats 1, 2, 3 ..."""
    beats = iter(range(1, 1000))
    return [[next(beats) for _ in range(length)] for length in lengths]


def vectors_of(frames, beats):
    """A vector for each frame, and whether its length is wrong."""
    return [((frame + [0] * beats)[:beats], len(frame) != beats) for frame in frames]


def sequences_of(frames, beats):
    """The vectors of each frame; the last one may lack some beats."""
    found = []
    for frame in frames:
        padded = frame + [0] * (-len(frame) % beats)
        found.append([padded[k : k + beats] for k in range(0, len(padded), beats)])
    return found


def run(framer, frames, seed, *, leads=None, pauses=True):
    """Beats with the flags ``ends`` and ``last``, and the number of wrong frames."""
    generator, out, wrong = random.Random(seed), [], 0
    words = [(data, k == len(frame) - 1) for frame in frames for k, data in enumerate(frame)]
    flags = [k == length - 1 for length in leads or [] for k in range(length)]

    async def bench(ctx):
        nonlocal wrong
        quiet = 0
        while quiet < 40:
            offered = bool(words) and (bool(ctx.get(framer.i.valid)) or pick())
            ctx.set(framer.i.valid, offered)
            if offered:
                ctx.set(framer.i.payload, {"data": words[0][0], "last": words[0][1]})
            ctx.set(framer.o.ready, pick())
            if leads is not None:
                ctx.set(framer.sequence.valid, bool(flags) and pick())
                ctx.set(framer.sequence.payload, bool(flags) and flags[0])
            moved = offered and ctx.get(framer.i.ready)
            if moved:
                words.pop(0)
            if ctx.get(framer.o.valid) and ctx.get(framer.o.ready):
                out.append(tuple(ctx.get(x) for x in (framer.o.payload, framer.ends, framer.last)))
                moved = True
            if leads is not None and ctx.get(framer.sequence.valid & framer.sequence.ready):
                flags.pop(0)
            wrong += ctx.get(framer.wrong)
            await ctx.tick()
            if moved:
                ctx.set(framer.i.valid, 0)
            quiet = 0 if moved else quiet + 1

    def pick():
        return not pauses or generator.random() < 0.6

    simulator = Simulator(framer)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert not words, "every beat is taken"
    return out, wrong


def beats_of(vectors):
    """Vectors with the end of each, in the form of `run`."""
    return [
        (data, k == len(vector) - 1, last)
        for vector, last in vectors
        for k, data in enumerate(vector)
    ]


@pytest.mark.parametrize(
    ("lengths", "vectors"),
    [
        ([3, 3], [[1, 2, 3], [4, 5, 6]]),
        ([2, 3], [[1, 2, 0], [3, 4, 5]]),
        ([5, 3], [[1, 2, 3], [6, 7, 8]]),
        ([1, 1, 7, 3], [[1, 0, 0], [2, 0, 0], [3, 4, 5], [10, 11, 12]]),
    ],
)
def test_by_hand(lengths, vectors):
    """Vectors of three beats."""
    out, wrong = run(Framer(8, beats=3), frames_of(lengths), 1)
    assert [data for data, _, _ in out] == [data for vector in vectors for data in vector]
    assert wrong == sum(length != 3 for length in lengths)


@QUIET
@given(lengths=LENGTHS, beats=st.integers(1, 5), seed=st.integers(0, 99))
def test_frames_of_a_vector(lengths, beats, seed):
    expected = vectors_of(frames_of(lengths), beats)
    out, wrong = run(Framer(10, beats=beats), frames_of(lengths), seed)
    assert [data for data, _, _ in out] == [data for vector, _ in expected for data in vector]
    assert [ends for _, ends, _ in out] == [k % beats == beats - 1 for k in range(len(out))]
    assert wrong == sum(bad for _, bad in expected)


@QUIET
@given(lengths=LENGTHS, beats=st.integers(1, 5), seed=st.integers(0, 99))
def test_frames_of_sequences(lengths, beats, seed):
    sequences = sequences_of(frames_of(lengths), beats)
    vectors = [(v, v is sequence[-1]) for sequence in sequences for v in sequence]
    out, wrong = run(Framer(10, beats=beats, sequences=True), frames_of(lengths), seed)
    assert [data for data, _, _ in out] == [data for vector, _ in vectors for data in vector]
    assert [last for _, ends, last in out if ends] == [last for _, last in vectors]
    assert wrong == sum(length % beats != 0 for length in lengths)


@QUIET
@given(data=st.data(), beats=st.integers(1, 4), seed=st.integers(0, 99))
def test_sequences_of_another_port(data, beats, seed):
    """As many vectors as the other port has; more are dropped, and fewer filled."""
    leads = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    frames = frames_of(
        data.draw(st.lists(st.integers(1, 12), min_size=len(leads), max_size=len(leads)))
    )
    expected, wrong_ones = [], 0
    for sequence, frame, lead in zip(sequences_of(frames, beats), frames, leads, strict=True):
        expected += sequence[:lead] + [[0] * beats] * (lead - len(sequence))
        wrong_ones += len(frame) != lead * beats
    framer = Framer(10, beats=beats, sequences=True, follows=True)
    out, wrong = run(framer, frames, seed, leads=leads)
    assert [word for word, _, _ in out] == [word for vector in expected for word in vector]
    # The drop of a long last frame is known when the end of its vector is.
    assert wrong == wrong_ones


def test_nothing_lost_without_pauses():
    """A beat in each cycle, and none between frames that are right."""
    framer = Framer(10, beats=3)
    out, wrong = run(framer, frames_of([3] * 6), 1, pauses=False)
    assert (len(out), wrong) == (18, 0)
