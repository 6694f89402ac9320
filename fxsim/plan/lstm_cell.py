"""The record of the elementwise part of an LSTM step."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.network import QuantizedLstm, Table
from fxsim.plan.beat import Beat

GATES = 4


@dataclass(frozen=True, kw_only=True)
class LstmCellConfig:
    """Configuration of a `fxsim.hw.lstm.cell.LstmCell`; the formulas are those of `QuantizedLstm`.

    Parameters
    ----------
    first, second : IntFormat
        Formats of the terms W x and U h.
    guard_bits : int
        Dropped from their sum.
    sigmoid, tanh : Table
    cell : IntFormat
        Format of the cell state.
    cells : int
    forget_shift, input_shift, cell_shift, output_shift : int
        Bits dropped from f c, from i g, from c on its way to the tanh table, and from o tanh(c).
    output : IntFormat
    rounding : Rounding
    multipliers : int
        3, or 1 that is shared.
    """

    first: IntFormat
    second: IntFormat
    guard_bits: int
    sigmoid: Table
    tanh: Table
    cell: IntFormat
    cells: int
    forget_shift: int
    input_shift: int
    cell_shift: int
    output_shift: int
    output: IntFormat
    rounding: Rounding
    multipliers: int

    @classmethod
    def from_layer(cls, layer: QuantizedLstm) -> LstmCellConfig:
        """Configuration of the cells of ``layer``."""
        return cls(
            first=layer.input_product.output.format,
            second=layer.hidden_product.output.format,
            guard_bits=layer.guard_bits,
            sigmoid=layer.sigmoid,
            tanh=layer.tanh,
            cell=layer.cell,
            cells=layer.cells,
            forget_shift=layer.forget_shift,
            input_shift=layer.input_shift,
            cell_shift=layer.cell_shift,
            output_shift=layer.output_shift,
            output=layer.cell_output.format,
            rounding=layer.rounding,
            multipliers=layer.multipliers,
        )

    @property
    def operands(self) -> tuple[Beat, Beat]:
        """Terms W x and U h of the gates of a cell."""
        return Beat(self.first, GATES), Beat(self.second, GATES)

    @property
    def o(self) -> Beat:
        """Output of a cell."""
        return Beat(self.output, 1)

    @property
    def ratio(self) -> tuple[int, int]:
        """One output for each pair of terms."""
        return 1, 1

    @property
    def cell_fraction(self) -> int:
        """Bits after the binary point of the cell state."""
        return self.sigmoid.bits + self.tanh.bits - self.input_shift

    @property
    def spacing(self) -> int:
        """Cycles between cells that share a multiplier."""
        return 3 // self.multipliers
