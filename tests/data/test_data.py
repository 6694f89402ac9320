import hashlib

import numpy as np
import pytest

from fxsim import data
from fxsim.errors import SpecError


def test_digits_are_split_in_the_same_way_everywhere():
    digits = data.load("digits")
    assert digits.name == "digits"
    assert digits.classes == 10
    assert digits.train.x.shape == (1437, 64)
    assert digits.test.x.shape == (360, 64)
    content = (digits.test.x * 16).astype(np.uint8).tobytes() + digits.test.y.astype("u1").tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == "dfc32bcc8c68feb4"


def test_digits_are_pixels_from_0_to_1_and_every_class_is_tested_alike():
    digits = data.load("digits")
    for split in (digits.train, digits.test):
        assert split.x.dtype == np.float64
        assert split.y.dtype == np.int64
        assert (split.x.min(), split.x.max()) == (0.0, 1.0)
        assert (split.x * 16 == np.rint(split.x * 16)).all()
    counts = np.bincount(digits.test.y)
    assert counts.sum() == 360
    assert counts.max() - counts.min() <= 2


def test_digits_are_made_once_and_nobody_changes_them():
    digits = data.load("digits")
    assert data.load("digits") is digits
    for split in digits.splits.values():
        with pytest.raises(ValueError, match="read-only"):
            split.x[0] = 0


def test_no_sample_is_in_both_splits():
    digits = data.load("digits")
    train = {row.tobytes() for row in digits.train.x}
    assert not any(row.tobytes() in train for row in digits.test.x)


def test_splits_have_names():
    assert len(data.load_split("digits:test").y) == 360
    assert len(data.load_split("digits:train").y) == 1437
    assert len(data.load_split("digits:validation").y) == 360


def test_validation_digits_are_training_digits_of_every_class_and_it_says_so():
    digits = data.load("digits")
    train = {row.tobytes() for row in digits.train.x}
    assert digits.validation_in_train
    assert all(row.tobytes() in train for row in digits.validation.x)
    counts = np.bincount(digits.validation.y)
    assert (counts.min(), counts.max()) == (35, 37)


def test_samples_take_any_shape_of_as_many_values():
    digits = data.load("digits")
    square = data.load("digits", (1, 8, 8))
    assert square.train.shape == square.test.shape == square.validation.shape == (1, 8, 8)
    np.testing.assert_array_equal(square.test.x[3, 0, 2], digits.test.x[3, 16:24])
    assert np.shares_memory(square.test.shaped((64,)).x, square.test.x)
    assert data.load("digits", (9, 9)).test.shape == (64,)
    text = data.load("pydoc").test
    assert text.shape == (96,)
    assert text.shaped((1, 96)).x.shape == (64, 100, 1, 96)


def test_classes_are_folded_when_they_are_scored():
    split = data.Split(np.zeros((3, 2)), np.array([0, 1, 2]))
    plain = data.Dataset("plain", split, split, 3)
    assert plain.accuracy(np.array([0, 2, 1]), split.y) == pytest.approx(1 / 3)
    folded = data.Dataset("folded", split, split, 3, fold=np.array([0, 1, 1]))
    assert folded.accuracy(np.array([0, 2, 1]), split.y) == 1.0
    assert folded.accuracy(np.array([1, 2, 0]), split.y) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digit:test", r"^unknown data set 'digit'; did you mean 'digits'\?$"),
        ("imagenet:test", r"^unknown data set 'imagenet'; known names: digits, handwriting, .*$"),
        ("housenumbers:test", r"^unknown .*; did you mean 'house-numbers'\?$"),
        ("emnist:test", r"^unknown data set 'emnist'; did you mean 'mnist'\?$"),
        ("", r"^unknown data set ''; known names: .*$"),
        (
            "digits",
            r"^split must be digits:train or digits:validation or digits:test, not 'digits'$",
        ),
        ("digits:dev", r"^split must be digits:train or .*, not 'digits:dev'$"),
        ("digits@/tmp:test", r"^digits needs no files, so no folder may follow it, not '/tmp'$"),
    ],
)
def test_unknown_names_are_explained(text, message):
    with pytest.raises(SpecError, match=message):
        data.load_split(text)
