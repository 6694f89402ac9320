"""Activations rounded in training: against `fxsim.quantizer` and the contract, bit for bit."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsim.arithmetic import integers as arith
from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.network import Activation
from fxsim.quantizer.activation import integers
from fxsim.quantizer.weight import quantize_asymmetric, range_scale
from fxsim.quantizer.weight import round_real as numpy_round
from fxsim.spec import parse_spec
from fxsim.training import Network, step_sizes
from fxsim.training.activations import Calibrated, OnTheFly, rounded
from fxsim.training.calibrate import calibrate, quantize_on_the_fly
from fxsim.training.lstm import Inputs, LstmFunction, Matrices, Untouched
from fxsim.training.rounding import round_real

REALS = st.one_of(
    st.integers(-4000, 4000).map(lambda n: n / 8),  # ties
    st.floats(-500, 500, width=32),
    st.sampled_from([0.0, -0.0, 0.49999997, -0.49999997, 2**23 + 0.5, -(2**23) - 0.5]),
)


@given(st.lists(REALS, min_size=1), st.sampled_from(Rounding))
def test_tensors_are_rounded_like_arrays(values, rounding):
    found = round_real(torch.tensor(values, dtype=torch.float64), rounding)
    assert found.tolist() == numpy_round(np.array(values), rounding).tolist()


@st.composite
def calibrated(draw):
    bits, signed = draw(st.integers(1, 16)), draw(st.booleans())
    overflow = draw(st.sampled_from(Overflow))
    narrow = signed and bits > 1 and overflow is Overflow.SATURATE and draw(st.booleans())
    fmt = IntFormat(bits=bits, signed=signed, narrow=narrow)
    scale = draw(st.sampled_from([1.0, 0.125, 0.1, 3.7e-3, 12.5]))
    zero = draw(st.integers(fmt.min, fmt.max))
    activation = Activation(format=fmt, scale=scale, zero_point=zero)
    rounding = draw(st.sampled_from(Rounding))
    return Calibrated(activation=activation, rounding=rounding, overflow=overflow)


@given(st.lists(REALS, min_size=1), calibrated(), st.sampled_from([torch.float32, torch.float64]))
def test_calibrated_activations_are_those_of_quantize(values, quantizer, dtype):
    x = torch.tensor(values, dtype=dtype)
    activation = quantizer.activation
    q = integers(x.numpy(), activation, quantizer.rounding, quantizer.overflow)
    expected = activation.scale * (q - activation.zero_point)
    found = quantizer.values(x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected.astype(found.numpy().dtype))
    assert Calibrated.from_state(quantizer.state()) == quantizer


@given(st.integers(-5000, 5000), st.integers(0, 4), calibrated())
def test_calibrated_activations_are_those_of_the_contract(whole, shift, quantizer):
    """On Python integers: the value n / 2**shift in units of the scale."""
    fmt, zero = quantizer.activation.format, quantizer.activation.zero_point
    unit = Activation(format=fmt, scale=1.0, zero_point=zero)
    quantizer = Calibrated(
        activation=unit, rounding=quantizer.rounding, overflow=quantizer.overflow
    )
    q = arith.shift_round(whole, shift, quantizer.rounding) + zero
    expected = arith.overflow(q, fmt, quantizer.overflow) - zero
    assert quantizer.values(torch.tensor([whole / 2**shift])).tolist() == [expected]


ROWS = st.lists(st.lists(st.integers(-3000, 3000), min_size=5, max_size=5), min_size=1, max_size=4)


def by_formula(row, bits):
    """Eq. (2) and (3) on rational numbers, the range made to hold 0."""
    low, high = min(0, *row), max(0, *row)
    if low == high:
        return [0.0 for _ in row]
    Q = Fraction((1 << bits) - 1) / (high - low)

    def near(x):
        return math.floor(x + Fraction(1, 2))

    stored = [near(Q * v) - near(Q * low) for v in row]
    assert all(0 <= v <= (1 << bits) - 1 for v in stored)
    return [float((v + near(Q * low)) / Q) for v in stored]


@given(ROWS, st.integers(1, 12))
def test_on_the_fly_is_the_formula_of_the_paper(rows, bits):
    x = [[Fraction(n, 16) for n in row] for row in rows]
    found = OnTheFly(bits=bits).values(torch.tensor(rows, dtype=torch.float64) / 16)
    for mine, row in zip(found, x, strict=True):
        expected = torch.tensor(by_formula(row, bits), dtype=torch.float64)
        span = float(max(0, *row) - min(0, *row))
        # Q in float64 can miss a tie of the exact Q; elsewhere they are the same integers.
        step = span / ((1 << bits) - 1)
        off = (mine - expected).abs() > 1e-9 * max(span, 1)
        ratio = torch.tensor([float(v) for v in row]).double() / max(step, 1e-30)
        assert (((ratio - ratio.floor()) - 0.5).abs()[off] < 1e-6).all()


CASES = [
    [0.0, 0.0, 0.0, 0.0],  # the state that a sequence starts from
    [2.5, 2.5, 2.5, 2.5],  # V_max = V_min
    [-2.5, -2.5, -2.5, -2.5],
    [1.0, 1.5, 2.0, 2.5],  # one-sided
    [-1.0, -1.5, -2.0, -2.5],
    [0.0, 0.0, 1.0, 0.0],
    [-1.0, 0.0, 254.0, 126.5],  # ties
    [-0.5, 254.5, 0.0, 127.5],  # Q V_min is a tie: ties to even would give the code 256
    [-1e-320, 0.0, 0.0, 0.0],
    [-1e38, 1e38, 1.0, 0.0],
]


@settings(max_examples=200)
@given(
    st.lists(st.lists(REALS, min_size=4, max_size=4), min_size=1) | st.just(CASES),
    st.integers(1, 16),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_on_the_fly_is_what_quantize_does_to_weights(rows, bits, dtype):
    x = torch.tensor(rows, dtype=dtype)
    array = x.double().numpy()
    scale = range_scale(array, 1 << bits)
    q = quantize_asymmetric(array, scale, 1 << bits, len(array))
    found = OnTheFly(bits=bits).values(x).numpy()
    np.testing.assert_array_equal(found, (scale[:, None] * q).astype(found.dtype))


def test_every_vector_and_every_image_has_its_own_range():
    quantizer = OnTheFly(bits=3)
    for shape in ((6, 9), (3, 4, 9), (3, 2, 4, 5)):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        whole = quantizer.values(x)
        assert whole.shape == x.shape
        for k in range(len(x)):
            assert torch.equal(whole[k : k + 1], quantizer.values(x[k : k + 1]))
    sequences = torch.randn(2, 5, 9)
    assert torch.equal(quantizer.values(sequences)[:, 3], quantizer.values(sequences[:, 3]))
    image = torch.randn(1, 2, 3, 4)
    assert torch.equal(
        quantizer.values(image), quantizer.values(image.reshape(1, -1)).view_as(image)
    )


@pytest.mark.parametrize("quantizer", [OnTheFly(bits=2), None])
def test_gradients_pass_straight_through(quantizer):
    activation = Activation(format=IntFormat(bits=2, signed=True), scale=0.5)
    quantizer = quantizer or Calibrated(activation=activation, rounding=Rounding.TIES_AWAY)
    x = torch.linspace(-3, 3, 13, requires_grad=True)[None]
    factor = torch.arange(13.0)[None]
    y = rounded(x, quantizer)
    assert torch.equal(y.detach(), quantizer.values(x.detach()))
    (found,) = torch.autograd.grad((y * factor).sum(), x)
    assert torch.equal(found, factor)  # saturated values too
    assert rounded(x, None) is x


WEIGHTS = {"levels": 15}


def make(layers, shape, activations="on_the_fly", **retrain):
    value = {"name": "n", "data": "d", "input": {"shape": shape, "signed": True}, "layers": layers}
    return parse_spec(value | {"retrain": {"activations": activations, **retrain}}, "t")


def dense(units=3, bits=None, **keys):
    output = {} if bits is None else {"output": {"bits": bits, "signed": True}}
    return {"type": "linear", "units": units, "weights": WEIGHTS} | output | keys


def quantized(product):
    return product.real_weight().detach()


@pytest.mark.parametrize("backward", ["quantized", "float"])
def test_a_feed_forward_network_with_inputs_on_the_fly_by_hand(backward):
    """A quantized backward pass has the rounded inputs in dW, a float one the float ones."""
    torch.manual_seed(1)
    layers = [dense(6, 3, nonlinearity="relu"), dense()]
    network = Network(make(layers, [5], backward=backward)).eval()
    step_sizes.refresh(network, "l2")
    quantize_on_the_fly(network)
    first, second = network.linears()
    x, errors = torch.randn(7, 5), torch.randn(7, 3)
    x_q = OnTheFly(bits=8).values(x)
    a = torch.relu(x_q @ quantized(first).t() + first.bias).detach()
    a_q = OnTheFly(bits=3).values(a)  # the bits of the layer before
    y = network(x)
    torch.testing.assert_close(y, a_q @ quantized(second).t() + second.bias)
    (y * errors).sum().backward()
    exact = backward == "float"
    W = second.weight.detach() if exact else quantized(second)
    back = (errors @ W) * (a > 0)
    torch.testing.assert_close(second.weight.grad, errors.t() @ (a if exact else a_q))
    torch.testing.assert_close(first.weight.grad, back.t() @ (x if exact else x_q))
    torch.testing.assert_close(first.bias.grad, back.sum(dim=0))


def test_what_enters_a_float_layer_is_not_rounded_on_the_fly():
    spec = make([dense(6, 3), dense(4, 3), dense()], [5], float_layers=["h1-h2"])
    network = Network(spec)
    quantize_on_the_fly(network)
    inputs = [product.inputs for product in network.linears()]
    assert inputs == [OnTheFly(bits=8), None, OnTheFly(bits=3)]


def by_hand(x, state, ahead, back, b, dy, h_of, m_of, *, exact):
    """Step by step with rounded h and cells' outputs; ``exact`` has float ones in the gradients."""
    h, c = state
    steps, width = [], len(ahead.U) // 4
    outputs = []
    for t in range(x.shape[1]):
        h_q = h_of(h)
        z = x[:, t] @ ahead.W.t() + h_q @ ahead.U.t() + b
        i, f, o = torch.sigmoid(z[:, : 3 * width]).chunk(3, dim=1)
        g, before, h_used = torch.tanh(z[:, 3 * width :]), c, h if exact else h_q
        c = f * c + i * g
        m = o * torch.tanh(c)
        m_q = m_of(m)
        h = m if ahead.P is None else m_q @ ahead.P.t()
        outputs.append(h)
        steps.append((i, f, o, g, before, c, h_used, m if exact else m_q))
    found = {"W": 0.0, "U": 0.0, "P": 0.0}
    dh_next, dc_next = torch.zeros_like(h), torch.zeros_like(c)
    for t in reversed(range(x.shape[1])):
        i, f, o, g, before, c, h_used, m_used = steps[t]
        dh = dy[:, t] + dh_next
        found["P"] = found["P"] + dh.t() @ m_used
        dm = dh if back.P is None else dh @ back.P
        dc = dc_next + dm * o * (1 - torch.tanh(c) ** 2)
        parts = (dc * g * i * (1 - i), dc * before * f * (1 - f))
        dnet = torch.cat([*parts, dm * torch.tanh(c) * o * (1 - o), dc * i * (1 - g**2)], dim=1)
        found["W"] = found["W"] + dnet.t() @ x[:, t]
        found["U"] = found["U"] + dnet.t() @ h_used
        dh_next, dc_next = dnet @ back.U, dc * f
    return torch.stack(outputs, dim=1), found


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("kind", ["on_the_fly", "calibrated"])
def test_an_lstm_layer_with_rounded_inputs_by_hand(projected, exact, kind):
    torch.manual_seed(3)
    cells, units, inputs = 4, 3 if projected else 4, 5

    def matrices():
        P = torch.randn(units, cells, dtype=torch.float64) if projected else None
        W = torch.randn(4 * cells, inputs, dtype=torch.float64)
        return Matrices(W, torch.randn(4 * cells, units, dtype=torch.float64), P)

    def coarse(bits):
        if kind == "on_the_fly":
            return OnTheFly(bits=bits)
        activation = Activation(format=IntFormat(bits=bits, signed=True), scale=2.0 ** (1 - bits))
        return Calibrated(activation=activation, rounding=Rounding.TIES_AWAY)

    back = matrices()
    ahead = matrices() if exact else None
    b = torch.randn(4 * cells, dtype=torch.float64)
    x = torch.randn(2, 6, inputs, dtype=torch.float64)
    dy = torch.randn(2, 6, units, dtype=torch.float64)
    state = (torch.randn(2, units).double(), torch.zeros(2, cells).double())
    for matrix in back:
        if matrix is not None:
            matrix.requires_grad_()
    h, m = coarse(3), coarse(4) if projected else None
    taken = Inputs(h=h, m=m)
    y, _ = LstmFunction.apply(x, state, back.W, back.U, b, Untouched(), back.P, ahead, taken)
    y.backward(dy)
    with torch.no_grad():
        plain = m.values if m else (lambda value: value)
        expected, found = by_hand(
            x, state, ahead or back, back, b, dy, h.values, plain, exact=exact
        )
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(back.W.grad, found["W"])
    torch.testing.assert_close(back.U.grad, found["U"])
    if projected:
        torch.testing.assert_close(back.P.grad, found["P"])


LSTM = {"type": "lstm", "cells": 6, "weights": WEIGHTS, "output": {"bits": 3}}


@pytest.mark.parametrize("backward", ["quantized", "float"])
@pytest.mark.parametrize("activations", ["on_the_fly", "calibrated"])
def test_an_lstm_network_rounds_x_h_and_what_it_yields(backward, activations):
    """With a coarse output each quantizer shows; by the equations, one step at a time."""
    torch.manual_seed(6)
    network = Network(make([LSTM, dense()], [5], activations, backward=backward)).eval()
    x = torch.randn(3, 7, 5)
    step_sizes.refresh(network, "l2")
    if activations == "calibrated":
        calibrate(network, x.double().numpy())
        start = network.leaving["input"].values(x)
        h_of = network.leaving["layer0"].values
    else:
        quantize_on_the_fly(network)
        start, h_of = OnTheFly(bits=8).values(x), OnTheFly(bits=3).values
    W, U, last = network.linears()
    h, c, expected = torch.zeros(3, 6), torch.zeros(3, 6), []
    with torch.no_grad():
        for t in range(7):
            z = start[:, t] @ quantized(W).t() + h_of(h) @ quantized(U).t() + W.bias + U.bias
            i, f, o = torch.sigmoid(z[:, :18]).chunk(3, dim=1)
            c = f * c + i * torch.tanh(z[:, 18:])
            h = o * torch.tanh(c)
            expected.append(h_of(h) @ quantized(last).t() + last.bias)
        network.reset_state()
        torch.testing.assert_close(network(x), torch.stack(expected, dim=1))
        network.reset_state()
        parts = torch.cat([network(x[:, :4]), network(x[:, 4:])], dim=1)
    torch.testing.assert_close(parts, torch.stack(expected, dim=1))
