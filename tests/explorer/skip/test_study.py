"""The zero-skipping study: its points against counting by hand, its sources and what it writes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from fxsim.errors import FileError, RangeError
from fxsim.explorer.skip.gate_gradients import from_file, from_network, from_trace
from fxsim.explorer.skip.study import foldings, nearest, study, thresholds
from fxsim.network.storage import load_network
from fxsim.report.skip import write_study
from fxsim.testbenches.cases.sparse_data import gate_gradients
from tests.places import MODELS

GRADIENTS = gate_gradients(0.4, vectors=30, items=64, seed=2)


def test_points() -> None:
    rows = list(study(GRADIENTS, outputs=16, macs=(16,), lanes=8))
    assert {row.sweep for row in rows} == {"threshold", "mapping", "lanes", "depth"}
    for row in rows:
        kept = np.abs(GRADIENTS) > row.threshold
        tiles = -(-16 // row.rows)
        assert row.macs == 16
        assert row.sparsity == 1 - kept.mean()
        assert row.dense == GRADIENTS.size * tiles // row.issue
        assert row.beats == 30 * -(-64 // row.lanes)
        assert row.ideal == max(kept.sum() * tiles / row.issue, row.beats)
        if row.mapping == "shared":
            assert row.over_ideal >= 1
            assert row.conflict == 0
        if row.mapping == "blocks":
            fullest = kept.reshape(30, row.issue, -1).sum(axis=2).max(axis=1)
            assert row.cycles == max((np.maximum(fullest, 1) * tiles).sum(), row.beats) + 9
        if row.mapping == "lanes":
            fullest = kept.reshape(30, -1, row.issue).sum(axis=1).max(axis=1)
            assert row.cycles == np.maximum(fullest * tiles, 64 // row.lanes).sum() + 9
            assert row.conflict > 0
    depths = [row.cycles for row in rows if row.sweep == "depth" and row.threshold == 0]
    assert depths == sorted(depths, reverse=True)


def test_thresholds() -> None:
    values = np.array([[0, 1, -2, 3], [0, -3, 4, 10]])
    assert thresholds(values, (0.0, 0.5, 0.9)) == [0, 3, 10]
    assert nearest(values, 0.6) == 2 or nearest(values, 0.6) == 3
    assert nearest(values, 0.0) == 0
    assert foldings(64, 64) == [(64, 1), (16, 4), (4, 16)]
    assert foldings(64, 32) == [(16, 4), (4, 16)]


@pytest.mark.parametrize("bad", [np.ones((2, 3)), np.ones(3, np.int64), np.ones((0, 3), np.int64)])
def test_bad_gradients(bad: np.ndarray) -> None:
    with pytest.raises(RangeError, match="must be integers of shape"):
        next(study(bad, outputs=4))


def test_recorded_traces_meet_the_targets() -> None:
    """At 64 cells with 16 and with 64 MACs, rows first: on each real trace."""
    for stage in ("early", "middle", "late"):
        gradients = from_trace(stage)
        limits = {nearest(gradients, 0.8): 4.5, nearest(gradients, 0.95): 12}
        met = set()
        for row in study(gradients, outputs=64):
            if row.sweep == "lanes" and row.lanes == 16 and row.threshold in limits:
                assert row.issue == 1
                assert row.speed_up >= limits[row.threshold]
                assert row.over_ideal <= 1.08 or row.sparsity > 0.9
                met.add((row.macs, row.threshold))
        assert len(met) == 4


def test_sources(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GRADIENTS.reshape(5, 6, 64).astype(np.int8))
    np.savez(tmp_path / "a.npz", dnet=GRADIENTS.reshape(5, 6, 64))
    for name in ("a.npy", "a.npz"):
        assert np.array_equal(from_file(tmp_path / name), GRADIENTS)
    np.save(tmp_path / "b.npy", GRADIENTS / 2)
    np.savez(tmp_path / "b.npz", other=GRADIENTS)
    with pytest.raises(FileError, match="must hold integers of shape"):
        from_file(tmp_path / "b.npy")
    with pytest.raises(FileError, match="must hold 'dnet', not other"):
        from_file(tmp_path / "b.npz")
    dnet = from_network(load_network(MODELS / "charlm-lstm-int8"))
    assert dnet.shape == (800, 256)
    assert 0.3 < (dnet == 0).mean() < 0.95
    with pytest.raises(RangeError, match="must be an LSTM layer and a linear one"):
        from_network(load_network(MODELS / "digits-mlp-int8"))


def test_files(tmp_path: Path) -> None:
    rows = list(study(GRADIENTS, outputs=16, macs=(4, 16), lanes=8))
    paths = write_study(rows, tmp_path, "test")
    assert [path.name for path in paths] == ["skip.csv", "skip.md", "skip.png"]
    with paths[0].open() as file:
        read = list(csv.DictReader(file))
    assert len(read) == len(rows)
    for line, row in zip(read, rows, strict=True):
        assert int(line["cycles"]) == row.cycles
        assert float(line["speed_up"]) == pytest.approx(row.dense / row.cycles, rel=1e-5)
    assert paths[1].read_text().count("\n|") >= len(rows)
    assert paths[2].read_bytes().startswith(b"\x89PNG")
