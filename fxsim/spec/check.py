"""Constraints between the keys of a whole network: names, edges, and each layer where it stands."""

from __future__ import annotations

from fxsim.arithmetic.formats import Overflow
from fxsim.errors import SpecError
from fxsim.names import check_identifier
from fxsim.spec.formats import Fail, check_format, under
from fxsim.spec.graph import check_edges, check_use
from fxsim.spec.kind import Context
from fxsim.spec.network import NetworkSpec
from fxsim.spec.train import check_recipes
from fxsim.spec.weight_groups import weight_groups


def check_network(spec: NetworkSpec, fail: Fail) -> None:
    """Refuse keys that do not go together; ``fail`` takes whole keys."""
    _check_name(spec.name, "name", fail)
    _check_inputs(spec, fail)
    check_recipes(spec.train, spec.retrain, fail, recurrent=spec.recurrent)
    keys = [f"layers[{i}].{layer.sources_key}" for i, layer in enumerate(spec.layers)]
    check_edges(spec.graph, keys, fail)
    _check_layers(spec, fail)
    check_use(spec.graph, fail)
    _check_outputs(spec, fail)
    _check_float_layers(spec, fail)


def _check_inputs(spec: NetworkSpec, fail: Fail) -> None:
    """Either one input or several by name, each with a format that fits."""
    if spec.only_input is None and spec.named_inputs is None:
        fail("input is missing", "input")
    if spec.only_input is not None and spec.named_inputs is not None:
        fail("inputs must be left out where there is an input", "inputs")
    for name in spec.named_inputs or ():
        _check_name(name, f"inputs.{name}", fail)
    for name, source in spec.inputs.items():
        path = "input" if spec.named_inputs is None else f"inputs.{name}"
        if len(source.shape) == 2:
            fail("shape must have 1 item (a vector) or 3 (an image), not 2", f"{path}.shape")
        check_format(source, Overflow.SATURATE, under(fail, path))
    first = spec.layers[0]
    if len(spec.inputs) > 1 and first.sources is None:
        known = ", ".join(spec.inputs)
        fail(f"sources must be given where there are several inputs ({known})", "layers[0].sources")


def _check_layers(spec: NetworkSpec, fail: Fail) -> None:
    """Each layer where it stands, from the inputs on."""
    shapes = {name: source.shape for name, source in spec.inputs.items()}
    graph, rounders = spec.graph, _rounders(spec)
    seen = {name.lower(): ("an input", name) for name in spec.inputs}
    for i, layer in enumerate(spec.layers):
        name = spec.layer_name(i)
        context = Context(
            sources=graph.sources[i],
            origins=tuple(map(spec.in_network, graph.sources[i])),
            shapes=tuple(shapes[source] for source in graph.sources[i]),
            consumers=tuple(graph.layers[k] for k in graph.consumers(name)),
            rounder=rounders[i],
            sparsified=spec.train.sparsify is not None,
        )
        layer.check_operands(context, under(fail, f"layers[{i}]"))
        layer.check(context, under(fail, f"layers[{i}]"))
        products = spec.products_for(i, context.shape)
        brought = graph.sources[i] if layer.alike else ()
        own = (name, *(product.name for product in products))
        for used in dict.fromkeys((*own, *(spec.brought_name(i, source) for source in brought))):
            _check_name(used, f"layers[{i}].name", fail)
            if used.lower() in seen:
                other, taken = seen[used.lower()]
                message = f"name must be unique, but {other} is {taken!r} too"
                fail(message, f"layers[{i}].name")
            seen[used.lower()] = (f"layers[{i}]", used)
        layer.check_folding(context.shape, products, fail)
        shapes[name] = layer.shape_out(*context.shapes)


def _rounders(spec: NetworkSpec) -> list[str | None]:
    """For each layer the first one after it that takes no raw accumulators."""
    graph, found = spec.graph, dict[int, str | None]()
    for i in reversed(range(len(spec.layers))):
        found[i] = None
        later = (k for k in graph.consumers(graph.layers[i]) if k > i)  # names may be used twice
        for k in reversed(tuple(later)):
            found[i] = (found[k] or found[i]) if spec.layers[k].takes_raw else graph.layers[k]
    return [found[i] for i in range(len(spec.layers))]


def _check_outputs(spec: NetworkSpec, fail: Fail) -> None:
    """Refuse outputs that hardware has nothing for, or only one for two of."""
    path = "layers" if spec.named_outputs is None else "outputs"
    taken: dict[str, str] = {}
    for name in spec.outputs:
        layer = spec.in_network(name)
        if layer in spec.inputs:
            fail(f"{name!r} must do more than flatten {layer!r} to be an output", path)
        if layer in taken:
            fail(f"outputs must differ, but {name!r} is {taken[layer]!r}, flattened", path)
        taken[layer] = name


def _check_name(name: str, path: str, fail: Fail) -> None:
    try:
        check_identifier(name, path.rsplit(".", 1)[-1])
    except SpecError as error:
        fail(str(error), path)


def _check_float_layers(spec: NetworkSpec, fail: Fail) -> None:
    layers = [spec.layer_name(i) for i in range(len(spec.layers))]
    groups = list(weight_groups(spec))
    for i, name in enumerate(spec.retrain.float_layers if spec.retrain else ()):
        if name not in (*layers, *groups):
            fail(
                f"float_layers must name layers ({', '.join(layers)}) or groups of weights"
                f" ({', '.join(groups)}), not {name!r}",
                f"retrain.float_layers[{i}]",
            )
