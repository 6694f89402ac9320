"""The shipped traces: what they hold, and that damage is seen."""

import shutil

import numpy as np
import pytest

from benchmarks import gradient_traces as measured
from fxsim.errors import FileError
from fxsim.reference import initial_state
from fxsim.reference import run_lstm as reference_forward
from fxsim.reference.lstm_gradient import run_backward
from fxsim.simulator import gradient_traces
from fxsim.simulator.gradient_traces import STAGES, load, save


@pytest.fixture(scope="module")
def traces():
    return {stage: load(stage) for stage in STAGES}


@pytest.mark.parametrize("stage", STAGES)
def test_most_gate_gradients_are_zero_and_none_is_below_the_threshold(traces, stage):
    trace = traces[stage]
    dnet = trace.backward.dnet
    assert dnet.shape == (16, 50, 256)
    assert trace.gradient.dnet.bits == 8
    assert 0.78 < (dnet == 0).mean() < 0.84
    assert abs(dnet[dnet != 0]).min() > trace.gradient.threshold > 0
    np.testing.assert_allclose(trace.density.mean(), (dnet != 0).mean())
    assert trace.backward.saturations["dW"] == trace.backward.saturations["dU"] == 0


def test_the_card_tells_the_density(traces):
    card = (gradient_traces.shipped() / "README.md").read_text()
    for row in measured.rows(list(traces.values())):
        assert row in card


def test_training_goes_on_from_stage_to_stage(traces):
    steps = [traces[stage].step for stage in STAGES]
    assert steps == sorted(steps)
    assert len({trace.hash for trace in traces.values()}) == len(STAGES)


def test_results_are_those_of_the_reference(traces):
    """One sequence, forward and backward on Python integers."""
    trace = traces["late"]
    layer, x = trace.layer, trace.x[3].tolist()
    state, results = initial_state(layer), []
    for vector in x:
        results.append(reference_forward(layer, vector, state))
        state = results[-1].state
    found = run_backward(trace.gradient, [results], [x], [trace.dy[3].tolist()])
    np.testing.assert_array_equal(found.dnet[0], trace.backward.dnet[3])
    np.testing.assert_array_equal(found.dx[0], trace.backward.dx[3])
    np.testing.assert_array_equal(found.dh0[0], trace.backward.dh0[3])


def test_a_stored_trace_comes_back(traces, tmp_path):
    save(traces["early"], tmp_path)
    again = load("early", tmp_path)
    for name in gradient_traces.RESULTS:
        np.testing.assert_array_equal(
            getattr(again.backward, name), getattr(traces["early"].backward, name)
        )
    assert again.step == traces["early"].step


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("threshold: 2", "threshold: 4", r"trace.yaml: hash of the results must be [0-9a-f]{64}"),
        ("threshold: 2", "threshold: -3", r"trace.yaml: .*threshold must be"),
        ("threshold: 2", "treshold: 2", r"trace.yaml: malformed \(KeyError: 'threshold'\)"),
        ("trace/1", "trace/2", r"trace.yaml: schema must be 'fxsim-gradient-trace/1', not"),
    ],
)
def test_damage_is_seen(tmp_path, old, new, message):
    shutil.copytree(gradient_traces.shipped() / "early", tmp_path / "early")
    path = tmp_path / "early" / "trace.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(FileError, match=message):
        load("early", tmp_path)


def test_an_unknown_stage_is_refused():
    with pytest.raises(FileError, match=r"noon: no such trace; stages are early, middle, late$"):
        load("noon")
