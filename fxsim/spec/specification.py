"""One YAML file -> one frozen, validated `NetworkSpec`.

Every key has a type, a default and a range here; an unknown key is an error that names the nearest
known one. Errors end with the file and the key path: ``(models/x.yaml: layers[2].hardware.simd)``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import Field, ValidationError

from fxsim.arithmetic.formats import Overflow, Rounding
from fxsim.errors import SpecError
from fxsim.files import read_yaml
from fxsim.names import check_identifier
from fxsim.spec.add import INPUT, AddSpec
from fxsim.spec.argmax import ArgmaxSpec
from fxsim.spec.common import HardwareSpec, ProductSpec, RequantizeSpec, Shape, WeightsSpec
from fxsim.spec.convolution import ConvolutionSpec
from fxsim.spec.errors import explain
from fxsim.spec.flatten import FlattenSpec
from fxsim.spec.formats import Fail, FormatSpec, InputSpec, Model, OutputSpec, check_format, under
from fxsim.spec.kind import Context, Kind, Product
from fxsim.spec.linear import LinearSpec
from fxsim.spec.lstm import LstmSpec, ProjectionSpec
from fxsim.spec.pool import AveragePoolSpec, MaxPoolSpec
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
LAYER_TYPES: dict[str, type[Kind]] = {
    "linear": LinearSpec,
    "lstm": LstmSpec,
    "convolution": ConvolutionSpec,
    "max_pool": MaxPoolSpec,
    "average_pool": AveragePoolSpec,
    "flatten": FlattenSpec,
    "add": AddSpec,
    "argmax": ArgmaxSpec,
}


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
        return self.layers[index].own_rounding or self.rounding

    def layer_shape(self, index: int) -> Shape:
        """Shape of what a layer takes; that of the network's output behind the last."""
        shape = self.input.shape
        for layer in self.layers[:index]:
            shape = layer.shape_out(shape)
        return shape

    def layer_index(self, name: str) -> int:
        """Number of the layer of a name, -1 for the input of the network."""
        names = [INPUT, *map(self.layer_name, range(len(self.layers)))]
        return names.index(name) - 1

    def layer_inputs(self, index: int) -> int:
        """Number of inputs of a layer."""
        return math.prod(self.layer_shape(index))

    def layer_products(self, index: int) -> tuple[Product, ...]:
        """Matrix products of a layer.

        Itself, or ``<layer>_input``, ``<layer>_hidden`` and, if there is one,
        ``<layer>_projection``. That of a convolution takes a window; pools have none.
        """
        name, products = self.layer_name(index), []
        for matrix in self.layers[index].matrices(self.layer_shape(index)):
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
        return tuple(product for i in range(len(self.layers)) for product in self.layer_products(i))

    @property
    def spatial(self) -> bool:
        """Whether a sample is an image."""
        return len(self.input.shape) == 3

    @property
    def classifies(self) -> bool:
        """Whether the last layer is an argmax; the float network ends before it, with logits."""
        return self.layers[-1].classifies

    @property
    def last(self) -> int:
        """Number of the layer that yields a value for each class: the last but for an argmax."""
        return len(self.layers) - 1 - self.classifies

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
    if len(spec.input.shape) == 2:
        fail("shape must have 1 item (a vector) or 3 (an image), not 2", "input.shape")
    check_recipes(spec.train, spec.retrain, fail, recurrent=spec.recurrent)
    check_format(spec.input, Overflow.SATURATE, under(fail, "input"))
    _check_layers(spec, fail)
    if not any(layer.in_hardware for layer in spec.layers):
        fail("layers must do more than flatten", "layers")
    _check_float_layers(spec, fail)


def _check_layers(spec: NetworkSpec, fail: Fail) -> None:
    """Each layer where it stands, from the input on."""
    shape, before = spec.input.shape, INPUT
    starts = {before: shape}
    seen: dict[str, tuple[int, str]] = {}
    for i, layer in enumerate(spec.layers):
        behind = spec.layers[i + 1 :]
        context = Context(
            shape=shape,
            before=before,
            starts=starts,
            last=not behind,
            raw=all(after.takes_raw for after in behind),
            recurrent=spec.recurrent,
            sparsified=spec.train.sparsify is not None,
        )
        layer.check(context, under(fail, f"layers[{i}]"))
        products, name = spec.layer_products(i), spec.layer_name(i)
        for used in dict.fromkeys((name, *(product.name for product in products))):
            _check_name(used, f"layers[{i}].name", fail)
            if used.lower() in seen:
                other, taken = seen[used.lower()]
                message = f"name must be unique, but layers[{other}] is {taken!r} too"
                fail(message, f"layers[{i}].name")
            seen[used.lower()] = (i, used)
        layer.check_folding(shape, products, fail)
        shape, before = layer.shape_out(shape), name
        starts[before] = shape


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
