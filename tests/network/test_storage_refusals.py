"""Saved networks that were altered, cut short or made up are refused, word for word."""

from __future__ import annotations

import copy
import dataclasses
import math

import numpy as np
import pytest

from fxsim.errors import FileError
from fxsim.files import read_npz, read_yaml, write_npz, write_yaml
from fxsim.network import storage
from fxsim.network.storage import MANIFEST, TENSORS, load_network, network_hash, save_network
from tests.messages import raises
from tests.network.stored_networks import assert_equal, small_network


@pytest.fixture
def network():
    return small_network()


@pytest.fixture
def saved(network, tmp_path):
    save_network(network, tmp_path)
    return tmp_path


def test_tampered_manifest(saved):
    text = (saved / MANIFEST).read_text()
    for old, new in (
        ("shift: 9", "shift: 8"),
        ("name: net", "name: nett"),
        ("scale: 0.1", "scale: 0.2"),
    ):
        assert old in text
        (saved / MANIFEST).write_text(text.replace(old, new, 1))
        message = f"{saved / MANIFEST}: hash does not match the content of {saved}"
        with raises(FileError, message):
            load_network(saved)


def test_unknown_key_in_manifest(saved):
    manifest = read_yaml(saved / MANIFEST)
    manifest["layers"][0]["extra"] = 1
    write_yaml(saved / MANIFEST, manifest)
    with raises(FileError, f"{saved / MANIFEST}: hash does not match the content of {saved}"):
        load_network(saved)


def test_a_product_without_a_tail_has_no_relu(saved):
    manifest = read_yaml(saved / MANIFEST)
    manifest["layers"][1]["relu"] = True
    write_yaml(saved / MANIFEST, manifest)
    message = "second: relu must be false without a requantizer, not True"
    with raises(FileError, f"{saved / MANIFEST}: {message}"):
        load_network(saved)


@pytest.mark.parametrize(
    "name", ["first.weight", "first.bias", "first.weight_scale", "first.multiplier"]
)
def test_tampered_tensors(saved, name):
    tensors = read_npz(saved / TENSORS)
    tensors[name].flat[0] += tensors[name].dtype.type(0.125 if "scale" in name else 1)
    write_npz(saved / TENSORS, tensors)
    with raises(FileError, f"{saved / MANIFEST}: hash does not match the content of {saved}"):
        load_network(saved)


def test_missing_and_extra_tensors(saved):
    tensors = read_npz(saved / TENSORS)
    for name in tensors:
        write_npz(saved / TENSORS, {key: t for key, t in tensors.items() if key != name})
        with raises(FileError, f"{saved / MANIFEST}: {name!r} is missing"):
            load_network(saved)
    write_npz(saved / TENSORS, tensors | {"third.weight": np.zeros(1)})
    with raises(FileError, f"{saved / TENSORS}: 'third.weight' belongs to no layer"):
        load_network(saved)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("first.weight", np.zeros((4, 3)), "first: weight must hold integers, not float64"),
        ("first.weight", np.zeros(4, int), "first: weight must have 2 dimensions, not shape (4,)"),
        ("first.weight", np.full((4, 3), 9), "first: weight[0, 0] must be from -3 to 3, not 9"),
        ("first.bias", np.zeros(3, int), "first: bias must have shape (4,), not (3,)"),
        ("first.weight_scale", np.zeros(1), "first: weight_scale must be positive and finite"),
        ("first.multiplier", np.array([256]), "multiplier[0] must be from 0 to 255, not 256"),
    ],
)
def test_wrong_tensors(saved, name, tensor, message):
    write_npz(saved / TENSORS, read_npz(saved / TENSORS) | {name: tensor})
    with raises(FileError, f"{saved / MANIFEST}: {message}"):
        load_network(saved)


def test_wrong_schema(saved):
    manifest = read_yaml(saved / MANIFEST)
    for schema in ("fxsim-network/3", None, 1, []):
        write_yaml(saved / MANIFEST, manifest | {"schema": schema})
        with raises(FileError, f"{saved / MANIFEST}: schema must be 'fxsim-network/2'"):
            load_network(saved)
    for text in ("", "[]", "text"):
        (saved / MANIFEST).write_text(text)
        with raises(FileError, f"{saved / MANIFEST}: schema must be 'fxsim-network/2'"):
            load_network(saved)


def test_odd_keys_of_the_first_schema(saved, monkeypatch):
    """Keys that have no order are refused in one line, as the hash sorts them."""
    manifest = read_yaml(saved / MANIFEST)
    write_yaml(saved / MANIFEST, {"schema": "fxsim-network/1", "hash": "", 3: None})
    monkeypatch.setattr(storage, "convert", lambda value: manifest)
    with pytest.raises(FileError, match="malformed"):
        load_network(saved)


def test_missing_files(saved):
    (saved / TENSORS).unlink()
    with raises(FileError, f"{saved / TENSORS}: not found"):
        load_network(saved)
    (saved / MANIFEST).unlink()
    with raises(FileError, f"{saved / MANIFEST}: not found"):
        load_network(saved)


def paths(value, prefix=()):
    """Path of every key and item below ``value``."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*prefix, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*prefix, key))


DROP = object()
WRONG = [DROP, None, -1, 0, "x", "", [], {}, [[]], 1e400, -1e400, 1.5, True, False, 10**30, 10**12]


def mutants(manifest):
    for path in paths(manifest):
        for wrong in WRONG:
            mutant = copy.deepcopy(manifest)
            target = mutant
            for part in path[:-1]:
                target = target[part]
            if wrong is DROP:
                del target[path[-1]]
            elif type(target[path[-1]]) is type(wrong) and target[path[-1]] == wrong:
                continue
            else:
                target[path[-1]] = wrong
            yield path, wrong, mutant


def test_every_wrong_value_is_refused(saved, network, monkeypatch):
    manifest = read_yaml(saved / MANIFEST)
    tensors = read_npz(saved / TENSORS)
    monkeypatch.setattr(storage, "read_npz", lambda path: tensors)
    refused = 0
    for path, wrong, mutant in mutants(manifest):
        monkeypatch.setattr(storage, "read_yaml", lambda path, mutant=mutant: mutant)
        with pytest.raises(FileError) as caught:
            load_network(saved)
        assert len(str(caught.value).splitlines()) == 1, (path, wrong)
        refused += 1
    assert refused > 800
    monkeypatch.setattr(storage, "read_yaml", lambda path: manifest)
    assert network_hash(load_network(saved)) == network_hash(network)


def types(value):
    """Types of all fields below a dataclass."""
    if dataclasses.is_dataclass(value):
        return {f.name: types(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [types(item) for item in value]
    return type(value)


def test_a_forged_hash_does_not_make_an_inconsistent_network(saved, tmp_path, monkeypatch):
    """What gets past the constructors is a network like any other: it saves and loads."""
    original = types(load_network(saved))
    hashes = dict.fromkeys(("arithmetic_hash", "hardware_hash", "hash"), "forged")
    manifest = read_yaml(saved / MANIFEST) | hashes
    tensors = read_npz(saved / TENSORS)
    loaded = 0
    for path, wrong, mutant in mutants(manifest):
        with monkeypatch.context() as patch:
            patch.setattr(storage, "_hashes", lambda network: hashes)
            patch.setattr(storage, "read_npz", lambda path: tensors)
            patch.setattr(storage, "read_yaml", lambda path, mutant=mutant: mutant)
            try:
                network = load_network(saved)
            except FileError:
                continue
        assert types(network) == original, (path, wrong)
        save_network(network, tmp_path / "again")
        assert_equal(load_network(tmp_path / "again"), network)
        assert path[-1] not in hashes, wrong
        loaded += 1
    assert loaded >= 5


def test_wrong_values_through_the_file(saved):
    """The same way in as a user's: a sample of the mutants, written and read."""
    manifest = read_yaml(saved / MANIFEST)
    for _, _, mutant in list(mutants(manifest))[::23]:
        write_yaml(saved / MANIFEST, mutant)
        with pytest.raises(FileError):
            load_network(saved)


def test_truncated_manifest(saved):
    raw = (saved / MANIFEST).read_bytes()
    for size in range(0, len(raw) - 1, 3):  # the last byte is a line end, which may go
        (saved / MANIFEST).write_bytes(raw[:size])
        with pytest.raises(FileError):
            load_network(saved)


def test_truncated_tensors(saved):
    raw = (saved / TENSORS).read_bytes()
    for size in range(0, len(raw), 7):
        (saved / TENSORS).write_bytes(raw[:size])
        message = f"{saved / TENSORS}: not a valid npz file (File is not a zip file)"
        with raises(FileError, message):
            load_network(saved)


def test_infinity_is_text_that_yaml_knows(saved):
    text = (saved / MANIFEST).read_text()
    (saved / MANIFEST).write_text(text.replace("scale: 0.1", "scale: 1e400"))
    with raises(FileError, f"{saved / MANIFEST}: scale must be positive and finite, not inf"):
        load_network(saved)
    assert math.isinf(read_yaml(saved / MANIFEST)["inputs"]["input"]["scale"])
