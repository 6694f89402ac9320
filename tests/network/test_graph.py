"""Networks as graphs: simulator against oracle, storage, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim import reference
from fxsim.errors import FileError, RangeError
from fxsim.files import read_yaml, write_yaml
from fxsim.network import INPUT, Concat, QuantizedNetwork
from fxsim.network.storage import (
    MANIFEST,
    arithmetic_hash,
    hardware_hash,
    load_network,
    network_hash,
    save_network,
)
from fxsim.simulator.simulator import (
    simulate,
    simulate_outputs,
    simulate_ranges,
    simulate_trace,
)
from fxsim.testbenches.cases.samples import residual
from fxsim.timing.depths import with_depths
from tests.graph_strategies import batches_of, graph_networks
from tests.messages import raises

QUIET = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
PLAIN = {"depths": None}


@pytest.mark.parametrize(
    "drawn",
    [graph_networks(**PLAIN), graph_networks(max_layers=40, max_side=4, **PLAIN)],
    ids=["small", "long"],
)
@QUIET
@given(data=st.data())
def test_simulator_and_oracle_agree(drawn, data):
    network = data.draw(drawn)
    batch = batches_of(data.draw, network, 3)
    trace = simulate_trace(network, batch)
    for k in range(3):
        vector = {name: x[k].tolist() for name, x in batch.items()}
        results = reference.run(network, vector)
        for layer, seen, expected in zip(network.layers, trace.layers, results, strict=True):
            assert seen.activations[k].tolist() == expected.activations, layer.name
    outputs = simulate_outputs(network, batch)
    assert tuple(outputs) == network.leaving
    short = simulate_ranges(network, batch)
    for name, values in outputs.items():
        np.testing.assert_array_equal(values, trace[name].activations)
        np.testing.assert_array_equal(values, short[name].activations)


@QUIET
@given(data=st.data())
def test_sequences_through_graphs(data):
    """State belongs to a layer by name, in any branch; images may come in front of it."""
    network = data.draw(graph_networks(recurrent=True, max_layers=8, max_side=4, **PLAIN))
    leading = (2, 4) if network.recurrent else (2,)
    batch = batches_of(data.draw, network, *leading)
    trace = simulate_trace(network, batch)
    for n in range(2):
        if network.recurrent:
            steps = [{name: x[n, t].tolist() for name, x in batch.items()} for t in range(4)]
            found = reference.run_sequence(network, steps)
        else:
            found = [reference.run(network, {name: x[n].tolist() for name, x in batch.items()})]
        for t, results in enumerate(found):
            for layer, seen, expected in zip(network.layers, trace.layers, results, strict=True):
                row = seen.activations[n, t] if network.recurrent else seen.activations[n]
                assert row.tolist() == expected.activations, layer.name
    for name, values in simulate_outputs(network, batch).items():
        np.testing.assert_array_equal(values, trace[name].activations)
    if network.recurrent:  # and half of it goes on where the other half ended
        first, second = (
            {k: x[:, part] for k, x in batch.items()} for part in (slice(2), slice(2, 4))
        )
        rest = simulate_outputs(network, second, simulate_trace(network, first).state)
        for name, values in rest.items():
            np.testing.assert_array_equal(values, trace[name].activations[:, 2:])


@QUIET
@given(network=graph_networks(recurrent=True, **PLAIN))
def test_saved_graphs_come_back(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    save_network(network, folder)
    loaded = load_network(folder)
    assert network_hash(loaded) == network_hash(network)
    assert (loaded.taken, loaded.leaving) == (network.taken, network.leaving)


def test_each_hash_sees_its_part():
    network = residual()
    deeper = replace(network, depths={"sum": (3, 50)})
    assert arithmetic_hash(deeper) == arithmetic_hash(network)
    assert hardware_hash(deeper) != hardware_hash(network)
    swapped = replace(network, outputs=("sum", network.layers[-1].name))
    assert arithmetic_hash(swapped) != arithmetic_hash(network)
    assert len({network_hash(n) for n in (network, deeper, swapped)}) == 3


def test_a_graph_of_defaults_looks_like_a_chain():
    network = residual()
    chain = replace(network, layers=network.layers[:3], sources={}, depths={})
    same = replace(
        chain,
        sources={"first": (INPUT,), "second": ("first",), "third": ("second",)},
        outputs=("third",),
        depths={"second": (0,)},
    )
    assert network_hash(same) == network_hash(chain)
    assert (same.sources, same.outputs, same.depths) == ({}, (), {})


def with_inputs(network: QuantizedNetwork, *names: str) -> QuantizedNetwork:
    return replace(network, inputs=dict.fromkeys(names, network.input))


REFUSED = [
    ({"sources": {"sum": ("third", "fourth")}},
     "sum: sources must be among input, first, second, third, not 'fourth'"),
    ({"sources": {"sum": ("third", "sum")}},
     "sum: sources must be among input, first, second, third, not 'sum'"),
    ({"sources": {"sum": ("third",)}}, "sum: sources must be 2, not 1"),
    ({"sources": {}}, "sum: sources must be 2, not 1"),
    ({"sources": {"nobody": ("third",)}}, "sources must be of layers, not of 'nobody'"),
    ({"sources": {"sum": ("second", "first")}},
     "third: what it yields must be taken by a layer or an output"),
    ({"outputs": ("third",)}, "answer: what it yields must be taken by a layer or an output"),
    ({"outputs": ("answer", "fourth")},
     "outputs must be among first, second, third, sum, scores, answer, not 'fourth'"),
    ({"outputs": ("answer", "answer")}, "outputs must be unique, not answer, answer"),
    ({"depths": {"sum": (0, 1)}}, "depths must be 0 or from 2 to 16777216, not 1"),
    ({"depths": {"sum": (0, True)}}, "depths must be 0 or from 2 to 16777216, not True"),
    ({"depths": {"sum": (0,)}}, "depths must be of each operand of a layer, not sum: (0,)"),
    ({"depths": {"nobody": (0,)}}, "depths must be of each operand of a layer, not nobody: (0,)"),
    ({"depths": {"second": (4,)}}, "second: depths must be of a layer with several operands"),
    ({"output_depths": {"sum": 4}}, "output_depths must be of outputs, not of 'sum'"),
    ({"inputs": {}}, "a network must have at least one input"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=range(len(REFUSED)))
def test_graphs_that_are_none(change, message):
    with raises(RangeError, message):
        replace(residual(), **change)


def test_several_inputs_have_to_be_named():
    network = residual()
    message = "first: sources must be 1, not 0"
    with raises(RangeError, message):
        with_inputs(network, "a", "b")
    sources = {**network.sources, "first": ("a",), "sum": ("third", "b")}
    two = {"a": network.input, "b": replace(network.input, shape=network.types["first"].shape)}
    with pytest.raises(RangeError, match=re.escape("sum: what it takes from 'b' must be")):
        replace(network, inputs=two, sources=sources)
    with raises(RangeError, "input 'b' must be taken by a layer"):
        replace(network, inputs=two, sources={**network.sources, "first": ("a",)})
    names = ["first", "first", "second", "third", "sum", "scores", "answer"]
    with raises(RangeError, f"names of inputs and layers must be unique, not {names}"):
        with_inputs(network, "FIRST")


def test_one_of_several_is_not_the_only_one():
    network = residual()
    both = replace(network, outputs=("sum", "answer"))
    x = np.zeros((1, 2, 6, 6), np.int64)
    message = "the network must have one output, not sum, answer"
    with raises(RangeError, message):
        simulate(both, x)
    with raises(RangeError, message):
        _ = both.output
    found = simulate_outputs(both, x)
    np.testing.assert_array_equal(found["answer"], simulate(network, x))


def test_samples_that_do_not_fit():
    network = residual()
    x = np.zeros((2, 72), np.int64)
    with raises(RangeError, "samples must be of input, not of other"):
        simulate(network, {"other": x})
    taken = {**network.sources, "first": ("x",)}
    renamed = replace(network, inputs={"x": network.input}, sources=taken)
    np.testing.assert_array_equal(simulate(renamed, x), simulate(network, x))


def test_the_order_of_inputs_is_in_the_hash(tmp_path):
    """The last word of a sequence is marked at the first of them."""
    source = residual().input
    half = with_depths(
        QuantizedNetwork(
            name="both",
            data="none",
            inputs={"a": source, "b": source},
            layers=(Concat(name="sides", shapes=(source.shape,) * 2, input=source.activation),),
            sources={"sides": ("a", "b")},
        )
    )
    turned = replace(half, inputs={"b": source, "a": source})
    assert arithmetic_hash(turned) == arithmetic_hash(half)
    assert hardware_hash(turned) != hardware_hash(half)
    save_network(half, tmp_path)
    assert list(load_network(tmp_path).inputs) == ["a", "b"]
    value = read_yaml(tmp_path / MANIFEST)
    value["inputs"] = {name: value["inputs"][name] for name in ("b", "a")}
    write_yaml(tmp_path / MANIFEST, value)
    with pytest.raises(FileError, match="hash does not match the content"):
        load_network(tmp_path)
