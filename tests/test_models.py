"""The shipped models are what their cards say, and their files belong together."""

import re
from functools import cache

import numpy as np
import pytest

from fxsim.data import Split, load, pydoc
from fxsim.files import read_npz
from fxsim.floats.checkpoint import load_checkpoint
from fxsim.network.storage import load_network, network_hash
from fxsim.quantizer.quantizer import quantize, quantized_parameters, uses_retrained
from fxsim.simulator import evaluate
from fxsim.simulator.evaluate import calibration_samples
from fxsim.spec import load_spec
from tests.places import MODELS

FOLDERS = [path.parent.name for path in sorted(MODELS.glob("*/spec.yaml"))]

LARGE = {"house-numbers-cnn-narrow", "house-numbers-cnn-ternary"}
"""Models that take up to a minute."""

pytestmark = pytest.mark.parametrize(
    "folder",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in FOLDERS],
)


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
def shipped_test(folder):
    """The test split; that of a text that changes with Python is part of the model.

    Of images the first 1000, as the cards say: they take long.
    """
    path = MODELS / folder / "test.npz"
    if not path.exists():
        test = read(folder)[3].test
        return Split(test.x[:1000], test.y[:1000]) if read(folder)[0].spatial else test
    symbols = read_npz(path)["symbols"].astype(np.int64)
    return Split(np.eye(len(pydoc.SYMBOLS))[symbols[:, :-1]], symbols[:, 1:])


@cache
def measured(folder):
    """Rows of the card's table: weights only, fixed-point."""
    spec, checkpoint, _, _ = read(folder)
    split, measure, in_float = shipped_test(folder), evaluate.accuracy, evaluate.float_accuracy
    if spec.recurrent:
        measure, in_float = evaluate.bits_per_character, evaluate.float_bits_per_character
    table = {"float parent": [in_float(spec, checkpoint.parent, split)]}
    for row, direct in (("direct quantization", True), ("retrained", False)):
        parameters = quantized_parameters(spec, checkpoint, direct=direct)
        fixed = quantized(folder, direct)
        table[row] = [in_float(spec, parameters, split), measure(fixed, split)]
    return table


def test_the_network_is_that_of_its_specification_and_checkpoint(folder):
    spec, checkpoint, network, _ = read(folder)
    assert uses_retrained(spec, checkpoint)
    assert network.name == folder.replace("-", "_")
    assert network_hash(network) == network_hash(quantized(folder, False))


def test_the_card_tells_the_measured_figures(folder):
    card = (MODELS / folder / "README.md").read_text()
    rows = re.findall(r"^\| ([a-z ]+) \| (.*\d.*) \|$", card, re.MULTILINE)
    table = {name: re.findall(r"[0-9.]+", cells) for name, cells in rows}
    recurrent = read(folder)[0].recurrent
    expected = {
        name: [f"{value:.3f}" if recurrent else f"{100 * value:.2f}" for value in values]
        for name, values in measured(folder).items()
    }
    assert table == expected


def test_fixed_point_is_close_to_the_parent(folder):
    """Within 1.5 points of accuracy, or 0.12 bits per character.

    Ternary in every layer with 64 units costs more (Sung et al. 2015, Fig. 6).
    """
    table, recurrent = measured(folder), read(folder)[0].recurrent
    sign, bound = (-1, 0.12) if recurrent else (1, 0.015)
    bound = {"phonemes-mlp-ternary": 0.05}.get(folder, bound)
    assert sign * (table["float parent"][0] - table["retrained"][1]) <= bound


def test_the_text_of_the_card_is_that_of_this_python(folder):
    if not read(folder)[0].recurrent:
        return
    card = (MODELS / folder / "README.md").read_text()
    if pydoc.digest() not in card:
        pytest.skip("the help texts of this Python differ from those the model was trained on")
    assert f"{len(pydoc.text())} characters" in card
    split, shipped = read(folder)[3].test, shipped_test(folder)
    np.testing.assert_array_equal(split.x, shipped.x)
    np.testing.assert_array_equal(split.y, shipped.y)


def test_the_card_says_how_to_make_it_again(folder):
    card = (MODELS / folder / "README.md").read_text()
    assert f"fxsim train models/{folder}/spec.yaml -o models/{folder}/checkpoint.npz" in card
    assert f"fxsim quantize models/{folder}/spec.yaml -o models/{folder}\n" in card
