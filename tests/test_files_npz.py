"""The array readers: hostile files are refused with one line."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib

import numpy as np
import pytest

from fxsim import files
from fxsim.errors import FileError
from fxsim.files import read_npy, read_npz, write_npz
from tests.messages import raises


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.yaml"


def npy(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def header(shape, descr="<i8", version=(1, 0)):
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}}}\n".encode()
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text


def pack(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members:
            archive.writestr(name, data)


@pytest.fixture
def npz(tmp_path):
    return tmp_path / "file.npz"


ARRAYS = {
    "empty": np.zeros((0, 3), dtype=np.int16),
    "scalar": np.array(7, dtype=np.uint8),
    "big_endian": np.arange(6, dtype=">i4").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(20)[::3],
    "half": np.array([0.5, -1.5], dtype=np.float16),
}


def test_npz_round_trip(npz):
    write_npz(npz, ARRAYS)
    loaded = read_npz(npz)
    assert list(loaded) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].flags.writeable
    with np.load(npz) as theirs:
        for name, array in theirs.items():
            np.testing.assert_array_equal(array, ARRAYS[name])


def test_foreign_npz(npz):
    np.savez_compressed(npz, **ARRAYS)
    for name, array in read_npz(npz).items():
        np.testing.assert_array_equal(array, ARRAYS[name])


@pytest.mark.parametrize("name", ARRAYS)
def test_npy(tmp_path, name):
    np.save(tmp_path / "x.npy", ARRAYS[name])
    np.testing.assert_array_equal(read_npy(tmp_path / "x.npy"), ARRAYS[name])


GIB32 = header((65536, 65536))
HOSTILE = {
    "claims 32 GiB": (GIB32, "header claims 34359738368 bytes, file has 0"),
    "claims too little": (
        header((1,)) + bytes(16),
        "header claims 8 bytes, file has 16",
    ),
    "claims too much": (header((3,)) + bytes(16), "header claims 24 bytes, file has 16"),
    "negative": (header((-1,)), "shape must have no negative side, not (-1,)"),
    "two negative": (
        header((-1, -1)) + bytes(8),
        "shape must have no negative side, not (-1, -1)",
    ),
    "pickled": (
        npy(np.array([print], dtype=object), allow_pickle=True),
        "must hold integers or floats, not object",
    ),
    "text": (npy(np.array(["a"])), "must hold integers or floats, not <U1"),
    "complex": (npy(np.array([1j])), "must hold integers or floats, not complex128"),
    "booleans": (npy(np.array([True])), "must hold integers or floats, not bool"),
    "version 3": (header((1,), version=(3, 0)), "npy version (3, 0) is not supported"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_arrays(tmp_path, npz, case):
    data, message = HOSTILE[case]
    pack(npz, [("x.npy", data)])
    with raises(FileError, f"{npz}: x.npy: {message}"):
        read_npz(npz)
    (tmp_path / "x.npy").write_bytes(data)
    with raises(FileError, f"{tmp_path / 'x.npy'}: {message}"):
        read_npy(tmp_path / "x.npy")


INVALID = {
    b"": "EOF: reading magic string, expected 8 bytes got 0",
    b"\x93NUMPX\x01\x00": (
        "the magic string is not correct; expected b'\\x93NUMPY', got b'\\x93NUMPX'"
    ),
    b"\x93NUMPY\x01\x00\x05\x00ab": "EOF: reading array header, expected 5 bytes got 2",
    header("x"): "shape is not valid: 'x'",
    header((1,), descr="<x9"): "descr is not a valid dtype descriptor: '<x9'",
}


@pytest.mark.parametrize("data", INVALID, ids=INVALID.values())
def test_invalid_arrays(tmp_path, npz, data):
    pack(npz, [("x.npy", data)])
    with raises(FileError, f"{npz}: not a valid npz file ({INVALID[data]})"):
        read_npz(npz)
    (tmp_path / "x.npy").write_bytes(data)
    with raises(FileError, f"{tmp_path / 'x.npy'}: not a valid npy file ({INVALID[data]})"):
        read_npy(tmp_path / "x.npy")


def test_deflate_bomb(npz, monkeypatch):
    assert files.MAX_ARRAY_BYTES == 1 << 30
    monkeypatch.setattr(files, "MAX_ARRAY_BYTES", 1 << 24)
    pack(npz, [(f"{i}.npy", header((1 << 21,), descr="<i1") + bytes(1 << 21)) for i in range(8)])
    assert npz.stat().st_size < 1 << 16
    with pytest.raises(FileError) as caught:
        read_npz(npz)
    total = 8 * (len(header((1 << 21,), descr="<i1")) + (1 << 21))
    assert str(caught.value) == f"{npz}: must unpack to at most 16777216 bytes, not {total}"


def test_bomb_that_lies_about_its_size(npz):
    """The directory says 8 bytes of data; the stream has a megabyte."""
    honest = header((1,)) + bytes(8)
    pack(npz, [("x.npy", header((1,)) + bytes(1 << 20))])
    raw, old = npz.read_bytes(), struct.pack("<L", len(honest) + (1 << 20) - 8)
    assert raw.count(old) == 2
    npz.write_bytes(raw.replace(old, struct.pack("<L", len(honest))))
    with raises(FileError, f"{npz}: not a valid npz file (Bad CRC-32 for file 'x.npy')"):
        read_npz(npz)


@pytest.mark.parametrize("name", ["x.txt", "../x", "x.npy/"])
def test_foreign_members(npz, name):
    pack(npz, [(name, b"")])
    with raises(FileError, f"{npz}: {name!r} is not an array"):
        read_npz(npz)


def test_one_name_twice(npz):
    with pytest.warns(UserWarning, match="Duplicate name"):
        pack(npz, [("x.npy", npy(np.zeros(1)))] * 2)
    with raises(FileError, f"{npz}: has too many members, or one name twice"):
        read_npz(npz)


def test_too_many_members(npz):
    pack(npz, [(f"{i}.npy", b"") for i in range(files.MAX_MEMBERS + 1)])
    with raises(FileError, f"{npz}: has too many members, or one name twice"):
        read_npz(npz)


def test_encrypted(npz):
    pack(npz, [("x.npy", npy(np.zeros(1)))])
    raw = bytearray(npz.read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    npz.write_bytes(raw)
    with pytest.raises(FileError, match=r" is encrypted, password required for extraction\)\Z"):
        read_npz(npz)


def test_too_large_npz(npz, monkeypatch):
    monkeypatch.setattr(files, "MAX_ARRAY_BYTES", 10)
    npz.write_bytes(bytes(11))
    with raises(FileError, f"{npz}: must be at most 10 bytes, not 11"):
        read_npz(npz)


def test_truncated_npz(npz):
    write_npz(npz, {"x": np.arange(100), "y": np.zeros(3)})
    raw = npz.read_bytes()
    for size in range(len(raw)):
        npz.write_bytes(raw[:size])
        with raises(FileError, f"{npz}: not a valid npz file (File is not a zip file)"):
            read_npz(npz)


def test_every_flipped_byte_is_noticed_or_harmless(npz):
    arrays = {"x": np.arange(20), "y": np.zeros(3)}
    write_npz(npz, arrays)
    raw = npz.read_bytes()
    refused = 0
    for i in range(len(raw)):
        npz.write_bytes(raw[:i] + bytes([raw[i] ^ 0xFF]) + raw[i + 1 :])
        try:
            loaded = read_npz(npz)
        except FileError:
            refused += 1
            continue
        for name in loaded.keys() & arrays.keys():
            np.testing.assert_array_equal(loaded[name], arrays[name])
    assert refused > len(raw) // 2


def test_npz_bytes_repeat(npz):
    write_npz(npz, ARRAYS)
    first = npz.read_bytes()
    os.utime(npz, (0, 0))
    write_npz(npz, ARRAYS)
    assert npz.read_bytes() == first
    assert zlib.crc32(first)  # the file is not empty
    with zipfile.ZipFile(npz) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_npz_refuses_objects(npz):
    with pytest.raises(ValueError, match=r"^Object arrays cannot be saved when allow_pickle=False"):
        write_npz(npz, {"x": np.array([print])})
    assert list(npz.parent.iterdir()) == []
