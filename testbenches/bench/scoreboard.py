"""In-order, bit-exact comparison of the words on a stream with those expected."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from fxsim.testbenches.bench.channel import Channel


@dataclass(frozen=True)
class Mismatch:
    """First difference on one stream."""

    layer: str
    vector: int
    lane: int
    index: int
    cycle: int
    expected: int
    actual: int | str

    def __str__(self) -> str:
        return (
            f"{self.layer}: vector {self.vector}, item {self.index} (lane {self.lane}),"
            f" cycle {self.cycle}: expected {self.expected}, got {self.actual}"
        )

    def as_dict(self) -> dict[str, int | str]:
        """Plain values for JSON."""
        return asdict(self)


class Scoreboard:
    """Checks one `Channel`; keeps the first mismatch and counts all wrong words."""

    def __init__(self, channel: Channel):
        self.channel = channel
        self.seen = 0
        self.wrong = 0
        self.first: Mismatch | None = None

    @property
    def done(self) -> bool:
        """True if every expected word has passed."""
        return self.seen >= len(self.channel.words)

    def check(self, word: int | str, cycle: int) -> None:
        """Compare the next word; one with unknown bits comes as text, highest bit first."""
        expected = self.channel.words[self.seen]
        if word != expected:
            self.wrong += 1
            if self.first is None:
                self.first = locate(self.channel, self.seen, word, cycle)
        self.seen += 1


def locate(channel: Channel, place: int, word: int | str, cycle: int) -> Mismatch:
    """What is wrong about ``word``, which came in place of that at ``place``."""
    expected = channel.words[place]
    vector, beat = divmod(place, channel.beats)
    pairs = zip(channel.lane_values(expected), channel.lanes_read(word), strict=True)
    for lane, (want, got) in enumerate(pairs):
        if want != got:
            index = beat * channel.lanes + lane
            return Mismatch(channel.name, vector, lane, index, cycle, want, got)
    # Only bits outside every lane differ: padding that must be an extension of the lane.
    return Mismatch(channel.name, vector, -1, -1, cycle, expected, word)
