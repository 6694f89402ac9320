import hashlib

import numpy as np
import pytest

from fxsim import data
from fxsim.data import pydoc
from fxsim.simulator.evaluate import calibration_samples


def decoded(symbols):
    return "".join(pydoc.SYMBOLS[i] for i in symbols)


def test_symbols_are_newline_and_printable_ascii():
    assert len(pydoc.SYMBOLS) == len(set(pydoc.SYMBOLS)) == 96
    assert all(symbol == "\n" or symbol.isprintable() for symbol in pydoc.SYMBOLS)
    assert set(pydoc.text()) <= set(pydoc.SYMBOLS)


def test_the_text_is_pythons_own_and_its_digest_tells_which():
    assert len(pydoc.text()) > 400_000
    assert 'The "assert" statement' in pydoc.text()
    assert "’" not in pydoc.text()
    assert pydoc.digest() == hashlib.sha256(pydoc.text().encode()).hexdigest()


def test_inputs_are_one_hot_and_labels_are_the_next_symbols():
    dataset = data.load("pydoc")
    assert (dataset.name, dataset.classes) == ("pydoc", 96)
    for split in (dataset.train, dataset.validation, dataset.test):
        assert split.x.shape == (len(split.x), 100, 96)
        assert split.y.shape == (len(split.x), 100)
        assert split.x.dtype == np.float32
        assert split.y.dtype == np.int64
        assert ((split.x == 0) | (split.x == 1)).all()
        assert (split.x.sum(axis=-1) == 1).all()
        np.testing.assert_array_equal(split.x[:, 1:].argmax(axis=-1), split.y[:, :-1])
    assert len(dataset.test.x) == len(dataset.validation.x) == 64


def test_training_sequences_join_to_the_first_nine_tenths_of_the_text():
    train = data.load("pydoc").train
    joined = decoded(train.x.argmax(axis=-1).ravel())
    least = len(pydoc.text()) * 90 // 100 - 101
    assert least <= len(joined) < least + 101
    assert pydoc.text().startswith(joined + pydoc.SYMBOLS[train.y[-1, -1]])
    np.testing.assert_array_equal(train.x[1:, 0].argmax(axis=-1), train.y[:-1, -1])


def test_the_splits_share_no_text():
    dataset = data.load("pydoc")
    n = len(pydoc.text())
    for split, start, end in (
        (dataset.validation, n * 90 // 100, n * 95 // 100),
        (dataset.test, n * 95 // 100, n),
    ):
        part = pydoc.text()[start:end]
        count = (len(part) - 1) // 100
        for k, (row, after) in enumerate(zip(split.x.argmax(axis=-1), split.y, strict=True)):
            place = 100 * (k * count // 64)
            assert decoded(row) == part[place : place + 100]
            assert decoded(after) == part[place + 1 : place + 101]


def test_loading_again_gives_the_same_arrays_and_nobody_can_change_them():
    assert data.load("pydoc") is data.load("pydoc")
    with pytest.raises(ValueError, match="read-only"):
        data.load("pydoc").train.x[0] = 0


def test_splits_by_name():
    dataset = data.load("pydoc")
    assert data.load_split("pydoc:validation") is dataset.validation
    assert data.load_split("pydoc:test") is dataset.test


@pytest.mark.parametrize(("count", "sequences"), [(1000, 10), (99, 1), (250, 2)])
def test_calibration_takes_as_many_sequences_as_hold_the_vectors(count, sequences):
    chosen = calibration_samples(data.load("pydoc"), count)
    assert chosen.shape == (sequences, 100, 96)
    assert chosen.dtype == np.float32  # it says how precise the samples are
