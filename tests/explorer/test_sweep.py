from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from fxsim import reference
from fxsim.data import Dataset, Split
from fxsim.errors import SpecError
from fxsim.explorer.sweep import sweep, vary
from fxsim.quantizer import quantize, quantize_input
from tests.two_layers import make_checkpoint, make_spec, samples

GRID = {"levels": (3, 255), "activation_bits": (2, 8)}


def make_dataset(spec):
    """Few samples: calibration takes all of the training split, the reference can run the test."""
    labels = np.random.default_rng(3).integers(0, 5, 40)
    return Dataset(
        "d",
        Split(samples(spec, n=50, seed=5), np.zeros(50, dtype=np.int64)),
        Split(samples(spec, n=40, seed=6), labels),
        5,
    )


def reference_accuracy(network, split):
    rows = quantize_input(network.input, split.x).tolist()
    answers = [int(np.argmax(reference.run(network, row)[-1].activations)) for row in rows]
    return sum(a == b for a, b in zip(answers, split.y.tolist(), strict=True)) / len(answers)


def test_rows_equal_what_the_reference_interpreter_finds():
    spec = make_spec(first={"weights": {"levels": 7, "per": "channel"}})
    checkpoint, dataset = make_checkpoint(spec, retrained=True), make_dataset(spec)
    rows = sweep(spec, checkpoint, dataset, **GRID)
    assert [(row.levels, row.activation_bits, row.retrained) for row in rows] == [
        *((3, 2, False), (3, 8, False), (255, 2, False), (255, 8, False)),
        *((7, 2, True), (7, 8, True)),
    ]
    for row in rows:
        first = {
            "weights": {"levels": row.levels, "per": "channel"},
            "output": {"bits": row.activation_bits},
        }
        point = make_spec(first=first, input={"shape": [8], "bits": row.activation_bits})
        network = quantize(point, checkpoint, dataset.train.x, direct=not row.retrained)
        assert row.accuracy == reference_accuracy(network, dataset.test)
        hidden = {3: 2, 7: 3, 255: 8}[row.levels]
        assert row.weight_memory_bits == 12 * 8 * hidden + 5 * 12 * 8


def test_every_grid_point_is_a_different_network():
    spec = make_spec()
    rows = sweep(spec, make_checkpoint(spec), make_dataset(spec), **GRID)
    assert len({row.accuracy for row in rows}) > 1
    assert not any(row.retrained for row in rows)


def test_the_same_call_gives_the_same_rows_and_reports_each():
    spec = make_spec()
    checkpoint, dataset, seen = make_checkpoint(spec), make_dataset(spec), []
    rows = sweep(spec, checkpoint, dataset, **GRID, on_row=seen.append)
    assert rows == seen == sweep(spec, checkpoint, dataset, **GRID)
    with pytest.raises(FrozenInstanceError):
        rows[0].accuracy = 1.0


def test_retrained_rows_need_weights_for_the_levels_of_the_specification():
    checkpoint = make_checkpoint(make_spec(first={"weights": {"levels": 3}}), retrained=True)
    spec = make_spec(first={"weights": {"levels": 7}})
    assert not any(row.retrained for row in sweep(spec, checkpoint, make_dataset(spec), **GRID))


def test_hidden_layers_of_different_levels_have_none_in_common():
    hidden = {"type": "linear", "units": 12, "output": {}}
    layers = [
        hidden | {"weights": {"levels": 3}},
        hidden | {"weights": {"levels": 7}},
        {"type": "linear", "units": 5},
    ]
    spec = make_spec(layers=layers)
    rows = sweep(spec, make_checkpoint(spec, retrained=True), make_dataset(spec), **GRID)
    assert [(row.levels, row.weight_memory_bits) for row in rows if row.retrained] == [
        (None, 12 * 8 * 2 + 12 * 12 * 3 + 5 * 12 * 8)
    ] * 2


def test_a_point_changes_hidden_layers_and_input_only():
    spec = make_spec(last={"output": {"bits": 7, "signed": True}})
    varied = vary(spec, levels=15, activation_bits=3)
    assert (varied.input.bits, varied.layers[0].output.bits) == (3, 3)
    assert varied.layers[0].weights.levels == 15
    assert varied.layers[1] == spec.layers[1]
    assert vary(spec, levels=None, activation_bits=8) == spec


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (
            {"levels": (4,)},
            r"^levels must be odd, not 4 \(sweep of n: layers\[0\]\.weights\.levels\)$",
        ),
        ({"activation_bits": (0,)}, r"greater than or equal to 1, not 0 \(sweep of n: input\.bits"),
    ],
)
def test_impossible_points_are_refused(grid, message):
    spec = make_spec()
    with pytest.raises(SpecError, match=message):
        sweep(spec, make_checkpoint(spec), make_dataset(spec), **GRID | grid)
