"""The search space: which keys of a specification vary, over what, for which objectives.

It is the ``explore:`` key of a specification, or a file of its own::

    variables:
      input_bits: {set: ["input.bits"], to: [2, 3, 4, 6, 8]}
      weights: {set: ["layers[0].weights.levels", "layers[1].weights.levels"], to: [3, 7, 15]}
    objectives: [error, weight_memory_bits]
    constraints: {accuracy_loss: 0.02}

The keys of a variable are tied: they take the same value. Values go from the cheapest to the most
precise. A point is a tuple of indices into them, in the order of the variables, and its *number* is
that of the grid with the last variable running fastest.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import Field, ValidationError

from fxsim.cost.amounts import SYNTHESISED
from fxsim.errors import ConfigError, SpecError
from fxsim.explorer.metrics import METRICS
from fxsim.explorer.point import check_key, check_value, set_key
from fxsim.files import read_yaml
from fxsim.spec.formats import Model
from fxsim.spec.specification import NetworkSpec, parse_spec
from fxsim.targets.registry import DEFAULT, find_part, find_target

Choices: TypeAlias = tuple[int, ...]
"""A point: for each variable the index of its value."""

Limit = Annotated[float, Field(ge=0)] | None


class VariableSpec(Model):
    """Keys of the specification that share a value, and the values, the cheapest first."""

    set: Annotated[tuple[str, ...], Field(min_length=1)]
    to: Annotated[tuple[Any, ...], Field(min_length=1, max_length=1000)]


class ConstraintsSpec(Model):
    """Upper limits; ``accuracy_loss`` is against the float parent on the same samples."""

    accuracy_loss: Limit = None
    error: Limit = None
    loss: Limit = None
    weight_memory_bits: Limit = None
    cycles: Limit = None
    latency: Limit = None
    energy: Limit = None
    logic: Limit = None
    lut: Limit = None
    ff: Limit = None
    carry: Limit = None
    dsp: Limit = None
    block_ram: Limit = None
    part: str | None = None


Metric = Literal[
    "error",
    "loss",
    "weight_memory_bits",
    "cycles",
    "latency",
    "energy",
    "logic",
    "lut",
    "ff",
    "carry",
    "dsp",
    "block_ram",
]
assert get_args(Metric) == METRICS


class ExploreSpec(Model):
    """The search space, what is to be made small, and what must hold.

    ``cost_samples`` is the number of configurations that are synthesized for ``target`` to fit the
    cost model, where an objective or a constraint needs it.
    """

    variables: Annotated[dict[str, VariableSpec], Field(min_length=1, max_length=64)]
    objectives: Annotated[tuple[Metric, ...], Field(min_length=1)] = ("error", "weight_memory_bits")
    constraints: ConstraintsSpec = ConstraintsSpec()
    target: str = DEFAULT
    cost_samples: Annotated[int, Field(ge=4, le=10000)] = 60


@dataclass(frozen=True)
class Space:
    """A search space over a specification."""

    spec: NetworkSpec
    wanted: ExploreSpec

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables."""
        return tuple(self.wanted.variables)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each variable."""
        return tuple(len(variable.to) for variable in self.wanted.variables.values())

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.sizes)

    @property
    def finest(self) -> Choices:
        """The point with the last value of each variable."""
        return tuple(size - 1 for size in self.sizes)

    def number(self, choices: Choices) -> int:
        """Number of a point."""
        number = 0
        for choice, size in zip(choices, self.sizes, strict=True):
            number = number * size + choice
        return number

    def choices(self, number: int) -> Choices:
        """Point of a number.

        Raises
        ------
        SpecError
            If there is no such point.
        """
        if not 0 <= number < self.size:
            raise SpecError(f"point must be from 0 to {self.size - 1}, not {number}")
        found = []
        for size in reversed(self.sizes):
            number, choice = divmod(number, size)
            found.append(choice)
        return tuple(reversed(found))

    def __iter__(self) -> Iterator[Choices]:
        """Every point by its number."""
        return (self.choices(number) for number in range(self.size))

    def values(self, choices: Choices) -> dict[str, Any]:
        """Value of each variable at a point."""
        variables = self.wanted.variables.items()
        return {name: spec.to[k] for (name, spec), k in zip(variables, choices, strict=True)}

    def apply(self, choices: Choices) -> NetworkSpec:
        """Specification of a point.

        Raises
        ------
        SpecError
            If the values do not go together.
        """
        tree = json.loads(self._text)
        for name, value in self.values(choices).items():
            for key in self.wanted.variables[name].set:
                set_key(self.spec, tree, key, value)
        return parse_spec(tree, f"point {self.number(choices)} of {self.spec.name}")

    @cached_property
    def _text(self) -> str:
        tree = self.spec.model_dump(mode="json", exclude={"explore"})
        for layer, plain in zip(self.spec.layers, tree["layers"], strict=True):
            tail = layer.tail
            if tail is not None and tail.output is not None and tail.output.signed_follows:
                plain["output"]["signed"] = None  # a point may have another nonlinearity
        return json.dumps(tree)

    @property
    def synthesis(self) -> bool:
        """True if an objective or a constraint needs synthesized costs."""
        limits = self.wanted.constraints
        asked = set(self.wanted.objectives) | {
            name for name in SYNTHESISED if getattr(limits, name) is not None
        }
        return bool(asked & set(SYNTHESISED)) or limits.part is not None

    def describe(self) -> dict[str, Any]:
        """Plain values that `parse_space` takes."""
        value: dict[str, Any] = self.wanted.model_dump(mode="json")
        return value


def load_space(spec: NetworkSpec, source: str, path: Path | None = None) -> Space:
    """Search space of a specification: its ``explore`` key, or the file ``path``.

    Raises
    ------
    SpecError
        If there is none, or it is malformed; the message ends with the file and the key path.
    """
    if path is not None:
        return parse_space(spec, read_yaml(path), str(path))
    if spec.explore is None:
        raise SpecError(f"explore is missing; write it, or give --space FILE ({source})")
    return parse_space(spec, spec.explore, f"{source}: explore")


def parse_space(spec: NetworkSpec, value: Any, source: str) -> Space:
    """Validate plain values (from YAML); ``source`` names them in errors."""
    if not isinstance(value, dict):
        raise SpecError(f"a search space must be a mapping, not {type(value).__name__} ({source})")
    try:
        wanted = ExploreSpec.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise SpecError(_explain(error, source)) from None
    except (TypeError, ValueError) as error:
        raise SpecError(f"values must be plain YAML ({error}) ({source})") from None
    space = Space(spec, wanted)
    _check(space, source)
    return space


def _check(space: Space, source: str) -> None:
    wanted, taken = space.wanted, dict[str, str]()
    repeated = [name for name in wanted.objectives if wanted.objectives.count(name) > 1]
    if repeated:
        raise SpecError(f"objectives must differ, not {repeated[0]!r} twice ({source}: objectives)")
    try:
        find_target(wanted.target)
    except ConfigError as error:
        raise SpecError(f"{error} ({source}: target)") from None
    if (name := wanted.constraints.part) is not None:
        try:
            family, _ = find_part(name)
        except SpecError as error:
            raise SpecError(f"{error} ({source}: constraints.part)") from None
        if family.name != wanted.target:
            raise SpecError(
                f"target must be {family.name!r} for {name}, not {wanted.target!r}"
                f" ({source}: target)"
            )
    for name, variable in wanted.variables.items():
        here = f"{source}: variables.{name}"
        for key in variable.set:
            check_key(space.spec, key, f"{here}.set")
            if key in taken:
                raise SpecError(f"{key} is set by {taken[key]!r} too ({here}.set)")
            taken[key] = name
            for i, choice in enumerate(variable.to):
                check_value(space.spec, key, choice, f"{here}.to[{i}]")
        texts = [json.dumps(value) for value in variable.to]
        if len(set(texts)) < len(texts):
            raise SpecError(f"values must differ ({here}.to)")
    if not any(_possible(space, choices) for choices in (space.finest, (0,) * len(space.sizes))):
        space.apply(space.finest)  # says why


def _possible(space: Space, choices: Choices) -> bool:
    try:
        space.apply(choices)
    except SpecError:
        return False
    return True


def _explain(error: ValidationError, source: str) -> str:
    first = error.errors(include_url=False)[0]
    path = ".".join(map(str, first["loc"]))
    where = f"({source}: {path})" if path else f"({source})"
    if first["type"] == "json_invalid":
        return f"values must be plain YAML ({first['msg']}) {where}"
    if first["type"] == "extra_forbidden":
        models: dict[str, type[Model]] = {
            "constraints": ConstraintsSpec,
            "variables": VariableSpec,
        }
        model = models.get(str(first["loc"][0]), ExploreSpec) if len(first["loc"]) > 1 else None
        known = list((model or ExploreSpec).model_fields)
        return f"unknown key {first['loc'][-1]!r}; {nearest(str(first['loc'][-1]), known)} {where}"
    if first["type"] == "missing":
        return f"{first['loc'][-1]} is missing {where}"
    if first["type"] == "literal_error":
        close = nearest(str(first["input"]), list(METRICS))
        return f"unknown value {first['input']!r}; {close} {where}"
    problem = first["msg"].removeprefix("Input should be ")
    return f"{first['loc'][-1]} must be {problem}, not {first['input']!r} {where}"


def nearest(text: str, known: list[str]) -> str:
    """Error text of an unknown name."""
    near = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
