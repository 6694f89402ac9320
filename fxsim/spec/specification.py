"""One YAML file -> one frozen, validated `NetworkSpec`.

Every key has a type, a default and a range here; an unknown key is an error that names the nearest
known one. Errors end with the file and the key path: ``(models/x.yaml: layers[2].hardware.simd)``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NoReturn, Self

from pydantic import ConfigDict, Field, ValidationError

from fxsim.arithmetic.formats import Overflow, Rounding
from fxsim.errors import SpecError
from fxsim.files import read_yaml
from fxsim.names import check_identifier
from fxsim.spec.add import AddSpec
from fxsim.spec.argmax import ArgmaxSpec
from fxsim.spec.common import HardwareSpec, ProductSpec, RequantizeSpec, Shape, WeightsSpec
from fxsim.spec.concat import ConcatSpec
from fxsim.spec.convolution import ConvolutionSpec
from fxsim.spec.errors import explain
from fxsim.spec.flatten import FlattenSpec
from fxsim.spec.formats import Fail, FormatSpec, InputSpec, Model, OutputSpec, check_format, under
from fxsim.spec.graph import Graph, check_edges, check_use
from fxsim.spec.kind import Context, Kind, Product, left_out
from fxsim.spec.linear import LinearSpec
from fxsim.spec.lstm import LstmSpec, ProjectionSpec
from fxsim.spec.pool import AveragePoolSpec, MaxPoolSpec
from fxsim.spec.rescale import RescaleSpec
from fxsim.spec.resize import ResizeSpec
from fxsim.spec.train import (
    OptimizerSpec,
    PlateauSpec,
    RetrainSpec,
    SparsifySpec,
    TrainSpec,
    WordsSpec,
    check_recipes,
)
from fxsim.spec.weight_groups import weight_groups

__all__ = [
    "INPUT",
    "AddSpec",
    "ArgmaxSpec",
    "AveragePoolSpec",
    "ConcatSpec",
    "ConvolutionSpec",
    "FlattenSpec",
    "FormatSpec",
    "HardwareSpec",
    "InputSpec",
    "LinearSpec",
    "LstmSpec",
    "MaxPoolSpec",
    "NetworkSpec",
    "OptimizerSpec",
    "OutputSpec",
    "PlateauSpec",
    "Product",
    "ProductSpec",
    "ProjectionSpec",
    "RequantizeSpec",
    "RescaleSpec",
    "ResizeSpec",
    "RetrainSpec",
    "SparsifySpec",
    "TrainSpec",
    "WeightsSpec",
    "WordsSpec",
    "load_spec",
    "parse_spec",
]

LayerSpec = Annotated[
    LinearSpec
    | LstmSpec
    | ConvolutionSpec
    | MaxPoolSpec
    | AveragePoolSpec
    | FlattenSpec
    | AddSpec
    | RescaleSpec
    | ResizeSpec
    | ConcatSpec
    | ArgmaxSpec,
    Field(discriminator="type"),
]
LAYER_TYPES: dict[str, type[Kind]] = {
    "linear": LinearSpec,
    "lstm": LstmSpec,
    "convolution": ConvolutionSpec,
    "max_pool": MaxPoolSpec,
    "average_pool": AveragePoolSpec,
    "flatten": FlattenSpec,
    "add": AddSpec,
    "rescale": RescaleSpec,
    "resize": ResizeSpec,
    "concat": ConcatSpec,
    "argmax": ArgmaxSpec,
}


INPUT = "input"
"""Name of the only input of a network that does not name its inputs."""


class NetworkSpec(Model):
    """A whole network as the user writes it; see the class of each key for its defaults.

    ``input`` is the only one, or ``inputs`` has several by name; ``outputs`` names layers, the last
    one if left out. A layer takes what its ``sources`` name, so the network is a graph.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    name: str
    data: str
    only_input: InputSpec | None = Field(default=None, alias="input", exclude_if=left_out)
    named_inputs: Annotated[dict[str, InputSpec], Field(min_length=1, max_length=16)] | None = (
        Field(default=None, alias="inputs", exclude_if=left_out)
    )
    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=1, max_length=256)]
    named_outputs: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        default=None, alias="outputs", exclude_if=left_out
    )
    rounding: Rounding = Rounding.TIES_AWAY
    hardware: HardwareSpec = HardwareSpec()
    train: TrainSpec = TrainSpec()
    retrain: RetrainSpec | None = None
    explore: dict[str, Any] | None = None
    """The search space; `fxsim.explorer.space` reads it."""

    @property
    def inputs(self) -> dict[str, InputSpec]:
        """Every input by its name."""
        if self.only_input is not None:
            return {INPUT: self.only_input}
        return dict(self.named_inputs or {})

    @property
    def input(self) -> InputSpec:
        """The only input.

        Raises
        ------
        SpecError
            If there are several.
        """
        return self.inputs[self._only("input", tuple(self.inputs))]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the layers whose values leave the network."""
        return self.named_outputs or (self.layer_name(len(self.layers) - 1),)

    @property
    def output(self) -> str:
        """Name of the only output.

        Raises
        ------
        SpecError
            If there are several.
        """
        return self._only("output", self.outputs)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other keys; edges and shapes are those of the copy."""
        copied = super().model_copy(update=update, deep=deep)
        for answer in ("graph", "shapes", "arithmetic"):
            copied.__dict__.pop(answer, None)
        return copied

    def check_single(self) -> None:
        """Refuse several inputs or outputs, as what works on a data set of classes does.

        Raises
        ------
        SpecError
            If there are several.
        """
        self._only("input", tuple(self.inputs))
        self._only("output", self.outputs)

    def _only(self, what: str, names: tuple[str, ...]) -> str:
        if len(names) > 1:
            found = f"{len(names)} ({', '.join(names)})"
            raise SpecError(f"{self.name} must have one {what} for this, not {found}")
        return names[0]

    @cached_property
    def graph(self) -> Graph:
        """The edges of the network."""
        count = range(len(self.layers))
        return Graph(
            inputs=tuple(self.inputs),
            layers=tuple(map(self.layer_name, count)),
            sources=tuple(map(self.layer_sources, count)),
            outputs=self.outputs,
        )

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Shape of each input and of what each layer yields, by name."""
        found = {name: source.shape for name, source in self.inputs.items()}
        for i, layer in enumerate(self.layers):
            taken = [found[name] for name in self.layer_sources(i)]
            found[self.layer_name(i)] = layer.shape_out(*taken)
        return found

    @cached_property
    def arithmetic(self) -> tuple[Kind, ...]:
        """The layers without the sizes of their hardware."""
        return tuple(layer.model_copy(update={"hardware": None}) for layer in self.layers)

    def layer_name(self, index: int) -> str:
        """Name of a layer; ``layer<index>`` unless the file says otherwise."""
        return self.layers[index].name or f"layer{index}"

    def layer_hardware(self, index: int) -> HardwareSpec:
        """Folding of a layer; of an LSTM layer that of U h, which sets its pace."""
        return self.layer_products(index)[:2][-1].hardware

    def layer_rounding(self, index: int) -> Rounding:
        """Rounding of a layer's requantization: its own, else the network's."""
        return self.layers[index].own_rounding or self.rounding

    def layer_sources(self, index: int) -> tuple[str, ...]:
        """Names of what a layer takes; of the layer before, or the first input, if left out."""
        before = self.layer_name(index - 1) if index else next(iter(self.inputs))
        return self.layers[index].operands(before)

    def layer_shapes(self, index: int) -> tuple[Shape, ...]:
        """Shape of each operand of a layer."""
        shapes = self.shapes
        return tuple(shapes[name] for name in self.layer_sources(index))

    def layer_shape(self, index: int) -> Shape:
        """Shape of the first operand of a layer."""
        return self.layer_shapes(index)[0]

    def layer_index(self, name: str) -> int:
        """Number of the layer of a name, -1 for an input."""
        return -1 if name in self.graph.inputs else self.graph.layers.index(name)

    def in_network(self, name: str) -> str:
        """Name in the quantized network of what ``name`` yields: it has no layers that flatten."""
        while (i := self.layer_index(name)) >= 0 and not self.layers[i].in_hardware:
            (name,) = self.layer_sources(i)
        return name

    def brought_name(self, index: int, source: str) -> str:
        """Name of what brings an operand to the format and scale of the others (`Kind.alike`)."""
        return f"{self.layer_name(index)}_{source}"

    def is_input(self, name: str) -> bool:
        """Whether a name stands for values of an input, flattened or not."""
        return self.in_network(name) in self.graph.inputs

    def logits(self, output: str) -> str:
        """What yields the values of an output: what an argmax takes, or the output itself."""
        i = self.layer_index(output)
        return self.layer_sources(i)[0] if self.layers[i].classifies else output

    def layer_inputs(self, index: int) -> int:
        """Number of values of the first operand of a layer."""
        return math.prod(self.layer_shape(index))

    def layer_products(self, index: int) -> tuple[Product, ...]:
        """Matrix products of a layer.

        Itself, or ``<layer>_input``, ``<layer>_hidden`` and, if there is one,
        ``<layer>_projection``. That of a convolution takes a window; pools have none.
        """
        return self.products_for(index, self.layer_shape(index))

    def products_for(self, index: int, shape: Shape) -> tuple[Product, ...]:
        """Matrix products of a layer whose first operand has ``shape``."""
        name, products = self.layer_name(index), []
        for matrix in self.layers[index].matrices(shape):
            own = f"layers[{index}].hardware{matrix.suffix.replace('_', '.')}"
            place = {
                "name": name + matrix.suffix,
                "layer": index,
                "hardware": matrix.hardware or self.hardware,
                "path": own if matrix.hardware else "hardware",
            }
            products.append(Product(**(vars(matrix) | place)))
        return tuple(products)

    @property
    def products(self) -> tuple[Product, ...]:
        """Matrix products of every layer, in the order of the data."""
        shapes = self.shapes
        return tuple(
            product
            for i in range(len(self.layers))
            for product in self.products_for(i, shapes[self.layer_sources(i)[0]])
        )

    @property
    def spatial(self) -> bool:
        """Whether a sample is an image, or has one."""
        return any(len(source.shape) == 3 for source in self.inputs.values())

    @property
    def classifies(self) -> bool:
        """Whether the only output is an argmax; the float network ends before it, with logits."""
        return self.layers[self.layer_index(self.output)].classifies

    @property
    def last(self) -> int:
        """Number of the layer that yields a value for each class, -1 if the input does."""
        return self.layer_index(self.logits(self.output))

    @property
    def recurrent(self) -> bool:
        """Whether a layer carries state from one vector to the next."""
        return any(layer.recurrent for layer in self.layers)


def load_spec(path: Path) -> NetworkSpec:
    """Read a specification.

    Raises
    ------
    FileError
        If the file cannot be read as YAML.
    SpecError
        If a key is unknown, missing, of the wrong type or breaks a constraint.
    """
    return parse_spec(read_yaml(path), str(path))


def parse_spec(value: Any, source: str) -> NetworkSpec:
    """Validate plain values (from YAML); ``source`` names them in errors."""
    if not isinstance(value, dict):
        raise SpecError(f"a specification must be a mapping, not {type(value).__name__} ({source})")
    try:
        # The JSON route is the strict one that still takes lists for tuples and text for enums.
        spec = NetworkSpec.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise SpecError(explain(error, value, source, NetworkSpec, LAYER_TYPES)) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(f"values must be plain YAML ({error}) ({source})") from None
    _check(spec, source)
    return spec


def _check(spec: NetworkSpec, source: str) -> None:
    """Constraints between keys."""

    def fail(message: str, path: str) -> NoReturn:
        raise SpecError(f"{message} ({source}: {path})")

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
    """For each layer the first one behind it that takes no raw accumulators."""
    graph, found = spec.graph, dict[int, str | None]()
    for i in reversed(range(len(spec.layers))):
        found[i] = None
        for k in reversed(graph.consumers(graph.layers[i])):
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
