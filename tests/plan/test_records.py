"""Records refuse sizes that no block has."""

from __future__ import annotations

import pytest

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import ConcatConfig, ForkConfig, QueueConfig, VectorBufferConfig
from fxsim.plan.elementwise import GreatestConfig
from fxsim.plan.resize import NarrowConfig, WidenConfig
from tests.messages import raises

BEAT = Beat(IntFormat(bits=8, signed=True), 3)


def resize(kind, **sizes):
    return kind(format=BEAT.format, **({"lanes_in": 2, "lanes_out": 4, "items": 8} | sizes))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Beat(BEAT.format, 0), "lanes must be at least 1, not 0"),
        (lambda: QueueConfig(beat=BEAT, depth=1), "depth must be at least 2, not 1"),
        (lambda: ForkConfig(beat=BEAT, sinks=0), "sinks must be at least 1, not 0"),
        (
            lambda: ConcatConfig(beat=BEAT, counts=(3,)),
            "counts must be 2 or more integers from 1 on, not (3,)",
        ),
        (
            lambda: ConcatConfig(beat=BEAT, counts=(3, 0)),
            "counts must be 2 or more integers from 1 on, not (3, 0)",
        ),
        (lambda: GreatestConfig(beat=BEAT, beats=0), "beats must be at least 1, not 0"),
        (
            lambda: VectorBufferConfig(beat=BEAT, beats=1, tiles=0),
            "tiles must be at least 1, not 0",
        ),
        (lambda: resize(WidenConfig, items=0), "items must be at least 1, not 0"),
        (
            lambda: resize(WidenConfig, lanes_out=2),
            "lanes must differ and divide one another, not 2 and 2",
        ),
        (
            lambda: resize(WidenConfig, lanes_out=3),
            "lanes must differ and divide one another, not 2 and 3",
        ),
        (lambda: resize(NarrowConfig), "lanes must fall, not go from 2 to 4"),
        (lambda: resize(WidenConfig, lanes_in=8), "lanes must grow, not go from 8 to 4"),
    ],
)
def test_sizes_that_no_block_has(make, message):
    with raises(ConfigError, message):
        make()


def test_beats_before_and_after():
    """Eleven items by 2 are 6 beats, the last half full; by 4 they are 3."""
    assert resize(WidenConfig, items=11).ratio == (6, 3)
    assert resize(NarrowConfig, lanes_in=4, lanes_out=2, items=11).ratio == (3, 6)
    assert ConcatConfig(beat=BEAT, counts=(2, 1, 4)).ratio == (2, 7)
    assert VectorBufferConfig(beat=BEAT, beats=5, tiles=4).ratio == (5, 20)
