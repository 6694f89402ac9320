"""The record of a whole specification, and what it answers about its layers and edges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field

from fxsim.arithmetic.formats import Rounding
from fxsim.errors import SpecError
from fxsim.spec.add import AddSpec
from fxsim.spec.argmax import ArgmaxSpec
from fxsim.spec.common import HardwareSpec, Shape
from fxsim.spec.concat import ConcatSpec
from fxsim.spec.convolution import ConvolutionSpec
from fxsim.spec.flatten import FlattenSpec
from fxsim.spec.formats import InputSpec, Model
from fxsim.spec.graph import Graph
from fxsim.spec.kind import Kind, Product, left_out
from fxsim.spec.linear import LinearSpec
from fxsim.spec.lstm import LstmSpec
from fxsim.spec.pool import AveragePoolSpec, MaxPoolSpec
from fxsim.spec.rescale import RescaleSpec
from fxsim.spec.resize import ResizeSpec
from fxsim.spec.train import (
    RetrainSpec,
    TrainSpec,
)

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
    control: bool = Field(default=False, exclude_if=lambda value: not value)
    """An AXI4-Lite port in any case; without, only where files fill memories."""
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
            raise SpecError(f"{self.name} must have one {what}, not {found}")
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
        """True if a name stands for values of an input, flattened or not."""
        return self.in_network(name) in self.graph.inputs

    def logits(self, output: str) -> str:
        """Layer that yields the values of an output: the one before an argmax, or itself."""
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
        """True if a sample is an image, or has one."""
        return any(len(source.shape) == 3 for source in self.inputs.values())

    @property
    def classifies(self) -> bool:
        """True if the only output is an argmax; the float network ends before it, with logits."""
        return self.layers[self.layer_index(self.output)].classifies

    @property
    def last(self) -> int:
        """Number of the layer that yields a value for each class, -1 if the input does."""
        return self.layer_index(self.logits(self.output))

    @property
    def recurrent(self) -> bool:
        """True if a layer carries state from one vector to the next."""
        return any(layer.recurrent for layer in self.layers)
