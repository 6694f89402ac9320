"""One YAML file -> one frozen, validated `NetworkSpec`.

Every key has a type, a default and a range here; an unknown key is an error that names the nearest
known one. Errors end with the file and the key path: ``(models/x.yaml: layers[2].hardware.simd)``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

from pydantic import Field, ValidationError

from fxsim.arithmetic.formats import Overflow, Rounding
from fxsim.errors import SpecError
from fxsim.files import read_yaml
from fxsim.names import check_identifier
from fxsim.spec.add import INPUT, AddSpec, ArgmaxSpec, check_add, check_argmax
from fxsim.spec.errors import explain
from fxsim.spec.formats import Fail, FormatSpec, InputSpec, Model, OutputSpec, check_format, under
from fxsim.spec.images import (
    AveragePoolSpec,
    ConvolutionSpec,
    FlattenSpec,
    MaxPoolSpec,
    check_convolution_folding,
    check_image,
    shape_behind,
    windows_of,
)
from fxsim.spec.layers import (
    HardwareSpec,
    LinearSpec,
    LstmSpec,
    ProjectionSpec,
    RequantizeSpec,
    WeightsSpec,
    check_batch_norm,
    check_linear,
    check_lstm,
)
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
    | ArgmaxSpec,
    Field(discriminator="type"),
]
LAYER_TYPES = {
    "linear": LinearSpec,
    "lstm": LstmSpec,
    "convolution": ConvolutionSpec,
    "max_pool": MaxPoolSpec,
    "average_pool": AveragePoolSpec,
    "flatten": FlattenSpec,
    "add": AddSpec,
    "argmax": ArgmaxSpec,
}
ProductSpec = LinearSpec | LstmSpec | ProjectionSpec | ConvolutionSpec
"""What says how the weights of a matrix product are quantized."""


class Product(NamedTuple):
    """A matrix product of a layer, under the name that it has in checkpoint and network.

    ``spec`` says how its weights are quantized. ``scales`` is the number of weight scales, 1 or one
    an output; ``path`` is the key of the folding. ``gain`` is whether training leaves a factor for
    each output, of a batch normalisation.
    """

    name: str
    layer: int
    spec: ProductSpec
    outputs: int
    inputs: int
    scales: int
    hardware: HardwareSpec
    path: str
    gain: bool = False


class NetworkSpec(Model):
    """A whole network as the user writes it; see the class of each key for its defaults."""

    name: str
    data: str
    input: InputSpec
    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=1, max_length=256)]
    rounding: Rounding = Rounding.TIES_AWAY
    hardware: HardwareSpec = HardwareSpec()
    train: TrainSpec = TrainSpec()
    retrain: RetrainSpec | None = None
    explore: dict[str, Any] | None = None
    """The search space; `fxsim.explorer.space` reads it."""

    def layer_name(self, index: int) -> str:
        """Name of a layer; ``layer<index>`` unless the file says otherwise."""
        return self.layers[index].name or f"layer{index}"

    def layer_hardware(self, index: int) -> HardwareSpec:
        """Folding of a layer; of an LSTM layer that of U h, which sets its pace."""
        return self.layer_products(index)[:2][-1].hardware

    def layer_rounding(self, index: int) -> Rounding:
        """Rounding of a layer's requantization: its own, else the network's."""
        layer = self.layers[index]
        own = None
        if isinstance(layer, LinearSpec | LstmSpec | ConvolutionSpec | AddSpec):
            own = layer.requantize.rounding
        return own or self.rounding

    def layer_shape(self, index: int) -> tuple[int, ...]:
        """Shape of what a layer takes; that of the network's output behind the last."""
        shape = self.input.shape
        for layer in self.layers[:index]:
            if isinstance(layer, LinearSpec | LstmSpec):
                shape = (layer.units,)
            elif isinstance(layer, ArgmaxSpec):
                shape = (1,)
            elif not isinstance(layer, AddSpec):
                shape = shape_behind(layer, shape)
        return shape

    def shortcut_start(self, index: int) -> int:
        """Layer that the shortcut of an add starts behind, -1 for the input of the network."""
        layer = self.layers[index]
        assert isinstance(layer, AddSpec)
        if layer.shortcut == INPUT:
            return -1
        return [self.layer_name(i) for i in range(index)].index(layer.shortcut)

    def layer_inputs(self, index: int) -> int:
        """Number of inputs of a layer."""
        return math.prod(self.layer_shape(index))

    def layer_products(self, index: int) -> tuple[Product, ...]:
        """Matrix products of a layer.

        Itself, or ``<layer>_input``, ``<layer>_hidden`` and, if there is one,
        ``<layer>_projection``. That of a convolution takes a window; pools have none.
        """
        layer, name = self.layers[index], self.layer_name(index)
        if not isinstance(layer, LinearSpec | LstmSpec | ConvolutionSpec):
            return ()

        def product(
            suffix: str,
            outputs: int,
            inputs: int,
            hardware: HardwareSpec | None,
            spec: ProductSpec = layer,
        ) -> Product:
            key = suffix.replace("_", ".")
            return Product(
                name=name + suffix,
                layer=index,
                spec=spec,
                outputs=outputs,
                inputs=inputs,
                scales=1 if spec.weights.per == "tensor" else outputs,
                hardware=hardware or self.hardware,
                path=f"layers[{index}].hardware{key}" if hardware else "hardware",
                gain=not isinstance(layer, LstmSpec) and layer.batch_norm,
            )

        if isinstance(layer, ConvolutionSpec):
            windows = windows_of(layer, self.layer_shape(index))
            return (product("", layer.units, windows.size, layer.hardware),)
        inputs = self.layer_inputs(index)
        if isinstance(layer, LinearSpec):
            return (product("", layer.units, inputs, layer.hardware),)
        gates, own = 4 * layer.cells, layer.hardware
        both = (
            product("_input", gates, inputs, own.input),
            product("_hidden", gates, layer.units, own.hidden),
        )
        if (wanted := layer.projection) is None:
            return both
        return (
            *both,
            product("_projection", wanted.units, layer.cells, own.projection, wanted),
        )

    @property
    def products(self) -> tuple[Product, ...]:
        """Matrix products of every layer, in the order of the data."""
        return tuple(product for i in range(len(self.layers)) for product in self.layer_products(i))

    @property
    def spatial(self) -> bool:
        """Whether a sample is an image."""
        return len(self.input.shape) == 3

    @property
    def classifies(self) -> bool:
        """Whether the last layer is an argmax; the float network ends before it, with logits."""
        return isinstance(self.layers[-1], ArgmaxSpec)

    @property
    def last(self) -> int:
        """Number of the layer that yields a value for each class: the last but for an argmax."""
        return len(self.layers) - 1 - self.classifies

    @property
    def recurrent(self) -> bool:
        """Whether a layer carries state from one vector to the next."""
        return any(isinstance(layer, LstmSpec) for layer in self.layers)


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

    def named(name: str, path: str) -> None:
        try:
            check_identifier(name, path.rsplit(".", 1)[-1])
        except SpecError as error:
            fail(str(error), path)

    named(spec.name, "name")
    if len(spec.input.shape) == 2:
        fail("shape must have 1 item (a vector) or 3 (an image), not 2", "input.shape")
    check_recipes(spec.train, spec.retrain, fail, recurrent=spec.recurrent)
    check_format(spec.input, Overflow.SATURATE, under(fail, "input"))
    seen: dict[str, tuple[int, str]] = {}
    for i, layer in enumerate(spec.layers):
        here = f"layers[{i}]"

        def within(message: str, key: str, here: str = here) -> NoReturn:
            fail(message, f"{here}.{key}")

        shape = spec.layer_shape(i)
        if isinstance(layer, LinearSpec | LstmSpec):
            if len(shape) != 1:
                within(f"type must not be {layer.type!r} behind an image; flatten it first", "type")
        elif isinstance(layer, AddSpec):
            if spec.recurrent:
                within("type must not be 'add' in a network with LSTM layers", "type")
            starts = {INPUT: spec.input.shape}
            starts |= {spec.layer_name(k): spec.layer_shape(k + 1) for k in range(i)}
            *_, before = starts
            check_add(layer, shape, starts, before, within)
        elif isinstance(layer, ArgmaxSpec):
            check_argmax(layer, shape, i == len(spec.layers) - 1, within)
        else:
            if spec.recurrent and not isinstance(layer, FlattenSpec):
                within(f"type must not be {layer.type!r} in a network with LSTM layers", "type")
            check_image(layer, shape, within)
        products = spec.layer_products(i)
        name = spec.layer_name(i)
        for used in dict.fromkeys((name, *(product.name for product in products))):
            named(used, f"{here}.name")
            if used.lower() in seen:
                other, taken = seen[used.lower()]
                within(f"name must be unique, but layers[{other}] is {taken!r} too", "name")
            seen[used.lower()] = (i, used)
        if isinstance(layer, LstmSpec):
            check_lstm(layer, within)
            if layer.projection is not None and spec.train.sparsify is not None:
                within("projection must be left out with train.sparsify", "projection")
        elif isinstance(layer, LinearSpec | ConvolutionSpec):
            behind = spec.layers[i + 1 :]
            last = all(isinstance(after, FlattenSpec | ArgmaxSpec) for after in behind)
            check_linear(layer, last, within)
            check_batch_norm(layer, within, recurrent=spec.recurrent)
        if isinstance(layer, ConvolutionSpec):
            (product,) = products
            check_convolution_folding(layer, shape, product.hardware, fail, product.path)
            continue
        for product in products:
            _check_folding(product, fail)
    if all(isinstance(layer, FlattenSpec) for layer in spec.layers):
        fail("layers must do more than flatten", "layers")
    _check_float_layers(spec, fail)


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


def _check_folding(product: Product, fail: Fail) -> None:
    folding = product.hardware
    for key, lanes, size in (
        ("rows", folding.rows, product.outputs),
        ("simd", folding.simd, product.inputs),
    ):
        if lanes > size:
            fail(f"{key} must be at most {size}, not {lanes}", f"{product.path}.{key}")
        if size % lanes and not folding.pad:
            fail(
                f"{key} must divide {size}, not {lanes} (or set pad: true)",
                f"{product.path}.{key}",
            )
