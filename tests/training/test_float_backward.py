"""Algorithm 1 of Alvarez et al. (2016): forward with quantized weights, back with float ones."""

import numpy as np
import pytest
import torch

from fxsim.data import load
from fxsim.spec import parse_spec
from fxsim.training import Network, step_sizes, train
from fxsim.training.lstm import LstmFunction, Matrices, Untouched

WEIGHTS = {"levels": 4, "scheme": "asymmetric"}


def make(layers, shape, backward="float", **retrain):
    value = {"name": "n", "data": "digits", "input": {"shape": shape}, "layers": layers}
    return parse_spec(value | {"retrain": {"backward": backward, **retrain}}, "t")


def quantized(product):
    return product.real_weight().detach()


def test_a_feed_forward_network_by_hand():
    """delta_k = W_k+1 (float) delta_k+1, dW = delta a^T with the quantized network's a."""
    torch.manual_seed(1)
    hidden = {"type": "linear", "units": 6, "weights": WEIGHTS, "nonlinearity": "relu"}
    last = {"type": "linear", "units": 3, "weights": WEIGHTS}
    network = Network(make([hidden | {"output": {}}, last], [5]))
    network.eval()
    step_sizes.refresh(network, "l2")
    first, second = network.linears()
    x, errors = torch.randn(7, 5), torch.randn(7, 3)
    a = torch.relu(x @ quantized(first).t() + first.bias)
    logits = a @ quantized(second).t() + second.bias
    torch.testing.assert_close(network(x), logits)
    (network(x) * errors).sum().backward()
    back = (errors @ second.weight.detach()) * (a > 0)
    torch.testing.assert_close(second.weight.grad, errors.t() @ a.detach())
    torch.testing.assert_close(second.bias.grad, errors.sum(dim=0))
    torch.testing.assert_close(first.weight.grad, back.t() @ x)
    torch.testing.assert_close(first.bias.grad, back.sum(dim=0))
    other = (errors @ quantized(second)) * (a > 0)  # what straight-through would do
    assert not torch.allclose(other, back, atol=1e-2)


def test_a_convolution():
    torch.manual_seed(2)
    layer = {"type": "convolution", "units": 2, "kernel": 3, "weights": WEIGHTS, "output": {}}
    last = {"type": "linear", "units": 3, "weights": WEIGHTS}
    network = Network(make([layer, {"type": "flatten"}, last], [2, 5, 5]))
    network.eval()
    step_sizes.refresh(network, "l2")
    first, second = network.linears()
    x = torch.randn(4, 2, 5, 5, requires_grad=True)

    def plain(weights):
        kernel = weights[0].reshape(2, 3, 3, 2).permute(0, 3, 1, 2)
        y = torch.nn.functional.conv2d(x, kernel, first.bias)
        return y.permute(0, 2, 3, 1).flatten(1) @ weights[1].t() + second.bias

    torch.testing.assert_close(network(x), plain([quantized(first), quantized(second)]))
    (found,) = torch.autograd.grad(network(x).sum(), x)
    (expected,) = torch.autograd.grad(plain([first.weight, second.weight]).sum(), x)
    torch.testing.assert_close(found, expected)  # through float weights all the way


def lstm_by_hand(x, state, ahead, back, b, dy):
    """Step by step: forward with one set of matrices, errors through the other."""
    h, c = state
    steps, width = [], len(ahead.U) // 4
    for t in range(x.shape[1]):
        z = x[:, t] @ ahead.W.t() + h @ ahead.U.t() + b
        i, f, o = torch.sigmoid(z[:, : 3 * width]).chunk(3, dim=1)
        g, before, h_before = torch.tanh(z[:, 3 * width :]), c, h
        c = f * c + i * g
        m = o * torch.tanh(c)
        h = m if ahead.P is None else m @ ahead.P.t()
        steps.append((i, f, o, g, before, c, h_before, m))
    found = {"W": 0.0, "U": 0.0, "b": 0.0, "P": 0.0}
    dx = torch.zeros_like(x)
    dh_next, dc_next = torch.zeros_like(h), torch.zeros_like(c)
    for t in reversed(range(x.shape[1])):
        i, f, o, g, before, c, h_before, m = steps[t]
        dh = dy[:, t] + dh_next
        found["P"] = found["P"] + dh.t() @ m
        dm = dh if back.P is None else dh @ back.P
        dc = dc_next + dm * o * (1 - torch.tanh(c) ** 2)
        parts = (dc * g * i * (1 - i), dc * before * f * (1 - f))
        dnet = torch.cat([*parts, dm * torch.tanh(c) * o * (1 - o), dc * i * (1 - g**2)], dim=1)
        found["W"] = found["W"] + dnet.t() @ x[:, t]
        found["U"] = found["U"] + dnet.t() @ h_before
        found["b"] = found["b"] + dnet.sum(dim=0)
        dx[:, t], dh_next, dc_next = dnet @ back.W, dnet @ back.U, dc * f
    return found, dx, h


@pytest.mark.parametrize("projected", [False, True])
def test_an_lstm_layer_by_hand(projected):
    torch.manual_seed(3)
    cells, units, inputs = 4, 3 if projected else 4, 5

    def matrices():
        P = torch.randn(units, cells, dtype=torch.float64) if projected else None
        W = torch.randn(4 * cells, inputs, dtype=torch.float64)
        return Matrices(W, torch.randn(4 * cells, units, dtype=torch.float64), P)

    ahead, back = matrices(), matrices()
    b = torch.randn(4 * cells, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 6, inputs, dtype=torch.float64, requires_grad=True)
    dy = torch.randn(2, 6, units, dtype=torch.float64)
    state = (torch.zeros(2, units).double(), torch.zeros(2, cells).double())
    for matrix in back:
        if matrix is not None:
            matrix.requires_grad_()
    y, _ = LstmFunction.apply(x, state, back.W, back.U, b, Untouched(), back.P, ahead)
    y.backward(dy)
    with torch.no_grad():
        found, dx, last = lstm_by_hand(x, state, ahead, back, b, dy)
    torch.testing.assert_close(y[:, -1], last)
    torch.testing.assert_close(back.W.grad, found["W"])
    torch.testing.assert_close(back.U.grad, found["U"])
    torch.testing.assert_close(b.grad, found["b"])
    torch.testing.assert_close(x.grad, dx)
    if projected:
        torch.testing.assert_close(back.P.grad, found["P"])


@pytest.mark.parametrize("projection", [None, {"units": 3}])
def test_with_equal_matrices_it_is_torch(projection):
    """Ours against oneDNN's: the same network before it is quantized, and the same gradients."""
    lstm = {"type": "lstm", "cells": 6} | ({} if projection is None else {"projection": projection})
    last = {"type": "linear", "units": 3}
    gradients = []
    for ours in (False, True):
        torch.manual_seed(4)
        network = Network(make([lstm, last], [5]))
        if ours:
            network.lstms[0].rule = Untouched()
        x = torch.randn(2, 7, 5)
        network(x[:, :3])  # a state to start from
        network(x[:, 3:]).square().sum().backward()
        gradients.append([p.weight.grad for p in network.linears()])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_the_network_goes_forward_quantized_and_the_float_weights_move():
    layers = [
        {"type": "lstm", "cells": 4, "weights": WEIGHTS},
        {"type": "linear", "units": 3, "weights": WEIGHTS},
    ]
    outputs, gradients = {}, {}
    for backward in ("quantized", "float"):
        torch.manual_seed(5)
        network = Network(make(layers, [5], backward))
        step_sizes.refresh(network, "l2")
        y = network(torch.randn(2, 6, 5))
        y.square().sum().backward()
        outputs[backward] = y.detach()
        gradients[backward] = [p.weight.grad for p in network.linears()]
    torch.testing.assert_close(outputs["float"], outputs["quantized"])
    first, second = ([g[k] for g in gradients.values()] for k in (0, 2))
    assert not torch.allclose(*first, rtol=0.05)
    torch.testing.assert_close(*second)  # the last layer's depends on no weight behind it


def test_training_with_it_differs_and_learns():
    hidden = {"type": "linear", "units": 24, "weights": {"levels": 3}, "nonlinearity": "relu"}
    layers = [hidden | {"output": {}}, {"type": "linear", "units": 10, "weights": {"levels": 3}}]
    digits = load("digits")
    found = []
    for backward in ("quantized", "float"):
        spec = make(layers, [64], backward, epochs=4, optimizer={"lr": 0.02})
        recipe = spec.train.model_copy(update={"epochs": 8, "batch": 32})
        spec = spec.model_copy(update={"train": recipe})
        epochs = []
        checkpoint = train(spec, digits, epochs.append)
        found.append(checkpoint.retrained["layer0"].weight)
        assert epochs[-1].accuracy > 0.85
    assert not np.array_equal(*found)


def test_named_groups_stay_float():
    hidden = {"type": "linear", "units": 4, "output": {}}
    layers = [hidden, hidden, {"type": "linear", "units": 3}]
    network = Network(make(layers, [5], float_layers=["h1-h2", "layer2"]))
    assert network.quantized() == network.linears()[:1]
