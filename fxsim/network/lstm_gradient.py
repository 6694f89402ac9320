"""The backward pass of an LSTM layer in integers: formats, and the place of every cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxsim.arithmetic.formats import MAX_BITS, IntFormat, Rounding
from fxsim.arithmetic.stochastic import Stochastic
from fxsim.arithmetic.tensors import IntArray, set_int
from fxsim.errors import RangeError
from fxsim.network.linear import QuantizedLinear
from fxsim.network.lstm import QuantizedLstm

STREAMS = ("i", "f", "o", "g", "output", "kept", "dh", "dx")
"""Cuts in the order of their numbers for stochastic rounding."""

SATURATING = ("dh", "dc", "dnet", "dx", "dW", "dU", "db")
"""Tensors whose saturations are counted."""


@dataclass(frozen=True, kw_only=True)
class GradientFormat:
    """Format of a gradient tensor: real = 2**-fraction * integer, signed, saturating.

    Gradients are small, so a fraction is often greater than ``bits``.
    """

    bits: int
    fraction: int

    def __post_init__(self) -> None:
        set_int(self, "bits", 2, 32)
        set_int(self, "fraction", -MAX_BITS, 2 * MAX_BITS)

    @property
    def format(self) -> IntFormat:
        """Range of the integers."""
        return IntFormat(bits=self.bits, signed=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class LstmGradient:
    """Numeric contract of backpropagation through time for one LSTM layer.

    Zhu et al. 2017, section 3, with the misprints corrected. R(v) is one rounding shift of an exact
    integer to the fraction of the result, S saturates to its format, and every R is a cut. Letters
    are the integers of the forward pass, s and v the word lengths of the sigmoid and tanh tables,
    and q = tanh of the cell state as it was looked up. For t = T - 1 down to 0, with
    r_T-1 = dc_T = 0::

        dh_t = S(dy_t + r_t)
        dc_t = S(R(dh_t o (2**2v - q q)) + R(f_t+1 dc_t+1))
        dnet(i) = S(R(dc_t g i (2**s - i)))
        dnet(f) = S(R(dc_t c_t-1 f (2**s - f)))
        dnet(o) = S(R(dh_t q o (2**s - o)))
        dnet(g) = S(R(dc_t i (2**2v - g g)))
        dnet = 0 where |dnet| <= threshold
        dx_t[k] = S(R(sum over j of dnet[j] m[j] W[j, k]))
        r_t-1[k] = S(R(sum over j of dnet[j] n[j] U[j, k]))
        dW += dnet (x_t - zero point), dU += dnet h_t-1, db += dnet

    **Weight scales.** Rows of W and U (gates, or channels) have real scales of their own, which
    cannot be applied once the rows are summed. m and n are the multipliers of the *forward*
    requantizers: the backward pass is the transpose of the very integers that ran forward, and no
    new constant is rounded. The sum is exact and cut once, so hardware may multiply dnet by m
    before the product, sum each gate on its own and multiply the four sums, or, where all rows
    share one multiplier, requantize as usual: the integers are the same.

    **dx** is the gradient of the *integer* input, real dx = 2**-fraction * dx / input.scale. Where
    the input comes from another LSTM layer that scale is a power of two, so ``dy`` of that layer is
    dx with another fraction.

    **Scale.** The formulas are linear in dy, and only differences of fractions enter. A common
    power-of-two scale, global or per layer and training step, is therefore an exponent next to
    the tensors: it changes no shift (`rescaled`).

    **Accumulators** of ``accumulator_bits`` saturate at every addition, sequence after sequence and
    in each from the last step to the first; zeros of dnet add nothing. The bits of dnet, those of x
    or h and log2 of the number of vectors together are always enough.

    The r before the first step is dh0. Rounding and saturation of the forward pass count as the
    identity.

    Parameters
    ----------
    layer : QuantizedLstm
        Without a projection.
    dh : GradientFormat
        Format of dy, of the recurrent gradient r and of their sum.
    dc, dnet, dx : GradientFormat
    accumulator_bits : int
        Bits of dW, dU and db; their fractions follow from the factors, without a cut.
    threshold : int
        In units of dnet; 0 keeps everything.
    rounding : Rounding or Stochastic
        Rounding of every cut.

    Raises
    ------
    RangeError
        If the layer has a projection, a cut would have to shift left, or an intermediate result
        could need more than 62 bits.
    """

    layer: QuantizedLstm
    dh: GradientFormat
    dc: GradientFormat
    dnet: GradientFormat
    dx: GradientFormat
    accumulator_bits: int
    threshold: int
    rounding: Rounding | Stochastic

    def __post_init__(self) -> None:
        try:
            self._check()
        except RangeError as error:
            raise RangeError(f"{self.layer.name}: {error}") from None

    def _check(self) -> None:
        if self.layer.projection is not None:
            raise RangeError("backward pass must have no projection")
        set_int(self, "accumulator_bits", self.dnet.bits, MAX_BITS)
        set_int(self, "threshold", 0, self.dnet.format.max)
        if not isinstance(self.rounding, Rounding | Stochastic):
            raise RangeError(f"rounding must be a Rounding or Stochastic, not {self.rounding!r}")
        for what, shift in self.shifts.items():
            if not 0 <= shift <= MAX_BITS:
                raise RangeError(f"fractions leave {shift} bits to drop for {what}")
        wide = IntFormat(bits=MAX_BITS, signed=True)
        for what, most in self._bounds().items():
            if not wide.holds(-most, most):
                raise RangeError(f"{what} must fit {MAX_BITS} bits, but reaches {most}")

    def _bounds(self) -> dict[str, int]:
        """Greatest magnitude of what each cut drops bits of, and of a product for dW."""
        layer = self.layer
        dh, dc, dnet = (1 << fmt.bits - 1 for fmt in (self.dh, self.dc, self.dnet))
        sigmoid, tanh = 1 << layer.sigmoid.bits, 1 << layer.tanh.bits
        slope = (sigmoid // 2) ** 2
        source = layer.input
        return {
            "i": dc * tanh * slope,
            "f": dc * -layer.cell.min * slope,
            "o": dh * tanh * slope,
            "g": dc * sigmoid * tanh**2,
            "output": dh * sigmoid * tanh**2,
            "kept": dc * sigmoid,
            "dh": dnet * _column_bound(layer.hidden_product),
            "dx": dnet * _column_bound(layer.input_product),
            "dW": dnet * (source.format.max - source.format.min),
            "dU": dnet * -layer.output.format.min,
        }

    @property
    def shifts(self) -> dict[str, int]:
        """Bits that each cut drops, by `STREAMS`."""
        layer = self.layer
        sigmoid, tanh = layer.sigmoid.bits, layer.tanh.bits
        dh, dc, dnet = self.dh.fraction, self.dc.fraction, self.dnet.fraction
        product = dnet + layer.tanh.input_fraction + layer.guard_bits
        return {
            "i": dc + tanh + 2 * sigmoid - dnet,
            "f": dc + layer.cell_fraction + 2 * sigmoid - dnet,
            "o": dh + tanh + 2 * sigmoid - dnet,
            "g": dc + sigmoid + 2 * tanh - dnet,
            "output": dh + sigmoid + 2 * tanh - dc,
            "kept": sigmoid,
            "dh": product + _forward_shift(layer.hidden_product) - layer.output_fraction - dh,
            "dx": product + _forward_shift(layer.input_product) - self.dx.fraction,
        }

    def rescaled(self, exponent: int) -> LstmGradient:
        """Arithmetic of gradients that are read as 2**-exponent times the value."""

        def moved(fmt: GradientFormat) -> GradientFormat:
            return GradientFormat(bits=fmt.bits, fraction=fmt.fraction + exponent)

        return LstmGradient(
            layer=self.layer,
            dh=moved(self.dh),
            dc=moved(self.dc),
            dnet=moved(self.dnet),
            dx=moved(self.dx),
            accumulator_bits=self.accumulator_bits,
            threshold=self.threshold,
            rounding=self.rounding,
        )

    @property
    def accumulator(self) -> IntFormat:
        """Format of dW, dU and db."""
        return IntFormat(bits=self.accumulator_bits, signed=True)

    @property
    def dx_scale(self) -> float:
        """Real dx = dx_scale * dx."""
        return 2.0**-self.dx.fraction / self.layer.input.scale

    @property
    def dW_scale(self) -> float:
        """Real dW = dW_scale * dW."""
        return self.db_scale * self.layer.input.scale

    @property
    def dU_scale(self) -> float:
        """Real dU = dU_scale * dU."""
        return self.db_scale * self.layer.output.scale

    @property
    def db_scale(self) -> float:
        """Real db = db_scale * db."""
        return 2.0**-self.dnet.fraction


def row_multipliers(product: QuantizedLinear) -> IntArray:
    """Multiplier of each row of a product that requantizes."""
    assert product.tail is not None
    return np.array(np.broadcast_to(product.tail.multiplier, product.outputs))


def _forward_shift(product: QuantizedLinear) -> int:
    assert product.tail is not None
    return product.tail.shift


def _column_bound(product: QuantizedLinear) -> int:
    """Greatest sum over the rows of |weight * multiplier|, for any column."""
    rows = abs(product.weight.astype(object)) * row_multipliers(product).astype(object)[:, None]
    return int(rows.sum(axis=0).max())
