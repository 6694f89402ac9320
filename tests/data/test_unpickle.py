"""Pickles that would do harm are refused before they run."""

import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from fxsim.data.unpickle import unpickle
from fxsim.errors import FileError

GOOD = pickle.dumps({b"data": np.arange(6, dtype=np.uint8).reshape(2, 3), b"n": [1, "a"]}, 2)


class Runs:
    """A pickle that calls a function when it is read."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_plain_values_and_arrays_of_bytes_are_read():
    value = unpickle("f", GOOD)
    np.testing.assert_array_equal(value[b"data"], [[0, 1, 2], [3, 4, 5]])
    assert value[b"n"] == [1, "a"]
    column_first = np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    value = unpickle("f", pickle.dumps({b"data": column_first}, 2))
    np.testing.assert_array_equal(value[b"data"], column_first)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.mkdir, ["made"]),
        (eval, ["__import__('os').mkdir('made')"]),
        (getattr, ["", "join"]),
        (np.zeros, [10]),
        (bytearray, [1 << 40]),
    ],
)
def test_no_other_name_is_let_in(tmp_path, monkeypatch, protocol, function, arguments):
    monkeypatch.chdir(tmp_path)
    raw = pickle.dumps({b"data": Runs(function, *arguments)}, protocol)
    with pytest.raises(FileError, match=r"^f: not a pickle of plain values \(must not name \S+\)$"):
        unpickle("f", raw)
    assert not list(tmp_path.iterdir())


def test_the_reading_would_have_done_harm(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps({b"data": Runs(os.mkdir, "made")}))
    assert (tmp_path / "made").is_dir()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".", "bytearray8"),
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "must keep at most 1048576 values, not number 2147483647"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".", "bytes8"),
        (b"\x80\x02\x8b\xff\xff\xff\x7f.", "LONG4|long4"),
        (b"\x80\x02P1\n.", "must not use BINPERSID|must not use PERSID|persid"),
        (b"\x80\x02(cnumpy\nndarray\no.", "must not use OBJ"),
        (b"\x80\x02\x82\x01.", "must not use EXT1"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "must not use NEWOBJ"),
        (b"\x80\x02c_codecs\nencode\nN}X\x01\x00\x00\x00aK\x01s\x86b.", "."),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-7\x86R.", "latin1"),
        (b"", "."),
        (b".", "."),
        (b"\x80\xffN.", "."),
        (b"no pickle", "."),
    ],
)
def test_pickles_that_would_take_memory_or_tricks_are_refused(raw, message):
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match=rf"^f: not a pickle of plain values \(.*({message})"):
            unpickle("f", raw)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_an_array_that_lies_about_its_shape():
    raw = GOOD.replace(b"K\x02K\x03\x86", b"K\x02K\x04\x86")
    assert raw != GOOD
    with pytest.raises(FileError, match="as many bytes as its shape says"):
        unpickle("f", raw)


def test_every_cut_is_refused():
    for length in range(len(GOOD)):
        with pytest.raises(FileError, match=r"^f: not a pickle"):
            unpickle("f", GOOD[:length])


def test_flipped_bytes_end_in_a_value_or_in_our_error():
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(3000):
        raw = bytearray(GOOD)
        for at in rng.integers(0, len(raw), rng.integers(1, 4)):
            raw[at] = rng.integers(0, 256)
        try:
            unpickle("f", bytes(raw))
        except FileError:
            refused += 1
    assert refused > 1000


def test_deep_nesting_is_no_danger():
    deep = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    assert isinstance(unpickle("f", deep), list)
