"""Layouts of checkpoints: the order in which a tool stores weights, brought to that of fxsim.

Orders differ in three places, and none shows in the shape of a matrix: the columns of a
convolution, the columns after a flattened image (and the rows of what is added to one), and the
rows of the gates of an LSTM. A checkpoint therefore names its layout.

==========  ====================  =======================  ==========  ====================
layout      convolution           flattened image          gates       names of arrays
==========  ====================  =======================  ==========  ====================
fxsim       (out, ky * kx * in)   row, column, channel     i, f, o, g  `fxsim.floats.checkpoint`
pytorch     (out, in, ky, kx)     channel, row, column     i, f, g, o  those of a state_dict
==========  ====================  =======================  ==========  ====================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fxsim.errors import SpecError
from fxsim.network.lstm import GATES
from fxsim.spec.kind import Product
from fxsim.spec.specification import NetworkSpec

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

FXSIM, PYTORCH = "fxsim", "pytorch"
LAYOUTS = (FXSIM, PYTORCH)

_TORCH_GATES = ("i", "f", "g", "o")
_TORCH_NAMES = {
    "_input.weight": "weight_ih_l0",
    "_input.bias": "bias_ih_l0",
    "_hidden.weight": "weight_hh_l0",
    "_hidden.bias": "bias_hh_l0",
    "_projection.weight": "weight_hr_l0",
}
_PREFIX = "float."


def to_fxsim(arrays: Arrays, layout: str, spec: NetworkSpec) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a file in the names, shapes and order of fxsim.

    In layout ``pytorch`` they are named as in the ``state_dict`` of a module whose children have
    the names of the layers: ``layer0.weight``, ``layer1.weight_ih_l0``; a leading ``float.`` and
    the names of fxsim will do, too. Weights of a convolution may be flattened, (out, in * ky * kx).
    A bias that is left out is 0.

    Raises
    ------
    SpecError
        If a weight has no shape of the layout; the message names it. If vectors are summed whose
        values are in orders of their own.
    """
    if layout == FXSIM:
        return dict(arrays)
    _check_orders(spec)
    found = {key.removeprefix(_PREFIX): array for key, array in arrays.items()}
    result = {}
    for product in spec.products:
        names = {f"{product.name}.{kind}": kind for kind in ("weight", "bias", "gain")}
        for name, kind in names.items():
            key = next((k for k in (name, _torch_name(spec, product, kind)) if k in found), None)
            if key is not None:
                array = found.pop(key)
                result[_PREFIX + name] = _ordered(spec, product, kind, key, array)
            elif kind == "bias":
                result[_PREFIX + name] = np.zeros(product.outputs)
    return result | {key: array for key, array in arrays.items() if _is_left(key, found)}


def name_in_file(key: str, arrays: Arrays, layout: str, spec: NetworkSpec) -> str:
    """Name that an array of fxsim would have in a file, by the layout and the names there."""
    if layout == FXSIM or not key.startswith(_PREFIX):
        return key
    name, _, kind = key.removeprefix(_PREFIX).rpartition(".")
    (product,) = [product for product in spec.products if product.name == name]
    prefix = _PREFIX if any(there.startswith(_PREFIX) for there in arrays) else ""
    return prefix + _torch_name(spec, product, kind)


def undecided(spec: NetworkSpec) -> str:
    """Orders that fxsim takes for granted in a file without a layout; nothing if there is no other.

    The text is for a message: ``gates are i, f, o, g``.
    """
    orders, places = [], _places(spec)
    for product in spec.products:
        if product.window is not None and _channels_last(product.window) is not None:
            orders.append("columns of convolutions are ky, kx, channel")
        if product.gates:
            orders.append("gates are i, f, o, g")
        if spec.layer_sources(product.layer)[0] in places:
            orders.append("flattened images are row, column, channel")
    return "; ".join(dict.fromkeys(orders))


def as_expected(spec: NetworkSpec, layout: str, y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Outputs that another tool yields, as `fxsim.floats.forward.forward` orders them.

    Images (n, channels, rows, columns) become vectors, those of sequences (n, t, ...) too;
    flattened ones are put in order.
    """
    last = spec.logits(spec.output)
    shape = spec.shapes[last]
    leading = 1 + spec.recurrent
    if len(shape) == 3 and y.shape[leading:] == shape:
        return np.moveaxis(y, -3, -1).reshape(*y.shape[:leading], -1)
    places = _channels_last(shape) if len(shape) == 3 else _places(spec).get(last)
    if layout == PYTORCH and places is not None and y.shape[leading:] == places.shape:
        return y[..., places]
    return y


def _is_left(key: str, found: Mapping[str, Any]) -> bool:
    return key.removeprefix(_PREFIX) in found


def _torch_name(spec: NetworkSpec, product: Product, kind: str) -> str:
    layer = spec.layer_name(product.layer)
    suffix = f"{product.name.removeprefix(layer)}.{kind}"
    return f"{layer}.{_TORCH_NAMES.get(suffix, kind)}"


def _ordered(
    spec: NetworkSpec, product: Product, kind: str, key: str, array: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """One array of a product, from the order of PyTorch; ``key`` is its name there."""
    if kind == "weight":
        array = _matrix(spec, product, key, array)
    places = _places(spec).get(spec.layer_name(product.layer))
    if places is not None and len(array) == product.outputs:
        if not spec.layers[product.layer].dense:
            raise SpecError(
                f"{key} must be in layout fxsim, not pytorch: what the layer yields is added to a"
                " flattened image"
            )
        array = array[places]
    if product.gates and len(array) == product.outputs:
        blocks = np.split(array, len(GATES))
        array = np.concatenate([blocks[_TORCH_GATES.index(gate)] for gate in GATES])
    return array


def _matrix(
    spec: NetworkSpec, product: Product, key: str, array: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """A weight as a matrix whose columns are in the order of fxsim."""
    matrix = product.outputs, product.inputs
    shapes: tuple[tuple[int, ...], ...] = (matrix,)
    places = None
    if product.window is not None:
        shapes = ((product.outputs, *product.window), matrix)
        places = _channels_last(product.window)
    elif product.inner_bits is None:
        places = _places(spec).get(spec.layer_sources(product.layer)[0])
    if array.shape not in shapes:
        raise SpecError(f"{key} must have shape {shapes[0]} in layout pytorch, not {array.shape}")
    flat = array.reshape(matrix)
    return flat if places is None else flat[:, places]


def _places(spec: NetworkSpec) -> dict[str, npt.NDArray[np.int64]]:
    """Places of the values of vectors, by name, where images are flattened channel by channel.

    Only of vectors where they are others: of flattened images, of what has them side by side, and
    of sums with one of these and all that is summed, since a sum needs one order.
    """
    graph, shapes, found = spec.graph, spec.shapes, dict[str, npt.NDArray[np.int64]]()
    known = -1
    while known < len(found):
        known = len(found)
        for name, layer, sources in zip(graph.layers, spec.layers, graph.sources, strict=True):
            if len(shapes[name]) != 1 or not (layer.elementwise or name not in found):
                continue
            own = None
            if len(shapes[sources[0]]) == 3:
                own = _channels_last(shapes[sources[0]])
            elif layer.side_by_side and any(source in found for source in sources):
                own = _side_by_side([found.get(s, np.arange(*shapes[s])) for s in sources])
            elif layer.elementwise:
                own = next((found[each] for each in (name, *sources) if each in found), None)
            if own is not None:
                others = sources if layer.elementwise else ()
                found |= {each: own for each in (name, *others) if each not in found}
    return found


def _check_orders(spec: NetworkSpec) -> None:
    """Refuse sums of vectors in different orders: only rows of weights can follow another."""
    graph, shapes, places = spec.graph, spec.shapes, _places(spec)

    def order(name: str) -> npt.NDArray[np.int64]:
        return places.get(name, np.arange(*shapes[name]))

    fixed = {name: [np.arange(*shapes[name])] for name in graph.inputs if len(shapes[name]) == 1}
    for name, layer, sources in zip(graph.layers, spec.layers, graph.sources, strict=True):
        image = shapes[sources[0]]
        if layer.dense or len(shapes[name]) != 1:
            continue
        if len(image) == 3:
            flat = _channels_last(image)
            fixed[name] = [np.arange(math.prod(image)) if flat is None else flat]
        elif layer.side_by_side:
            fixed[name] = [_side_by_side([order(source) for source in sources])]
        elif layer.elementwise:
            fixed[name] = [order(source) for source in sources]
    for name, orders in fixed.items():
        if any((own != order(name)).any() for own in orders):
            raise SpecError(
                f"{name!r} must have the order of the flattened image that it is summed with;"
                " in layout pytorch only rows of weights can follow it"
            )


def _side_by_side(parts: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Places in the parts one after the other."""
    starts = np.cumsum([0, *map(len, parts[:-1])])
    return np.concatenate([part + start for part, start in zip(parts, starts, strict=True)])


def _channels_last(image: tuple[int, ...]) -> npt.NDArray[np.int64] | None:
    """Places in a vector (channel, row, column) of the values of one (row, column, channel).

    None where they are the same: of one channel or one pixel.
    """
    if image[0] == 1 or math.prod(image[1:]) == 1:
        return None
    return np.moveaxis(np.arange(math.prod(image)).reshape(image), 0, -1).ravel()
