"""Saved networks: equal when read back, and repeatable byte for byte."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given

from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.files import read_npz
from fxsim.network import INPUT, Accumulator, Activation, Folding
from fxsim.network.storage import MANIFEST, TENSORS, load_network, network_hash, save_network
from tests.network.stored_networks import HIDDEN, assert_equal, linear, small_network
from tests.strategies import networks, unhurried


@pytest.fixture
def network():
    return small_network()


def test_round_trip(network, tmp_path):
    save_network(network, tmp_path / "new" / "folder")
    loaded = load_network(tmp_path / "new" / "folder")
    assert_equal(network, loaded)
    assert network_hash(loaded) == network_hash(network)


@unhurried
@given(networks())
def test_any_network_round_trips(tmp_path_factory, net):
    folder = tmp_path_factory.getbasetemp() / "drawn"
    save_network(net, folder)
    loaded = load_network(folder)
    assert_equal(net, loaded)
    assert network_hash(loaded) == network_hash(net)


@pytest.mark.parametrize("value", [2**7, 2**15, 2**31, 2**32, 2**33, 2**40, 2**57])
def test_large_integers_round_trip(network, tmp_path, value):
    accumulator = Accumulator(format=IntFormat(bits=60, signed=True), mode=AccumulatorMode.SATURATE)
    for bias in ([value, value], [-value, -value], [-value - 1, value - 1], [value - 1, 0]):
        layer = linear(
            "second",
            2,
            4,
            input=HIDDEN,
            bias=np.array(bias),
            accumulator=accumulator,
            output=Activation(format=accumulator.format, scale=0.5),
        )
        net = dataclasses.replace(network, layers=(network.layers[0], layer))
        save_network(net, tmp_path)
        assert_equal(net, load_network(tmp_path))


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(-128, 127, "int8"), (-129, 0, "int16"), (0, 128, "int16"), (-(2**31), 2**31 - 1, "int32"),
     (5, 5, "int8"), (0, 2**31, "int64"), (2**40, 2**40, "int64")],
)  # fmt: skip
def test_integers_are_stored_as_small_as_they_go(network, tmp_path, low, high, dtype):
    fmt = IntFormat(bits=60, signed=True)
    second = dataclasses.replace(
        network.layers[1],
        bias=np.array([low, high]),
        accumulator=Accumulator(format=fmt, mode=AccumulatorMode.SATURATE),
        output=Activation(format=fmt, scale=0.5),
    )
    save_network(dataclasses.replace(network, layers=(network.layers[0], second)), tmp_path)
    assert read_npz(tmp_path / TENSORS)["second.bias"].dtype == dtype


def test_bytes_repeat(network, tmp_path):
    save_network(network, tmp_path / "a")
    save_network(load_network(tmp_path / "a"), tmp_path / "b")
    for file in (MANIFEST, TENSORS):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert sorted(p.name for p in (tmp_path / "a").glob("[!.]*")) == sorted([MANIFEST, TENSORS])


def test_the_hash_sees_everything(network):
    """Each field of each part, changed by the smallest step."""
    first, second = network.layers
    tail = first.tail

    def with_first(**changes):
        return dataclasses.replace(network, layers=(dataclasses.replace(first, **changes), second))

    def bumped(array, step):
        changed = array.copy()
        changed.flat[-1] += step
        return changed

    int4n = IntFormat(bits=4, signed=True, narrow=True)
    variants = [
        network,
        dataclasses.replace(network, name="other"),
        dataclasses.replace(network, data="other"),
        dataclasses.replace(
            network,
            inputs={INPUT: dataclasses.replace(network.input, rounding=Rounding.FLOOR)},
        ),
        dataclasses.replace(network, inputs={"x": network.input}),
        with_first(name="other"),
        with_first(weight=bumped(first.weight, -1)),
        with_first(code=code_of(int4n)),
        with_first(weight_scale=np.array([np.nextafter(0.3, 1)])),
        with_first(weight_scale=np.array([0.3] * 4)),
        with_first(bias=bumped(first.bias, 1)),
        with_first(accumulator=dataclasses.replace(first.accumulator, mode=AccumulatorMode.WRAP)),
        with_first(folding=Folding(rows=2, simd=1)),
        with_first(folding=Folding(rows=1, simd=3)),
        with_first(folding=Folding(rows=1, simd=1, pad=True)),
        with_first(folding=Folding(rows=1, simd=1, dsp=False)),
        *(
            with_first(tail=dataclasses.replace(tail, **change))
            for change in (
                {"multiplier": bumped(tail.multiplier, 1)},
                {"multiplier_bits": 9},
                {"shift": 10},
                {"rounding": Rounding.FLOOR},
                {"overflow": Overflow.WRAP},
                {"relu": False},
            )
        ),
    ]
    assert len({network_hash(variant) for variant in variants}) == len(variants)
