import hashlib

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

from fxsim import data
from fxsim.data import handwriting, house_numbers, strokes
from fxsim.data.pen import draw

DRAWN = [handwriting, house_numbers]


@pytest.mark.parametrize(
    ("source", "digest"),
    [(handwriting, "c1d3cf0ac4c440a9"), (house_numbers, "41b6167a1fea1bd9")],
    ids=["handwriting", "house-numbers"],
)
def test_every_machine_draws_the_same_images(source, digest):
    images, y = source.draw_images(200, seed=7)
    content = images.tobytes() + y.astype("u1").tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == digest


@pytest.mark.parametrize("source", DRAWN)
def test_another_seed_gives_other_images(source):
    first, other = (source.draw_images(20, seed)[0] for seed in (1, 2))
    assert (first != other).mean() > 0.05


@pytest.mark.parametrize(
    ("name", "shape"), [("handwriting", (1, 28, 28)), ("house-numbers", (3, 32, 32))]
)
def test_splits_are_balanced_images_from_0_to_1_without_common_ones(name, shape):
    dataset = data.load(name)
    assert dataset.name == name
    assert not dataset.validation_in_train
    seen = set()
    for split in dataset.splits.values():
        assert split.shape == shape
        assert split.x.dtype == np.float32
        assert (split.x.min(), split.x.max()) == (0.0, 1.0)
        assert np.ptp(np.bincount(split.y, minlength=10)) <= 1
        rows = {row.tobytes() for row in split.x}
        assert len(rows) == len(split.x)
        assert not rows & seen
        seen |= rows
    assert data.load(name) is dataset
    with pytest.raises(ValueError, match="read-only"):
        dataset.train.x[0] = 0


def test_handwriting_can_be_learnt():
    dataset = data.load("handwriting", (784,))
    near = KNeighborsClassifier(3).fit(dataset.train.x[:4000], dataset.train.y[:4000])
    assert near.score(dataset.validation.x[:500], dataset.validation.y[:500]) > 0.85
    plane = RidgeClassifier().fit(dataset.train.x[:4000], dataset.train.y[:4000])
    assert 0.7 < plane.score(dataset.validation.x, dataset.validation.y) < 0.95


def test_house_numbers_are_hard_for_a_plane():
    dataset = data.load("house-numbers", (3072,))
    grey = [split.x.reshape(-1, 3, 1024).mean(axis=1) for split in (dataset.train, dataset.test)]
    # Bright on dark and dark on bright alike: only how far from the mean of the image.
    train, test = (np.abs(x - np.median(x, axis=1, keepdims=True)) for x in grey)
    plane = RidgeClassifier(100).fit(train, dataset.train.y)
    assert 0.35 < plane.score(test, dataset.test.y) < 0.9


def test_a_line_is_as_wide_as_the_pen_and_as_long_as_it_is():
    ink = np.zeros((1, 20, 20), np.float32)
    ends = np.array([[[3.0, 10.0], [15.0, 10.0]]])
    draw(ends, np.array([False, True]), np.array([2.2]), np.array([1e-9]), ink)
    y, x = np.mgrid[:20, :20]
    beyond = np.maximum(0, np.maximum(3 - x, x - 15))
    np.testing.assert_array_equal(ink[0], np.hypot(beyond, y - 10) <= 2.2)


def test_a_lifted_pen_and_a_line_outside_leave_no_ink():
    ink = np.zeros((1, 8, 8), np.float32)
    points = np.array([[[0.0, 0.0], [7.0, 7.0], [90.0, 90.0], [80.0, -50.0]]])
    draw(points, np.array([False, False, False, True]), np.ones(1), np.ones(1), ink)
    assert not ink.any()


def test_a_curve_runs_through_its_points():
    for count in (2, 3, 5):
        curve = strokes._curve(count)
        np.testing.assert_allclose(curve[:: strokes._STEPS], np.eye(count), atol=1e-12)
        np.testing.assert_allclose(curve.sum(axis=1), 1)
