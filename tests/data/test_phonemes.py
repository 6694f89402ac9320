import hashlib

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from fxsim import data
from fxsim.data import frames, phonemes
from fxsim.data.phones import FOLD, PHONES


def test_61_phones_fold_to_39():
    assert len(PHONES) == len(set(PHONES)) == 61
    assert len(set(FOLD)) == 39
    assert (FOLD[FOLD] == FOLD).all()
    groups = {}
    for phone, scored in zip(PHONES, FOLD, strict=True):
        groups.setdefault(PHONES[scored], set()).add(phone)
    # Lee and Hon 1989, table II, and the glottal stop among the silences.
    assert {key: group for key, group in groups.items() if len(group) > 1} == {
        "aa": {"aa", "ao"},
        "ah": {"ah", "ax", "ax-h"},
        "er": {"er", "axr"},
        "hh": {"hh", "hv"},
        "ih": {"ih", "ix"},
        "l": {"l", "el"},
        "m": {"m", "em"},
        "n": {"n", "en", "nx"},
        "ng": {"ng", "eng"},
        "sh": {"sh", "zh"},
        "uw": {"uw", "ux"},
        "h#": {"h#", "pau", "epi", "q", "bcl", "dcl", "gcl", "pcl", "tcl", "kcl"},
    }


def test_every_machine_makes_the_same_speech():
    features, y = phonemes.draw_frames(3, seed=7)
    # Sums in another order differ in the last digits, which the rounding takes away.
    content = np.rint(8 * features).astype("<i2").tobytes() + y.astype("u1").tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == "6f437fa43bb080a3"


def test_every_phone_is_spoken_in_every_split():
    dataset = data.load("phonemes")
    assert (dataset.name, dataset.classes) == ("phonemes", 61)
    np.testing.assert_array_equal(dataset.fold, FOLD)
    for name, split in dataset.splits.items():
        assert split.shape == (1353,)
        assert split.x.dtype == np.float32
        counts = np.bincount(split.y, minlength=61)
        assert counts.min() >= 10, name
        assert counts.max() < 0.12 * len(split.y), name
    assert len(dataset.train.y) > 40_000
    assert len(dataset.test.y) > 20_000


def test_samples_are_normal_frames_in_their_context():
    dataset = data.load("phonemes")
    middle = dataset.train.x[:, 5 * 123 : 6 * 123]
    np.testing.assert_allclose(middle.mean(axis=0, dtype=float), 0, atol=1e-3)
    np.testing.assert_allclose(middle.std(axis=0, dtype=float), 1, atol=1e-3)
    for k in range(-5, 6):
        shifted = dataset.train.x[100 + k : 200 + k, 5 * 123 : 6 * 123]
        np.testing.assert_array_equal(
            dataset.train.x[100:200, (5 + k) * 123 : (6 + k) * 123], shifted
        )
    with pytest.raises(ValueError, match="read-only"):
        dataset.train.x[0] = 0


def test_a_plane_gets_some_phones_and_context_helps():
    dataset = data.load("phonemes")
    train, test = dataset.train, dataset.validation
    seen = [
        dataset.accuracy(
            RidgeClassifier(10)
            .fit(train.x[:12_000:2, part], train.y[:12_000:2])
            .predict(test.x[:4000, part]),
            test.y[:4000],
        )
        for part in (slice(5 * 123, 6 * 123), slice(3 * 123, 8 * 123))
    ]
    assert 0.3 < seen[0] < seen[1] < 0.75


def test_derivatives_are_slopes_of_fitted_lines():
    x = np.random.default_rng(1).standard_normal((12, 41))
    features = frames.with_derivatives(x)
    assert features.shape == (12, 123)
    np.testing.assert_array_equal(features[:, :41], x)
    slope = np.polyfit(np.arange(5), x[3:8], 1)[0]
    np.testing.assert_allclose(features[5, 41:82], slope, atol=1e-12)
    np.testing.assert_allclose(
        features[5, 82:], np.polyfit(np.arange(5), features[3:8, 41:82], 1)[0], atol=1e-12
    )


def test_mel_filters_are_triangles_that_add_to_one_between_their_peaks():
    filters = frames.mel_filters(2001, 16_000)
    assert filters.shape == (2001, 40)
    peaks = filters.argmax(axis=0) * 4.0
    mel = 2595 * np.log10(1 + peaks / 700)
    np.testing.assert_allclose(np.diff(mel), 2840.02 / 41, atol=6)
    first, last = filters.argmax(axis=0)[[0, -1]]
    np.testing.assert_allclose(filters[first : last + 1].sum(axis=1), 1, atol=0.02)
