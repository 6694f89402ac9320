"""SVHN from MATLAB files, which scipy or the tests write."""

import io
import struct
import zlib

import numpy as np
import pytest
import scipy.io

from fxsim.data import matfile, svhn
from fxsim.errors import FileError
from tests.messages import raises

RNG = np.random.default_rng(1)


def write_svhn(folder, compressed=True, count=30):
    written = {}
    for name in svhn.PUBLISHED:
        images = RNG.integers(0, 256, (32, 32, 3, count), np.uint8)
        labels = (np.arange(count, dtype=np.uint8) % 10 + 1)[:, None]
        values = {"extra": np.ones(3), "X": images, "y": labels}
        scipy.io.savemat(folder / name, values, do_compression=compressed)
        written[name] = images, labels[:, 0]
    return list(written.values())


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("count", [30, 1])
def test_svhn_as_scipy_writes_it(tmp_path, compressed, count):
    (images, labels), (tested, answers) = write_svhn(tmp_path, compressed, count)
    dataset = svhn.load(tmp_path, published=False)
    cut = count - count // 15
    for split, x, y in (
        (dataset.train, images[..., :cut], labels[:cut]),
        (dataset.validation, images[..., cut:], labels[cut:]),
        (dataset.test, tested, answers),
    ):
        np.testing.assert_array_equal(np.rint(split.x * 255), x.transpose(3, 2, 0, 1))
        np.testing.assert_array_equal(split.y, np.where(y == 10, 0, y))


def test_svhn_of_another_size_is_not_the_published_one(tmp_path):
    write_svhn(tmp_path)
    with pytest.raises(FileError, match=r"the published file has 182040794 bytes, this one \d+$"):
        svhn.load(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"X": np.zeros((32, 32, 3, 2), np.uint8)},
            r"must hold the variables X and y, not \['X'\]",
        ),
        ({"X": np.zeros((32, 32, 3, 2)), "y": np.ones((2, 1), np.uint8)}, "X must hold bytes"),
        (
            {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.ones((3, 1), np.uint8)},
            r"X must have shape \(32, 32, 3, 3\), as y has 3 labels, not \(32, 32, 3, 2\)",
        ),
        (
            {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.full((2, 1), 11, np.uint8)},
            "y must hold labels of at most 10",
        ),
        ({"X": "text", "y": "text"}, "X must hold bytes"),
    ],
)
def test_matlab_files_of_other_values(tmp_path, values, message):
    for name in svhn.PUBLISHED:
        scipy.io.savemat(tmp_path / name, values, do_compression=True)
    with pytest.raises(FileError, match=message):
        svhn.load(tmp_path, published=False)


def test_a_matlab_bomb_is_stopped():
    written = io.BytesIO()
    scipy.io.savemat(written, {"X": np.zeros((1 << 24, 1), np.uint8)}, do_compression=True)
    raw = written.getvalue()
    assert len(raw) < 1 << 16
    message = "f: not a valid MATLAB file (a variable must be complete and unpack to at most"
    with raises(FileError, f"{message} 65536 bytes)"):
        matfile.read_variables("f", raw, {"X"}, limit=1 << 16)
    assert matfile.read_variables("f", raw, {"y"}, limit=1 << 16) == {}


def test_a_matlab_shape_that_lies():
    written = io.BytesIO()
    scipy.io.savemat(written, {"X": np.zeros((4, 5), np.uint8)}, do_compression=False)
    raw = written.getvalue()
    huge = raw.replace(struct.pack("<ii", 4, 5), struct.pack("<ii", 1 << 30, 1 << 30))
    with pytest.raises(FileError, match=r"X claims shape \(1073741824, 1073741824\), but has 20"):
        matfile.read_variables("f", huge, {"X"}, limit=1 << 16)


def test_zlib_is_what_matlab_uses():
    # So that the bomb above is one: a compressed element that is no zlib stream is refused too.
    raw = bytes(124) + b"\x00\x01IM" + struct.pack("<II", 15, 8) + bytes(8)
    with pytest.raises(FileError, match="not a valid MATLAB file"):
        matfile.read_variables("f", raw, {"X"}, limit=1 << 16)
    short = zlib.compress(bytes(40))
    raw = raw[:128] + struct.pack("<II", 15, len(short)) + short
    assert matfile.read_variables("f", raw, {"X"}, limit=1 << 16) == {}


@pytest.mark.parametrize("compressed", [True, False])
def test_flipped_bytes_of_a_matlab_file_end_in_arrays_or_in_our_error(compressed):
    written = io.BytesIO()
    values = {"X": RNG.integers(0, 256, (4, 5), np.uint8), "y": np.ones((5, 1), np.uint8)}
    scipy.io.savemat(written, values, do_compression=compressed)
    raw = written.getvalue()
    refused = 0
    for _ in range(2000):
        damaged = bytearray(raw)
        for at in RNG.integers(120, len(raw), RNG.integers(1, 4)):
            damaged[at] = RNG.integers(0, 256)
        try:
            matfile.read_variables("f", bytes(damaged), {"X", "y"}, limit=1 << 16)
        except FileError:
            refused += 1
    for length in range(len(raw)):
        try:
            found = matfile.read_variables("f", raw[:length], {"X", "y"}, limit=1 << 16)
        except FileError:
            refused += 1
        else:
            assert len(found) < 2, length
    assert refused > 500
