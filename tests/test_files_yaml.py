"""The YAML reader: plain values, and one line for whatever else a file holds."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fxsim import files
from fxsim.errors import FileError
from fxsim.files import read_npy, read_npz, read_yaml, write_yaml
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
