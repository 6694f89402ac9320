"""The runs of an experiment: what is not yet stored is done, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fxsim.reproduce.store import Store

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    R = TypeVar("R", bound=DataclassInstance)
else:
    R = TypeVar("R")

OnRun = Callable[[str], None]
"""Called with the name of a finished run."""


def collect(
    recipes: Mapping[str, R],
    folder: Path,
    data: str,
    work: Callable[[R], dict[str, Any]],
    on_run: OnRun | None = None,
) -> dict[str, dict[str, Any]]:
    """Results by the name of the run.

    Parameters
    ----------
    recipes : mapping of str to dataclass
        All that a result depends on, besides the data.
    folder : Path
        Keeps finished runs; those of the same recipe and data are taken from there.
    data : str
        Name of the data.
    work : callable
        Does one run; returns plain values.
    on_run : callable, optional

    Raises
    ------
    FileError
        If a stored run cannot be read or written.
    """
    store, results = Store(folder / "runs"), {}
    for name, recipe in recipes.items():
        plain = asdict(recipe) | {"data": data}
        found = store.find(name, plain)
        if found is None:
            found = work(recipe)
            store.keep(name, plain, found)
        if on_run is not None:
            on_run(name)
        results[name] = found
    return results
