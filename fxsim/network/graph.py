"""How the layers of a network are connected, and what holds of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.layer import Layer
from fxsim.network.tensor_type import TensorType

INPUT = "input"
"""Name of the only input of a network, unless it has another; a keyword, so no layer has it."""

MIN_DEPTH = 2
"""Words of the shortest queue: the register that they leave by, and a word of memory."""

MAX_DEPTH = 1 << 24

T = TypeVar("T")


def only(values: Mapping[str, T], what: str) -> T:
    """The value of a mapping with one; else an error that names them all."""
    if len(values) != 1:
        raise RangeError(f"the network must have one {what}, not {', '.join(values)}")
    return next(iter(values.values()))


def connect(
    inputs: Iterable[str], layers: Sequence[Layer], sources: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Sources of the operands of each layer, by its name: the layer before, if left out.

    Raises
    ------
    RangeError
        If ``sources`` are of no layer, a layer names what is not an input or an earlier layer, or
        not as many as it takes, or leaves out what follows several inputs.
    """
    known, found = list(inputs), dict[str, tuple[str, ...]]()
    if unknown := sources.keys() - {layer.name for layer in layers}:
        raise RangeError(f"sources must be of layers, not of {min(unknown)!r}")
    before = known[0] if len(known) == 1 else None
    for layer in layers:
        given = sources.get(layer.name, (before,) if before else ())
        if len(given) != len(layer.operands):
            raise RangeError(
                f"{layer.name}: sources must be {len(layer.operands)}, not {len(given)}"
            )
        for source in given:
            if source not in known:
                raise RangeError(
                    f"{layer.name}: sources must be among {', '.join(known)}, not {source!r}"
                )
        found[layer.name] = tuple(given)
        known.append(before := layer.name)
    return found


def check_names(inputs: Iterable[str], layers: Iterable[Layer]) -> None:
    """Refuse names that are used twice, in whatever case, or are none in Verilog."""
    names = [name.lower() for name in inputs]
    for name in inputs:
        if name != INPUT:
            check_identifier(name, "input")
    for layer in layers:
        names += map(
            str.lower, dict.fromkeys((layer.name, *(product.name for product in layer.linears)))
        )
    if len(set(names)) != len(names):
        raise RangeError(f"names of inputs and layers must be unique, not {names}")


def check_types(
    inputs: Mapping[str, TensorType],
    layers: Iterable[Layer],
    sources: Mapping[str, tuple[str, ...]],
) -> None:
    """Refuse layers that do not take what their sources yield."""
    yielded = dict(inputs)
    raw = set[str]()
    for layer in layers:
        for source, taken in zip(sources[layer.name], layer.operands, strict=True):
            given = yielded[source]
            if not taken.admits(given.shape) and len(taken.shape) > 1:
                raise RangeError(
                    f"{layer.name}: what it takes from {source!r} must have shape {given.shape},"
                    f" not {taken.shape}"
                )
            if taken.items != given.items or taken.activation != given.activation:
                raise RangeError(
                    f"{layer.name}: what it takes from {source!r} must be {given.items} values of"
                    f" {given.activation}, not {taken.items} of {taken.activation}"
                )
            if source in raw and not layer.classifies:
                raise RangeError(f"{source}: {layer.name!r} follows, so it must have a requantizer")
        if layer.raw:
            raw.add(layer.name)
        yielded[layer.name] = TensorType(layer.shape_out, layer.output)


def check_ends(
    layers: Sequence[Layer], sources: Mapping[str, tuple[str, ...]], outputs: Sequence[str]
) -> None:
    """Refuse outputs that no layer yields, and layers that lead to no output."""
    names = [layer.name for layer in layers]
    if len(set(outputs)) != len(outputs):
        raise RangeError(f"outputs must be unique, not {', '.join(outputs)}")
    for output in outputs:
        if output not in names:
            raise RangeError(f"outputs must be among {', '.join(names)}, not {output!r}")
    used = {*outputs, *(source for taken in sources.values() for source in taken)}
    for layer in layers:
        if layer.name not in used:
            raise RangeError(f"{layer.name}: what it yields must be taken by a layer or an output")
        if layer.classifies and any(layer.name in taken for taken in sources.values()):
            raise RangeError(f"{layer.name}: the index of a class must be an output only")


def check_depths(
    depths: Mapping[str, tuple[int, ...]],
    output_depths: Mapping[str, int],
    sources: Mapping[str, tuple[str, ...]],
    outputs: Sequence[str],
) -> None:
    """Refuse depths of queues that are not there, or that none can have."""
    for name, given in depths.items():
        if name not in sources or len(given) != len(sources[name]):
            raise RangeError(f"depths must be of each operand of a layer, not {name}: {given}")
        if len(given) == 1 and any(given):
            raise RangeError(f"{name}: depths must be of a layer with several operands")
    if unknown := output_depths.keys() - set(outputs):
        raise RangeError(f"output_depths must be of outputs, not of {min(unknown)!r}")
    for depth in (
        *(depth for given in depths.values() for depth in given),
        *output_depths.values(),
    ):
        if type(depth) is not int or not (depth == 0 or MIN_DEPTH <= depth <= MAX_DEPTH):
            raise RangeError(f"depths must be 0 or from {MIN_DEPTH} to {MAX_DEPTH}, not {depth!r}")
