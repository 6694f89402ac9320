# amaranth: UnusedElaboratable=no
"""Cycle counts of zero skipping in closed form; the testbenches hold them equal to hardware."""

from __future__ import annotations

import json
import re
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsim.errors import ConfigError
from fxsim.hw.skip.sparse_matvec import SparseMatVec
from fxsim.testbenches.cases.sparse_data import gate_gradients
from fxsim.timing.kernels import skip as kernel
from fxsim.timing.skip_unit import (
    ideal_cycles,
    pair_counts,
    sparse_matvec_cycles,
    sparse_matvec_latency,
    zero_skipper_cycles,
)
from tests.places import ROOT
from tests.timing.skip_stepper import step_all

QUIET = settings(max_examples=80, deadline=None)


@st.composite
def settings_and_gradients(draw):
    items, vectors = draw(st.integers(1, 40)), draw(st.integers(1, 8))
    lanes = draw(st.integers(1, 9))
    issue, depth = draw(st.integers(1, lanes)), draw(st.integers(1, 9))
    density, seed = draw(st.floats(0, 1)), draw(st.integers(0, 1 << 30))
    gradients = np.random.default_rng(seed).random((vectors, items)) < density
    return gradients.astype(np.int64), lanes, issue, depth


@QUIET
@given(drawn=settings_and_gradients(), tiles=st.integers(1, 5))
def test_bounds(drawn, tiles: int) -> None:
    gradients, lanes, issue, depth = drawn
    pairs = np.count_nonzero(gradients, axis=1)
    groups = int(np.maximum(-(-pairs // issue), 1).sum())
    skipper = zero_skipper_cycles(gradients, lanes=lanes, issue=issue, depth=depth)
    matvec = sparse_matvec_cycles(
        gradients, lanes=lanes, issue=issue, depth=depth, tiles=tiles, latency=7
    )
    assert skipper.busy == len(skipper.outputs) == groups
    assert matvec.busy == groups * tiles
    assert len(matvec.outputs) == len(gradients) * tiles
    for cycles, work in ((skipper, groups), (matvec, groups * tiles)):
        beats = len(cycles.accepted)
        assert cycles.accepted[0] == 0
        assert (np.diff(cycles.accepted) > 0).all()
        assert (np.diff(cycles.outputs) > 0).all()
        assert cycles.total >= max(work, beats)
        # Each beat is taken and each group is worked on by itself, at the very worst.
        assert cycles.total <= beats + work + groups + 20


@QUIET
@given(drawn=settings_and_gradients())
def test_a_deeper_queue_is_never_slower(drawn) -> None:
    gradients, lanes, issue, depth = drawn
    shallow = zero_skipper_cycles(gradients, lanes=lanes, issue=issue, depth=depth)
    deep = zero_skipper_cycles(gradients, lanes=lanes, issue=issue, depth=depth + 1)
    assert (deep.outputs <= shallow.outputs).all()


@QUIET
@given(drawn=settings_and_gradients())
def test_one_pair_a_cycle_never_waits_while_beats_are_queued(drawn) -> None:
    gradients, lanes, _, _ = drawn
    vectors, items = gradients.shape
    beats = -(-items // lanes)
    cycles = zero_skipper_cycles(gradients, lanes=lanes, issue=1, depth=vectors * beats)
    # With room for everything nothing waits: a beat with pairs is queued at the next one, or at
    # the end of its vector, and two cycles later its pairs leave, one a cycle.
    padded = np.zeros((vectors, beats * lanes), np.int64)
    padded[:, :items] = gradients
    counts = padded.reshape(vectors * beats, lanes).sum(axis=1).tolist()
    queued, held = deque(), None
    for beat, count in enumerate(counts):
        if count:
            if held:
                queued.append((max(beat, held[0] + 1), held[1]))
            held = (beat, count)
        if beat % beats == beats - 1:
            if (held and held[0] == beat) or not held:
                queued.append((beat + 1, held[1] if held else 1))
            else:
                queued.append((beat, held[1]))
            held = None
    expected, now = [], -1
    for cycle, count in queued:
        for _ in range(count):
            now = max(now + 1, cycle + 2)
            expected.append(now)
    assert cycles.outputs.tolist() == expected
    assert cycles.accepted.tolist() == list(range(vectors * beats))


@QUIET
@given(drawn=settings_and_gradients(), tiles=st.integers(0, 4))
def test_equal_to_stepping_every_cycle(drawn, tiles: int) -> None:
    gradients, lanes, issue, depth = drawn
    counts = pair_counts(gradients, lanes, issue, depth, 0)
    sizes = {"lanes": lanes, "issue": issue, "depth": depth}
    if tiles:
        room = 2 * -(-gradients.shape[1] // issue)
        made = [
            sparse_matvec_cycles(gradients, **sizes, tiles=tiles, latency=0, summary=summary)
            for summary in (False, True)
        ]
    else:
        room = 0
        made = [
            zero_skipper_cycles(gradients, **sizes, summary=summary) for summary in (False, True)
        ]
    accepted, outputs, busy, starved = step_all(counts, issue, depth, room, max(tiles, 1))
    whole, summary = made
    assert whole.accepted.tolist() == accepted.tolist()
    assert whole.outputs.tolist() == outputs.tolist()
    assert whole.busy == busy == max(tiles, 1) * whole.groups.sum()
    assert whole.starved.tolist() == starved.tolist()
    waits = np.diff(accepted, prepend=-1) - 1
    assert whole.full.tolist() == waits.reshape(len(gradients), -1).sum(axis=1).tolist()
    assert whole.busy + whole.starved.sum() + whole.drain == whole.total - 1
    assert summary.accepted.size == 0
    assert summary.outputs.tolist() == [
        max(cycle for cycle in outputs if cycle <= last) for last in summary.outputs
    ]
    assert summary.outputs[-1] == outputs[-1]
    for key in ("groups", "starved", "full"):
        assert np.array_equal(getattr(summary, key), getattr(whole, key))


def test_without_compilation() -> None:
    gradients = gate_gradients(0.3, vectors=9, items=20, seed=3)
    counts = pair_counts(gradients, 4, 2, 3, 0)
    assert np.array_equal(counts, kernel.count_pairs.py_func(gradients, 4, 0))
    for room, tiles in ((0, 1), (20, 3)):
        filled = []
        for run in (kernel.run, kernel.run.py_func):
            arrays = [np.zeros(45, np.int64), np.zeros((200 if room == 0 else 9, tiles), np.int64)]
            arrays += [np.zeros(9, np.int64) for _ in range(3)]
            filled.append([run(counts, 2, 3, room, tiles, *arrays), *arrays])
        assert all(np.array_equal(a, b) for a, b in zip(*filled, strict=True))


def test_latency_is_the_one_that_the_unit_publishes() -> None:
    from fxsim.arithmetic.formats import IntFormat
    from fxsim.hw.skip.pairs import ZeroSkipConfig
    from fxsim.testbenches.cases.sparse import matvec_config

    for k in range(12):
        skip = ZeroSkipConfig(
            gradient=IntFormat(bits=6, signed=True), items=9, lanes=5, issue=1 + k % 5
        )
        config = matvec_config(
            skip,
            outputs=5,
            rows=2,
            seed=k,
            levels=(3, 15, 255)[k % 3],
            per_channel=k % 2 == 1,
            dsp=k % 4 < 2,
        )
        latency = sparse_matvec_latency(
            issue=skip.issue,
            weight=config.weight,
            dsp=config.dsp,
            multiplier_bits=config.tail.multiplier_bits,
            per_channel=config.requantizing.per_channel,
        )
        assert latency == SparseMatVec(config).latency


@pytest.mark.parametrize("density", [1, 0.5, 0.2, 0.05])
@pytest.mark.parametrize("rows", [16, 64])
def test_cycles_follow_the_non_zeros(rows: int, density: float) -> None:
    gradients = gate_gradients(density, vectors=100, items=256, seed=5)
    tiles = 64 // rows
    cycles = sparse_matvec_cycles(gradients, lanes=16, issue=1, tiles=tiles, latency=9)
    pairs = np.count_nonzero(gradients)
    assert cycles.total <= 1.08 * ideal_cycles(pairs, beats=1600, issue=1, tiles=tiles)


def test_threshold_counts_as_zero() -> None:
    gradients = np.array([[3, -3, 4, -4, 0, 1]])
    cut = zero_skipper_cycles(gradients, lanes=2, issue=1, threshold=3)
    assert (
        cut.outputs.tolist()
        == zero_skipper_cycles(np.array([[0, 0, 4, -4, 0, 0]]), lanes=2, issue=1).outputs.tolist()
    )


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"lanes": 4, "issue": 8}, "issue must be at most lanes (4), not 8"),
        ({"lanes": 0, "issue": 1}, "lanes must be at least 1, not 0"),
        ({"lanes": 2, "issue": 1, "depth": 0}, "depth must be at least 1, not 0"),
    ],
)
def test_bad_sizes(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        zero_skipper_cycles(np.ones((1, 4), np.int64), **sizes)
    assert str(error.value) == message


def test_gradients_must_be_a_matrix() -> None:
    with pytest.raises(ConfigError, match="must be a filled matrix"):
        zero_skipper_cycles(np.ones(4, np.int64), lanes=2, issue=1)


@pytest.mark.parametrize(
    ("name", "gradients", "depth"),
    [
        ("skipping", [[5, 0, 0, 7, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0]], 16),
        ("full-queue", [[1, 2, 3, 4, 1, 2, 3, 4]] * 3, 1),
    ],
)
def test_timing_diagrams_show_what_happens(name: str, gradients: list, depth: int) -> None:
    path = ROOT / "docs" / "timing" / f"{name}.json"
    groups = [group for group in json.loads(path.read_text())["signal"] if isinstance(group, list)]
    waves = {signal["name"]: signal["wave"] for group in groups for signal in group[1:]}
    assert path.with_suffix(".svg").read_text().startswith("<?xml")

    def moves(valid: str, ready: str | None) -> list[int]:
        """Cycles of transfers; the first column is the cycle before the first beat."""
        levels = {}
        for signal in filter(None, (valid, ready)):
            wave = re.sub(r"(.)(\.*)", lambda run: run[1] * len(run[0]), waves[signal])
            levels[signal] = [level == "1" for level in wave]
        return [k - 1 for k, high in enumerate(zip(*levels.values(), strict=True)) if all(high)]

    cycles = zero_skipper_cycles(np.array(gradients), lanes=4, issue=1, depth=depth)
    for seen, expected in (
        (moves("s_axis_tvalid", "s_axis_tready"), cycles.accepted.tolist()),
        (moves("m_axis_tvalid", None), cycles.outputs.tolist()),
    ):
        assert seen == expected[: len(seen)]
        assert len(seen) >= 3
