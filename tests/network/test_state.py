"""Sequences that go on: pieces with carried state equal the whole, in simulator and reference."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim import reference
from fxsim.errors import RangeError
from fxsim.network import INPUT, InputQuantizer, QuantizedNetwork
from fxsim.network.state import LstmState
from fxsim.simulator.simulator import simulate, simulate_trace
from tests.lstm_strategies import recurrent_networks, sequences
from tests.network.test_lstm import hand_made

PATIENT = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(data=st.data())
def test_pieces_equal_the_whole(data: st.DataObject) -> None:
    network = data.draw(recurrent_networks())
    x = data.draw(sequences(network, 3, 5))
    cut = data.draw(st.integers(1, 4))
    whole = simulate_trace(network, x)
    first = simulate_trace(network, x[:, :cut])
    second = simulate_trace(network, x[:, cut:], first.state)
    np.testing.assert_array_equal(np.concatenate([first.output, second.output], 1), whole.output)
    for seen in whole.layers:
        if (end := whole.state.get(seen.name)) is not None:
            np.testing.assert_array_equal(end.cell, seen["cell"][:, -1])
            np.testing.assert_array_equal(end.hidden, seen.activations[:, -1])
            np.testing.assert_array_equal(second.state[seen.name].cell, end.cell)
            np.testing.assert_array_equal(second.state[seen.name].hidden, end.hidden)
    # The state that was handed over is as it was.
    np.testing.assert_array_equal(second.output, simulate(network, x[:, cut:], first.state))


@PATIENT
@given(data=st.data())
def test_the_reference_goes_on_alike(data: st.DataObject) -> None:
    network = data.draw(recurrent_networks())
    x = data.draw(sequences(network, 2, 3))
    generator = np.random.default_rng(data.draw(st.integers(0, 999)))
    state = {
        layer.name: LstmState(
            hidden=generator.integers(
                layer.output.format.min, layer.output.format.max, (2, layer.outputs), endpoint=True
            ),
            cell=generator.integers(
                layer.cell.min, layer.cell.max, (2, layer.cells), endpoint=True
            ),
        )
        for layer in network.layers
        if hasattr(layer, "cell")
    }
    trace = simulate_trace(network, x, state)
    for n, sequence in enumerate(x.tolist()):
        own = {
            name: reference.LstmState(part.hidden[n].tolist(), part.cell[n].tolist())
            for name, part in state.items()
        }
        steps = reference.run_sequence(network, sequence, own)
        assert trace.output[n].tolist() == [step[-1].activations for step in steps]
        for layer, result in zip(network.layers, steps[-1], strict=True):
            if (end := trace.state.get(layer.name)) is not None:
                assert end.cell[n].tolist() == result.state.cell
                assert end.hidden[n].tolist() == result.state.hidden


def one_cell() -> QuantizedNetwork:
    """`hand_made` as a network: h in int5, c in int10."""
    layer = hand_made()
    source = InputQuantizer(shape=(1,), activation=layer.input, rounding=layer.rounding)
    return QuantizedNetwork(name="n", data="none", inputs={INPUT: source}, layers=(layer,))


@pytest.mark.parametrize(
    ("hidden", "cell", "message"),
    [
        ([[1]], [[2]], "cell0: hidden must have shape (2, 1), not (1, 1)"),
        ([[1], [2]], [[2], [3], [4]], "cell0: cell must have shape (2, 1), not (3, 1)"),
        ([[1], [16]], [[2], [3]], "cell0: hidden[1, 0] must be from -16 to 15, not 16"),
        ([[1], [2]], [[-513], [3]], "cell0: cell[0, 0] must be from -512 to 511, not -513"),
        ([[1.0], [2.0]], [[1], [3]], "cell0: hidden must hold integers, not float64"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(hidden, cell, message: str) -> None:
    state = {"cell0": LstmState(hidden=np.array(hidden), cell=np.array(cell))}
    with pytest.raises(RangeError, match=f"^{re.escape(message)}$"):
        simulate(one_cell(), np.zeros((2, 4, 1), np.int64), state)


def test_the_state_of_other_layers_is_refused() -> None:
    state = {"cell1": LstmState(hidden=np.zeros((2, 1), np.int64), cell=np.zeros((2, 1), np.int64))}
    message = r"^state must be of the layers \['cell0'\], not \['cell1'\]$"
    with pytest.raises(RangeError, match=message):
        simulate(one_cell(), np.zeros((2, 4, 1), np.int64), state)
