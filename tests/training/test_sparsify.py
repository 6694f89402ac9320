"""Our own backpropagation through time against torch's, and the rules on gate gradients."""

import math

import numpy as np
import pytest
import torch

from fxsim.data import Dataset, Split
from fxsim.errors import SpecError
from fxsim.spec.specification import SparsifySpec, WordsSpec, parse_spec
from fxsim.training import train
from fxsim.training.layers.lstm import _torch_order
from fxsim.training.lstm import LstmFunction
from fxsim.training.module import Network
from fxsim.training.sparsify import (
    Sparsifier,
    Words,
    correlation,
    dense,
    hard_threshold,
    literal_threshold,
)
from tests.messages import raises

KINDS = "threshold, tau, sparsity, correlation"
COUNT, STEPS, INPUTS, CELLS = 3, 7, 5, 4


def tensors(seed, dtype=torch.float64):
    """State, then x, W, U, b."""
    torch.manual_seed(seed)
    shapes = [(COUNT, STEPS, INPUTS), (4 * CELLS, INPUTS), (4 * CELLS, CELLS), (4 * CELLS,)]
    state = tuple(torch.randn(COUNT, CELLS, dtype=dtype) for _ in range(2))
    return state, [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]


def rule(**keys):
    return Sparsifier(SparsifySpec(**keys))


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_without_a_threshold_it_is_the_lstm_of_torch(dtype, bound):
    state, leaves = tensors(1, dtype)
    x, W, U, b = leaves
    found, cell = LstmFunction.apply(x, state, W, U, b, rule(threshold=0))
    weights = [_torch_order(tensor) for tensor in (W, U, b, torch.zeros_like(b))]
    hx = (state[0][None], state[1][None])
    expected, _, last = torch.lstm(x, hx, weights, True, 1, 0.0, False, False, True)
    torch.testing.assert_close(found, expected, rtol=0, atol=bound)
    torch.testing.assert_close(cell, last[0], rtol=0, atol=bound)
    dy = torch.randn_like(found)
    ours = torch.autograd.grad(found, leaves, dy)
    theirs = torch.autograd.grad(expected, leaves, dy)
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).norm() <= bound * b.norm()


def unrolled(x, state, W, U, b, dy, threshold):
    """The equations of the paper, one step at a time, with its misprints corrected."""
    h, c = [state[0].numpy()], [state[1].numpy()]
    x, W, U, b, dy = (tensor.detach().numpy() for tensor in (x, W, U, b, dy))
    gates = []
    for t in range(STEPS):
        z = np.split(x[:, t] @ W.T + h[-1] @ U.T + b, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-part)) for part in z[:3])
        g = np.tanh(z[3])
        c.append(f * c[-1] + i * g)
        h.append(o * np.tanh(c[-1]))
        gates.append((i, f, o, g))
    dnet = np.zeros((COUNT, STEPS, 4 * CELLS))
    dx, dW, dU = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U)
    dh_next = dc_next = f_next = np.zeros((COUNT, CELLS))
    for t in reversed(range(STEPS)):
        i, f, o, g = gates[t]
        q = np.tanh(c[t + 1])
        dh = dy[:, t] + dh_next
        dc = dh * (1 - q**2) * o + f_next * dc_next
        d = np.concatenate(
            [
                dc * g * (1 - i) * i,
                dc * c[t] * (1 - f) * f,
                dh * q * (1 - o) * o,
                dc * i * (1 - g**2),
            ],
            axis=1,
        )
        dnet[:, t] = d = np.where(np.abs(d) > threshold, d, 0)
        dx[:, t], dh_next, dc_next, f_next = d @ W, d @ U, dc, f
        dW += d.T @ x[:, t]
        dU += d.T @ h[t]
    return dnet, (dx, dW, dU, dnet.sum(axis=(0, 1)))


@pytest.mark.parametrize("threshold", [0.02, 0.2, 1.0, 100.0])
def test_zeros_come_before_everything_else_and_go_back_in_time(threshold):
    state, leaves = tensors(2)
    sparsifier = rule(threshold=threshold)
    found, _ = LstmFunction.apply(leaves[0], state, *leaves[1:], sparsifier)
    dy = torch.randn_like(found)
    ours = torch.autograd.grad(found, leaves, dy)
    dnet, expected = unrolled(leaves[0], state, *leaves[1:], dy, threshold)
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b, atol=1e-12)
    shares = (dnet.reshape(-1, 4, CELLS) == 0).mean(axis=(0, 2))
    np.testing.assert_allclose(sparsifier.sparsity, shares, atol=1e-12)
    assert shares.mean() > 0.1 or threshold < 0.1


def test_thresholds():
    values = [-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0]
    text, printed = torch.tensor(values), torch.tensor(values)
    hard_threshold(text, 1.0)
    literal_threshold(printed, 0.5)
    assert text.tolist() == [-3, 0, 0, 0, 0, 0, 3]
    assert printed.tolist() == [0, 0, 0, 0, 0, 1, 3]


def test_tau_does_not_depend_on_the_size_of_the_batch():
    sparsifier = rule(tau=0.8)
    for count in (1, 800):
        sparsifier.start(count)
        assert sparsifier.threshold == 0.8 / count


@pytest.mark.parametrize("count", [1, 800])
def test_words_are_integers_that_saturate(count):
    words = Words(WordsSpec(bits=4, fraction=2))
    words.count = count
    dnet = torch.tensor([0.1, 0.13, -0.6, 0.375, 1.7, 1.9, -2.0, -9.0]) / count
    words.round(dnet)
    assert (dnet * count * 4).round().tolist() == [0, 1, -2, 2, 7, 7, -8, -8]


def test_stochastic_rounding_is_right_on_average():
    torch.manual_seed(3)
    words = Words(WordsSpec(bits=8, fraction=0, rounding="stochastic"))
    dnet = torch.full((40000,), 2.3)
    words.round(dnet)
    assert set(dnet.tolist()) == {2.0, 3.0}
    assert abs(dnet.mean().item() - 2.3) < 4 * math.sqrt(0.21 / 40000)


@pytest.mark.parametrize(
    ("greatest", "fraction"), [(1.0, 6), (0.51, 7), (0.49, 8), (3.9, 5), (64.0, 5), (0.0, 13)]
)
def test_the_scale_of_a_layer_follows_its_greatest_word(greatest, fraction):
    """A saturated word says only that the range was too small."""
    words = Words(WordsSpec(bits=8, fraction=6, scale="layer"))
    dnet = torch.tensor([greatest, 0.001])
    words.round(dnet)
    words.follow(dnet)
    assert words.fraction == fraction
    fixed = Words(WordsSpec(bits=8, fraction=6))
    fixed.follow(dnet)
    assert fixed.fraction == 6


def test_the_scale_of_a_block_holds_its_greatest_gradient():
    words = Words(WordsSpec(bits=4, scale="block"))
    for greatest, fraction in ((0.9, 3), (3.3, 1), (0.0, 3)):
        dnet = torch.tensor([greatest, -greatest / 2])
        words.round(dnet)
        assert words.fraction == fraction
        assert abs(dnet[1].item() + greatest / 2) <= 2.0**-fraction / 2


def test_correlation():
    a, b = torch.tensor([3.0, 0.0]), torch.tensor([[0.0, 4.0]])
    assert correlation([a, b], [a, b]) == pytest.approx(1)
    assert correlation([a, b], [2 * a, 2 * b]) == pytest.approx(1)
    assert correlation([a, 0 * b], [a, b]) == pytest.approx(0.6)
    assert correlation([-a, -b], [a, b]) == pytest.approx(-1)
    assert correlation([0 * a, 0 * b], [a, b]) == 0


def make_spec(sparsify, layers=2, **recipe):
    cells = [{"type": "lstm", "cells": 6}] * layers
    return parse_spec(
        {
            "name": "n",
            "data": "d",
            "input": {"shape": [4], "bits": 1},
            "layers": [*cells, {"type": "linear", "units": 4}],
            "train": {"optimizer": {"type": "adam", "lr": 0.03}, "batch": 10, "steps": 20}
            | {"epochs": 3, "sparsify": sparsify}
            | recipe,
        },
        "test",
    )


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(1)
    ids = np.tile([0, 1, 1, 2, 3], 800)
    ids = np.where(rng.random(ids.size) < 0.1, rng.integers(0, 4, ids.size), ids)
    x, y = ids[:3990].reshape(-1, 10), ids[1:3991].reshape(-1, 10)
    split = Split(np.eye(4)[x], y)
    return Dataset("d", split, Split(split.x[:20], y[:20]), 4)


def records(spec, dataset):
    found = []
    checkpoint = train(spec, dataset, on_step=lambda record, network: found.append(record))
    return checkpoint, found


def test_training_with_threshold_zero_is_training(dataset):
    ours, found = records(make_spec({"threshold": 0, "probe": 5}), dataset)
    theirs, none = records(make_spec(None), dataset)
    assert [record.step for record in found] == list(range(1, 61))
    assert none == []
    for name, parameters in theirs.parent.items():
        np.testing.assert_allclose(ours.parent[name].weight, parameters.weight, atol=2e-3)
    likeness = {record.step: record.correlation for record in found}
    assert all((value is not None) == (step % 5 == 0) for step, value in likeness.items())
    assert all(value is None or value > 1 - 1e-9 for value in likeness.values())


def test_a_steered_run_that_was_interrupted_goes_on_to_the_same_result(dataset, tmp_path):
    words = {"bits": 6, "scale": "layer"}
    spec = make_spec({"sparsity": 0.6, "words": words})
    expected, found = records(spec, dataset)
    seen = []

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            spec, dataset, interrupt, lambda record, _: seen.append(record), resume=tmp_path / "r"
        )
    assert 0 < len(seen) < len(found)
    resumed = train(spec, dataset, None, lambda r, _: seen.append(r), resume=tmp_path / "r")
    assert [r.thresholds.tolist() for r in seen] == [r.thresholds.tolist() for r in found]
    for name, parameters in expected.parent.items():
        np.testing.assert_array_equal(resumed.parent[name].weight, parameters.weight)


def test_a_threshold_makes_zeros_and_turns_dW(dataset):
    _, found = records(make_spec({"tau": 0.1, "probe": 5}), dataset)
    _, more = records(make_spec({"tau": 0.5, "probe": 5}), dataset)
    assert found[0].sparsity.shape == (2, 4)
    np.testing.assert_allclose(found[0].thresholds, 0.1 / 200)
    for few, many in zip(found[4::5], more[4::5], strict=True):
        assert few.sparsity.mean() < many.sparsity.mean()
        assert 1 > few.correlation > many.correlation


def test_a_steered_threshold_holds_the_sparsity(dataset):
    _, found = records(make_spec({"sparsity": 0.7}), dataset)
    late = np.array([record.sparsity.mean(axis=1) for record in found[20:]])
    np.testing.assert_allclose(late.mean(axis=0), 0.7, atol=0.03)


def test_a_steered_threshold_holds_the_correlation(dataset):
    _, found = records(make_spec({"correlation": 0.9, "probe": 2}, epochs=4), dataset)
    late = [record.correlation for record in found[40:] if record.correlation is not None]
    assert 0.85 < np.mean(late) < 0.94


def test_words_in_training(dataset):
    _, found = records(make_spec({"words": {"bits": 4, "fraction": 2}}), dataset)
    _, fine = records(make_spec({"words": {"bits": 16, "fraction": 14}}), dataset)
    assert found[-1].sparsity.mean() > 0.5 > 0.2 > fine[-1].sparsity.mean()


def test_the_dense_pass_leaves_no_trace():
    network = Network(make_spec({"tau": 1000.0}))
    rules = [layer.rule for layer in network.lstms]
    y = network(torch.randn(2, 3, 4))
    weight = network.lstms[0].input_product.weight
    with dense(rules):
        assert torch.autograd.grad(y.sum(), weight, retain_graph=True)[0].abs().sum() > 0
    assert not any(rule.exact or rule.sparsity.any() for rule in rules)
    assert torch.autograd.grad(y.sum(), weight)[0].abs().sum() == 0


@pytest.mark.parametrize(
    ("sparsify", "message"),
    [
        (
            {"tau": 1.0, "sparsity": 0.5},
            f"sparsify must have one of {KINDS}, not 2 (test: train.sparsify)",
        ),
        (
            {},
            f"sparsify must have one of {KINDS}, words (test: train.sparsify)",
        ),
        ({"tua": 1.0}, "unknown key 'tua'; did you mean 'tau'? (test: train.sparsify.tua)"),
        (
            {"sparsity": 1.0},
            "sparsity must be less than 1, not 1.0 (test: train.sparsify.sparsity)",
        ),
        (
            {"words": {"bits": 1}},
            "bits must be greater than or equal to 2, not 1 (test: train.sparsify.words.bits)",
        ),
    ],
)
def test_nonsense_is_refused(sparsify, message):
    with raises(SpecError, message):
        make_spec(sparsify)


def test_there_must_be_an_lstm():
    with raises(SpecError, "sparsify needs an lstm layer (test: train.sparsify)"):
        make_spec({"tau": 1.0}, layers=0)
