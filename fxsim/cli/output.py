"""Results on stdout, everything else on stderr; colours and boxes only on a terminal."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeVar

from fxsim.errors import FxsimWarning
from fxsim.names import printable

if TYPE_CHECKING:
    from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """Plain text, as wide as its tables need, unless it is a terminal."""
    from fxsim.cli.screen import Screen

    made = Screen(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not made.is_terminal:
        made.width = 200
    return made


def print_error(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    _print_remark("error", message)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print each warning of fxsim once, as one line on stderr; leave others to Python."""
    seen = set[str]()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = str(message)
        if not issubclass(category, FxsimWarning):
            usual(message, category, filename, lineno, file, line)
        elif text not in seen:
            seen.add(text)
            _print_remark("warning", text)

    with warnings.catch_warnings():
        warnings.simplefilter("always", FxsimWarning)
        usual, warnings.showwarning = warnings.showwarning, show
        yield


def _print_remark(kind: str, message: str) -> None:
    print(f"{kind}: {printable(message)}", file=sys.stderr)


def print_line(message: str) -> None:
    """A line on stdout, never broken."""
    console().print(printable(message), soft_wrap=True)


def print_text(text: str) -> None:
    """Lines on stdout as they are, but with escapes for what a terminal would obey."""
    print(printable(text, keep="\n"), end="")


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, allow_nan=False))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout; numbers to the right."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=title or None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    cells = [[_cell(value) for value in row] for row in rows]
    for k, column in enumerate(columns):
        numbers = all(row[k][:1] in set("-0123456789") for row in cells)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        table.add_row(*row)
    console().print(table, "")


def print_records(title: str, keys: Sequence[str], records: Sequence[Mapping[str, Any]]) -> None:
    """A table of the values of ``keys``, a row for each record."""
    columns = [key.replace("_", " ") for key in keys]
    print_table(title, columns, [[record[key] for key in keys] for record in records])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):  # a range
        return " .. ".join(map(str, value))
    return f"{value:,}" if type(value) is int else printable(str(value))


def percent(share: float | None) -> str | None:
    """Accuracy and the like, as text for a table."""
    return None if share is None else f"{100 * share:.2f} %"


class Timed(Protocol):
    """A result that knows how long it took."""

    @property
    def seconds(self) -> float:
        """Wall time."""


Result = TypeVar("Result", bound=Timed)


class Steps:
    """Names of steps and the seconds they took, shown on stderr while they run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console(stderr=True)

    def say(self, remark: str) -> None:
        """Print a remark that is not a step."""
        self._console.print(printable(remark))

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time a step; the given function shows how far it is."""
        from rich.text import Text

        start = time.perf_counter()
        with self._console.status(Text(name)) as status:  # a string would be markup
            yield lambda remark: status.update(Text(f"{name}: {remark}"))
        self._done(name, time.perf_counter() - start)

    def beside(self, name: str, wait: Callable[[], Result]) -> Result:
        """Wait for a step that runs while others do; its time is its own, not that of the wait."""
        from rich.text import Text

        with self._console.status(Text(name)):
            result = wait()
        self._done(name, result.seconds)
        return result

    def _done(self, name: str, seconds: float) -> None:
        self.seconds[name] = seconds
        self._console.print(f"{name:<22} {seconds:6.1f} s")


class Advance(Protocol):
    """Move the bar of a key on by one, or to ``done``, with a remark."""

    def __call__(self, key: str, remark: str, *, done: int | None = None) -> None:
        """See the class."""


@contextmanager
def counting(total: Mapping[str, int]) -> Iterator[Advance]:
    """One progress bar on stderr for each key of ``total``."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[remark]}", markup=False),
    )
    with Progress(*columns, console=console(stderr=True)) as progress:
        bars = {key: progress.add_task(key, total=n, remark="") for key, n in total.items()}

        def advance(key: str, remark: str, *, done: int | None = None) -> None:
            step = None if done is not None else 1
            progress.update(bars[key], advance=step, completed=done, remark=remark)

        yield advance


_EVERY = 30
"""Seconds between lines on progress where there is no terminal."""


@contextmanager
def going_on(name: str, *, total: int, done: int) -> Iterator[Callable[[int, str], None]]:
    """Progress on stderr with the time left, for work of which a part may be done before.

    A bar on a terminal, else a line now and then. The given function takes how much is done, and a
    remark.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    screen = console(stderr=True)
    if not screen.is_terminal:
        yield _lines(name, total, done, screen)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}", markup=False),
    )
    with Progress(*columns, console=screen) as progress:
        bar = progress.add_task(name, total=total, completed=done, remark="")
        yield lambda now, remark: progress.update(bar, completed=now, remark=remark)


def _lines(name: str, total: int, done: int, screen: Console) -> Callable[[int, str], None]:
    """Show how much is done in a line, at the end and from time to time."""
    start = shown = time.monotonic()

    def show(now: int, remark: str) -> None:
        nonlocal shown
        passed = time.monotonic() - start
        if now <= done or (now < total and time.monotonic() - shown < _EVERY):
            return
        shown = time.monotonic()
        left = passed * (total - now) / (now - done)
        rest = f", {remark}" if remark else ""
        screen.print(f"{name}: {now:,} of {total:,} in {passed:.0f} s, {left:.0f} s left{rest}")

    return show
