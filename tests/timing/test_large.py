"""Networks like MobileNetV2 are quantized and folded, their queues found, cycles predicted."""

from __future__ import annotations

import pytest

from fxsim.timing import depths
from fxsim.timing.cycles import load, predict
from fxsim.timing.depths import least_depths
from fxsim.timing.folding import fold
from tests.mobilenet import mobilenet, specification

SMALL = specification(16, [(1, 4, 1, 1), (2, 4, 2, 2), (3, 8, 2, 2)], classes=5, levels=3)


@pytest.fixture(scope="module")
def small():
    return mobilenet(SMALL, images=4)


def test_a_small_one(small):
    assert len(small.adds) == 2
    folded = fold(small, 2048).network
    assert all(short == 0 < long for short, long in folded.depths.values())
    assert predict(folded).interval == max(map(load, folded.layers))
    # What endless queues hold is enough, and more than is found with time.
    enough = least_depths(small, work=0)
    found = least_depths(small)
    assert enough.keys() == found.keys() == small.sources.keys()
    assert all(sum(found[name]) < sum(held) for name, held in enough.items())


def test_a_slow_one_has_queues_of_whole_vectors(small, monkeypatch):
    """Enough to go on, found without a run."""
    monkeypatch.setattr(depths, "_PATIENCE", 1 << 20)
    monkeypatch.setattr(depths, "machine_of", None)
    whole = depths.with_depths(small)
    for add in small.adds:
        (size, height, width) = add.shape
        assert whole.depths[add.name] == (size * height * width + 3,) * 2
    monkeypatch.undo()
    assert predict(whole).interval == max(map(load, whole.layers))


@pytest.mark.slow
def test_the_whole_one_takes_minutes():
    """62 layers, 10 of them adds, of images of 160 x 160 pixels: quantized, folded, predicted."""
    network = mobilenet(specification(), images=100)
    assert len(network.layers) == 61  # a flatten is no layer of hardware
    folded = fold(network, 620_000)
    assert predict(folded.network).interval == folded.interval == 614_400
    assert all(short == 0 < long for short, long in folded.network.depths.values())
