"""A kind of layer: what every one answers, so that nobody asks which one it is.

A kind is a class of its own in a file of its own: its keys, and answers about a layer of it. What
is computed stands by stage: `fxsim.floats.forward`, `fxsim.training.module` and
`fxsim.quantizer.quantizer` each tell the kinds apart, in one function.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from fxsim.arithmetic.formats import Rounding
from fxsim.spec.common import HardwareSpec, ProductSpec, Shape, Tail
from fxsim.spec.formats import Fail, Model


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A matrix product of a layer, whatever the layer is called and wherever it stands.

    Parameters
    ----------
    spec : ProductSpec
        Says how its weights are quantized.
    outputs, inputs : int
    letter : str
        Letter of its layer in names of groups of weights, such as h in In-h1
        (`fxsim.spec.weight_groups`).
    hardware : HardwareSpec, optional
        Its own folding; that of the network if left out.
    suffix : str
        Of its name, behind that of the layer.
    gain : bool
        Whether training leaves a factor for each output (batch normalisation).
    window : tuple of int, optional
        Shape (channels, rows, columns) of what a row of the matrix is laid over, if it moves.
    gates : bool
        Whether its rows are those of the gates of cells.
    inner_bits : int, optional
        Word length of what it takes, if that comes from within the layer.
    """

    spec: ProductSpec
    outputs: int
    inputs: int
    letter: str
    hardware: HardwareSpec | None
    suffix: str = ""
    gain: bool = False
    window: Shape | None = None
    gates: bool = False
    inner_bits: int | None = None

    @property
    def scales(self) -> int:
        """Number of weight scales, 1 or one an output."""
        return 1 if self.spec.weights.per == "tensor" else self.outputs


@dataclass(frozen=True, kw_only=True)
class Product(Matrix):
    """A matrix product of a layer, under the name that it has in checkpoint and network.

    Parameters
    ----------
    name : str
    layer : int
        Number of its layer.
    hardware : HardwareSpec
    path : str
        Key of the folding.
    """

    name: str
    layer: int
    hardware: HardwareSpec
    path: str


@dataclass(frozen=True, kw_only=True)
class Context:
    """Where a layer stands in its network.

    Parameters
    ----------
    shape : tuple of int
        Of what it takes.
    before : str
        Name of the layer before, or ``input``.
    starts : mapping of str to tuple of int
        Shapes of the input and of what each earlier layer yields, in their order.
    last : bool
        Whether no layer follows.
    raw : bool
        Whether what follows takes raw accumulators.
    recurrent : bool
        Whether a layer of the network carries state.
    sparsified : bool
        Whether training zeroes gate gradients.
    """

    shape: Shape
    before: str
    starts: Mapping[str, Shape]
    last: bool
    raw: bool
    recurrent: bool
    sparsified: bool


class Kind(Model, ABC):
    """Keys that each layer has, and what a layer says of itself."""

    type: str
    name: str | None = None

    in_hardware: ClassVar[bool] = True
    """Whether a quantized network has a layer for it."""
    recurrent: ClassVar[bool] = False
    """Whether it carries state from one vector to the next."""
    classifies: ClassVar[bool] = False
    """Whether it yields the number of a class, and not a value for each."""
    takes_raw: ClassVar[bool] = False
    """Whether raw accumulators may enter it."""
    dense: ClassVar[bool] = False
    """Whether it is a matrix over all of its input, a bias and a nonlinearity."""
    elementwise: ClassVar[bool] = False
    """Whether value i of what it yields depends on value i of each operand only."""

    @abstractmethod
    def shape_out(self, shape: Shape) -> Shape:
        """Shape of what it yields for what has ``shape``."""

    @abstractmethod
    def check(self, context: Context, fail: Fail) -> None:
        """Refuse keys that do not go together, or not with where the layer stands."""

    @property
    def shortcuts(self) -> tuple[str, ...]:
        """Names of earlier layers (or ``input``) that it takes besides the layer before."""
        return ()

    @property
    def tail(self) -> Tail | None:
        """What says how its sums become what it yields; None if it yields what it takes."""
        return None

    @property
    def relu(self) -> bool:
        """Whether it yields 0 for what is negative."""
        return self.tail is not None and self.tail.nonlinearity == "relu"

    @property
    def raw(self) -> bool:
        """Whether it yields raw accumulators."""
        return self.tail is not None and self.tail.output is None

    @property
    def own_rounding(self) -> Rounding | None:
        """Rounding of its requantization, if it is not that of the network."""
        return None if self.tail is None else self.tail.requantize.rounding

    def bits_out(self, bits: int) -> int:
        """Word length of what it yields for words of ``bits``; raw accumulators count as these."""
        output = None if self.tail is None else self.tail.output
        return bits if output is None else output.bits

    def matrices(self, shape: Shape) -> tuple[Matrix, ...]:
        """Its matrix products, for what has ``shape``: those that hold weights."""
        return ()

    def with_levels(self, levels: int) -> Self:
        """The same layer with symmetric weights of ``levels`` levels."""
        return self

    def check_folding(self, shape: Shape, products: Sequence[Product], fail: Fail) -> None:
        """Refuse foldings of its products that do not fit; ``fail`` takes whole keys."""
        for product in products:
            check_divides(product, fail)

    def needs_vector(self, shape: Shape, fail: Fail) -> None:
        """Refuse to stand behind an image."""
        if len(shape) != 1:
            fail(f"type must not be {self.type!r} behind an image; flatten it first", "type")

    def needs_image(self, shape: Shape, fail: Fail) -> None:
        """Refuse to stand behind a vector."""
        if len(shape) != 3:
            fail(f"type must not be {self.type!r} behind a vector of {math.prod(shape)}", "type")

    def needs_no_state(self, context: Context, fail: Fail) -> None:
        """Refuse to stand in a network with state."""
        if context.recurrent:
            fail(f"type must not be {self.type!r} in a network with LSTM layers", "type")


def check_divides(product: Product, fail: Fail) -> None:
    """Refuse lanes that do not divide a product, unless it is padded."""
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
