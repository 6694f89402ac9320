"""Step sizes against a dense scan, Lloyd from many starts, and by eye."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsim.arithmetic.codes import WITHOUT_MULTIPLIER, BinaryCode, PowerOfTwoCode
from fxsim.quantizer import fine_steps, step_size
from fxsim.quantizer.fine_steps import finest_scale
from fxsim.quantizer.step_size import l2_scale, scale_of_levels


def squared_error(weight, scale, levels):
    """Equations (3) and (4), for many scales at once."""
    magnitude = np.abs(weight)
    q = np.minimum(np.floor(magnitude / scale[:, None] + 0.5), levels // 2)
    return np.square(magnitude - scale[:, None] * q).sum(axis=1)


weights = st.lists(
    st.one_of(st.floats(-4, 4, width=16), st.integers(-9, 9).map(float)), min_size=1, max_size=40
).map(np.array)


@given(weight=weights, levels=st.sampled_from([3, 5, 7, 15, 63, 255]))
@settings(max_examples=150, deadline=None)
def test_no_scale_of_a_dense_scan_is_better(weight, levels):
    scale = l2_scale(weight[None], levels)
    peak = np.abs(weight).max() or 1.0
    scan = np.geomspace(peak / levels / 30, 2 * peak, 4000)
    best = squared_error(weight, scan, levels).min()
    hair = 1e-12 * np.square(weight).sum()
    assert squared_error(weight, scale, levels)[0] <= best + hair


@given(weight=weights, code=st.sampled_from(WITHOUT_MULTIPLIER))
@settings(max_examples=150, deadline=None)
def test_no_scale_of_a_dense_scan_is_better_for_any_code(weight, code):
    """Each weight goes to the nearest one of all that the code has, which are tried one by one."""
    values = np.concatenate([code.magnitudes, -code.magnitudes])

    def error(scales):
        distance = np.abs(weight[:, None] - scales[:, None, None] * values)
        return np.square(distance.min(axis=2)).sum(axis=1)

    peak = np.abs(weight).max() or 1.0
    scan = np.geomspace(peak / values.max() / len(weight) / 4, 2 * peak, 2000)
    hair = 1e-12 * np.square(weight).sum()
    scale = scale_of_levels(weight[None], code.magnitudes)
    if weight.any():
        assert error(scale)[0] <= error(scan).min() + hair


def test_other_codes_by_eye():
    """Binary: the mean magnitude, zeros counted. Powers of two: met exactly where they can be."""
    weight = np.array([[1.0, -2.0, 0.0, 5.0]])
    assert scale_of_levels(weight, BinaryCode().magnitudes).tolist() == [2.0]
    weight = 0.3 * np.array([[8, -1, 0, 2, -4]])
    assert scale_of_levels(weight, PowerOfTwoCode(4).magnitudes) == pytest.approx(0.3)


@pytest.mark.parametrize("kind", ["gaussian", "laplace", "pruned"])
@pytest.mark.parametrize("levels", [7, 15, 255])
def test_never_worse_than_lloyd_from_any_start(kind, levels):
    rng = np.random.default_rng(levels)
    weight = {
        "gaussian": rng.normal(size=300),
        "laplace": rng.laplace(size=300),
        "pruned": rng.normal(size=300) + 4 * rng.choice([-1, 0, 0, 1], 300),
    }[kind]
    best = squared_error(weight, l2_scale(weight[None], levels), levels)[0]
    for start in np.geomspace(0.01, 2, 40):
        scale = start
        for _ in range(30):
            q = np.minimum(np.floor(np.abs(weight) / scale + 0.5), levels // 2)
            if q.any():
                scale = (q * np.abs(weight)).sum() / (q**2).sum()
        assert best <= squared_error(weight, np.array([scale]), levels)[0] * (1 + 1e-12)


@pytest.mark.parametrize(("levels", "expected"), [(3, 1.224), (7, 0.651), (15, 0.353)])
def test_gaussian_weights_meet_the_known_optimum(levels, expected):
    weight = np.random.default_rng(0).normal(size=(1, 200_000))
    assert l2_scale(weight, levels)[0] == pytest.approx(expected, rel=0.01)


def test_groups_are_independent():
    weight = np.random.default_rng(1).normal(size=(9, 20))
    alone = [l2_scale(row[None], 7)[0] for row in weight]
    assert l2_scale(weight, 7).tolist() == alone


def test_integers_times_a_scale_are_met_exactly():
    weight = 0.37 * np.array([[-3, 3, 1, 0, 2, -1]])
    assert squared_error(weight[0], l2_scale(weight, 7), 7)[0] < 1e-30


def test_zeros_and_extreme_magnitudes():
    weight = np.array([[0, 0], [5e-324, 0], [1e-300, -5e-301], [3e300, -1e300]])
    assert l2_scale(weight, 7).tolist() == pytest.approx([1.0, 1.0, 5e-301, 1e300])


def test_pieces_do_not_change_the_result(monkeypatch):
    weight = np.random.default_rng(2).laplace(size=(1, 500))
    magnitudes = PowerOfTwoCode(6).magnitudes
    whole = scale_of_levels(weight, magnitudes)
    monkeypatch.setattr(step_size, "_PIECE", 100)
    assert scale_of_levels(weight, magnitudes) == pytest.approx(whole, rel=1e-12)


def normalized(weight):
    magnitude = np.abs(weight[weight != 0])
    return magnitude / magnitude.max()


def least_error(magnitude, top):
    """Least squared error over every choice of levels: one between any two thresholds."""
    thresholds = np.sort(((np.arange(top) + 0.5) / magnitude[:, None]).ravel())
    inverse = (thresholds[1:] + thresholds[:-1]) / 2
    inverse = np.append(inverse, thresholds[-1] + 1)
    q = np.minimum(np.floor(magnitude * inverse[:, None] + 0.5), top)
    inside = q.any(axis=1)
    best = (q @ magnitude)[inside] / np.square(q).sum(axis=1)[inside]
    return np.square(magnitude - best[:, None] * q[inside]).sum(axis=1).min()


odd_weights = weights.filter(np.any).map(normalized)


@given(odd_weights, st.sampled_from([1, 2, 4, 7, 31, 127]))
def test_many_levels_have_the_least_error_of_all_choices(magnitude, top):
    scale = finest_scale(magnitude, top, top * magnitude.size / magnitude.sum())
    found = squared_error(magnitude, np.array([scale]), 2 * top + 1)[0]
    assert found <= least_error(magnitude, top) + 1e-13 * magnitude.size


@pytest.mark.parametrize("levels", [15, 255, 4095])
@pytest.mark.parametrize("kind", ["normal", "uniform", "laplace"])
def test_visiting_every_threshold_finds_the_same_scale(monkeypatch, levels, kind):
    weight = getattr(np.random.default_rng(levels), kind)(size=(3, 300))
    monkeypatch.setattr(step_size, "_PIECE", 1)
    fine = l2_scale(weight, levels)
    monkeypatch.setattr(step_size, "_PIECE", 1 << 17)
    monkeypatch.setattr(step_size, "_MANY", 1 << 20)
    assert fine == pytest.approx(l2_scale(weight, levels), rel=1e-12)


@given(odd_weights, st.integers(1, 40), st.floats(0.5, 50), st.floats(0.001, 1))
def test_the_bound_of_an_interval_is_one(magnitude, top, center, half):
    w, sums = np.sort(magnitude), np.zeros((7, fine_steps._LANES))
    whole = np.searchsorted(w, (top - 0.5) / center)
    fine_steps._add(w, 0, len(w), whole, center, half, float(top), sums)
    inverse = np.linspace(max(center - half, 0), center + half, 300)[:, None]
    q = np.minimum(np.floor(w * inverse + 0.5), top)
    least = np.square(w * inverse - q).sum(axis=1).min()
    assert fine_steps._least(sums, half) <= least + 1e-9


def test_a_weight_that_passes_a_threshold_on_either_side():
    """Next to many that pass one, all at once: more thresholds than weights."""
    magnitude = np.array([*[0.05] * 40, 1.0])
    scale = finest_scale(magnitude, 60, 60 * magnitude.size / magnitude.sum())
    q = np.minimum(np.floor(magnitude / scale + 0.5), 60)
    error = np.square(magnitude - scale * q).sum()
    assert error <= least_error(magnitude, 60) * (1 + 1e-12) + 1e-15


def test_many_weights_of_16_bits():
    """In a moment; 1,024 took 11 s before."""
    weight = np.random.default_rng(1).normal(size=(1, 20_000))
    scale = l2_scale(weight, 65535)
    nothing_clipped = np.abs(weight).max() / 32767
    errors = squared_error(weight[0], np.array([scale[0], nothing_clipped]), 65535)
    assert errors[0] < errors[1]
