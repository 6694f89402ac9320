"""A short run of the fuzzer, and what it has found so far, as small files."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest
import yaml

from fxsim.errors import FileError, SpecError
from fxsim.explorer.front import front_rows, table
from fxsim.explorer.space import load_space
from fxsim.explorer.store import read_store
from fxsim.files import read_yaml
from fxsim.report.exploration import write_exploration
from fxsim.spec import load_spec
from tests.fuzz.readers import READERS, TERNARY, write_seeds
from tests.fuzz.run import fuzz
from tests.fuzz.worker import prepare, verdict
from tests.messages import raises

QUICK = ("arrays", "caches", "data", "network", "space", "unit")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds") / "seeds"
    write_seeds(folder)
    return folder


def test_a_short_run_finds_nothing(tmp_path, seeds):
    found = fuzz(QUICK, first=0, seconds=30, most=6, folder=tmp_path, seeds=seeds)
    assert found.wrong == []
    assert found.cases >= 12


@pytest.mark.parametrize("name", sorted(READERS))
def test_cases_are_the_same_each_time(tmp_path, seeds, name):
    reader, made = READERS[name], []
    for place in ("one", "two"):
        folder = tmp_path / place / name
        done = prepare(reader, 3, seeds, folder)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        files.pop("s.sqlite", None)  # counts its own changes
        made.append((done, files))
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (KeyError("x"), "KeyError"),
        (MemoryError(), "more than 2 GiB of memory"),
        (FileError(""), "an error without a message"),
        (FileError("x: not found"), "refused"),
        (None, "read"),
    ],
)
def test_what_counts_as_a_finding(tmp_path, raised, expected):
    class Raises:
        def read(self, folder):
            if raised is not None:
                raise raised

    assert verdict(Raises(), tmp_path).splitlines()[0] == expected


def test_a_dead_process_is_a_finding(tmp_path, seeds, monkeypatch):
    monkeypatch.setenv("FXSIM_FUZZ_DIE", "1")
    found = fuzz(["space"], first=0, seconds=30, most=1, folder=tmp_path, seeds=seeds)
    ((name, case, text),) = found.wrong
    assert (name, case) == ("space", 0)
    assert text.startswith("died with status")


@pytest.fixture
def store(tmp_path, seeds):
    path = tmp_path / "s.sqlite"
    shutil.copy(seeds / "store" / "s.sqlite", path)
    return path


def change(path, statement, *values):
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "value", "message"),
    [
        ("update facts set value = ? where name = 'seed'", "{", "seed must be"),
        ("update facts set value = ? where name = 'seed'", "9" * 5000, "seed must be"),
        ("update facts set value = ? where name = 'name'", "5", "name must be a valid string"),
        ("update facts set value = ? where name = 'spec'", '{"name": 3}', "must be a valid string"),
        ("delete from facts where name = ?", "space", "the fact 'space' is missing"),
        ("delete from facts where name = ?", "rebuild", "the fact 'rebuild' is missing"),
        ("update outcomes set choices = ? where place = 0", "[9, 0, 0, 0]", "not in the space"),
        ("update outcomes set choices = ? where place = 0", "[0]", r"point \[0\] is not in the"),
        ("update outcomes set choices = ? where place = 0", "3.5", "point must be"),
        (
            "update outcomes set metrics = ? where place = 0",
            '{"loss": 1.0}',
            "has no weight_memory_bits",
        ),
        ("update outcomes set metrics = ? where place = 0", '{"loss": ""}', "metrics.loss must"),
        ("update outcomes set metrics = ? where place = 0", '{"loss": NaN}', "finite"),
        ("update outcomes set place = ? where place = 0", "x", "outcome of"),
        ("update measured set metrics = ?", "[]", "measured must be"),
        ("update verified set result = ?", '{"words": 3}', "verified.exact must be"),
        ("update notes set value = ?", '{"error": []}', "note 'test'.error must be"),
    ],
)
def test_damaged_stores(tmp_path, store, statement, value, message):
    change(store, "update notes set name = 'test'")
    change(store, statement, value)

    def read():
        with read_store(store) as opened:
            front_rows(opened)
            table(opened)
            write_exploration(opened, tmp_path / "page.html", "s")

    with pytest.raises(FileError, match=rf"s\.sqlite: is damaged: .*{message}"):
        read()


def test_stores_with_names_that_are_no_text(tmp_path, store):
    change(store, "update facts set name = ? where name = 'seed'", b"\x89x")
    message = rf"{store}: is damaged: a fact's name must be text, not b'\x89x'"
    with raises(FileError, message), read_store(store):
        pass
    raw = store.read_bytes()
    path = tmp_path / "t.sqlite"
    path.write_bytes(raw.replace(b"tablenotesnotes", b"tablen\x89tesnotes"))
    assert path.read_bytes() != raw
    with (
        pytest.raises(FileError, match=r"t\.sqlite: is not a store of fxsim explore \("),
        read_store(path),
    ):
        pass


def test_lone_surrogates(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text('a: 1\nb: {c: "x\\ud800"}\n')
    message = r"text must be Unicode, not 'x\ud800': half of a pair of surrogates"
    with raises(FileError, f"{path}: {message} at line 2, column 8"):
        read_yaml(path)
    spec = load_spec(TERNARY / "spec.yaml")
    from fxsim.explorer.space import parse_space

    with pytest.raises(SpecError, match=r"^values must be plain YAML \(Invalid JSON: .*\) \(s\)$"):
        parse_space(spec, {"variables": {"\ud800": {}}}, "s")


def test_a_sound_space_is_read(seeds):
    spec = load_spec(TERNARY / "spec.yaml")
    value = yaml.safe_load((seeds / "space" / "explore.yaml").read_text())
    space = load_space(spec, "spec", seeds / "space" / "explore.yaml")
    assert json.loads(json.dumps(value))["variables"].keys() == set(space.names)
