"""The LSTM layer in integers: two matrix products, tables, and a cell state with its own format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.arithmetic.tables import Nonlinearity, Table
from fxsim.arithmetic.tensors import Activation, FloatArray, set_int
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.linear import QuantizedLinear, rounded_bounds
from fxsim.network.tensor_type import NO_UNIT, TensorType

GATES = ("i", "f", "o", "g")
"""Block order of the rows of W and U and of gate vectors: input, forget, output, candidate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedLstm:
    """An LSTM layer (Zhu et al. 2017, section 2.2: no peepholes), with or without projection.

    One step takes x(t), h(t-1), c(t-1) to h(t), c(t). R(v, s) is the rounding shift of v by s bits
    in the layer's mode, S saturates, and bits after the binary point are called fraction::

        z = S(R(W x + U h, guard_bits))                  gates i, f, o, g, formats of the tables
        i, f, o = sigmoid(z), g = tanh(z)                table lookups, fraction ``gate bits``
        c = S(R(f c, .) + R(i g, .))                     each product is rounded once
        m = S(R(o tanh(S(R(c, .))), .))
        h = m, or the projection of m

    W x and U h are `QuantizedLinear` layers of their own: each product has its scales and is
    brought to the pre-activation's fraction with ``guard_bits`` more, where the two are summed.
    Their output formats are so wide that the only saturation is that of the sum.

    Parameters
    ----------
    input_product : QuantizedLinear
        W: ``inputs`` to 4 * cells, the rows in the order of `GATES`; carries the bias.
    hidden_product : QuantizedLinear
        U: hidden values to 4 * cells.
    guard_bits : int
        Fraction bits of the products beyond those of the tables' input.
    sigmoid, tanh : Table
        With one input format and fraction.
    cell : IntFormat
        Format of the cell state.
    cell_fraction : int
        real c = 2**-cell_fraction * integer.
    cell_output : Activation
        Activation of m; its scale is a power of two.
    projection : QuantizedLinear or None
        m to h (Sak et al. 2014, as Alvarez et al. 2016 use it).
    rounding : Rounding
        Rounding of the sum and of the elementwise products.
    multipliers : int
        Multipliers of the elementwise unit in hardware: 3, a cell a cycle, or 1 that is shared, a
        cell every 3 cycles. It does not touch the arithmetic.

    Raises
    ------
    RangeError
        If sizes, formats or fractions do not fit.
    """

    name: str
    input_product: QuantizedLinear
    hidden_product: QuantizedLinear
    guard_bits: int
    sigmoid: Table
    tanh: Table
    cell: IntFormat
    cell_fraction: int
    cell_output: Activation
    projection: QuantizedLinear | None
    rounding: Rounding
    multipliers: int = 3

    # Answers of `LayerKind`.
    adds = pools = ()
    classifies = spatial = raw = False
    places = 1

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        try:
            self._check()
        except RangeError as error:
            raise RangeError(f"{self.name}: {error}") from None

    def _check(self) -> None:
        set_int(self, "guard_bits", 0, 8)
        set_int(self, "cell_fraction", 0, 30)
        if self.multipliers not in {1, 3}:
            raise RangeError(f"multipliers must be 1 or 3, not {self.multipliers!r}")
        if self.input_product.outputs % 4:
            raise RangeError(
                f"input_product must have 4 outputs a cell, not {self.input_product.outputs}"
            )
        sizes = (self.hidden_product.inputs, self.hidden_product.outputs)
        if sizes != (self.outputs, 4 * self.cells):
            raise RangeError(
                f"hidden_product must take {self.outputs} to {4 * self.cells}, not {sizes}"
            )
        if self.hidden_product.input != self.output:
            raise RangeError(
                f"hidden_product must take {self.output}, not {self.hidden_product.input}"
            )
        self._check_tables()
        for product in (self.input_product, self.hidden_product):
            self._check_product(product)
        if not self.cell.signed or self.cell.bits > 32:
            raise RangeError(f"cell must be signed and at most 32 bits, not {self.cell}")
        if not self.cell_output.format.signed or self.cell_output.zero_point:
            raise RangeError("cell_output must be signed without a zero point")
        self._check_fractions()
        if (projection := self.projection) is not None and (
            projection.inputs != self.cells
            or projection.input != self.cell_output
            or projection.tail is None
        ):
            raise RangeError(f"projection must take {self.cells} values of {self.cell_output}")

    def _check_tables(self) -> None:
        if self.sigmoid.function is not Nonlinearity.SIGMOID:
            raise RangeError(f"sigmoid must be a sigmoid table, not {self.sigmoid.function}")
        if self.tanh.function is not Nonlinearity.TANH:
            raise RangeError(f"tanh must be a tanh table, not {self.tanh.function}")
        if (self.sigmoid.input, self.sigmoid.input_fraction) != (
            self.tanh.input,
            self.tanh.input_fraction,
        ):
            raise RangeError("sigmoid and tanh must have one input format")

    def _check_product(self, product: QuantizedLinear) -> None:
        scale = 2.0 ** -(self.tanh.input_fraction + self.guard_bits)
        tail = product.tail
        plain = tail is not None and not (tail.relu or tail.below.any() or tail.clamp)
        if tail is None or not plain or tail.overflow is not Overflow.SATURATE:
            raise RangeError(f"{product.name} must requantize and saturate, without a nonlinearity")
        output = product.output
        if output.scale != scale or output.zero_point or not output.format.signed:
            raise RangeError(f"{product.name} must yield signed values of scale {scale}")
        least, most = rounded_bounds(
            product.weight, product.bias, product.input.format, product.accumulator, tail
        )
        if not output.format.holds(least, most):
            raise RangeError(
                f"{product.name}: output must hold {least} to {most},"
                f" which {output.format} does not"
            )

    def _check_fractions(self) -> None:
        for what, shift in (
            ("input times candidate", self.input_shift),
            ("tanh of the cell", self.cell_shift),
            ("cell output", self.output_shift),
        ):
            if shift < 0:
                raise RangeError(f"fractions leave {shift} bits to drop for the {what}")
        if 2.0**-self.output_fraction != self.cell_output.scale:
            raise RangeError(f"cell_output scale must be 2**-n, not {self.cell_output.scale}")

    @property
    def linears(self) -> tuple[QuantizedLinear, ...]:
        """The matrix products of the layer."""
        both = (self.input_product, self.hidden_product)
        return both if self.projection is None else (*both, self.projection)

    @property
    def lstms(self) -> tuple[QuantizedLstm, ...]:
        """LSTM recurrences: itself."""
        return (self,)

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """A vector."""
        return (TensorType((self.inputs,), self.input),)

    @property
    def state(self) -> Mapping[str, TensorType]:
        """``hidden`` is h, ``cell`` is c."""
        cell = Activation(format=self.cell, scale=2.0**-self.cell_fraction)
        return {
            "hidden": TensorType((self.outputs,), self.output),
            "cell": TensorType((self.cells,), cell),
        }

    @property
    def probes(self) -> Mapping[str, TensorType]:
        """The cell state."""
        return {"cell": self.state["cell"]}

    @property
    def unit(self) -> FloatArray:
        """Real value of 1 in the accumulators of the projection; 1 without one."""
        return NO_UNIT if self.projection is None else self.projection.unit

    @property
    def idle(self) -> int:
        """Integer on an idle output lane; only a projection may have one."""
        return self.output.zero_point if self.projection is None else self.projection.idle

    @property
    def settling(self) -> int:
        """More than the cycles in which hardware prepares U h of the first step."""
        product = self.hidden_product
        return self.outputs + product.tiles * product.beats + 100

    @property
    def cells(self) -> int:
        """Number of cells."""
        return self.input_product.outputs // 4

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.input_product.inputs

    @property
    def outputs(self) -> int:
        """Number of outputs: cells, or rows of the projection."""
        return self.cells if self.projection is None else self.projection.outputs

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Shape of the output."""
        return (self.outputs,)

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of its hardware."""
        return {"multipliers": self.multipliers}

    @property
    def lanes_in(self) -> int:
        """Lanes of the input: those of W x."""
        return self.input_product.lanes_in

    @property
    def lanes_out(self) -> int:
        """Lanes of the output: a cell at a time, or those of the projection."""
        return 1 if self.projection is None else self.projection.lanes_out

    @property
    def hidden_lanes(self) -> int:
        """Lanes in which U h leaves its array.

        Beside parallel multipliers whole cells, if ``rows`` allows: the fewer cycles the last tile
        takes, the sooner the next step starts.
        """
        lanes, rows = self.hidden_product.lanes_out, self.hidden_product.folding.rows
        whole = (n for n in range(lanes, rows + 1) if rows % n == 0 and n % len(GATES) == 0)
        return next(whole, lanes) if self.multipliers == 3 else lanes

    @property
    def input(self) -> Activation:
        """Activation of the input."""
        return self.input_product.input

    @property
    def output(self) -> Activation:
        """Activation of the output, which is also fed back."""
        return self.cell_output if self.projection is None else self.projection.output

    @property
    def output_fraction(self) -> int:
        """Bits after the binary point of m."""
        return round(-math.log2(self.cell_output.scale))

    @property
    def forget_shift(self) -> int:
        """Bits dropped from f * c."""
        return self.sigmoid.bits

    @property
    def input_shift(self) -> int:
        """Bits dropped from i * g."""
        return self.sigmoid.bits + self.tanh.bits - self.cell_fraction

    @property
    def cell_shift(self) -> int:
        """Bits dropped from c on its way to the tanh table."""
        return self.cell_fraction - self.tanh.input_fraction

    @property
    def output_shift(self) -> int:
        """Bits dropped from o * tanh(c)."""
        return self.sigmoid.bits + self.tanh.bits - self.output_fraction
