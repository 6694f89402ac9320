"""Cycles of the words that leave a machine, also of those that a run did not wait for."""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

import numpy as np

from fxsim.errors import RangeError
from fxsim.network import IntArray


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Words that leave a machine.

    Parameters
    ----------
    times : tuple of int64 arrays
        For each port, the cycle of each word that was seen.
    held : dict of int to int
        For each queue, by the number of its block, the least depth that would have refused no word.
    counts : tuple of int
        Words of a vector at each port.
    first : int
        Cycle in which the first word came in by the first port.
    last : int
        Cycle in which the run ended.
    before, cycles : tuple of int, int
        The words of each port after the first ``before`` come again and again, ``cycles`` apart; 0
        cycles where that is not known.
    """

    times: tuple[IntArray, ...]
    held: dict[int, int]
    counts: tuple[int, ...]
    first: int
    last: int
    before: tuple[int, ...]
    cycles: int

    def words(self, port: int, count: int) -> IntArray:
        """Cycle of each of the first ``count`` words of a port.

        Raises
        ------
        RangeError
            If the run was too short to tell.
        """
        seen, start = self.times[port], self.before[port]
        if count <= len(seen):
            return seen[:count]
        if not self.cycles:
            raise RangeError(f"words must be at most {len(seen)}, not {count}")
        turns, places = np.divmod(np.arange(count - start), len(seen) - start)
        return np.concatenate((seen[:start], seen[start + places] + turns * self.cycles))

    def ends(self, port: int, vectors: int) -> IntArray:
        """Cycle of the last word of each of the first vectors."""
        count = self.counts[port]
        return self.words(port, vectors * count)[count - 1 :: count]

    @property
    def seen(self) -> int:
        """Vectors that have left by every port."""
        return min(len(t) // count for t, count in zip(self.times, self.counts, strict=True))

    @property
    def turn(self) -> int:
        """Vectors that come again and again; 0 where that is not known."""
        return (len(self.times[0]) - self.before[0]) // self.counts[0] if self.cycles else 0

    @property
    def interval(self) -> int:
        """Cycles between vectors in the long run; their mean, rounded up.

        That of the later half of what was seen, where nothing is known to come again.
        """
        if self.cycles:
            return -(-self.cycles // self.turn)
        ends = self.ends(0, self.seen)[self.seen // 2 - 1 :]
        return -(-int(ends[-1] - ends[0]) // max(len(ends) - 1, 1))

    def never_later(self, other: Flow) -> bool:
        """True if each word is known to leave no later than in another run, however many come."""
        if not self.cycles or not other.cycles:
            return False
        if self.cycles * other.turn > other.cycles * self.turn:
            return False
        vectors = max(self.seen, other.seen) + lcm(self.turn, other.turn)
        return all(
            bool((self.words(port, n * vectors) <= other.words(port, n * vectors)).all())
            for port, n in enumerate(self.counts)
        )
