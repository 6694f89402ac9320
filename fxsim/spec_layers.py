"""The layers of a specification: their keys, defaults and ranges, and constraints between keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, NoReturn, Protocol

from pydantic import BaseModel, ConfigDict, Field

from fxsim.formats import AccumulatorMode, IntFormat, MemoryStyle, Overflow, Rounding

Size = Annotated[int, Field(ge=1, le=1 << 16)]
Fraction = Annotated[int, Field(ge=0, le=30)]


class Model(BaseModel):
    """Strict and frozen; an unknown key is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class FormatSpec(Model):
    """Word length and signedness of an activation."""

    bits: Annotated[int, Field(ge=1, le=16)] = 8
    signed: bool = False
    narrow: bool = False

    @property
    def format(self) -> IntFormat:
        """The integer format that these keys describe."""
        return IntFormat(bits=self.bits, signed=self.signed, narrow=self.narrow)


class InputSpec(FormatSpec):
    """Shape of one sample and the format that it is quantized to.

    A vector, or an image: [channels, height, width].
    """

    shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)]


class WeightsSpec(Model):
    """Number of quantization levels (odd), and whether the scale is per tensor or per channel."""

    levels: Annotated[int, Field(ge=3, le=(1 << 16) - 1)] = 255
    per: Literal["tensor", "channel"] = "tensor"


class AccumulatorSpec(Model):
    """Overflow of the accumulator; ``bits`` is given for wrap and saturate, proven for wide."""

    overflow: AccumulatorMode = AccumulatorMode.WIDE
    bits: Annotated[int, Field(ge=2, le=62)] | None = None


class RequantizeSpec(Model):
    """Accumulator to activation: multiplier word length (0: a plain shift), overflow, rounding."""

    multiplier_bits: Annotated[int, Field(ge=0, le=32)] = 16
    overflow: Overflow = Overflow.SATURATE
    rounding: Rounding | None = None


class HardwareSpec(Model):
    """Folding: output lanes (``rows``) and input lanes (``simd``) of the MAC array.

    Both must divide the layer, unless ``pad`` fills the last tile and beat with idle lanes. ``dsp``
    is whether multipliers are meant for DSP blocks or for LUTs; ternary layers have none.
    ``memory`` is what the weight memory is made of.
    """

    rows: Size = 1
    simd: Size = 1
    pad: bool = False
    dsp: bool = True
    memory: MemoryStyle = MemoryStyle.AUTO


class LinearSpec(Model):
    """A fully connected layer; without ``output`` (last layer only) it yields raw accumulators."""

    type: Literal["linear"]
    name: str | None = None
    units: Size
    weights: WeightsSpec = WeightsSpec()
    nonlinearity: Literal["none", "relu"] = "none"
    output: FormatSpec | None = None
    accumulator: AccumulatorSpec = AccumulatorSpec()
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: HardwareSpec | None = None


class GateWeightsSpec(Model):
    """Levels (odd) of the weights W and U, and whether each has a scale per tensor or per gate."""

    levels: Annotated[int, Field(ge=3, le=(1 << 16) - 1)] = 255
    per: Literal["tensor", "gate"] = "gate"


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


class HiddenSpec(Model):
    """Output of the cells: signed, with the scale 2**-(bits - 1) that -1 to 1 need."""

    bits: Annotated[int, Field(ge=2, le=16)] = 8


class GateRequantizeSpec(Model):
    """Accumulator to pre-activation: multiplier word length, and rounding there and in the cell."""

    multiplier_bits: Annotated[int, Field(ge=1, le=32)] = 16
    rounding: Rounding | None = None


class LstmHardwareSpec(Model):
    """Folding of the products W x (``input``) and U h (``hidden``)."""

    input: HardwareSpec | None = None
    hidden: HardwareSpec | None = None


class LstmSpec(Model):
    """An LSTM layer without peepholes; see `fxsim.lstm.QuantizedLstm` for its arithmetic."""

    type: Literal["lstm"]
    name: str | None = None
    cells: Annotated[int, Field(ge=1, le=1 << 14)]
    weights: GateWeightsSpec = GateWeightsSpec()
    preactivation: PreactivationSpec = PreactivationSpec()
    tables: TablesSpec = TablesSpec()
    cell: CellSpec = CellSpec()
    output: HiddenSpec = HiddenSpec()
    requantize: GateRequantizeSpec = GateRequantizeSpec()
    hardware: LstmHardwareSpec = LstmHardwareSpec()

    @property
    def units(self) -> int:
        """Number of outputs."""
        return self.cells


Fail = Callable[[str, str], NoReturn]
"""Raises an error with a message and the key that it is about."""


def check_narrow(fmt: FormatSpec, overflow: Overflow, fail: Fail) -> None:
    """Refuse ``narrow`` where it means nothing."""
    if not fmt.narrow:
        return
    if not fmt.signed or fmt.bits < 2:
        fail("narrow must be used with signed formats of 2 bits or more", "narrow")
    if overflow is Overflow.WRAP:
        fail("narrow must not be combined with overflow: wrap", "narrow")


class HasProduct(Protocol):
    """What fully connected layers and convolutions have in common."""

    @property
    def weights(self) -> WeightsSpec: ...
    @property
    def nonlinearity(self) -> str: ...
    @property
    def output(self) -> FormatSpec | None: ...
    @property
    def accumulator(self) -> AccumulatorSpec: ...
    @property
    def requantize(self) -> RequantizeSpec: ...


def check_linear(layer: HasProduct, last: bool, fail: Fail) -> None:
    """Constraints between the keys of a fully connected layer or a convolution."""
    accumulator = layer.accumulator
    if (accumulator.overflow is AccumulatorMode.WIDE) != (accumulator.bits is None):
        fail(
            f"bits must be {'left out' if accumulator.bits else 'given'} when overflow is"
            f" {accumulator.overflow}",
            "accumulator.bits",
        )
    if layer.output is not None:
        check_narrow(
            layer.output, layer.requantize.overflow, lambda text, key: fail(text, f"output.{key}")
        )
    elif not last:
        fail("output is missing: only the last layer may yield raw accumulators", "output")
    elif layer.nonlinearity != "none":
        fail("output must be given with a nonlinearity", "output")
    elif layer.weights.per == "channel":
        fail(
            "per must be 'tensor' without an output: raw accumulators need one common scale",
            "weights.per",
        )
    if layer.weights.per == "channel" and layer.requantize.multiplier_bits == 0:
        fail(
            "per must be 'tensor' with a plain shift (multiplier_bits: 0): all channels share"
            " one scale ratio",
            "weights.per",
        )


def check_lstm(layer: LstmSpec, fail: Fail) -> None:
    """Constraints between the fractions of an LSTM layer: bits are only ever dropped."""
    tables, cell, preactivation = layer.tables, layer.cell, layer.preactivation
    product = tables.sigmoid_bits + tables.tanh_bits
    if tables.step_bits > preactivation.bits - 2:
        fail(
            f"step_bits must be at most {preactivation.bits - 2} for {preactivation.bits} bits of"
            f" preactivation, not {tables.step_bits}",
            "tables.step_bits",
        )
    if cell.fraction > product:
        fail(
            f"fraction must be at most {product} (sigmoid_bits + tanh_bits), not {cell.fraction}",
            "cell.fraction",
        )
    if cell.fraction < preactivation.fraction:
        fail(
            f"fraction must be at least {preactivation.fraction}, that of preactivation,"
            f" not {cell.fraction}",
            "cell.fraction",
        )
    if layer.output.bits - 1 > product:
        fail(
            f"bits must be at most {product + 1} (sigmoid_bits + tanh_bits + 1),"
            f" not {layer.output.bits}",
            "output.bits",
        )
