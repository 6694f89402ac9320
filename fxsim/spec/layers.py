"""The layers of a specification: their keys, defaults and ranges, and constraints between keys."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import Field, field_validator

from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, MemoryStyle, Overflow, Rounding
from fxsim.spec.formats import (
    Fail,
    HiddenSpec,
    Model,
    OutputSpec,
    ProjectedSpec,
    Size,
    check_format,
    signed_by_nonlinearity,
    under,
)

Fraction = Annotated[int, Field(ge=0, le=30)]


class LevelsSpec(Model):
    """Number of quantization levels, and where they lie.

    Symmetric: an odd number about 0, with the scale of least squared error. Asymmetric (Alvarez et
    al. 2016): an even number from the least weight to the greatest; 256 for the paper's 8 bits.
    """

    levels: Annotated[int, Field(ge=3, le=(1 << 16) - 1)] = 255
    scheme: Literal["symmetric", "asymmetric"] = "symmetric"

    @property
    def format(self) -> IntFormat:
        """Of the stored integers: with a zero point the difference of two levels."""
        asymmetric = self.scheme == "asymmetric"
        return IntFormat.for_levels(2 * self.levels - 1 if asymmetric else self.levels)


class WeightsSpec(LevelsSpec):
    """Levels of the weights, and whether the scale is per tensor or per channel."""

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


class LanesSpec(Model):
    """Integers that a layer without weights takes at a time; they divide the channels or items."""

    lanes: Size = 1


class LinearSpec(Model):
    """A fully connected layer; without ``output`` (last layer only) it yields raw accumulators.

    With ``batch_norm`` training normalises before the nonlinearity; quantization folds it into bias
    and multipliers. Only networks without an LSTM layer may have it.
    """

    type: Literal["linear"]
    name: str | None = None
    units: Size
    weights: WeightsSpec = WeightsSpec()
    batch_norm: bool = False
    nonlinearity: Literal["none", "relu"] = "none"
    output: OutputSpec | None = None
    accumulator: AccumulatorSpec = AccumulatorSpec()
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: HardwareSpec | None = None

    _signed = field_validator("output")(signed_by_nonlinearity)


class GateWeightsSpec(LevelsSpec):
    """Levels of the weights W and U, and whether each has a scale per tensor or per gate."""

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


class GateRequantizeSpec(Model):
    """Accumulator to pre-activation: multiplier word length, and rounding there and in the cell."""

    multiplier_bits: Annotated[int, Field(ge=1, le=32)] = 16
    rounding: Rounding | None = None


class ProjectionSpec(Model):
    """Recurrent projection of the cells' outputs to ``units`` values, without a bias."""

    units: Size
    weights: WeightsSpec = WeightsSpec()
    output: ProjectedSpec = ProjectedSpec()
    accumulator: AccumulatorSpec = AccumulatorSpec()
    requantize: RequantizeSpec = RequantizeSpec()


class LstmHardwareSpec(Model):
    """Folding of the products W x (``input``), U h (``hidden``) and of the projection.

    ``multipliers`` is how many the elementwise unit has: 3 take a cell a cycle, and U h then brings
    whole cells; 1 is shared and takes a cell every 3 cycles.
    """

    input: HardwareSpec | None = None
    hidden: HardwareSpec | None = None
    projection: HardwareSpec | None = None
    multipliers: Literal[1, 3] = 3


class LstmSpec(Model):
    """An LSTM layer without peepholes; see `fxsim.network.QuantizedLstm` for its arithmetic."""

    type: Literal["lstm"]
    name: str | None = None
    cells: Annotated[int, Field(ge=1, le=1 << 14)]
    weights: GateWeightsSpec = GateWeightsSpec()
    preactivation: PreactivationSpec = PreactivationSpec()
    tables: TablesSpec = TablesSpec()
    cell: CellSpec = CellSpec()
    output: HiddenSpec = HiddenSpec()
    projection: ProjectionSpec | None = None
    requantize: GateRequantizeSpec = GateRequantizeSpec()
    hardware: LstmHardwareSpec = LstmHardwareSpec()

    @property
    def units(self) -> int:
        """Number of outputs."""
        return self.cells if self.projection is None else self.projection.units


def check_weights(weights: LevelsSpec, fail: Fail) -> None:
    """Levels are odd about 0, and even with a zero point: the number tells the scheme."""
    parity = 0 if weights.scheme == "asymmetric" else 1
    if weights.levels % 2 != parity:
        wanted = "odd" if parity else "even with scheme: asymmetric"
        fail(f"levels must be {wanted}, not {weights.levels}", "weights.levels")
    if not parity and weights.levels > 256:
        fail(
            f"levels must be at most 256 with scheme: asymmetric, not {weights.levels}",
            "weights.levels",
        )


class HasProduct(Protocol):
    """A matrix product with a requantizer of its own."""

    @property
    def weights(self) -> WeightsSpec: ...
    @property
    def output(self) -> OutputSpec | ProjectedSpec | None: ...
    @property
    def accumulator(self) -> AccumulatorSpec: ...
    @property
    def requantize(self) -> RequantizeSpec: ...


class HasNonlinearity(HasProduct, Protocol):
    """What fully connected layers and convolutions have in common."""

    @property
    def nonlinearity(self) -> str: ...
    @property
    def output(self) -> OutputSpec | None: ...


def check_linear(layer: HasNonlinearity, last: bool, fail: Fail) -> None:
    """Constraints between the keys of a fully connected layer or a convolution."""
    check_product(layer, fail)
    if layer.output is not None:
        check_format(layer.output, layer.requantize.overflow, under(fail, "output"))
    elif not last:
        fail("output is missing: only the last layer may yield raw accumulators", "output")
    elif layer.nonlinearity != "none":
        fail("output must be given with a nonlinearity", "output")
    elif layer.weights.per == "channel":
        fail(
            "per must be 'tensor' without an output: raw accumulators need one common scale",
            "weights.per",
        )
    else:
        _check_raw(layer.requantize, fail)


def _check_raw(requantize: RequantizeSpec, fail: Fail) -> None:
    """Refuse keys that raw accumulators make nothing of; a default that is written out is fine."""
    for key, default in RequantizeSpec():
        if (value := getattr(requantize, key)) != default:
            fail(f"{key} must be left out without an output, not {value}", f"requantize.{key}")


class HasBatchNorm(HasProduct, Protocol):
    """The same, with batch normalisation."""

    @property
    def batch_norm(self) -> bool: ...


def check_batch_norm(layer: HasBatchNorm, fail: Fail, *, recurrent: bool) -> None:
    """Refuse a batch normalisation that there is no multiplier for."""
    if not layer.batch_norm:
        return
    if recurrent:
        fail("batch_norm must be false in a network with an lstm", "batch_norm")
    if layer.output is None:
        fail("batch_norm must be false without an output: it needs multipliers", "batch_norm")
    if layer.requantize.multiplier_bits == 0:
        fail(
            "batch_norm must be false with a plain shift (multiplier_bits: 0): each channel has"
            " its own scale",
            "batch_norm",
        )
    if layer.weights.scheme != "symmetric":
        fail(
            "scheme must be 'symmetric' with batch_norm, whose gain may turn the sign of weights",
            "weights.scheme",
        )


def check_product(layer: HasProduct, fail: Fail) -> None:
    """Constraints between the keys of a matrix product with a requantizer of its own."""
    check_weights(layer.weights, fail)
    accumulator = layer.accumulator
    if (accumulator.overflow is AccumulatorMode.WIDE) != (accumulator.bits is None):
        fail(
            f"bits must be {'left out' if accumulator.bits else 'given'} when overflow is"
            f" {accumulator.overflow}",
            "accumulator.bits",
        )
    if layer.weights.per == "channel" and layer.requantize.multiplier_bits == 0:
        fail(
            "per must be 'tensor' with a plain shift (multiplier_bits: 0): all channels share"
            " one scale ratio",
            "weights.per",
        )


def check_lstm(layer: LstmSpec, fail: Fail) -> None:
    """Constraints of an LSTM layer, most between its fractions: bits are only ever dropped."""
    check_weights(layer.weights, fail)
    if (projection := layer.projection) is not None:
        check_product(projection, under(fail, "projection"))
    elif layer.hardware.projection is not None:
        fail("projection must be left out: the layer has none", "hardware.projection")
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
