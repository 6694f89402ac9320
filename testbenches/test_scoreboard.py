"""Words lane by lane: integers where bits are known, the bits themselves where they are not."""

import pytest

from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.scoreboard import Mismatch, Scoreboard


def channel(*words: int) -> Channel:
    """Two lanes of signed 3 bits in fields of 4."""
    return Channel(
        name="layer",
        data="data",
        valid="valid",
        ready="ready",
        lanes=2,
        stride=4,
        bits=3,
        signed=True,
        beats=1,
        words=list(words),
    )


def test_lanes() -> None:
    assert channel().lane_values(0b0011_0101) == [-3, 3]
    assert channel().lanes_read(0b0011_0101) == [-3, 3]
    assert channel().lanes_read("X011010X") == ["10X", 3]


@pytest.mark.parametrize(
    ("seen", "mismatch"),
    [
        (0b0011_0101, None),
        (0b0010_0101, Mismatch("layer", 0, 1, 1, 7, 3, 2)),
        ("0011010X", Mismatch("layer", 0, 0, 0, 7, -3, "10X")),
        # Padding is compared as well, as part of the word.
        (0b1011_0101, Mismatch("layer", 0, -1, -1, 7, 0b0011_0101, 0b1011_0101)),
        ("X0110101", Mismatch("layer", 0, -1, -1, 7, 0b0011_0101, "X0110101")),
    ],
)
def test_first_mismatch(seen: int | str, mismatch: Mismatch | None) -> None:
    board = Scoreboard(channel(0b0011_0101))
    board.check(seen, 7)
    assert board.first == mismatch
    assert (board.done, board.wrong) == (True, int(mismatch is not None))
