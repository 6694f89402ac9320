"""Kinds of layers x stages: each is stored, run, traced, planned and folded, or says why not.

mypy finds a stage that forgets a kind (``assert_never``); here each pair is run once on a small
network, and what the stages say of it agrees.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest

from fxsim import reference
from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.errors import ConfigError, RangeError
from fxsim.network import (
    INPUT,
    Activation,
    Argmax,
    Concat,
    InputQuantizer,
    IntArray,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedNetwork,
    Rescale,
    Resize,
    Tail,
    Windows,
)
from fxsim.network.layer import LayerKind
from fxsim.network.manifest import TYPES, build, describe, tensors_of
from fxsim.plan.planner import plan_layer, plan_network
from fxsim.simulator.simulator import simulate, simulate_trace
from fxsim.testbenches.cases.gradient_cases import random_layer
from fxsim.timing.cycles import predict
from fxsim.timing.depths import with_depths
from fxsim.timing.folding import fold
from tests.messages import raises
from tests.network.stored_networks import SOURCE, linear

SHIFT = Tail(
    multiplier=np.array([1]),
    multiplier_bits=0,
    shift=2,
    rounding=Rounding.FLOOR,
    overflow=Overflow.SATURATE,
)
WINDOWS = Windows(channels=1, height=3, width=3, kernel=(2, 2))
SIGNED = Activation(format=IntFormat(bits=5, signed=True), scale=1.0)


def add_after_linear() -> tuple[Layer, ...]:
    """An add of the input and of what a layer makes of it."""
    first = linear("first", 3, 3, tail=SHIFT, output=SIGNED)
    add = QuantizedAdd(
        name="layer",
        shape=(3,),
        summands=(SIGNED, SOURCE),
        tail=Tail(
            multiplier=np.array([1, 3]),
            multiplier_bits=2,
            shift=1,
            rounding=Rounding.TIES_AWAY,
            overflow=Overflow.SATURATE,
            relu=True,
        ),
        accumulator=IntFormat(bits=8, signed=True),
        output=SIGNED,
    )
    return first, add


LAYERS: dict[str, tuple[Layer, ...]] = {
    "linear": (linear("layer", 4, 3, tail=SHIFT, output=SIGNED),),
    "lstm": (random_layer(np.random.default_rng(1), 3, 2),),
    "convolution": (QuantizedConvolution(product=linear("layer", 2, 4), windows=WINDOWS),),
    "max_pool": (MaxPool(name="layer", input=SOURCE, windows=WINDOWS),),
    "add": add_after_linear(),
    "argmax": (Argmax(name="layer", input=SOURCE, items=5),),
    "concat": (
        Resize(name="first", shape=(1, 2, 1), factors=(1, 2), input=SOURCE),
        Resize(name="second", shape=(1, 2, 1), factors=(1, 2), input=SOURCE),
        Concat(name="layer", shapes=((1, 2, 2), (1, 2, 2)), input=SOURCE),
    ),
    "resize": (Resize(name="layer", shape=(2, 2, 3), factors=(3, 2), input=SOURCE),),
    "rescale": (Rescale(name="layer", shape=(4,), input=SOURCE, tail=SHIFT, output=SIGNED),),
}
"""Layers of a small network for each kind; the last is of that kind."""

SOURCES = {
    "add": {"layer": ("first", INPUT)},
    "concat": {"second": (INPUT,), "layer": ("first", "second")},
}
"""What layers take, where that is not a chain."""


def network_of(kind: str) -> QuantizedNetwork:
    """Network of the layers of a kind."""
    layers = LAYERS[kind]
    taken = layers[0].operands[0]
    source = InputQuantizer(shape=taken.shape, activation=taken.activation, rounding=Rounding.FLOOR)
    network = QuantizedNetwork(
        name="net",
        data="none",
        inputs={INPUT: source},
        layers=layers,
        sources=SOURCES.get(kind, {}),
    )
    return with_depths(network)


def inputs_of(network: QuantizedNetwork) -> IntArray:
    """Three vectors, images or steps over the whole range."""
    fmt, size = network.input.activation.format, network.input.tensor.items
    values = np.random.default_rng(2).integers(fmt.min, fmt.max, (3, size), endpoint=True)
    return values[None] if network.recurrent else values


def expected(network: QuantizedNetwork, x: IntArray) -> list[list[list[int]]]:
    """What each layer yields for each vector, by the oracle."""
    rows = x.reshape(-1, x.shape[-1]).tolist()
    runs = [rows] if network.recurrent else [[row] for row in rows]
    steps = [step for run in runs for step in reference.run_sequence(network, run)]
    return [[result.activations for result in step] for step in steps]


def stored(network: QuantizedNetwork) -> None:
    """Written and read it is the same."""
    tensors = tensors_of(network)
    again = build(describe(network), tensors)
    assert describe(again) == describe(network)
    assert tensors_of(again).keys() == tensors.keys()
    assert list(map(type, again.layers)) == list(map(type, network.layers))


def simulated(network: QuantizedNetwork) -> None:
    """The simulator yields what the oracle does."""
    x = inputs_of(network)
    last = [step[-1] for step in expected(network, x)]
    assert simulate(network, x).reshape(len(last), -1).tolist() == last


def traced(network: QuantizedNetwork) -> None:
    """Traces of all layers are what the oracle yields, and know their products by name."""
    x = inputs_of(network)
    trace, steps = simulate_trace(network, x), expected(network, x)
    for k, (layer, seen) in enumerate(zip(network.layers, trace.layers, strict=True)):
        yielded = seen.activations.reshape(len(steps), -1).tolist()
        assert yielded == [step[k] for step in steps]
        assert trace[layer.name] is seen
        assert [part.name for part in seen.linears] == [part.name for part in layer.linears]
        assert layer.probes.keys() <= seen.tensors.keys()
    assert trace.state.keys() == {layer.name for layer in network.layers if layer.state}


def planned(network: QuantizedNetwork) -> None:
    """There are blocks, on their own and in the network, and the machine runs them."""
    layer = network.layers[-1]
    assert list(plan_layer(layer).blocks())
    node = list(plan_network(network).layers)[-1]
    assert (node.path, len(node.sources)) == (layer.name, len(layer.operands))
    assert predict(network).latency > 0


def folded(network: QuantizedNetwork) -> None:
    """Other foldings yield the same."""
    x = inputs_of(network)
    changed = fold(network, 10_000).network
    np.testing.assert_array_equal(simulate(changed, x), simulate(network, x))


STAGES: dict[str, Callable[[QuantizedNetwork], None]] = {
    "storage": stored,
    "simulate": simulated,
    "trace": traced,
    "plan": planned,
    "foldings": folded,
}
"""Stages; reference is what simulate and trace are held to."""

ABSENT = {("lstm", "foldings"): "foldings of layers with state must be chosen by hand"}
"""Pairs that there are not, with the error that says so."""


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_goes_through_every_stage(kind: str, stage: str) -> None:
    network = network_of(kind)
    if (reason := ABSENT.get((kind, stage))) is None:
        STAGES[stage](network)
    else:
        with raises(RangeError, f"{network.layers[-1].name}: {reason}"):
            STAGES[stage](network)


def test_the_grid_has_every_kind() -> None:
    assert {type(layers[-1]) for layers in LAYERS.values()} == set(get_args(Layer))


@pytest.mark.parametrize("kind", LAYERS)
def test_answers_agree_with_one_another(kind: str) -> None:
    network, layer = network_of(kind), LAYERS[kind][-1]
    assert all(hasattr(layer, name) for name in vars(LayerKind) if not name.startswith("_"))
    assert layer.operands[0].items == layer.inputs
    assert len(layer.operands) == len(network.taken[layer.name])
    assert math.prod(layer.shape_out) == layer.outputs
    assert layer.output.format.holds(layer.idle)
    assert layer.probes.keys() <= layer.state.keys()
    assert network.recurrent == bool(layer.state) == (layer.settling > 0)
    assert network.classifies == layer.classifies
    assert layer.unit.size in {1, layer.shape_out[0]}


def test_an_unknown_kind_is_an_error() -> None:
    network = network_of("linear")
    manifest = describe(network)
    manifest["layers"][0]["type"] = "strange"
    known = ", ".join(TYPES)
    with raises(ConfigError, f"type must be one of {known}, not 'strange'"):
        build(manifest, tensors_of(network))


def test_a_tensor_that_a_trace_lacks_is_named() -> None:
    network = network_of("max_pool")
    (seen,) = simulate_trace(network, inputs_of(network)).layers
    with pytest.raises(KeyError, match="layer: tensor must be one of activations, not 'gates'"):
        seen["gates"]
