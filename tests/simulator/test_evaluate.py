import numpy as np
import pytest

from fxsim import reference
from fxsim.data import Dataset, Split
from fxsim.errors import RangeError
from fxsim.floats.forward import forward
from fxsim.quantizer import quantize, quantize_input
from fxsim.simulator.evaluate import (
    accuracy,
    calibration_samples,
    float_accuracy,
    weight_memory_bits,
)
from tests.two_layers import make_checkpoint, make_spec, samples

SPEC = make_spec()
CHECKPOINT = make_checkpoint(SPEC)
NETWORK = quantize(SPEC, CHECKPOINT, samples(SPEC))


def split_of(x, outputs, wrong):
    """Labels that the outputs meet, but for the samples listed in ``wrong``."""
    y = np.array([int(np.argmax(row)) for row in outputs])
    y[wrong] = (y[wrong] + 1) % 5
    return Split(x, y)


def test_accuracy_is_the_share_that_the_reference_gets_right():
    x = samples(SPEC, n=20, seed=7)
    rows = quantize_input(NETWORK.input, x).tolist()
    outputs = [reference.run(NETWORK, row)[-1].activations for row in rows]
    assert accuracy(NETWORK, split_of(x, outputs, [])) == 1.0
    assert accuracy(NETWORK, split_of(x, outputs, [2, 3, 11])) == 17 / 20


def test_float_accuracy_is_that_of_the_float_network():
    x = samples(SPEC, n=20, seed=7)
    split = split_of(x, forward(SPEC, CHECKPOINT.parent, x), [0])
    assert float_accuracy(SPEC, CHECKPOINT.parent, split) == 19 / 20


def test_an_empty_split_has_no_accuracy():
    empty = Split(np.zeros((0, 8)), np.zeros(0, dtype=np.int64))
    with pytest.raises(RangeError, match=r"^split must have at least one sample$"):
        accuracy(NETWORK, empty)
    with pytest.raises(RangeError, match=r"^split must have at least one sample$"):
        float_accuracy(SPEC, CHECKPOINT.parent, empty)


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [0]), (4, [0, 2, 5, 7]), (10, range(10)), (99, range(10))]
)
def test_calibration_samples_are_spread_over_the_training_split(count, expected):
    train = Split(np.arange(10.0).reshape(10, 1), np.zeros(10, dtype=np.int64))
    test = Split(np.full((3, 1), -1.0), np.zeros(3, dtype=np.int64))
    chosen = calibration_samples(Dataset("d", train, test, 1), count)
    assert chosen.ravel().tolist() == list(expected)


def test_calibration_needs_a_sample():
    train = Split(np.zeros((1, 1)), np.zeros(1, dtype=np.int64))
    with pytest.raises(RangeError, match=r"^count must be at least 1, not 0$"):
        calibration_samples(Dataset("d", train, train, 1), 0)


def test_weight_memory_counts_every_weight_at_its_word_length():
    spec = make_spec(first={"weights": {"levels": 3}}, last={"weights": {"levels": 255}})
    network = quantize(spec, make_checkpoint(spec), samples(spec))
    assert weight_memory_bits(network) == 12 * 8 * 2 + 5 * 12 * 8
