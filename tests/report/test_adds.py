"""The report, the sweep and the commands of networks with adds and an argmax."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from fxsim.cli import app
from fxsim.explorer.sweep import vary
from fxsim.network.storage import save_network
from fxsim.report.page import render
from fxsim.report.results import Accuracy
from fxsim.report.summarise import summarise
from fxsim.simulator.simulator import simulate_trace
from fxsim.spec import parse_spec
from fxsim.testbenches.cases.samples import encoder_decoder, random_inputs, residual
from tests.spec.test_residual import SPEC

ACCURACY = Accuracy(parent=None, direct=None, fixed=0.5, samples=10)


def test_the_page_shows_each_add():
    network = residual()
    trace = simulate_trace(network, random_inputs(network, 6))
    results = summarise(network, trace, accuracy=ACCURACY)
    (summary,), (add,), seen = results.adds, network.adds, trace["sum"]
    assert (summary.name, summary.sources, summary.items) == ("sum", ("third", "first"), 2 * 6 * 6)
    assert summary.accumulator.seen == seen.accumulator_range
    assert summary.output.seen == seen.activation_range
    ((_, depth),) = network.depths.values()
    assert summary.depths == (0, depth)
    assert summary.queue_bits == depth * 2 * 8
    page = render(results)
    shown = ", ".join(f"{multiplier:,}" for multiplier in add.multipliers)
    row = f'<th>sum</th><td class="text">third, first</td><td>72</td><td>2</td><td>{shown}</td>'
    assert row in page
    assert "<th>sum accumulator</th>" in page
    assert json.loads(json.dumps(results.to_json()))["adds"][0]["depths"] == [0, depth]


def test_networks_without_adds_have_no_such_table():
    network = residual()
    plain = network.layers[:1]
    network = type(network)(name="net", data="none", inputs=network.inputs, layers=plain)
    trace = simulate_trace(network, random_inputs(network, 2))
    assert "adds-table" not in render(summarise(network, trace, accuracy=ACCURACY))


def test_commands_show_adds(tmp_path):
    network = residual()
    save_network(network, tmp_path)
    facts = json.loads(CliRunner().invoke(app, ["info", str(tmp_path), "--json"]).stdout)
    (add,) = network.adds
    (found,) = facts["adds"]
    ((_, depth),) = network.depths.values()
    assert (found["depths"], found["queue_bits"]) == ([0, depth], depth * 16)
    assert found["multipliers"] == list(add.multipliers)
    shown = CliRunner().invoke(app, ["info", str(tmp_path)])
    assert shown.exit_code == 0
    assert f"{add.multipliers[0]}, {add.multipliers[1]}" in shown.stdout


def test_a_point_of_the_sweep_changes_adds_but_not_the_last_product():
    varied = vary(parse_spec(SPEC, "x.yaml"), levels=3, activation_bits=5)
    first, second, add, _, _, linear, again, last, _ = varied.layers
    assert {layer.output.bits for layer in (first, second, add, linear, again)} == {5}
    assert {layer.weights.levels for layer in (first, second, linear)} == {3}
    assert (last.weights.levels, last.output) == (255, None)


def test_networks_with_other_joins_have_a_page():
    """Their memories stand in it: rows and pixels that are repeated, queues of operands."""
    network = encoder_decoder()
    trace = simulate_trace(network, random_inputs(network, 3))
    results = summarise(network, trace, accuracy=ACCURACY)
    blocks = {memory.block for memory in results.memories}
    assert {"double.rows", "double.pixels", "both.queue1"} <= blocks
    assert "double.rows" in render(results)
