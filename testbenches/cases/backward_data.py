"""Backward passes to test hardware with, on random cells and on a shipped network's own text.

What the simulator does not return, gradients of h and c on their way from step to step, comes from
the definition on Python integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fxsim.arithmetic import integers, stochastic
from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.arithmetic.stochastic import Stochastic
from fxsim.arithmetic.tensors import IntArray
from fxsim.data import pydoc
from fxsim.network.lstm_gradient import STREAMS, GradientFormat, LstmGradient, row_multipliers
from fxsim.simulator import lstm
from fxsim.simulator.inputs import as_input
from fxsim.simulator.lstm_gradient import LstmGradients, backward, squashed_cells
from fxsim.simulator.simulator import simulate_trace
from fxsim.simulator.trace import LayerTrace
from fxsim.testbenches.cases.gradient_cases import random_contract, random_layer
from fxsim.testbenches.cases.samples import shipped


@dataclass(frozen=True, kw_only=True)
class Pass:
    """A batch that ran forward and backward.

    Parameters
    ----------
    gradient : LstmGradient
    trace : LayerTrace
    x, dy : int64 arrays, shapes (n, t, inputs), (n, t, cells)
    """

    gradient: LstmGradient
    trace: LayerTrace
    x: IntArray
    dy: IntArray

    @cached_property
    def result(self) -> LstmGradients:
        """Result of the simulator for it."""
        return backward(self.gradient, self.trace, self.x, self.dy)

    @property
    def steps(self) -> int:
        """Steps of a sequence."""
        return int(self.x.shape[1])

    @cached_property
    def recurrent(self) -> IntArray:
        """R of each step, shape (n, t, cells): what the step after it handed on, 0 at the end."""
        gradient = self.gradient
        product = gradient.layer.hidden_product
        weight = product.weight.astype(object) * row_multipliers(product)[:, None]
        sums = self.result.dnet.astype(object) @ weight
        handed = self._cut(sums, "dh", gradient.dh.format)
        assert np.array_equal(handed[:, 0], self.result.dh0)
        recurrent: IntArray = np.zeros_like(handed)
        recurrent[:, :-1] = handed[:, 1:]
        return recurrent

    @cached_property
    def dc(self) -> IntArray:
        """Gradient of the cell state in each step, shape (n, t, cells)."""
        gradient, trace = self.gradient, self.trace
        one_squared = 1 << 2 * gradient.layer.tanh.bits
        fmt = gradient.dh.format
        dh = np.clip(self.dy + self.recurrent, fmt.min, fmt.max).astype(object)
        _, f, o, _ = np.split(trace["gates"].astype(object), 4, axis=2)
        q = squashed_cells(gradient.layer, trace["cell"]).astype(object)
        wide = IntFormat(bits=62, signed=True)
        output = self._cut(dh * o * (one_squared - q * q), "output", wide)
        dc = np.zeros_like(output)
        fmt = gradient.dc.format
        for t in reversed(range(self.steps)):
            exact = np.zeros_like(f)
            if t + 1 < self.steps:
                exact[:, t] = f[:, t + 1] * dc[:, t + 1]
            kept = self._cut(exact, "kept", wide)
            dc[:, t] = np.clip(output[:, t] + kept[:, t], fmt.min, fmt.max)
        return dc

    def _cut(self, exact: np.ndarray, name: str, fmt: IntFormat) -> IntArray:
        """Round and saturate values of shape (n, t, lanes), one by one."""
        shift, rounding = self.gradient.shifts[name], self.gradient.rounding
        result = np.empty(exact.shape, np.int64)
        for (n, t, k), value in np.ndenumerate(exact):
            if isinstance(rounding, Stochastic):
                key = stochastic.stream_key(rounding.seed, n, t, STREAMS.index(name))
                value = stochastic.shift_round(value, shift, stochastic.random_word(key, k))
            else:
                value = integers.shift_round(value, shift, rounding)
            result[n, t, k] = integers.saturate(value, fmt)
        return result


def random_pass(
    seed: int,
    rounding: Rounding | Stochastic,
    *,
    inputs: int,
    cells: int,
    steps: int,
    count: int,
    accumulator_bits: int = 0,
) -> Pass:
    """Any formats; with ``accumulator_bits`` beyond those of dnet, else what the contract draws."""
    generator = np.random.default_rng(seed)
    layer = random_layer(generator, inputs, cells)
    gradient = random_contract(generator, layer, rounding)
    if accumulator_bits:
        gradient = replace(gradient, accumulator_bits=gradient.dnet.bits + accumulator_bits)
    fmt, dh = layer.input.format, gradient.dh.format
    x = generator.integers(fmt.min, fmt.max, (count, steps, inputs), endpoint=True)
    dy = generator.integers(dh.min, dh.max, (count, steps, cells), endpoint=True)
    dy = dy >> int(generator.integers(0, dh.bits))
    return Pass(gradient=gradient, trace=lstm.trace(layer, x), x=x, dy=dy)


def text_pass(
    model: str,
    *,
    count: int,
    steps: int,
    threshold: int,
    rounding: Rounding | Stochastic = Rounding.TIES_EVEN,
) -> Pass:
    """The first sequences of the training text through a shipped network: its own gradients.

    dy is the gradient of the cross-entropy of the next character, in nats, summed over characters.
    """
    network = shipped(model)
    (layer,), head = network.lstms, network.linears[-1]
    data = pydoc.load().train
    x = as_input(network, data.x[:count, :steps].astype(np.int64))
    trace = simulate_trace(network, x)
    seen = trace.layers[0]
    logits = trace.output * head.output.scale
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    error = odds / odds.sum(axis=-1, keepdims=True)
    error -= np.eye(head.outputs)[data.y[:count, :steps]]
    real = error @ (head.weight * head.weight_scale.reshape(-1, 1))
    gradient = LstmGradient(
        layer=layer,
        dh=GradientFormat(bits=16, fraction=11),
        dc=GradientFormat(bits=16, fraction=11),
        dnet=GradientFormat(bits=8, fraction=6),
        dx=GradientFormat(bits=8, fraction=3),
        accumulator_bits=24,
        threshold=threshold,
        rounding=rounding,
    )
    fmt = gradient.dh.format
    dy = np.clip(np.rint(np.ldexp(real, gradient.dh.fraction)), fmt.min, fmt.max).astype(np.int64)
    return Pass(gradient=gradient, trace=seen, x=x, dy=dy)


def backwards(values: IntArray) -> IntArray:
    """(n, t, lanes) -> (n * t, lanes), each sequence from its last step to its first."""
    return values[:, ::-1].reshape(-1, values.shape[2])


def before(values: IntArray) -> IntArray:
    """Values of the step before, 0 before the first."""
    earlier = np.zeros_like(values)
    earlier[:, 1:] = values[:, :-1]
    return earlier
