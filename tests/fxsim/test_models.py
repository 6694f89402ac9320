"""The shipped models are what their cards say, and their files belong together."""

import re
from functools import cache
from pathlib import Path

import pytest

from fxsim.checkpoint import load_checkpoint
from fxsim.data import load
from fxsim.evaluate import calibration_samples
from fxsim.floating import accuracy, forward
from fxsim.quantize import quantize, quantized_parameters, uses_retrained
from fxsim.simulate import simulate
from fxsim.spec import load_spec
from fxsim.storage import load_network, network_hash

MODELS = Path(__file__).parents[2] / "models"
FOLDERS = [path.parent.name for path in sorted(MODELS.glob("*/spec.yaml"))]

pytestmark = pytest.mark.parametrize("folder", FOLDERS)


@cache
def read(folder):
    spec = load_spec(MODELS / folder / "spec.yaml")
    checkpoint = load_checkpoint(MODELS / folder / "checkpoint.npz", spec)
    return spec, checkpoint, load_network(MODELS / folder), load(spec.data)


@cache
def quantized(folder, direct):
    spec, checkpoint, _, dataset = read(folder)
    return quantize(spec, checkpoint, calibration_samples(dataset), direct=direct)


@cache
def measured(folder):
    """Rows of the card's table: weights only, fixed-point."""
    spec, checkpoint, _, dataset = read(folder)
    x, y = dataset.test.x, dataset.test.y
    table = {"float parent": [accuracy(forward(spec, checkpoint.parent, x), y)]}
    for row, direct in (("direct quantization", True), ("retrained", False)):
        parameters = quantized_parameters(spec, checkpoint, direct=direct)
        table[row] = [
            accuracy(forward(spec, parameters, x), y),
            accuracy(simulate(quantized(folder, direct), x), y),
        ]
    return table


def test_the_network_is_that_of_its_specification_and_checkpoint(folder):
    spec, checkpoint, network, _ = read(folder)
    assert uses_retrained(spec, checkpoint)
    assert network.name == folder.replace("-", "_")
    assert network_hash(network) == network_hash(quantized(folder, False))


def test_the_card_tells_the_measured_accuracy(folder):
    card = (MODELS / folder / "README.md").read_text()
    rows = re.findall(r"^\| ([a-z ]+) \| (.*) \|$", card, re.MULTILINE)
    table = {name: re.findall(r"([0-9.]+) %", cells) for name, cells in rows if "%" in cells}
    expected = {
        name: [f"{100 * value:.2f}" for value in values]
        for name, values in measured(folder).items()
    }
    assert table == expected


def test_fixed_point_is_within_one_and_a_half_points_of_the_parent(folder):
    table = measured(folder)
    assert table["float parent"][0] - table["retrained"][1] <= 0.015


def test_the_card_says_how_to_make_it_again(folder):
    card = (MODELS / folder / "README.md").read_text()
    assert f"fxsim train models/{folder}/spec.yaml -o models/{folder}/checkpoint.npz" in card
    assert f"fxsim quantize models/{folder}/spec.yaml -o models/{folder}\n" in card
