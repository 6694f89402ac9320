"""Ways through a search space: each asks a `Search` for points until it is content.

Every evaluated point may be on the front, whatever the method asked it for.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from fxsim.errors import ConfigError
from fxsim.explorer.methods.allocate import fisher, milp
from fxsim.explorer.methods.evolve import nsga2, tpe
from fxsim.explorer.methods.greedy import greedy
from fxsim.explorer.methods.grid import grid
from fxsim.explorer.methods.sung_kum import sung_kum
from fxsim.explorer.search import BudgetSpent, Search

Method = Callable[[Search], None]

METHODS: dict[str, Method] = {
    "grid": grid,
    "sung-kum": sung_kum,
    "greedy": greedy,
    "fisher": fisher,
    "milp": milp,
    "nsga2": nsga2,
    "tpe": tpe,
}


def check_method(name: str) -> None:
    """Check the name of a method.

    Raises
    ------
    ConfigError
        If it is unknown; the message gives the nearest known one.
    """
    if name not in METHODS:
        near = difflib.get_close_matches(name, METHODS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(METHODS)}"
        raise ConfigError(f"unknown method {name!r}; {hint}")


def run_method(name: str, search: Search) -> None:
    """Run a method until it ends or its budget is spent; `check_method` says what it raises."""
    check_method(name)
    try:
        METHODS[name](search)
    except BudgetSpent:
        return
