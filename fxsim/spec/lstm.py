"""LSTM layers, with or without a recurrent projection."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from fxsim.arithmetic.formats import Rounding
from fxsim.spec.common import (
    AccumulatorSpec,
    GateRequantizeSpec,
    HardwareSpec,
    RequantizeSpec,
    Shape,
    check_product,
)
from fxsim.spec.formats import Fail, HiddenSpec, Model, ProjectedSpec, Size, under
from fxsim.spec.kind import Context, Kind, Matrix
from fxsim.spec.weights import GateWeightsSpec, WeightsSpec, check_weights

Fraction = Annotated[int, Field(ge=0, le=30)]


class PreactivationSpec(Model):
    """Input of the gate tables; the products W x and U h have ``guard_bits`` more of fraction."""

    bits: Annotated[int, Field(ge=2, le=16)] = 10
    fraction: Annotated[int, Field(ge=0, le=16)] = 6
    guard_bits: Annotated[int, Field(ge=0, le=8)] = 3


class TablesSpec(Model):
    """Word lengths of the values; the low ``step_bits`` of the input are interpolated linearly."""

    sigmoid_bits: Annotated[int, Field(ge=2, le=16)] = 8
    tanh_bits: Annotated[int, Field(ge=2, le=16)] = 8
    step_bits: Annotated[int, Field(ge=0, le=14)] = 0


class CellSpec(Model):
    """Format of the cell state, signed."""

    bits: Annotated[int, Field(ge=2, le=32)] = 16
    fraction: Fraction = 11


class ProjectionSpec(Model):
    """Recurrent projection of the cells' outputs to ``units`` values, without a bias."""

    units: Size
    weights: WeightsSpec = WeightsSpec()
    output: ProjectedSpec = ProjectedSpec()
    accumulator: AccumulatorSpec = AccumulatorSpec()
    requantize: RequantizeSpec = RequantizeSpec()

    @property
    def nonlinearity(self) -> Literal["none"]:
        """None: the cells have theirs."""
        return "none"


class LstmHardwareSpec(Model):
    """Folding of the products W x (``input``), U h (``hidden``) and of the projection.

    ``multipliers`` is how many the elementwise unit has: 3 take a cell a cycle, and U h then brings
    whole cells; 1 is shared and takes a cell every 3 cycles.
    """

    input: HardwareSpec | None = None
    hidden: HardwareSpec | None = None
    projection: HardwareSpec | None = None
    multipliers: Literal[1, 3] = 3


class LstmSpec(Kind):
    """An LSTM layer without peepholes; see `fxsim.network.QuantizedLstm` for its arithmetic."""

    type: Literal["lstm"]
    cells: Annotated[int, Field(ge=1, le=1 << 14)]
    weights: GateWeightsSpec = GateWeightsSpec()
    preactivation: PreactivationSpec = PreactivationSpec()
    tables: TablesSpec = TablesSpec()
    cell: CellSpec = CellSpec()
    output: HiddenSpec = HiddenSpec()
    projection: ProjectionSpec | None = None
    requantize: GateRequantizeSpec = GateRequantizeSpec()
    hardware: LstmHardwareSpec = LstmHardwareSpec()

    recurrent: ClassVar[bool] = True

    @property
    def units(self) -> int:
        """Number of outputs."""
        return self.cells if self.projection is None else self.projection.units

    def shape_out(self, *shapes: Shape) -> Shape:
        """A vector of ``units``."""
        return (self.units,)

    @property
    def tail(self) -> ProjectionSpec | None:
        """Format of the projection; cells yield a fixed one."""
        return self.projection

    @property
    def own_rounding(self) -> Rounding | None:
        """Rounding of gates and cells."""
        return self.requantize.rounding

    def bits_out(self, *bits: int) -> int:
        """Word length of the projection, else of the cells."""
        return self.output.bits if self.projection is None else self.projection.output.bits

    def matrices(self, shape: Shape) -> tuple[Matrix, ...]:
        """W, U and, if there is one, the projection."""
        own, gates = self.hardware, 4 * self.cells
        fed_back = self.bits_out()
        both = (
            Matrix(
                suffix="_input",
                spec=self,
                outputs=gates,
                inputs=shape[0],
                letter="L",
                hardware=own.input,
                gates=True,
            ),
            Matrix(
                suffix="_hidden",
                spec=self,
                outputs=gates,
                inputs=self.units,
                letter="L",
                hardware=own.hidden,
                gates=True,
                inner_bits=fed_back,
            ),
        )
        if (wanted := self.projection) is None:
            return both
        projection = Matrix(
            suffix="_projection",
            spec=wanted,
            outputs=wanted.units,
            inputs=self.cells,
            letter="L",
            hardware=own.projection,
            inner_bits=self.output.bits,
        )
        return (*both, projection)

    def with_levels(self, levels: int) -> Self:
        """Copy with symmetric weights of ``levels`` levels, the projection's too."""
        update: dict[str, Model] = {"weights": self.weights.with_levels(levels)}
        if (wanted := self.projection) is not None:
            weights = wanted.weights.with_levels(levels)
            update["projection"] = wanted.model_copy(update={"weights": weights})
        return self.model_copy(update=update)

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse an image, and keys that do not go together."""
        self.needs_vector(context, fail)
        check_weights(self.weights, fail)
        if (projection := self.projection) is not None:
            check_product(projection, under(fail, "projection"))
        elif self.hardware.projection is not None:
            fail("projection must be left out: the layer has none", "hardware.projection")
        self._check_fractions(fail)
        if projection is not None and context.sparsified:
            fail("projection must be left out with train.sparsify", "projection")

    def _check_fractions(self, fail: Fail) -> None:
        """Bits are only ever dropped."""
        tables, cell, preactivation = self.tables, self.cell, self.preactivation
        product = tables.sigmoid_bits + tables.tanh_bits
        if tables.step_bits > preactivation.bits - 2:
            fail(
                f"step_bits must be at most {preactivation.bits - 2} for {preactivation.bits} bits"
                f" of preactivation, not {tables.step_bits}",
                "tables.step_bits",
            )
        if cell.fraction > product:
            fail(
                f"fraction must be at most {product} (sigmoid_bits + tanh_bits),"
                f" not {cell.fraction}",
                "cell.fraction",
            )
        if cell.fraction < preactivation.fraction:
            fail(
                f"fraction must be at least {preactivation.fraction}, that of preactivation,"
                f" not {cell.fraction}",
                "cell.fraction",
            )
        if self.output.bits - 1 > product:
            fail(
                f"bits must be at most {product + 1} (sigmoid_bits + tanh_bits + 1),"
                f" not {self.output.bits}",
                "output.bits",
            )
