"""Networks like MobileNetV2 are folded, their queues found and their cycles predicted."""

from __future__ import annotations

import pytest

from fxsim.timing import depths
from fxsim.timing.cycles import load, predict
from fxsim.timing.depths import least_depths
from fxsim.timing.folding import fold
from tests.mobilenet import mobilenet

SMALL = [(1, 4, 1, 1), (2, 4, 2, 2), (3, 8, 2, 2)]


def test_a_small_one():
    network = mobilenet(16, SMALL, classes=5)
    assert len(network.adds) == 2
    folded = fold(network, 2048).network
    assert all(short == 0 < long for short, long in folded.depths.values())
    assert predict(folded).interval == max(map(load, folded.layers))
    # What endless queues hold is enough, and more than is found with time.
    enough = least_depths(network, work=0)
    found = least_depths(network)
    assert enough.keys() == found.keys() == network.sources.keys()
    assert all(sum(found[name]) < sum(held) for name, held in enough.items())


def test_a_slow_one_has_queues_of_whole_vectors(monkeypatch):
    """Enough to go on, found without a run."""
    network = mobilenet(16, SMALL, classes=5)
    monkeypatch.setattr(depths, "_PATIENCE", 1 << 20)
    monkeypatch.setattr(depths, "machine_of", None)
    whole = depths.with_depths(network)
    for add in network.adds:
        (size, height, width) = add.shape
        assert whole.depths[add.name] == (size * height * width + 3,) * 2
    monkeypatch.undo()
    assert predict(whole).interval == max(map(load, whole.layers))


@pytest.mark.slow
def test_the_whole_one_takes_minutes():
    """61 layers, 10 of them adds, of images of 160 x 160 pixels."""
    network = mobilenet()
    folded = fold(network, 620_000)
    assert predict(folded.network).interval == folded.interval == 614_400
    assert all(short == 0 < long for short, long in folded.network.depths.values())
