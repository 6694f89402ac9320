"""The front while it is searched: a table that is redrawn in place on a terminal's stderr."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from fxsim.cli.output import console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fxsim.explorer.job import Job
    from fxsim.explorer.outcome import Outcome
    from fxsim.explorer.run import Settings
    from fxsim.explorer.store import Store

_ROWS = 20
_REFRESH = 0.5
_PATIENCE = 20
"""Seconds between two tables for each second that one takes."""


class LiveFront:
    """Shows the front, evaluations a second, time left and hypervolume.

    Without a terminal it prints one line at the end.
    """

    def __init__(self, job: Job, store: Store, settings: Settings) -> None:
        from rich.live import Live

        from fxsim.explorer.growing import GrowingFront
        from fxsim.explorer.outcome import Goals

        self._goals = Goals(job.space, job.float_error)
        known = store.predicted()
        self._front = GrowingFront(self._goals, known.values())
        self._known, self._new = len(known), 0
        size = job.space.size
        self._total = size if settings.budget is None else min(settings.budget, size)
        self._start = time.monotonic()
        self._due = self._start + _REFRESH
        self._console = console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
        self._console.print(self._line())

    def show(self, outcome: Outcome) -> None:
        """Take a new outcome."""
        self._front.add(outcome)
        self._new += 1
        if self._console.is_terminal and (start := time.monotonic()) > self._due:
            self._live.update(self._table(), refresh=True)
            now = time.monotonic()
            self._due = now + max(_REFRESH, _PATIENCE * (now - start))

    def _line(self) -> str:
        seconds = time.monotonic() - self._start
        rate = self._new / max(seconds, 1e-9)
        seen = self._known + self._new
        left = max(self._total - seen, 0) / rate if rate else 0.0
        return (
            f"{seen} of {self._total} points, {rate:.1f} a second,"
            f" {seconds:.0f} s, at most {left:.0f} s left, hypervolume {self._front.share:.4f}"
        )

    def _table(self) -> RenderableType:
        from rich.table import Table

        space = self._goals.space
        table = Table(title=self._line(), title_justify="left", box=None)
        for name in ("point", *space.names, *self._goals.names):
            table.add_column(name, justify="right")
        for outcome in self._front.outcomes[:_ROWS]:
            values = [str(value) for value in space.values(outcome.choices).values()]
            metrics = [f"{value:.6g}" for value in self._goals.values(outcome) or ()]
            table.add_row(str(space.number(outcome.choices)), *values, *metrics)
        return table
