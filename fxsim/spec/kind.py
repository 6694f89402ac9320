"""A kind of layer: what every one answers, so that nobody asks which one it is.

A kind is a class of its own in a file of its own: its keys, and answers about a layer of it. What
is computed stands by stage: `fxsim.floats.forward`, `fxsim.training.module` and
`fxsim.quantizer.quantizer` each tell the kinds apart, in one function.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from pydantic import Field

from fxsim.arithmetic.formats import Rounding
from fxsim.spec.common import HardwareSpec, ProductSpec, RequantizeSpec, Shape, Tail
from fxsim.spec.formats import Fail, Model
from fxsim.spec.nonlinearity import LIMITS


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
        Suffix of its name, after that of the layer.
    gain : bool
        True if training leaves a factor for each output (batch normalisation).
    window : tuple of int, optional
        Shape (channels, rows, columns) of what a row of the matrix is laid over, if it moves.
    gates : bool
        True if its rows are those of the gates of cells.
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
    sources : tuple of str
        Names of the layers or inputs that yield its operands.
    origins : tuple of str
        The same in the quantized network: those that flatten are not there.
    shapes : tuple of tuple of int
        Shape of each operand.
    consumers : tuple of str
        Names of the layers that take what it yields.
    rounder : str, optional
        The first layer after it that takes no raw accumulators, if there is one.
    sparsified : bool
        True if training zeroes gate gradients.
    """

    sources: tuple[str, ...]
    origins: tuple[str, ...]
    shapes: tuple[Shape, ...]
    consumers: tuple[str, ...]
    rounder: str | None
    sparsified: bool

    @property
    def shape(self) -> Shape:
        """Shape of the first operand."""
        return self.shapes[0]


def left_out(value: object) -> bool:
    """True if a key is missing: it stays so when a specification is written."""
    return value is None


class Kind(Model, ABC):
    """Keys that each layer has, and what a layer says of itself.

    ``sources`` names what it takes, earlier layers or inputs; the layer before if left out.
    """

    type: str
    name: str | None = None
    sources: Annotated[tuple[str, ...], Field(min_length=1, max_length=64)] | None = Field(
        default=None, exclude_if=left_out
    )

    joins: ClassVar[bool] = False
    """True if it takes two operands or more; others take one."""
    in_hardware: ClassVar[bool] = True
    """True if a quantized network has a layer for it."""
    recurrent: ClassVar[bool] = False
    """True if it carries state from one vector to the next."""
    classifies: ClassVar[bool] = False
    """True if it yields the number of a class, and not a value for each."""
    takes_raw: ClassVar[bool] = False
    """True if raw accumulators may enter it."""
    dense: ClassVar[bool] = False
    """True if it is a matrix over all of its input, a bias and a nonlinearity."""
    elementwise: ClassVar[bool] = False
    """True if value i of what it yields depends on value i of each operand only."""

    side_by_side: ClassVar[bool] = False
    """True if it yields the values of its operands, one after the other."""

    @abstractmethod
    def shape_out(self, *shapes: Shape) -> Shape:
        """Shape of what it yields for operands of these shapes."""

    @abstractmethod
    def check(self, context: Context, fail: Fail) -> None:
        """Refuse keys that do not go together, or not with where the layer stands."""

    def operands(self, before: str) -> tuple[str, ...]:
        """Names of what it takes, in order; ``before`` is the layer before."""
        return self.sources or (before,)

    @property
    def sources_key(self) -> str:
        """Key that says what it takes."""
        return "sources"

    @property
    def alike(self) -> RequantizeSpec | None:
        """How operands are brought to one format and scale, if they must have one."""
        return None

    @property
    def tail(self) -> Tail | None:
        """Specification of its tail, from sums to outputs; None if it yields what it takes."""
        return None

    @property
    def relu(self) -> bool:
        """True if it yields 0 for what is negative."""
        return self.limits[0] == 0

    @property
    def limits(self) -> tuple[float, float]:
        """Least and greatest value that its nonlinearity leaves."""
        return LIMITS["none" if self.tail is None else self.tail.nonlinearity]

    @property
    def raw(self) -> bool:
        """True if it yields raw accumulators."""
        return self.tail is not None and self.tail.output is None

    @property
    def own_rounding(self) -> Rounding | None:
        """Rounding of its requantization, if it is not that of the network."""
        return None if self.tail is None else self.tail.requantize.rounding

    def bits_out(self, *bits: int) -> int:
        """Word length of what it yields for operands of ``bits``; raw ones count as the longest."""
        output = None if self.tail is None else self.tail.output
        return max(bits) if output is None else output.bits

    def matrices(self, shape: Shape) -> tuple[Matrix, ...]:
        """Its matrix products, for what has ``shape``: those that hold weights."""
        return ()

    def with_levels(self, levels: int) -> Self:
        """Layer with symmetric weights of ``levels`` levels."""
        return self

    def check_folding(self, shape: Shape, products: Sequence[Product], fail: Fail) -> None:
        """Refuse foldings of its products that do not fit; ``fail`` takes whole keys."""
        for product in products:
            check_divides(product, fail)

    def check_operands(self, context: Context, fail: Fail) -> None:
        """Refuse a number of operands that the kind does not take."""
        count = len(context.sources)
        if not self.joins and count > 1:
            fail(f"{self.type} takes 1 source, not {count}", self.sources_key)

    def needs_vector(self, context: Context, fail: Fail) -> None:
        """Refuse an image."""
        if len(context.shape) != 1:
            found = f"{context.sources[0]!r} is an image"
            fail(f"{self.type} needs a vector, but {found}; flatten it first", "type")

    def needs_image(self, context: Context, fail: Fail) -> None:
        """Refuse a vector."""
        if len(context.shape) != 3:
            source, items = context.sources[0], math.prod(context.shape)
            fail(f"{self.type} needs an image, but {source!r} is a vector of {items}", "type")


def check_divides(product: Product, fail: Fail) -> None:
    """Refuse lanes that do not divide a product, unless it is padded with weights of 0."""
    folding, code = product.hardware, product.spec.weights.code
    if folding.pad and not code.pads:
        fail(f"pad must be false with {code} weights, which have no 0", f"{product.path}.pad")
    hint = " (or set pad: true)" if code.pads else ""
    for key, lanes, size in (
        ("rows", folding.rows, product.outputs),
        ("simd", folding.simd, product.inputs),
    ):
        if lanes > size:
            fail(f"{key} must be at most {size}, not {lanes}", f"{product.path}.{key}")
        if size % lanes and not folding.pad:
            fail(
                f"{key} must divide {size}, not {lanes}{hint}",
                f"{product.path}.{key}",
            )
