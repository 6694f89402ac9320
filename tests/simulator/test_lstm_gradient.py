"""Backward pass: kernel against reference, both against float64."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import gradient_error as measured
from fxsim.arithmetic.formats import Rounding
from fxsim.arithmetic.stochastic import Stochastic
from fxsim.errors import RangeError
from fxsim.network.lstm_gradient import SATURATING, GradientFormat, LstmGradient
from fxsim.reference import initial_state
from fxsim.reference import run_lstm as reference_forward
from fxsim.reference.lstm_gradient import run_backward
from fxsim.simulator import lstm
from fxsim.simulator.lstm_gradient import backward, squashed_cells
from fxsim.testbenches.cases.gradient_cases import (
    random_case,
    random_contract,
    random_layer,
    random_product,
)
from tests.messages import raises
from tests.strategies import unhurried

ROUNDINGS = [*Rounding, Stochastic(seed=0), Stochastic(seed=2**32 - 1)]


def reference_results(layer, sequence):
    """Forward results of the reference, step by step."""
    state, results = initial_state(layer), []
    for vector in sequence:
        results.append(reference_forward(layer, vector, state))
        state = results[-1].state
    return results


def both(gradient, x, dy):
    """What kernel and reference yield."""
    layer = gradient.layer
    found = backward(gradient, lstm.trace(layer, x), x, dy)
    results = [reference_results(layer, sequence) for sequence in x.tolist()]
    return found, run_backward(gradient, results, x.tolist(), dy.tolist())


@unhurried
@given(
    seed=st.integers(0, 2**32 - 1),
    rounding=st.sampled_from(ROUNDINGS),
    inputs=st.integers(1, 12),
    cells=st.integers(1, 12),
    steps=st.integers(1, 6),
    count=st.integers(1, 3),
)
def test_kernel_equals_reference(seed, rounding, **sizes):
    found, expected = both(*random_case(seed, rounding, **sizes))
    for name in ("dnet", "dx", "dh0", "dW", "dU", "db"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
    assert found.saturations == expected.saturations


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_widest_formats(rounding):
    """Operands at their limits, products of 60 bits and more, shifts beyond 32."""
    generator = np.random.default_rng(4)
    layer = measured.quantized(measured.random_weights(generator, 3, 4), measured.WIDE)
    gradient = LstmGradient(
        layer=layer,
        dh=GradientFormat(bits=25, fraction=20),
        dc=GradientFormat(bits=22, fraction=18),
        dnet=GradientFormat(bits=25, fraction=22),
        dx=GradientFormat(bits=32, fraction=30),
        accumulator_bits=62,
        threshold=3,
        rounding=rounding,
    )
    assert max(gradient.shifts.values()) > 32
    dh = gradient.dh.format
    x = generator.choice([layer.input.format.min, layer.input.format.max], (2, 5, 3))
    dy = generator.choice([dh.min, dh.max, 1, -1], (2, 5, 4))
    found, expected = both(gradient, x, dy)
    for name in ("dnet", "dx", "dh0", "dW", "dU", "db"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
    assert found.saturations == expected.saturations


def test_random_cases_reach_every_event():
    saturated, zeros, live = set(), 0, dict.fromkeys(("dnet", "dx", "dh0", "dW", "dU", "db"), 0)
    for seed in range(40):
        case = random_case(seed, Rounding.TIES_EVEN, inputs=5, cells=4, steps=4, count=2)
        found = backward(case[0], lstm.trace(case[0].layer, case[1]), *case[1:])
        saturated |= {name for name, count in found.saturations.items() if count}
        zeros += sum(found.zeros.values())
        for name in live:
            live[name] += np.count_nonzero(getattr(found, name))
        assert found.sparsity == (found.dnet == 0).mean()
    assert saturated == set(SATURATING)
    assert zeros > 0
    assert min(live.values()) > 0


def candidate_by_hand(gradient, dc, i, g):
    """Gate gradient of a candidate for a positive dc, floored."""
    value = dc * i * (4**gradient.layer.tanh.bits - g**2) >> gradient.shifts["g"]
    value = min(value, gradient.dnet.format.max)
    return value if value > gradient.threshold else 0


def test_cell_gradient_flows_through_the_later_forget_gate():
    """One cell, U = 0: at step 0 only f_1 dc_1 arrives, not f_0 (as the paper prints it)."""
    differing = 0
    for seed in range(30):
        generator = np.random.default_rng(seed)
        layer = random_layer(generator, 3, 1, recurrent=False)
        gradient = random_contract(generator, layer, Rounding.FLOOR)
        fmt, dh = layer.input.format, gradient.dh.format.max
        x = generator.integers(fmt.min, fmt.max, (1, 2, 3), endpoint=True)
        trace = lstm.trace(layer, x)
        found = backward(gradient, trace, x, np.array([[[0], [dh]]]))
        (_, f0, _, _), (_, f1, o1, _) = trace["gates"][0].tolist()
        q1 = int(squashed_cells(layer, trace["cell"])[0, 1, 0])
        i0, g0 = trace["gates"][0, 0, 0].item(), trace["gates"][0, 0, 3].item()
        limit = gradient.dc.format.max
        dc1 = min(dh * o1 * (4**layer.tanh.bits - q1**2) >> gradient.shifts["output"], limit)

        right, misprinted = (
            candidate_by_hand(gradient, forget * dc1 >> layer.sigmoid.bits, i0, g0)
            for forget in (f1, f0)
        )
        assert found.dnet[0, 0, 3] == right
        differing += right != misprinted
    assert differing > 3


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("rounding", [Rounding.TIES_AWAY, Rounding.TO_ZERO, Stochastic(seed=1)])
def test_error_halves_at_least_with_every_two_bits(seed, rounding):
    case = measured.make_case(measured.NARROW, seed)
    errors = [case.error(bits, rounding)[0] for bits in range(6, 21, 2)]
    assert all(b < a / 2 for a, b in pairwise(errors)), errors
    assert errors[-1] < 1e-4


def autograd(weights, real_x, dy):
    """Gradients of W, U, b and x by PyTorch, with an LSTM written as in the paper."""
    W, U, b, x = (
        torch.tensor(v, dtype=torch.float64, requires_grad=True)
        for v in (weights.W, weights.U, weights.b, real_x)
    )
    h = c = torch.zeros(len(real_x), U.shape[1], dtype=torch.float64)
    loss = torch.zeros((), dtype=torch.float64)
    for t in range(real_x.shape[1]):
        i, f, o, g = (x[:, t] @ W.T + h @ U.T + b).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        loss = loss + (h * torch.tensor(dy[:, t])).sum()
    loss.backward()
    return {name: v.grad.numpy() for name, v in {"dW": W, "dU": U, "db": b, "dx": x}.items()}


@pytest.fixture(scope="module")
def real_case():
    """Weights, inputs and output gradients in float64."""
    generator = np.random.default_rng(3)
    weights = measured.random_weights(generator, 5, 6)
    return weights, generator.uniform(-1, 1, (3, 7, 5)), generator.normal(0, 0.05, (3, 7, 6))


def test_formulas_equal_autograd(real_case):
    weights, x, dy = real_case
    found = measured.float_backward(weights, measured.float_forward(weights, x), dy)
    for name, expected in autograd(*real_case).items():
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-10, atol=1e-14)


def test_fixed_point_approaches_autograd(real_case):
    """Forward and backward pass together, until the tables are the limit."""
    weights, real_x, dy = real_case
    expected = measured.float_backward(weights, measured.float_forward(weights, real_x), dy)
    exact = autograd(*real_case)
    floors = []
    for words, bits in [(measured.NARROW, 8), (measured.NARROW, 20), (measured.WIDE, 20)]:
        layer = measured.quantized(weights, words)
        x = np.rint(real_x / layer.input.scale).astype(np.int64)
        gradient = measured.contract(layer, bits, expected, Rounding.TIES_AWAY)
        found = measured.fixed_backward(gradient, lstm.trace(layer, x), x, dy)
        errors = {
            name: np.linalg.norm(getattr(gradient, f"{name}_scale") * getattr(found, name) - real)
            / np.linalg.norm(real)
            for name, real in exact.items()
        }
        floors.append(max(errors.values()))
    assert floors[0] < 0.2
    assert floors[1] < 0.1
    assert floors[2] < 2e-3


def test_zeros_propagate_through_time():
    """The threshold acts before dx, dh and dW: float64 with the same mask at every step agrees."""
    case = measured.make_case(measured.NARROW, 5)
    plain = measured.contract(case.layer, 20, case.same_states, Rounding.TIES_AWAY)
    states = measured.real_states(case.layer, case.trace, case.x)
    weights = measured.effective_weights(case.layer)
    sparsities = []
    for threshold in (0, 1 << 12, 1 << 14, 1 << 16):
        gradient = LstmGradient(**(vars(plain) | {"threshold": threshold}))
        found = measured.fixed_backward(gradient, case.trace, case.x, case.dy)
        real = measured.float_backward(
            weights, states, case.dy, math.ldexp(threshold, -gradient.dnet.fraction)
        )
        assert not ((found.dnet != 0) & (np.abs(found.dnet) <= threshold)).any()
        assert np.mean((found.dnet == 0) != (real.dnet == 0)) < 0.002
        assert measured.relative_error(gradient, found, real) < 2e-3
        sparsities.append(found.sparsity)
    assert sparsities == sorted(set(sparsities))
    late = np.where(np.abs(case.same_states.dnet) <= 2.0 ** (16 - plain.dnet.fraction), 0, 1)
    assert np.mean((found.dnet != 0) != late) > 0.01  # a mask after the fact is another thing


def test_threshold_of_everything_leaves_nothing():
    case = measured.make_case(measured.NARROW, 1)
    plain = measured.contract(case.layer, 12, case.same_states, Rounding.TIES_AWAY)
    gradient = LstmGradient(**(vars(plain) | {"threshold": plain.dnet.format.max}))
    found = measured.fixed_backward(gradient, case.trace, case.x, case.dy)
    for name in ("dnet", "dx", "dh0", "dW", "dU", "db"):
        assert not getattr(found, name).any()
    assert found.sparsity == 1
    assert found.zeros == dict.fromkeys("ifog", measured.COUNT * measured.STEPS * measured.CELLS)


def test_common_scale_is_an_exponent_only():
    gradient, x, dy = random_case(7, Stochastic(seed=5), inputs=4, cells=5, steps=3, count=2)
    moved = gradient.rescaled(9)
    assert moved.shifts == gradient.shifts
    assert moved.dW_scale == gradient.dW_scale * 2.0**-9
    trace = lstm.trace(gradient.layer, x)
    found, expected = backward(moved, trace, x, dy), backward(gradient, trace, x, dy)
    for name in ("dnet", "dx", "dh0", "dW", "dU", "db"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_batch_is_the_sum_of_its_sequences():
    case = measured.make_case(measured.NARROW, 1)
    gradient = measured.contract(case.layer, 12, case.same_states, Rounding.TIES_AWAY)
    whole = measured.fixed_backward(gradient, case.trace, case.x, case.dy)
    parts = [
        measured.fixed_backward(gradient, lstm.trace(case.layer, x), x, dy)
        for x, dy in zip(case.x[:, None], case.dy[:, None], strict=True)
    ]
    for name in ("dW", "dU", "db"):
        np.testing.assert_array_equal(getattr(whole, name), sum(getattr(p, name) for p in parts))


def small_contract(**changes):
    layer = random_layer(np.random.default_rng(1), 3, 2)
    values = {
        "layer": layer,
        "dh": GradientFormat(bits=8, fraction=12),
        "dc": GradientFormat(bits=8, fraction=12),
        "dnet": GradientFormat(bits=8, fraction=14),
        "dx": GradientFormat(bits=8, fraction=10),
        "accumulator_bits": 24,
        "threshold": 0,
        "rounding": Rounding.TIES_AWAY,
    }
    return LstmGradient(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": -1}, "threshold must be an integer from 0 to 127, not -1"),
        ({"threshold": 128}, "threshold must be an integer from 0 to 127, not 128"),
        ({"accumulator_bits": 7}, "accumulator_bits must be an integer from 8 to 62, not 7"),
        ({"rounding": "ties"}, "rounding must be a Rounding or Stochastic, not 'ties'"),
    ],
)
def test_refusals(changes, message):
    with raises(RangeError, f"lstm: {message}"):
        small_contract(**changes)


def test_left_shifts_are_refused():
    far = GradientFormat(bits=8, fraction=60)
    with pytest.raises(RangeError, match=r"\Alstm: fractions leave -\d+ bits to drop for dx\Z"):
        small_contract(dx=far)
    with pytest.raises(RangeError, match=r"\Alstm: fractions leave -\d+ bits to drop for i\Z"):
        small_contract(dnet=far)


def test_more_than_62_bits_are_refused():
    layer = measured.make_case(measured.WIDE, 1).layer
    wide = GradientFormat(bits=24, fraction=24)
    changes = dict.fromkeys(("dh", "dc", "dnet", "dx"), wide)
    with raises(RangeError, f"lstm: f must fit 62 bits, but reaches {1 << 23 + 17 + 22}"):
        small_contract(layer=layer, **changes)


def test_projection_is_refused():
    layer = random_layer(np.random.default_rng(1), 3, 2)
    projection = random_product(np.random.default_rng(2), "p", layer.output, 2, 2, 4)
    object.__setattr__(layer, "projection", projection)
    with raises(RangeError, "lstm: backward pass must have no projection"):
        small_contract(layer=layer)


@pytest.mark.parametrize("bits", [1, 33, True, 8.0])
def test_gradient_formats_are_checked(bits):
    with raises(RangeError, f"bits must be an integer from 2 to 32, not {bits!r}"):
        GradientFormat(bits=bits, fraction=0)


def test_backward_checks_its_operands():
    gradient = small_contract()
    layer = gradient.layer
    x = np.full((2, 3, 3), layer.input.zero_point)
    trace, dy = lstm.trace(layer, x), np.zeros((2, 3, 2), np.int64)
    with raises(RangeError, "dy must have shape (2, 3, 2), not (2, 3, 1)"):
        backward(gradient, trace, x, dy[:, :, :1])
    with raises(RangeError, "dy must hold integers, not float64"):
        backward(gradient, trace, x, dy * 1.0)
    dy[1, 2, 0] = 128
    with raises(RangeError, "dy[1, 2, 0] must be from -128 to 127, not 128"):
        backward(gradient, trace, x, dy)
    with raises(RangeError, "x must have shape (2, 3, 3), not (2, 2, 3)"):
        backward(gradient, trace, x[:, 1:], dy)


def test_backward_takes_new_sequences_only():
    gradient = small_contract()
    x = np.full((2, 3, 3), gradient.layer.input.zero_point)
    trace, dy = lstm.trace(gradient.layer, x), np.zeros((2, 3, 2), np.int64)
    backward(gradient, trace, x, dy)
    carried = lstm.trace(gradient.layer, x, trace.state)
    with raises(RangeError, "trace must start with new sequences, not with a carried state"):
        backward(gradient, carried, x, dy)
