"""`QuantizedNetwork`: the single source of truth, integers and formats only.

Simulator, reference, hardware and cycle model are all derived from it, and none computes a number
of its own. Every constructor validates, so whatever exists is consistent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from fxsim.arithmetic.formats import Rounding
from fxsim.arithmetic.tensors import Activation, set_int
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.add import QuantizedAdd
from fxsim.network.graph import (
    MAX_DEPTH,
    check_depths,
    check_ends,
    check_names,
    check_types,
    connect,
    only,
)
from fxsim.network.layer import Layer
from fxsim.network.linear import QuantizedLinear
from fxsim.network.lstm import QuantizedLstm
from fxsim.network.pool import MaxPool
from fxsim.network.tensor_type import TensorType


@dataclass(frozen=True, kw_only=True)
class InputQuantizer:
    """How a real sample becomes integers: saturate(round(x / scale) + zero_point).

    Samples of shape (channels, height, width) become images as `fxsim.arithmetic.windows.Windows`
    has them: pixel by pixel, the channels of a pixel together.

    Raises
    ------
    RangeError
        If ``shape`` is empty or holds anything but positive integers.
    """

    shape: tuple[int, ...]
    activation: Activation
    rounding: Rounding

    def __post_init__(self) -> None:
        if not self.shape or not all(type(size) is int and size > 0 for size in self.shape):
            raise RangeError(f"shape must hold positive integers, not {self.shape}")

    @property
    def tensor(self) -> TensorType:
        """Shape and format of the integers that it yields."""
        return TensorType(self.shape, self.activation)


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedNetwork:
    """A graph of layers after input quantizers.

    Parameters
    ----------
    name : str
        A Verilog-safe identifier; the name of the top module.
    data : str
        Name of the data set that it was trained on.
    inputs : mapping of str to InputQuantizer
        By name. The name of a single one is `fxsim.network.graph.INPUT` as a rule.
    layers : tuple of Layer
        Each after those whose results it takes.
    sources : mapping of str to tuple of str, optional
        Inputs and earlier layers that yield the operands of a layer, by its name. A layer that is
        left out takes what the layer before yields, and the first one the only input.
    outputs : tuple of str, optional
        Layers whose results leave the network, which others may take as well; the last layer if
        left out.
    depths : mapping of str to tuple of int, optional
        Words of the queue at each operand of a layer with several, 0 for a wire
        (`fxsim.timing.depths`); wires if left out.
    output_depths : mapping of str to int, optional
        Words of the queue at an output; wires if left out.
    ends_depth : int
        Ends of sequences that may wait for a layer with state, or an output; 0 where none is known
        (`fxsim.timing.depths`).
    control : bool
        True for an AXI4-Lite port in any case, not only with memories that files fill.

    Raises
    ------
    RangeError
        If layers do not fit what they take, a layer leads to no output, a name is used twice, a
        depth is of no queue, or ``data`` is not text.
    """

    name: str
    data: str
    inputs: Mapping[str, InputQuantizer]
    layers: tuple[Layer, ...]
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    depths: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    output_depths: Mapping[str, int] = field(default_factory=dict)
    ends_depth: int = 0
    control: bool = False

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        if not isinstance(self.data, str):
            raise RangeError(f"data must be text, not {self.data!r}")
        if not isinstance(self.control, bool):
            raise RangeError(f"control must be true or false, not {self.control!r}")
        if not self.layers:
            raise RangeError("a network must have at least one layer")
        if not self.inputs:
            raise RangeError("a network must have at least one input")
        check_names(self.inputs, self.layers)
        types = {name: source.tensor for name, source in self.inputs.items()}
        check_ends(self.layers, self.taken, self.leaving)
        check_types(types, self.layers, self.taken)
        for name in self.inputs:
            if not self.takers(name):
                raise RangeError(f"input {name!r} must be taken by a layer")
        check_depths(self.depths, self.output_depths, self.taken, self.leaving)
        set_int(self, "ends_depth", 0, MAX_DEPTH if self.recurrent else 0)
        # Only what differs from a chain of wires, so that equal networks look alike.
        chain = connect(self.inputs, self.layers, self.taken)
        before = [None, *chain] if len(self.inputs) > 1 else [*self.inputs, *chain]
        given = {
            name: taken
            for (name, taken), last in zip(chain.items(), before, strict=False)
            if taken != (last,)
        }
        object.__setattr__(self, "sources", given)
        last = self.layers[-1].name
        object.__setattr__(self, "outputs", () if self.leaving == (last,) else self.leaving)
        depths = {name: tuple(given) for name, given in self.depths.items() if any(given)}
        object.__setattr__(self, "depths", depths)
        queues = {name: depth for name, depth in self.output_depths.items() if depth}
        object.__setattr__(self, "output_depths", queues)

    @cached_property
    def taken(self) -> dict[str, tuple[str, ...]]:
        """Names of what yields the operands of each layer, by its name."""
        return connect(self.inputs, self.layers, self.sources)

    @property
    def leaving(self) -> tuple[str, ...]:
        """Names of the layers whose results leave the network."""
        return tuple(self.outputs) or (self.layers[-1].name,)

    @cached_property
    def types(self) -> dict[str, TensorType]:
        """Shape and format of each input and of what each layer yields, by name."""
        inputs = {name: source.tensor for name, source in self.inputs.items()}
        return inputs | {
            layer.name: TensorType(layer.shape_out, layer.output) for layer in self.layers
        }

    def takers(self, name: str) -> tuple[tuple[Layer, int], ...]:
        """Layers that take what an input or a layer yields, and as which operand."""
        return tuple(
            (layer, k)
            for layer in self.layers
            for k, source in enumerate(self.taken[layer.name])
            if source == name
        )

    def depth_of(self, layer: str) -> tuple[int, ...]:
        """Words of the queue at each operand of a layer."""
        return self.depths.get(layer, (0,) * len(self.taken[layer]))

    def __getitem__(self, name: str) -> Layer:
        """Layer of a name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in self.layers)
        raise RangeError(f"layer must be one of {known}, not {name!r}")

    @property
    def input(self) -> InputQuantizer:
        """The only input."""
        return only(self.inputs, "input")

    @property
    def last(self) -> Layer:
        """The layer of the only output."""
        return only({name: self[name] for name in self.leaving}, "output")

    @property
    def output(self) -> Activation:
        """Format and scale of the only output."""
        return self.last.output

    @property
    def linears(self) -> tuple[QuantizedLinear, ...]:
        """Every matrix product of every layer, in the order of the layers."""
        return tuple(product for layer in self.layers for product in layer.linears)

    @property
    def adds(self) -> tuple[QuantizedAdd, ...]:
        """Every sum of activations of every layer."""
        return tuple(add for layer in self.layers for add in layer.adds)

    @property
    def pools(self) -> tuple[MaxPool, ...]:
        """Every max pooling of every layer."""
        return tuple(pool for layer in self.layers for pool in layer.pools)

    @property
    def lstms(self) -> tuple[QuantizedLstm, ...]:
        """Every LSTM recurrence of every layer."""
        return tuple(lstm for layer in self.layers for lstm in layer.lstms)

    @property
    def spatial(self) -> bool:
        """True if a layer works on images."""
        return any(layer.spatial for layer in self.layers)

    @property
    def recurrent(self) -> bool:
        """True if a layer carries state from one vector to the next."""
        return any(layer.state for layer in self.layers)

    @property
    def classifies(self) -> bool:
        """True if the only output is the index of a class, rather than a value for each."""
        return self.last.classifies
