"""Types of what a store holds as text, so that a damaged one is told by its first wrong value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError

from fxsim.errors import FileError
from fxsim.explorer.outcome import Goals, Outcome
from fxsim.explorer.space import Choices

T = TypeVar("T")

Metrics = dict[str, FiniteFloat]
POINT: TypeAdapter[Choices] = TypeAdapter(tuple[Annotated[int, Field(ge=0)], ...])
METRICS: TypeAdapter[Metrics] = TypeAdapter(Metrics)


class _Record(BaseModel):
    """Values of which some are known by name."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Verified(_Record):
    exact: bool
    words: int = 0
    latency: int | None = None
    interval: int | None = None


class _Clock(_Record):
    mhz: Annotated[list[FiniteFloat], Field(min_length=1)]


class _Retrained(_Record):
    reason: str = ""
    validation: Metrics = {}
    test: Metrics = {}


VERIFIED: TypeAdapter[Any] = TypeAdapter(_Verified)
NOTES: Mapping[str, TypeAdapter[Any]] = {
    "test": METRICS,
    "alone": METRICS,
    "clock": TypeAdapter(_Clock),
    "retrained": TypeAdapter(_Retrained),
}

_FACTS: Mapping[str, TypeAdapter[Any]] = {
    **dict.fromkeys(("schema", "name", "data", "hash", "method"), TypeAdapter(str)),
    **dict.fromkeys(("command", "rebuild"), TypeAdapter(str)),
    **dict.fromkeys(("spec", "space"), TypeAdapter(dict[str, Any])),
    **dict.fromkeys(("seed", "validation_samples"), TypeAdapter(int)),
    "direct": TypeAdapter(bool),
    "float_error": TypeAdapter(FiniteFloat),
    "versions": TypeAdapter(dict[str, str]),
    "cost_errors": TypeAdapter(dict[str, dict[str, FiniteFloat]]),
}
_ANY: TypeAdapter[Any] = TypeAdapter(Any)


class Facts(dict[str, Any]):
    """Facts of a store by name; one that is missing is an error of the file."""

    def __init__(self, path: Path, texts: Mapping[str, Any]) -> None:
        self._path = path
        for name in texts:
            if not isinstance(name, str):
                raise FileError(f"{path}: is damaged: a fact's name must be text, not {name!r:.60}")
        found = {name: parse(path, name, _FACTS.get(name, _ANY), t) for name, t in texts.items()}
        super().__init__(found)

    def __missing__(self, name: str) -> Any:
        raise FileError(f"{self._path}: is damaged: the fact {name!r} is missing")


def parse(path: Path, what: str, kind: TypeAdapter[T], text: object) -> T:
    """Value of a JSON text; records as plain values.

    Raises
    ------
    FileError
        If it is of another kind.
    """
    try:
        if not isinstance(text, str):
            raise FileError(f"{path}: is damaged: {what} must be text, not {text!r:.60}")
        value = kind.validate_json(text, strict=True)
        plain: T = kind.dump_python(value, exclude_unset=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join([what, *map(str, first["loc"])])
        problem = first["msg"].removeprefix("Input should be ")
        raise FileError(
            f"{path}: is damaged: {where} must be {problem}, not {first['input']!r:.60}"
        ) from None
    return plain


def check_points(path: Path, wanted: Goals, outcomes: list[Outcome]) -> None:
    """Refuse points outside the space, and metrics without those that are wanted.

    Raises
    ------
    FileError
        With the point.
    """
    sizes, needed = wanted.space.sizes, {*wanted.names, *wanted.limits}
    for outcome in outcomes:
        point = list(outcome.choices)
        if len(point) != len(sizes) or any(k >= n for k, n in zip(point, sizes, strict=True)):
            raise FileError(f"{path}: is damaged: point {point} is not in the space")
        for name in sorted(needed - outcome.metrics.keys() if outcome.metrics is not None else ()):
            raise FileError(f"{path}: is damaged: point {point} has no {name}")
