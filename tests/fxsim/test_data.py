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


def test_no_sample_is_in_both_splits():
    digits = data.load("digits")
    train = {row.tobytes() for row in digits.train.x}
    assert not any(row.tobytes() in train for row in digits.test.x)


def test_splits_have_names():
    assert len(data.load_split("digits:test").y) == 360
    assert len(data.load_split("digits:train").y) == 1437


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digit:test", r"^unknown data set 'digit'; did you mean 'digits'\?$"),
        ("mnist:test", r"^unknown data set 'mnist'; known names: digits, pydoc$"),
        ("digits", r"^split must be digits:train or digits:test, not 'digits'$"),
        ("digits:validation", r"^split must be digits:train or .*, not 'digits:validation'$"),
    ],
)
def test_unknown_names_are_explained(text, message):
    with pytest.raises(SpecError, match=message):
        data.load_split(text)
