"""The plan names the hardware that a network needs, and not a block, lane or bit more."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim.hw.emit import accelerator_verilog
from fxsim.network.storage import load_network
from fxsim.plan import add, argmax, chain, convolution, join, linear, planner
from fxsim.plan.buffers import ConcatConfig, ForkConfig, QueueConfig, SkidConfig, VectorBufferConfig
from fxsim.plan.chain import Chain
from fxsim.plan.elementwise import GreatestConfig, GreatestPlaceConfig, WeightedSumConfig
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.memories import memories
from fxsim.plan.planner import plan_network
from fxsim.plan.records import takes
from fxsim.plan.requantizer import RequantizerConfig
from fxsim.plan.resize import NarrowConfig, WidenConfig
from fxsim.plan.window import WindowConfig
from fxsim.testbenches.cases.samples import residual
from tests.declared import declared_memories
from tests.golden import figures
from tests.image_strategies import image_networks
from tests.lstm_strategies import recurrent_networks
from tests.oracles.hardware import needed
from tests.places import MODELS
from tests.residual_strategies import residual_networks
from tests.shape_strategies import mixed_networks
from tests.strategies import networks

QUIET = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
SHIPPED = sorted(path.parent.name for path in MODELS.glob("*/network.yaml"))
ANY = st.one_of(
    networks(max_size=30),
    image_networks(),
    residual_networks(),
    recurrent_networks(),
    mixed_networks(depths=False),
)
NAMES = {
    ConcatConfig: "concat",
    ForkConfig: "fork",
    GreatestConfig: "greatest",
    GreatestPlaceConfig: "greatest",
    MacArrayConfig: "mac_array",
    NarrowConfig: "narrow",
    QueueConfig: "queue",
    RequantizerConfig: "requantizer",
    SkidConfig: "skid",
    VectorBufferConfig: "buffer",
    WeightedSumConfig: "sum",
    WidenConfig: "widen",
    WindowConfig: "window",
}


def planned(network):
    """Amounts of the plan, by the names of the oracle."""
    plan, found = plan_network(network), Counter()
    for block in plan.blocks:
        record = block.record
        found[NAMES.get(type(record), "lstm_cell")] += 1
        if isinstance(record, MacArrayConfig):
            found["cells"] += record.rows * record.simd
            found["dsp cells"] += record.rows * record.simd * record.dsp
            found["accumulator bits"] += record.o.bits
        elif isinstance(record, ForkConfig):
            found["fork sinks"] += record.sinks
        elif isinstance(record, SkidConfig):
            found["skid bits"] += record.beat.bits
        elif isinstance(
            record, RequantizerConfig | GreatestConfig | WeightedSumConfig | ConcatConfig
        ):
            found["lanes"] += record.o.lanes
            if isinstance(record, WeightedSumConfig):
                found["accumulator bits"] += record.o.bits
        elif isinstance(record, GreatestPlaceConfig):
            found["lanes"] += record.lanes
            found["place bits"] += record.o.bits
    found["memory bits"] = sum(memory.bits for memory in memories(plan))
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_network_has_what_it_needs(name):
    network = load_network(MODELS / name)
    assert +planned(network) == +needed(network)


@pytest.mark.parametrize("name", SHIPPED)
def test_memories_of_a_shipped_network_are_those_of_its_verilog(name):
    """`tests.golden` counts the bits that the Verilog declares."""
    plan = plan_network(load_network(MODELS / name))
    assert sum(memory.bits for memory in memories(plan)) == figures.pinned()[name]["memory_bits"]


@QUIET
@given(network=ANY)
def test_any_network_has_what_it_needs(network):
    assert +planned(network) == +needed(network)


@settings(QUIET, max_examples=10)
@given(network=ANY)
def test_memories_are_those_of_the_verilog(network):
    """One by one: words and bits of each."""
    plan, found = plan_network(network), Counter()
    for memory in memories(plan):
        found[memory.width, memory.depth] += memory.count
    assert found == declared_memories(accelerator_verilog(network))


@QUIET
@given(network=ANY)
def test_streams_fit_together(network):
    """Each block takes the beats that the one before gives, and whole vectors of them."""
    plan = plan_network(network)
    streams = {(name, 0): stream for name, stream in plan.inputs.items()}
    for block in plan.blocks:
        sinks = block.record.sinks if isinstance(block.record, ForkConfig) else 1
        streams |= {(block.path, k): block.output for k in range(sinks)}
    for block in plan.blocks:
        taken, given_ = block.record.ratio
        assert block.output.beat == block.record.o
        for k, (source, beat) in enumerate(zip(block.sources, takes(block.record), strict=True)):
            if isinstance(block.record, ConcatConfig):  # each stream has its own share
                taken = block.record.counts[k]
            assert streams[source].beat == beat
            assert streams[source].count * given_ == block.output.count * taken
    for name, stream in plan.outputs.items():
        assert stream.count == -(-network[name].outputs // stream.beat.lanes)


def test_a_shortcut_by_hand():
    """An input of 6 x 6 pixels, three convolutions, and an add of the first and the third."""
    plan = plan_network(residual())
    (fork,) = (block for block in plan.blocks if isinstance(block.record, ForkConfig))
    assert fork.path == "first$fork"
    assert fork.sources == (("first.requantizer", 0),)
    assert plan["second.window"].sources == (("first$fork", 0),)
    assert plan["sum.queue1"].sources == (("sum$skid1", 0),)
    assert plan["sum$skid1"].sources == (("first$fork", 1),)
    assert plan["sum.sum"].sources == (("sum$skid0", 0), ("sum.queue1", 0))
    assert plan["sum$skid0"].sources == (("third.requantizer", 0),)
    assert plan["sum.queue1"].output.count == 36


def cancelling_resizes(monkeypatch):
    """Twice the lanes, and back."""
    resize = Chain.resize

    def wasteful(chain, path, source, *, lanes, items):
        at = resize(chain, path, source, lanes=2 * lanes, items=items)
        return resize(chain, f"{path}_back", at, lanes=lanes, items=items)

    monkeypatch.setattr(Chain, "resize", wasteful)


def larger(package, name, size, by=2):
    """Make one size of one record larger."""

    def mutate(monkeypatch):
        make = getattr(package, name)

        def grown(**sizes):
            return make(**(sizes | {size: by * sizes[size]}))

        monkeypatch.setattr(package, name, grown)

    return mutate


def a_wider_sum(monkeypatch):
    """Four bits that no sum needs."""
    make = add.WeightedSumConfig

    def wider(**sizes):
        bits = sizes["accumulator"].bits + 4
        return make(**(sizes | {"accumulator": replace(sizes["accumulator"], bits=bits)}))

    monkeypatch.setattr(add, "WeightedSumConfig", wider)


def a_lane_too_many(monkeypatch):
    """The next number of lanes that divides the rows, after each MAC array."""
    plan_product = linear.add_product

    def wasteful(chain, layer, source, lanes_out):
        rows = layer.folding.rows
        more = next((n for n in range(lanes_out + 1, rows + 1) if rows % n == 0), lanes_out)
        return plan_product(chain, layer, source, more)

    for package in (linear, convolution):
        monkeypatch.setattr(package, "add_product", wasteful)


def a_cell_too_many(monkeypatch):
    """Twice the rows, half of them idle."""
    make = MacArrayConfig.from_layer
    monkeypatch.setattr(
        MacArrayConfig, "from_layer", lambda layer: replace(make(layer), rows=2 * make(layer).rows)
    )


def a_skid_too_many(monkeypatch):
    """A word of room before buffers, too, whose ready is their own."""
    monkeypatch.setattr(
        chain, "takes_stalling", lambda record, operand: not isinstance(record, SkidConfig)
    )


WASTE = {
    "a skid too many": a_skid_too_many,
    "resizes that cancel": cancelling_resizes,
    "a buffer twice as deep": larger(linear, "VectorBufferConfig", "beats"),
    "a queue twice as deep": larger(join, "QueueConfig", "depth"),
    "a fork with idle sinks": larger(planner, "ForkConfig", "sinks"),
    "a comparison of more lanes": larger(argmax, "GreatestPlaceConfig", "lanes"),
    "a wider sum": a_wider_sum,
    "a lane too many": a_lane_too_many,
    "a cell too many": a_cell_too_many,
}


@pytest.mark.parametrize("waste", WASTE)
def test_waste_is_found(waste, monkeypatch):
    """Plans that only waste, though every word of them is right."""
    network = residual()
    least = +needed(network)
    assert +planned(network) == least
    WASTE[waste](monkeypatch)
    found = +planned(network)
    assert found != least
    assert all(found[name] >= count for name, count in least.items()), "it must only waste"
