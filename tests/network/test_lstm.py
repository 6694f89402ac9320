"""The LSTM layer: simulator against reference, storage, and the constraints of its formats."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.gradient_error import NARROW, quantized, random_weights
from fxsim import reference
from fxsim.arithmetic.codes import TernaryCode
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.arithmetic.tables import build_table
from fxsim.errors import RangeError
from fxsim.kernels import target
from fxsim.kernels.recurrent import lstm_kernel_of
from fxsim.kernels.target import Backend
from fxsim.network import (
    Accumulator,
    Activation,
    Folding,
    Nonlinearity,
    QuantizedLinear,
    QuantizedLstm,
    Tail,
)
from fxsim.network.storage import load_network, network_hash, save_network
from fxsim.simulator import lstm
from fxsim.simulator.simulator import simulate, simulate_trace
from tests.lstm_strategies import recurrent_networks, sequences

PATIENT = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(data=st.data())
def test_simulator_equals_reference(data: st.DataObject) -> None:
    network = data.draw(recurrent_networks())
    x = data.draw(sequences(network, 2, 4))
    trace = simulate_trace(network, x)
    for n, sequence in enumerate(x.tolist()):
        for t, results in enumerate(reference.run_sequence(network, sequence)):
            for seen, expected in zip(trace.layers, results, strict=True):
                assert seen.activations[n, t].tolist() == expected.activations
                if expected.state is not None:
                    assert seen["preactivations"][n, t].tolist() == expected.preactivations
                    assert seen["gates"][n, t].tolist() == expected.gates
                    assert seen["cell"][n, t].tolist() == expected.state.cell
                    assert seen["cell_outputs"][n, t].tolist() == expected.cell_outputs


@PATIENT
@given(data=st.data(), count=st.sampled_from([1, 3]))
def test_results_alone_equal_those_of_the_trace(data: st.DataObject, count: int) -> None:
    network = data.draw(recurrent_networks())
    x = data.draw(sequences(network, count, 5))
    trace = simulate_trace(network, x)
    assert np.array_equal(simulate(network, x), trace.layers[-1].activations)
    layer, seen = network.layers[0], trace.layers[0]
    states = lstm.trace_states(layer, x)
    assert np.array_equal(states["gates"], seen["gates"])
    assert np.array_equal(states["cell"], seen["cell"])
    assert np.array_equal(states.activations, seen.activations)


def with_offsets(product, generator):
    """The product with an offset of its own for each channel, of up to four steps."""
    reach = 4 << product.tail.shift
    offset = generator.integers(-reach, reach, product.outputs)
    tail = replace(product.tail, offset=offset)
    wider = replace(product.output.format, bits=product.output.format.bits + 1)
    output = replace(product.output, format=wider)
    return replace(product, tail=tail, output=output)


@pytest.mark.parametrize(
    ("words", "backends"),
    [
        (NARROW, {Backend.AMX, Backend.VNNI}),
        (replace(NARROW, weight=2), {Backend.AMX, Backend.VNNI}),
        (replace(NARROW, activation=16), {Backend.VNNI}),  # words, not bytes
    ],
)
@pytest.mark.parametrize("cells", [1, 5, 33, 64, 130])
@pytest.mark.parametrize("rounding", Rounding)
def test_a_stream_of_one_sequence_goes_on(cells, rounding, words, backends) -> None:
    generator = np.random.default_rng(cells)
    layer = replace(quantized(random_weights(generator, 7, cells), words), rounding=rounding)
    layer = replace(
        layer,
        input_product=with_offsets(layer.input_product, generator),
        hidden_product=with_offsets(layer.hidden_product, generator),
    )
    fmt = layer.input_product.input.format
    x = generator.integers(fmt.min, fmt.max, (1, 150, 7), endpoint=True)
    trace = lstm.trace(layer, x)
    kernel = lstm_kernel_of(layer)
    quick = rounding is not Rounding.TIES_EVEN
    assert kernel.streams == (target.chosen() in backends and quick)
    state = trace.start.cell.copy(), trace.start.hidden.copy()
    parts = [kernel.run(x[:, part], *state).outputs for part in (slice(70), slice(70, None))]
    assert np.array_equal(np.concatenate(parts, axis=1), trace.activations)
    assert np.array_equal(state[0], trace.state.cell)
    assert np.array_equal(state[1], trace.state.hidden)


@PATIENT
@given(data=st.data())
def test_overflows_are_counted_in_every_product(data: st.DataObject) -> None:
    network = data.draw(recurrent_networks(max_size=5))
    x = data.draw(sequences(network, 1, 3))
    trace = simulate_trace(network, x)
    counts = dict.fromkeys((seen.name for seen in trace.linears), 0)
    for results in reference.run_sequence(network, x[0].tolist()):
        for layer, result in zip(network.layers, results, strict=True):
            parts = [result]
            if layer.lstms:
                parts = [result.input_product, result.hidden_product, result.projection]
            for linear, part in zip(layer.linears, parts, strict=False):
                counts[linear.name] += part.overflows
    assert {seen.name: seen.counts["overflows"] for seen in trace.linears} == counts


@PATIENT
@given(network=recurrent_networks(max_size=5))
def test_a_saved_network_is_the_same(network, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("saved")
    save_network(network, folder)
    assert network_hash(load_network(folder)) == network_hash(network)


def unit_product(name: str, inputs: int, weight: list[list[int]]) -> QuantizedLinear:
    """A product that passes the weighted sum on as it is, in units of 2**-4."""
    source = Activation(format=IntFormat(bits=5, signed=True), scale=2.0**-4)
    wide = IntFormat(bits=12, signed=True)
    return QuantizedLinear(
        name=name,
        weight=np.array(weight),
        code=TernaryCode(),
        weight_scale=np.ones(1),
        bias=np.zeros(len(weight), np.int64),
        input=source,
        accumulator=Accumulator(format=wide, mode=AccumulatorMode.WIDE),
        tail=Tail(
            multiplier=np.ones(1, np.int64),
            multiplier_bits=0,
            shift=0,
            rounding=Rounding.TIES_AWAY,
            overflow=Overflow.SATURATE,
        ),
        output=Activation(format=wide, scale=2.0**-4),
        folding=Folding(rows=1, simd=1),
    )


def hand_made() -> QuantizedLstm:
    """One cell; pre-activations i, f, o, g are x, 0, x, x (plus h for o)."""
    common = {"bits": 6, "input_bits": 8, "input_fraction": 4}
    return QuantizedLstm(
        name="cell0",
        input_product=unit_product("cell0_x", 1, [[1], [0], [1], [1]]),
        hidden_product=unit_product("cell0_h", 1, [[0], [0], [1], [0]]),
        guard_bits=0,
        sigmoid=build_table(Nonlinearity.SIGMOID, **common),
        tanh=build_table(Nonlinearity.TANH, **common),
        cell=IntFormat(bits=10, signed=True),
        cell_fraction=6,
        cell_output=Activation(format=IntFormat(bits=5, signed=True), scale=2.0**-4),
        projection=None,
        rounding=Rounding.TIES_AWAY,
    )


def test_two_steps_by_hand() -> None:
    trace = lstm.trace(hand_made(), np.array([[[15], [15]]]))
    # x = 15/16: sigmoid 0.7186 = 46/64, tanh 0.7341 = 47/64; sigmoid(0) = 32/64.
    assert trace["gates"][0, 0].tolist() == [46, 32, 46, 47]
    # i * g = 2162 / 2**12, to 6 bits: 33.78 -> 34. c = 34/64; tanh address 8.5 -> 9; tanh(9/16)
    # = 0.5098 = 33/64; o * 33 = 1518 / 2**12, to 4 bits: 5.93 -> 6.
    assert (trace["cell"][0, 0, 0], trace.activations[0, 0, 0]) == (34, 6)
    # Second step: h = 6 joins the output gate: 21/16 -> sigmoid 0.7879 = 50/64. c = 17 + 34.
    # tanh(12.75 -> 13/16) = 0.6710 = 43/64; 50 * 43 = 2150 -> 8.4 -> 8.
    assert trace["gates"][0, 1].tolist() == [46, 32, 50, 47]
    assert (trace["cell"][0, 1, 0], trace.activations[0, 1, 0]) == (51, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"guard_bits": 9}, "cell0: guard_bits must be an integer from 0 to 8, not 9"),
        ({"guard_bits": 1}, "cell0: cell0_x must yield signed values of scale 0.03125"),
        ({"cell_fraction": 3}, "cell0: fractions leave -1 bits to drop for the tanh of the cell"),
        (
            {"cell_fraction": 13},
            "cell0: fractions leave -1 bits to drop for the input times candidate",
        ),
        (
            {"cell": IntFormat(bits=10, signed=False)},
            "cell0: cell must be signed and at most 32 bits, not uint10",
        ),
        (
            {"input_product": unit_product("cell0_x", 1, [[1]] * 3)},
            "cell0: input_product must have 4 outputs a cell, not 3",
        ),
        (
            {"hidden_product": unit_product("cell0_h", 2, [[0, 0]] * 4)},
            "cell0: hidden_product must take 1 to 4, not (2, 4)",
        ),
        (
            {"sigmoid": hand_made().tanh},
            "cell0: sigmoid must be a sigmoid table, not tanh",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change, message: str) -> None:
    with pytest.raises(RangeError, match=f"^{re.escape(message)}$"):
        replace(hand_made(), **change)
