"""Pruning and word lengths of single parameters (Tu et al. 2016)."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fxsim.data import load
from fxsim.errors import RangeError, SpecError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters, RetrainedParameters
from fxsim.floats.forward import forward
from fxsim.floats.prune import Criterion, flat, prune
from fxsim.floats.scores import accuracy
from fxsim.quantizer import quantize
from fxsim.quantizer.nonuniform import (
    Quantizer,
    compress,
    quantize_group,
    word_lengths,
)
from fxsim.simulator import simulate
from fxsim.spec import parse_spec
from fxsim.training import train_with_fisher
from fxsim.training.module import Network


def parameters(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    return {
        f"p{i}": LinearParameters(weight=rng.normal(size=(n, 3)), bias=rng.normal(size=n))
        for i, n in enumerate(sizes)
    }


def test_magnitude_removes_the_smallest_of_all_products_together():
    before = parameters(4, 5)
    after = prune(before, 0.25, Criterion.MAGNITUDE)
    old, new = (flat(p, list(before)) for p in (before, after))
    gone = new == 0
    assert gone.sum() == 9
    assert np.abs(old[gone]).max() < np.abs(old[~gone]).min()
    np.testing.assert_array_equal(old[~gone], new[~gone])


def test_fisher_removes_the_least_informative_and_both_take_their_shares():
    before, fisher = parameters(50, 30), parameters(50, 30, seed=1)
    fisher = {
        name: LinearParameters(weight=p.weight**2, bias=p.bias**2) for name, p in fisher.items()
    }
    old, information = flat(before, ["p0", "p1"]), flat(fisher, ["p0", "p1"])
    new = flat(prune(before, 0.5, Criterion.FISHER, fisher=fisher), ["p0", "p1"])
    assert information[new == 0].max() < information[new != 0].min()
    both = prune(before, 0.5, Criterion.COMBINED, fisher=fisher, fisher_share=0.25)
    gone = flat(both, ["p0", "p1"]) == 0
    assert gone.sum() == 160
    order = np.argsort(np.abs(old))
    assert gone[order[:120]].all()
    rest = order[120:]
    np.testing.assert_array_equal(
        np.sort(rest[gone[rest]]), np.sort(rest[np.argsort(information[rest])[:40]])
    )


def test_products_that_are_not_named_stay_as_they_are():
    before = parameters(4, 5)
    after = prune(before, 1.0, Criterion.MAGNITUDE, products=["p1"])
    assert after["p0"] is before["p0"]
    assert not after["p1"].weight.any()
    assert not after["p1"].bias.any()
    small = compress(after | {"p1": before["p1"]}, 3, products=["p1"])
    assert small.parameters["p0"] is before["p0"]
    assert small.total == 20


def test_shares_out_of_range_and_missing_information_are_refused():
    with pytest.raises(RangeError, match=r"^share must be in 0 to 1, not 1.5$"):
        prune(parameters(2), 1.5, Criterion.MAGNITUDE)
    with pytest.raises(RangeError, match=r"^fisher_share must be in 0 to 1, not -1$"):
        prune(parameters(2), 0.5, Criterion.COMBINED, fisher_share=-1)
    with pytest.raises(RangeError, match=r"^fisher must be given with mag_fisher$"):
        prune(parameters(2), 0.5, Criterion.COMBINED, fisher_share=0.5)


def test_word_lengths_follow_importance():
    importance = np.array([1e-9, 2e-9, 1e-6, 2e-6, 1e-3, 3e-3, 1.0])
    assert word_lengths(importance, 4).tolist() == [1, 1, 2, 2, 3, 3, 4]
    # The tail of the values themselves takes all the longer words.
    assert word_lengths(importance, 3, logarithm=False).tolist() == [1, 1, 1, 1, 1, 2, 3]
    assert word_lengths(np.full(5, 0.1), 3).tolist() == [1] * 5


@given(st.integers(1, 8), st.integers(1, 40), st.integers(0, 1 << 20), st.sampled_from(Quantizer))
def test_a_group_has_as_many_values_as_its_words(bits, count, seed, quantizer):
    values = np.random.default_rng(seed).normal(size=count)
    result = quantize_group(values, bits, quantizer)
    assert len(np.unique(result)) <= 1 << bits
    if quantizer is Quantizer.MINMAX:
        width = (values.max() - values.min()) / (1 << bits)
        assert np.abs(result - values).max() <= width / 2 * (1 + 1e-9)
    else:
        assert np.square(result - values).sum() <= np.square(values).sum()


def test_costs_are_those_of_the_words():
    weight = np.array([[0.0, 0.1, 0.0, 0.2], [0.0, 0.0, 0.0, 10.0]])
    small = compress({"a": LinearParameters(weight=weight, bias=np.zeros(2))}, 2)
    assert (small.average, small.values, small.groups) == (4 / 3, 4, 3)
    assert (small.positions, small.ranges, small.total) == (16, 128, 10)
    assert small.paper_ratio == 320 / 4
    assert small.ratio == 320 / (4 + 3 + 16 + 128)
    np.testing.assert_allclose(small.parameters["a"].weight[0], [0, 0.125, 0, 0.175])
    uniform = compress({"a": LinearParameters(weight=weight, bias=np.zeros(2))}, 0, bits=3)
    assert (uniform.average, uniform.groups, uniform.ranges) == (3, 0, 64)


SPEC = {
    "name": "n",
    "data": "digits",
    "input": {"shape": [64]},
    "layers": [
        {"type": "linear", "units": 48, "nonlinearity": "relu", "output": {}},
        {"type": "linear", "units": 10},
    ],
    "train": {"epochs": 12, "batch": 64, "optimizer": {"type": "adam", "lr": 0.005}},
}


@pytest.fixture(scope="module")
def trained():
    spec, digits = parse_spec(SPEC, "test"), load("digits")
    return spec, digits, *train_with_fisher(spec, digits)


def test_fisher_information_is_that_of_the_gradients(trained):
    spec, digits, checkpoint, fisher = trained
    network = Network(spec)
    for product, saved in zip(network.linears(), checkpoint.parent.values(), strict=True):
        product.weight.data[:] = torch.from_numpy(saved.weight)
        product.bias.data[:] = torch.from_numpy(saved.bias)
    x = torch.from_numpy(digits.train.x.astype(np.float32))
    y = torch.from_numpy(digits.train.y)
    squares = [torch.zeros_like(p.weight) for p in network.linears()]
    batches = torch.randperm(len(x), generator=torch.Generator().manual_seed(1)).split(64)
    for batch in batches:
        network.zero_grad()
        torch.nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
        for square, product in zip(squares, network.linears(), strict=True):
            square += product.weight.grad**2
    for square, found in zip(squares, fisher.values(), strict=True):
        a, b = (np.argsort(np.argsort(v.ravel())) for v in (square.numpy(), found.weight))
        assert np.corrcoef(a, b)[0, 1] > 0.8  # of the ranks


def test_pruning_keeps_what_matters_and_fisher_alone_does_not(trained):
    spec, digits, checkpoint, fisher = trained

    def score(criterion):
        pruned = prune(checkpoint.parent, 0.6, criterion, fisher=fisher)
        return accuracy(forward(spec, pruned, digits.test.x), digits.test.y)

    assert score(Criterion.MAGNITUDE) > 0.9
    assert score(Criterion.COMBINED) > 0.9
    assert score(Criterion.FISHER) < score(Criterion.MAGNITUDE) - 0.1


def test_a_pruned_network_with_words_of_many_lengths_runs_in_the_simulator(trained):
    spec, digits, checkpoint, fisher = trained
    pruned = prune(checkpoint.parent, 0.5, Criterion.COMBINED, fisher=fisher)
    small = compress(pruned, 5, importance=fisher)
    levels = (1 << 16) - 1
    retrained = {}
    for name, p in small.parameters.items():
        # Words of all lengths meet on one fine grid, that of 16 bits.
        scale = np.array([np.abs(p.weight).max() / (levels // 2)])
        retrained[name] = RetrainedParameters(
            weight=p.weight, bias=p.bias, scale=scale, levels=levels
        )
    wide = parse_spec(
        SPEC | {"layers": [layer | {"weights": {"levels": levels}} for layer in SPEC["layers"]]},
        "test",
    )
    both = replace(checkpoint, retrained=retrained)
    assert isinstance(both, Checkpoint)
    network = quantize(wide, both, digits.train.x[:500])
    for layer, name in zip(network.layers, pruned, strict=True):
        np.testing.assert_array_equal(layer.weight == 0, pruned[name].weight == 0)
    logits = forward(spec, small.parameters, digits.test.x)
    hits = accuracy(logits, digits.test.y)
    assert hits > 0.9
    same = simulate(network, digits.test.x).argmax(axis=1) == logits.argmax(axis=1)
    assert same.mean() > 0.97


def test_fisher_information_needs_adam():
    spec = parse_spec(SPEC | {"train": {"optimizer": {"type": "sgd"}}}, "test")
    with pytest.raises(SpecError, match=r"^train.optimizer.type must be 'adam' for Fisher inf"):
        train_with_fisher(spec, load("digits"))
