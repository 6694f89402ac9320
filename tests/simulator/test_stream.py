"""Samples a few at a time: the same integers and files as at once, in memory that does not grow."""

from __future__ import annotations

import tracemalloc
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim.data import Split
from fxsim.errors import FileError, RangeError
from fxsim.files import write_npz
from fxsim.npy import ArrayRows, reading_npy, reading_npz, storing
from fxsim.simulator import stream
from fxsim.simulator.evaluate import accuracy, bits_per_character
from fxsim.simulator.simulator import simulate, simulate_outputs
from fxsim.simulator.stream import Stream
from fxsim.simulator.tally import Tally
from tests.commands import small_network
from tests.graph_strategies import batches_of, graph_networks
from tests.lstm_strategies import recurrent_networks, sequences
from tests.messages import raises

PATIENT = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))


def parts_of(monkeypatch, network, rows, items):
    monkeypatch.setattr(stream, "ITEMS", items)
    return list(Stream(network, rows))


def joined(network, parts, leading):
    return {
        name: np.concatenate([part[name].reshape(-1, part[name].shape[-1]) for part in parts])
        .reshape(*leading, network.types[name].items)
        for name in network.leaving
    }  # fmt: skip


@PATIENT
@given(data=st.data())
def test_graphs(data):
    network = data.draw(graph_networks(depths=None))
    batch = batches_of(data.draw, network, 5)
    rows = {name: ArrayRows(x) for name, x in batch.items()}
    with pytest.MonkeyPatch.context() as patch:
        parts = parts_of(patch, network, rows, data.draw(st.sampled_from([1, 100, 1 << 20])))
    found = joined(network, parts, next(iter(batch.values())).shape[: 1 + network.recurrent])
    for name, expected in simulate_outputs(network, batch).items():
        np.testing.assert_array_equal(found[name], expected)


@PATIENT
@given(data=st.data())
def test_sequences_are_cut_between_steps(data):
    network = data.draw(recurrent_networks())
    x = data.draw(sequences(network, 3, 5))
    widest = max(kind.items for kind in network.types.values())
    steps = data.draw(st.sampled_from([1, 2, 4, 5, 11]))  # 11: two sequences, then one
    with pytest.MonkeyPatch.context() as patch:
        parts = parts_of(patch, network, ArrayRows(x), steps * widest)
    assert len(parts) == {1: 15, 2: 9, 4: 6, 5: 3, 11: 2}[steps]
    found = joined(network, parts, (3, 5))
    np.testing.assert_array_equal(found[network.leaving[0]], simulate(network, x))
    if not network.classifies:
        labels = np.arange(15).reshape(3, 5) % network.last.outputs
        tally = Tally(network, labels)
        for part in parts:
            tally.add(part[network.leaving[0]])
        split = Split(x, labels)
        assert tally.accuracy == accuracy(network, split)
        assert tally.bits_per_character == pytest.approx(bits_per_character(network, split))


@pytest.mark.parametrize("shape", [(0, 6), (1, 6), (7, 6)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_files(tmp_path, monkeypatch, shape, order):
    x = np.asarray(np.arange(np.prod(shape)).reshape(shape) % 16, order=order)
    np.save(tmp_path / "x.npy", x)
    network = small_network()
    with reading_npy(tmp_path / "x.npy") as rows:
        monkeypatch.setattr(stream, "ITEMS", 12)  # two vectors
        found = Stream(network, rows)
        with storing(tmp_path / "y.npy", found.shapes) as append:
            for part in found:
                append(part)
    np.save(tmp_path / "expected.npy", simulate(network, x))
    assert (tmp_path / "y.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()


def test_npz_files(tmp_path):
    arrays = {
        name: np.arange(24).reshape(shape) for name, shape in {"a": (4, 6), "b": (8, 3)}.items()
    }
    write_npz(tmp_path / "x.npz", arrays)
    shapes = {name: array.shape for name, array in arrays.items()}
    with ExitStack() as stack:
        rows = stack.enter_context(reading_npz(tmp_path / "x.npz"))
        append = stack.enter_context(storing(tmp_path / "y.npz", shapes))
        for _ in range(4):
            append({"a": rows["a"].take(1), "b": rows["b"].take(2)})
    assert (tmp_path / "y.npz").read_bytes() == (tmp_path / "x.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npz", "y.npz"]


def test_messages_have_the_place_in_the_file(monkeypatch):
    x = np.zeros((7, 6), np.int64)
    x[5, 2] = 16
    with raises(RangeError, "input[5, 2] must be in uint4 (0 to 15), not 16"):
        parts_of(monkeypatch, small_network(), ArrayRows(x), 12)
    with raises(RangeError, "input must have shape (n, 6), not (7, 5)"):
        Stream(small_network(), ArrayRows(x[:, :5]))


def test_a_file_that_is_cut_short_meanwhile(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((1 << 20, 6), np.uint8))
    with reading_npy(path) as rows:
        rows.take(10)
        with path.open("r+b") as file:
            file.truncate(1 << 20)
        with raises(FileError, f"{path}: was cut short while it was read"):
            rows.take((1 << 20) - 10)


def test_damage_that_the_directory_of_an_npz_does_not_show(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=np.arange(1 << 16))
    raw = bytearray(path.read_bytes())
    raw[1 << 18] ^= 1
    path.write_bytes(raw)
    with (
        reading_npz(path) as rows,
        pytest.raises(FileError, match=r"x.npz: not a valid npz file \(Bad CRC-32"),
    ):
        rows["a"].take(1 << 16)


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    network, peaks = small_network(), []
    monkeypatch.setattr(stream, "ITEMS", 1 << 14)
    for count in (1, 1 << 14, 1 << 18):  # the first, as kernels may be compiled
        np.save(tmp_path / "x.npy", np.zeros((count, 6), np.uint8))
        with ExitStack() as stack:
            found = Stream(network, stack.enter_context(reading_npy(tmp_path / "x.npy")))
            append = stack.enter_context(storing(tmp_path / "y.npy", found.shapes))
            tracemalloc.start()
            for part in found:
                append(part)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]  # 16 times the samples
    assert peaks[1] < 1 << 20
