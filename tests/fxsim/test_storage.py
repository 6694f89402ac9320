"""Saved networks: equal when read back, repeatable byte for byte, and never silently altered."""

from __future__ import annotations

import copy
import dataclasses
import math
import shutil

import numpy as np
import pytest
from hypothesis import given

from fxsim import storage
from fxsim.errors import FileError
from fxsim.files import read_npz, read_yaml, write_npz, write_yaml
from fxsim.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.network import (
    Accumulator,
    Activation,
    Folding,
    InputQuantizer,
    QuantizedLinear,
    QuantizedNetwork,
    Requantizer,
)
from fxsim.storage import MANIFEST, TENSORS, load_network, network_hash, save_network
from tests.messages import raises
from tests.strategies import networks, unhurried

SOURCE = Activation(format=IntFormat(bits=4, signed=False), scale=0.1)
HIDDEN = Activation(format=IntFormat(bits=4, signed=False), scale=1e-05, zero_point=2)


def linear(name, outputs, inputs, **changes):
    values = {
        "name": name,
        "weight": np.arange(outputs * inputs).reshape(outputs, inputs) % 7 - 3,
        "weight_format": IntFormat(bits=3, signed=True, narrow=True),
        "weight_scale": np.array([0.3]),
        "bias": np.arange(outputs) * 100 - 50,
        "input": SOURCE,
        "accumulator": Accumulator(
            format=IntFormat(bits=12, signed=True), mode=AccumulatorMode.SATURATE
        ),
        "requantizer": None,
        "relu": False,
        "output": Activation(format=IntFormat(bits=12, signed=True), scale=0.5),
        "folding": Folding(rows=1, simd=1),
    }
    return QuantizedLinear(**(values | changes))


@pytest.fixture
def network():
    requantizer = Requantizer(
        multiplier=np.array([9, 200, 255, 1]),
        multiplier_bits=8,
        shift=9,
        rounding=Rounding.TIES_EVEN,
        overflow=Overflow.SATURATE,
    )
    first = linear("first", 4, 3, requantizer=requantizer, relu=True, output=HIDDEN)
    return QuantizedNetwork(
        name="net",
        data="1e3",  # text that looks like a number
        input=InputQuantizer(shape=(3,), activation=SOURCE, rounding=Rounding.TIES_AWAY),
        layers=(first, linear("second", 2, 4, input=HIDDEN)),
    )


def assert_equal(one, other):
    """Field by field, so that a bug in the hash or the manifest cannot hide."""
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert type(a) is type(b), field.name
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        elif field.name == "layers":
            assert len(a) == len(b)
            for left, right in zip(a, b, strict=True):
                assert_equal(left, right)
        elif dataclasses.is_dataclass(a):
            assert_equal(a, b)
        else:
            assert a == b, field.name


def test_round_trip(network, tmp_path):
    save_network(network, tmp_path / "new" / "folder")
    loaded = load_network(tmp_path / "new" / "folder")
    assert_equal(network, loaded)
    assert network_hash(loaded) == network_hash(network)


@unhurried
@given(networks())
def test_any_network_round_trips(tmp_path_factory, net):
    folder = tmp_path_factory.getbasetemp() / "drawn"
    save_network(net, folder)
    loaded = load_network(folder)
    assert_equal(net, loaded)
    assert network_hash(loaded) == network_hash(net)


@pytest.mark.parametrize("value", [2**7, 2**15, 2**31, 2**32, 2**33, 2**40, 2**57])
def test_large_integers_round_trip(network, tmp_path, value):
    accumulator = Accumulator(format=IntFormat(bits=60, signed=True), mode=AccumulatorMode.SATURATE)
    for bias in ([value, value], [-value, -value], [-value - 1, value - 1], [value - 1, 0]):
        layer = linear(
            "second",
            2,
            4,
            input=HIDDEN,
            bias=np.array(bias),
            accumulator=accumulator,
            output=Activation(format=accumulator.format, scale=0.5),
        )
        net = dataclasses.replace(network, layers=(network.layers[0], layer))
        save_network(net, tmp_path)
        assert_equal(net, load_network(tmp_path))


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(-128, 127, "int8"), (-129, 0, "int16"), (0, 128, "int16"), (-(2**31), 2**31 - 1, "int32"),
     (5, 5, "int8"), (0, 2**31, "int64"), (2**40, 2**40, "int64")],
)  # fmt: skip
def test_integers_are_stored_as_small_as_they_go(network, tmp_path, low, high, dtype):
    fmt = IntFormat(bits=60, signed=True)
    second = dataclasses.replace(
        network.layers[1],
        bias=np.array([low, high]),
        accumulator=Accumulator(format=fmt, mode=AccumulatorMode.SATURATE),
        output=Activation(format=fmt, scale=0.5),
    )
    save_network(dataclasses.replace(network, layers=(network.layers[0], second)), tmp_path)
    assert read_npz(tmp_path / TENSORS)["second.bias"].dtype == dtype


def test_bytes_repeat(network, tmp_path):
    save_network(network, tmp_path / "a")
    save_network(load_network(tmp_path / "a"), tmp_path / "b")
    for file in (MANIFEST, TENSORS):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == sorted([MANIFEST, TENSORS])


def test_the_hash_sees_everything(network):
    """Each field of each part, changed by the smallest step."""
    first, second = network.layers
    requantizer = first.requantizer

    def with_first(**changes):
        return dataclasses.replace(network, layers=(dataclasses.replace(first, **changes), second))

    def bumped(array, step):
        changed = array.copy()
        changed.flat[-1] += step
        return changed

    int4n = IntFormat(bits=4, signed=True, narrow=True)
    variants = [
        network,
        dataclasses.replace(network, name="other"),
        dataclasses.replace(network, data="other"),
        dataclasses.replace(
            network, input=dataclasses.replace(network.input, rounding=Rounding.FLOOR)
        ),
        with_first(name="other"),
        with_first(weight=bumped(first.weight, -1)),
        with_first(weight_format=int4n),
        with_first(weight_scale=np.array([np.nextafter(0.3, 1)])),
        with_first(weight_scale=np.array([0.3] * 4)),
        with_first(bias=bumped(first.bias, 1)),
        with_first(accumulator=dataclasses.replace(first.accumulator, mode=AccumulatorMode.WRAP)),
        with_first(relu=False),
        with_first(folding=Folding(rows=2, simd=1)),
        with_first(folding=Folding(rows=1, simd=3)),
        with_first(folding=Folding(rows=1, simd=1, pad=True)),
        with_first(folding=Folding(rows=1, simd=1, dsp=False)),
        *(
            with_first(requantizer=dataclasses.replace(requantizer, **change))
            for change in (
                {"multiplier": bumped(requantizer.multiplier, 1)},
                {"multiplier_bits": 9},
                {"shift": 10},
                {"rounding": Rounding.FLOOR},
                {"overflow": Overflow.WRAP},
            )
        ),
    ]
    assert len({network_hash(variant) for variant in variants}) == len(variants)


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
    for schema in ("fxsim-network/2", None, 1, []):
        write_yaml(saved / MANIFEST, manifest | {"schema": schema})
        with raises(FileError, f"{saved / MANIFEST}: schema must be 'fxsim-network/1'"):
            load_network(saved)
    for text in ("", "[]", "text"):
        (saved / MANIFEST).write_text(text)
        with raises(FileError, f"{saved / MANIFEST}: schema must be 'fxsim-network/1'"):
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
    manifest = read_yaml(saved / MANIFEST) | {"hash": "forged"}
    tensors = read_npz(saved / TENSORS)
    loaded = 0
    for path, wrong, mutant in mutants(manifest):
        with monkeypatch.context() as patch:
            patch.setattr(storage, "network_hash", lambda network: "forged")
            patch.setattr(storage, "read_npz", lambda path: tensors)
            patch.setattr(storage, "read_yaml", lambda path, mutant=mutant: mutant)
            try:
                network = load_network(saved)
            except FileError:
                continue
        assert types(network) == original, (path, wrong)
        save_network(network, tmp_path / "again")
        assert_equal(load_network(tmp_path / "again"), network)
        assert path[-1] != "hash", wrong
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


def test_interrupted_save(saved, network, tmp_path, monkeypatch):
    """Before the first file is replaced nothing has changed; between the two, loading refuses."""
    other = dataclasses.replace(network, name="other")
    shorter = dataclasses.replace(other, layers=(network.layers[0],))

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fxsim.files.os.replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_network(shorter, saved)
    assert_equal(load_network(saved), network)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_yaml", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_network(shorter, saved)
    with raises(FileError, f"{saved / MANIFEST}: 'second.weight' is missing"):
        load_network(saved)
    shutil.rmtree(saved)
    save_network(shorter, saved)
    assert_equal(load_network(saved), shorter)


def test_infinity_is_text_that_yaml_knows(saved):
    text = (saved / MANIFEST).read_text()
    (saved / MANIFEST).write_text(text.replace("scale: 0.1", "scale: 1e400"))
    with raises(FileError, f"{saved / MANIFEST}: scale must be positive and finite, not inf"):
        load_network(saved)
    assert math.isinf(read_yaml(saved / MANIFEST)["input"]["scale"])
