"""Readers that refuse hostile files with one line, and writers that never leave half a file."""

from __future__ import annotations

import io
import math
import os
import stat
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fxsim import files
from fxsim.errors import FileError
from fxsim.files import read_npy, read_npz, read_yaml, replacing, write_npz, write_text, write_yaml
from tests.messages import raises, refusal
from tests.strategies import unhurried


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.yaml"


MALFORMED = {
    "a: [1": "expected ',' or ']', but got '<stream end>' at line 1, column 6",
    "a: 1\n b: 2": "mapping values are not allowed here at line 2, column 3",
    "a: 1\nb: 2\na: 3": "key 'a' is given twice at line 3, column 1",
    "x: {a: 1, a: 1}": "key 'a' is given twice at line 1, column 11",
    "1: a\n+1: b": "key 1 is given twice at line 2, column 1",
    "[a]: 1": "keys must be plain values at line 1, column 1",
    "? {a: 1}\n: 2": "keys must be plain values at line 1, column 3",
    "a: &x [1]\nb: *x": "aliases are not allowed at line 2, column 4",
    "a: &x {k: 1}\nb:\n  <<: *x": "aliases are not allowed at line 3, column 7",
    "b: {<<: {a: 1}}": "merge keys are not allowed at line 1, column 5",
    "a: !net 1": "tags are not allowed, not '!net' at line 1, column 4",
    "a: !!python/object/apply:os.system [ls]": (
        "tags are not allowed, not 'tag:yaml.org,2002:python/object/apply:os.system'"
        " at line 1, column 4"
    ),
    '!!int ""': "tags are not allowed, not 'tag:yaml.org,2002:int' at line 1, column 1",
    "{!!str a: 1}": "tags are not allowed, not 'tag:yaml.org,2002:str' at line 1, column 2",
    "! a": "tags are not allowed, not '!' at line 1, column 1",
    "a\n---\nb": "but found another document at line 2, column 1",
    "\ta: 1": "found character '\\t' that cannot start any token at line 1, column 1",
    "%YAML 3.0\n---\na": (
        "found incompatible YAML document (version 1.* is required) at line 1, column 1"
    ),
    "a: \x07": (
        "malformed YAML (unacceptable character #x0007: special characters are not allowed)"
    ),
    "a: " + "9" * 5000: (
        "malformed YAML (Exceeds the limit (4300 digits) for integer string conversion:"
        " value has 5000 digits; use sys.set_int_max_str_digits() to increase the limit)"
    ),
    "[" * 5000: "nested too deeply",
    "{a: " * 5000: "nested too deeply",
    "- " * 5000: "nested too deeply",
}


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: text[:20])
def test_malformed_yaml(path, text):
    path.write_text(text)
    with raises(FileError, f"{path}: {MALFORMED[text]}"):
        read_yaml(path)


def test_yaml_bomb(path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    path.write_text("\n".join(lines))
    with raises(FileError, f"{path}: aliases are not allowed at line 2, column 10"):
        read_yaml(path)


PLAIN = {
    "1e-3": 0.001,
    "1E3": 1000.0,
    "-1.5e+3": -1500.0,
    "1e400": math.inf,
    ".5": 0.5,
    "2.": 2.0,
    "-.inf": -math.inf,
    "12": 12,
    "-12": -12,
    "+0": 0,
    "true": True,
    "FALSE": False,
    "null": None,
    "~": None,
    "": None,
    "[]": [],
    "010": "010",
    "0x10": "0x10",
    "0b1": "0b1",
    "1_000": "1_000",
    "12:30:45": "12:30:45",
    "1:" * 5000 + "1": "1:" * 5000 + "1",
    "on": "on",
    "no": "no",
    "2024-01-01": "2024-01-01",
    "=": "=",
    "1e3foo": "1e3foo",
    "1.2.3": "1.2.3",
    ".inff": ".inff",
    "e5": "e5",
    "١e3": "١e3",
    "'1'": "1",
    '"\\u00e9"': "é",
}


@pytest.mark.parametrize("text", PLAIN, ids=lambda text: text[:20] or "empty")
def test_plain_values(path, text):
    path.write_text(text)
    value = read_yaml(path)
    assert value == PLAIN[text]
    assert type(value) is type(PLAIN[text])


def test_the_loader_of_pyyaml_is_left_alone(path):
    assert yaml.safe_load("[010, on, 1e3]") == [8, True, "1e3"]
    assert yaml.safe_dump("1e3") == "1e3\n...\n"


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.from_regex(r"[-+.0-9eE:xo_]{1,8}", fullmatch=True)
)


@unhurried
@given(
    value=st.recursive(
        scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
    )
)
def test_yaml_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    write_yaml(path, value)
    assert repr(read_yaml(path)) == repr(value)


def test_yaml_nan(path):
    write_yaml(path, [math.nan])
    assert path.read_text() == "[.nan]\n"
    assert math.isnan(read_yaml(path)[0])


@unhurried
@given(st.binary(max_size=200) | st.text(alphabet="ab1:-?[]{},&*!<>|'\"%@#\n\t ").map(str.encode))
def test_any_bytes(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(raw)
    for read in (read_yaml, read_npz, read_npy):
        message = refusal(FileError, read, path)
        if message is not None:
            assert message.startswith(f"{path}: ")
            assert len(message.splitlines()) == 1


def test_not_utf8(path):
    path.write_bytes(b"a: \xff")
    with raises(FileError, f"{path}: must be UTF-8 text (invalid start byte)"):
        read_yaml(path)


def test_too_large(path):
    path.write_bytes(b"#" * (files.MAX_YAML_BYTES + 1))
    with raises(FileError, f"{path}: must be at most 1048576 bytes, not 1048577"):
        read_yaml(path)
    path.write_bytes(b"#" * files.MAX_YAML_BYTES)
    assert read_yaml(path) is None


@pytest.mark.parametrize("read", [read_yaml, read_npz, read_npy])
def test_no_file(tmp_path, read):
    with raises(FileError, f"{tmp_path}: is not a regular file"):
        read(tmp_path)
    with raises(FileError, f"{tmp_path / 'absent'}: not found"):
        read(tmp_path / "absent")
    with raises(FileError, f"{tmp_path / 'nul'}\x00: not found"):
        read(tmp_path / "nul\x00")
    long = tmp_path / ("x" * 300)
    with raises(FileError, f"{long}: cannot be read (File name too long)"):
        read(long)
    os.mkfifo(tmp_path / "pipe")
    with raises(FileError, f"{tmp_path / 'pipe'}: is not a regular file"):
        read(tmp_path / "pipe")


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
    "negative": (header((-1,)), "header claims -8 bytes, file has 0"),
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
    with raises(FileError, f"{tmp_path / 'x.npy'}: array.npy: {message}"):
        read_npy(tmp_path / "x.npy")


INVALID = {
    b"": "EOF: reading magic string, expected 8 bytes got 0",
    b"\x93NUMPX\x01\x00": (
        "the magic string is not correct; expected b'\\x93NUMPY', got b'\\x93NUMPX'"
    ),
    b"\x93NUMPY\x01\x00\x05\x00ab": "EOF: reading array header, expected 5 bytes got 2",
    header((-1, -1)) + bytes(8): "can only specify one unknown dimension",
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


def test_text_is_utf8_with_its_line_ends(path):
    """In a process whose locale knows ASCII only."""
    code = "import pathlib, sys; from fxsim.files import write_text;"
    code += r"write_text(pathlib.Path(sys.argv[1]), '\xe9\r\n\u2192\n')"
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code, path], check=True, env=os.environ | plain)
    assert path.read_bytes() == b"\xc3\xa9\r\n\xe2\x86\x92\n"


def test_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "x")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


def test_file_mode_follows_umask(path):
    old = os.umask(0o027)
    try:
        write_text(path, "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


class Interrupted(BaseException):
    """Stands for Ctrl-C and for a kill that still unwinds."""


def test_interrupt_leaves_the_old_file(path):
    write_text(path, "old")

    def write():
        with replacing(path) as temporary:
            temporary.write_text("ne")
            raise Interrupted

    with pytest.raises(Interrupted):
        write()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_failed_replace_leaves_the_old_file(path, monkeypatch):
    write_text(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with raises(FileError, f"{path}: cannot be written (No space left on device)"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_cannot_be_written(tmp_path):
    with raises(FileError, f"{tmp_path}: is a folder, not a file"):
        write_text(tmp_path, "x")
    write_text(tmp_path / "file", "x")
    below = tmp_path / "file" / "x"
    with pytest.raises(FileError) as caught:
        write_text(below, "x")
    assert str(caught.value) in {
        f"{below}: cannot be written (File exists)",
        f"{below}: cannot be written (Not a directory)",
    }
