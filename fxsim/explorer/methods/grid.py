"""Every point of the space, by its number."""

from __future__ import annotations

from itertools import islice

from fxsim.explorer.search import Search

_BATCH = 4096


def grid(search: Search) -> None:
    """Ask for every point."""
    points = iter(search.space)
    while batch := list(islice(points, _BATCH)):
        search.ask(batch)
