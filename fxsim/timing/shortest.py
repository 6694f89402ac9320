"""The shortest queues of a machine that cost no time.

Queues hold the words that wait at a join for others. A run in which they are endless says what they
hold at most, so that is enough; each is then replaced by a wire if no word leaves later for it, or
else shortened to the least depth with which none does. Every attempt is a run, and they end when
the work that was granted is done: the depths are enough at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fxsim.network import IntArray
from fxsim.network.graph import MIN_DEPTH
from fxsim.timing import parts
from fxsim.timing.flow import Flow
from fxsim.timing.kernels import blocks
from fxsim.timing.machine import Deadlock, Late, Machine

_SPARE = 16
"""Words that a queue takes beyond those that make a word of the join, while all others wait."""

_SWIFT = MIN_DEPTH + 1
"""Words of the shortest queue that takes one in each cycle."""

Depths = dict[int, int]
"""Depth of each queue, by the number of its block; 0 is a wire."""


def shortest(machine: Machine, joins: Sequence[Sequence[int]], work: int) -> Depths:
    """Depths of queues with which each word leaves as early as with endless ones.

    Parameters
    ----------
    machine : Machine
    joins : sequences of int
        Queues in front of each join, by the numbers of their blocks.
    work : int
        Cycles times blocks that may be run, after the first run.
    """
    depths = _searched(_Search(machine, joins, work))
    if _waits_forever(machine, depths):
        depths = _searched(_Search(machine, joins, work, drained=True))
    return depths


def _searched(search: _Search) -> Depths:
    search.wire()
    search.lengthen()
    shorter = True
    while shorter:  # a queue may be shorter next to others that are
        shorter = sum(search.shorten(k) for k in search.depths) > 0
    return search.depths


def _waits_forever(machine: Machine, depths: Depths) -> bool:
    """True if blocks may wait for one another where pauses have drained the pipelines."""
    queues = {k: parts.queue(depth) if depth else None for k, depth in depths.items()}
    try:
        machine.repeat(queues | machine.drained())
    except Deadlock:
        return True
    return False


class _Search:
    """Depths that are enough, and the run that they are held to.

    With ``drained`` they are also enough for pipelines that pauses have drained.
    """

    def __init__(
        self,
        machine: Machine,
        joins: Sequence[Sequence[int]],
        work: int,
        *,
        drained: bool = False,
    ):
        self._machine, self._joins, self._left = machine, joins, work
        self._drained = machine.drained() if drained else {}
        self.depths = {k: MIN_DEPTH for join in joins for k in join}
        self._best = self._lengthened()

    def _lengthened(self) -> Flow:
        """Run with endless queues, where there are no wires, and take what they hold at most.

        Queues in front of one join take no more while all of them have words for it: else they
        would hold what waits for the blocks after the join, without end. For the same reason no
        input runs ahead of another by more than a vector.
        """
        queues: dict[int, parts.Block | None] = {}
        for group, join in enumerate(self._joins, 1):
            together = group if len(join) > 1 and all(self.depths[k] for k in join) else 0
            for k in join:
                room = 2 * self._turn(k) + _SPARE
                queues[k] = parts.queue(parts.ENDLESS, room, together) if self.depths[k] else None
        flow = self._run(queues)
        held = flow.held
        if self._drained:
            drained = self._run(queues | self._drained).held
            held = {k: max(words, drained[k]) for k, words in held.items()}
        self.depths |= {k: max(MIN_DEPTH, held[k]) for k, queue in queues.items() if queue}
        return flow

    def _turn(self, k: int) -> int:
        """Words of a queue that are taken together."""
        after = self._machine.after(k)
        if after is not None and after.kind == blocks.WIDEN:
            return after.sizes[0]
        if after is not None and after.kind == blocks.CONCAT:
            return max(count for count, _ in after.plan)
        return 1

    def lengthen(self) -> None:
        """Take the depths, and the run, of endless queues next to the wires that there are."""
        if self._left > 0:
            self._best = self._lengthened()

    def attempt(self, depths: Depths) -> bool:
        """Take other depths, if they cost no time and there is time to tell."""
        if self._left <= 0:
            return False
        best, tried = self._best, self.depths | depths
        latest = [best.words(port, n * (2 * best.seen + 8)) for port, n in enumerate(best.counts)]
        queues = {k: parts.queue(depth) if depth else None for k, depth in tried.items()}
        try:
            flow = self._run(queues, latest)
            if self._drained:
                self._run(queues | self._drained)
        except (Late, Deadlock) as error:
            self._left -= error.cycle * len(self._machine)
            return False
        if not flow.never_later(best):
            return False
        self.depths, self._best = tried, flow
        return True

    def wire(self) -> None:
        """Replace queues by wires: at each join those of the words that come last, or all.

        Words that come together need all of their queues or none: a queue takes time itself.
        """
        by_length = [sorted(join, key=self.depths.__getitem__) for join in self._joins]
        last = {join[0]: 0 for join in by_length}
        if not self.attempt(last):
            for join in by_length:
                for count in range(len(join), 0, -1):
                    if self.attempt(dict.fromkeys(join[:count], 0)):
                        break
        for join in by_length:
            for k in join[1:]:
                if self.depths[k]:
                    self.attempt({k: 0})

    def shorten(self, k: int) -> bool:
        """Take the least depth of a queue that costs no time; returns whether that is less.

        As a rule that is what an endless queue holds or a few words less, so steps from there on
        grow. A longer queue is never slower.
        """
        step, before = 1, self.depths[k]
        while self.depths[k] - step >= MIN_DEPTH and self.attempt({k: self.depths[k] - step}):
            step *= 2
        low = max(MIN_DEPTH, self.depths[k] - step + 1)
        while low < self.depths[k] and self._left > 0:
            middle = (low + self.depths[k]) // 2
            if not self.attempt({k: middle}):
                low = middle + 1
        if 0 < self.depths[k] <= _SWIFT:
            self.attempt({k: 0})
        return self.depths[k] < before

    def _run(
        self, queues: Mapping[int, parts.Block | None], latest: Sequence[IntArray] = ()
    ) -> Flow:
        flow = self._machine.repeat(queues, latest, together=True)
        self._left -= flow.last * len(self._machine)
        return flow
