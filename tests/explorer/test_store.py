import contextlib
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fxsim.errors import ConfigError, FileError
from fxsim.explorer.outcome import Outcome
from fxsim.explorer.run import Settings, facts_of
from fxsim.explorer.store import EARLIER, SCHEMA, UNSEALED, _compare, open_store, read_store
from tests.explorer.small import make
from tests.messages import refusal

FACTS = {"hash": "abc", "seed": 1, "versions": {"fxsim": "1"}}


def test_what_is_added_is_read_back_and_measured_cells_stand_in(tmp_path):
    path = tmp_path / "new" / "s.sqlite"
    one = Outcome((1, 0), 0, {"error": 0.1, "lut": 5.0})
    two = Outcome((0, 1), 1, None, "impossible")
    with open_store(path, FACTS, resume=False) as store:
        store.add(one, 0.5)
        store.add(two, 0.25)
        store.measure((1, 0), {"lut": 7.0})
        store.verify((1, 0), {"exact": True})
    with read_store(path) as store:
        assert store.facts == FACTS | {"schema": SCHEMA}
        assert store.outcomes() == [
            two,
            Outcome((1, 0), 0, {"error": 0.1, "lut": 7.0}, measured=True),
        ]
        assert store.predicted() == {(1, 0): one, (0, 1): two}
        assert store.verified() == {(1, 0): {"exact": True}}
        assert store.seconds() == 0.75


def test_an_outcome_is_on_disk_before_the_next(tmp_path):
    path = tmp_path / "s.sqlite"
    with open_store(path, FACTS, resume=False) as store:
        for k in range(3):
            store.add(Outcome((k,), k, {"error": 0.5}), 0.0)
            with read_store(path) as reader:
                assert len(reader.outcomes()) == k + 1


def test_a_store_is_resumed_by_the_same_run_only(tmp_path):
    path = tmp_path / "s.sqlite"
    with open_store(path, FACTS, resume=True):
        pass
    with (
        pytest.raises(FileError, match=r"s\.sqlite: exists; give --resume"),
        open_store(path, FACTS, resume=False),
    ):
        pass
    with open_store(path, FACTS | {"versions": {"fxsim": "2"}}, resume=True):
        pass
    with (
        pytest.raises(ConfigError, match=r"was made with seed 1, not 2"),
        open_store(path, FACTS | {"seed": 2}, resume=True),
    ):
        pass


def test_the_message_names_the_key_that_differs():
    one = {"layers": [{"bits": 8, "name": "x" * 70}, {"bits": 8}], "seed": 1}
    other = {"layers": [{"bits": 8, "name": "x" * 70}, {"bits": 6}], "seed": 1}
    message = r"^s: was made with spec\.layers\[1\]\.bits 8, not 6$"
    with pytest.raises(ConfigError, match=message):
        _compare(Path("s"), {"spec": one}, {"spec": other})
    fewer = {"layers": one["layers"][:1], "seed": 1}  # both began alike in the message
    message = r"^s: was made without spec\.layers\[1\], which is {\"bits\": 8} now$"
    with pytest.raises(ConfigError, match=message):
        _compare(Path("s"), {"spec": fewer}, {"spec": one})


def test_the_order_of_variables_is_part_of_the_configuration(tmp_path):
    job = make()
    turned = make(variables=dict(reversed(job.space.describe()["variables"].items())))
    path = tmp_path / "s.sqlite"
    with open_store(path, facts_of(job, Settings()), resume=False):
        pass
    with (
        pytest.raises(ConfigError, match=r"was made with (space|hash)"),
        open_store(path, facts_of(turned, Settings()), resume=True),
    ):
        pass


def test_two_writers_are_refused_while_a_reader_is_welcome(tmp_path):
    path = tmp_path / "s.sqlite"
    code = (
        "import sys; from pathlib import Path\n"
        "from fxsim.errors import FileError; from fxsim.explorer.store import open_store\n"
        f"facts = {FACTS!r}\n"
        "try:\n"
        "    with open_store(Path(sys.argv[1]), facts, resume=True): print('opened')\n"
        "except FileError as error: print(error)\n"
    )

    def other():
        command = [sys.executable, "-c", code, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with open_store(path, FACTS, resume=False):
        assert other() == f"{path}: another run is writing to it"
    assert other() == "opened"


@pytest.mark.parametrize("content", [b"", b"no database at all, but text", None])
def test_files_that_are_no_store_are_refused(tmp_path, content):
    path = tmp_path / "s.sqlite"
    if content is None:
        with sqlite3.connect(path) as connection:
            connection.execute("create table t (a)")
        connection.close()
    else:
        path.write_bytes(content)
    refused = r"s\.sqlite: is (not a store|empty or cut short)"
    with pytest.raises(FileError, match=refused), read_store(path):
        pass
    with pytest.raises(FileError, match=r"not found"), read_store(tmp_path / "none.sqlite"):
        pass


def test_a_store_of_another_schema_is_refused(tmp_path):
    path = tmp_path / "s.sqlite"
    with open_store(path, FACTS, resume=False):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("""update facts set value = '"x/9"' where name = 'schema'""")
    connection.close()
    with pytest.raises(FileError, match=r"schema must be fxsim-explore/4"), read_store(path):
        pass


def earlier(path, facts):
    """A store of an fxsim that did not count logic as it is packed."""
    with open_store(path, facts, resume=False) as store:
        store.add(Outcome((0, 1), 0, {"error": 0.1, "lut": 5.0}), 0.5)
    with sqlite3.connect(path) as connection:
        connection.execute(f"""update facts set value = '"{EARLIER}"' where name = 'schema'""")
    connection.close()
    return path


def test_a_store_of_an_earlier_fxsim_is_read_but_not_gone_on_with(tmp_path):
    path = earlier(tmp_path / "s.sqlite", FACTS)
    with read_store(path) as store:
        assert store.outcomes() == [Outcome((0, 1), 0, {"error": 0.1, "lut": 5.0})]
    message = (
        r"s\.sqlite: was made by an earlier fxsim, which counted other cells; give another --st"
    )
    with pytest.raises(FileError, match=message), open_store(path, FACTS, resume=True):
        pass


def test_a_store_whose_part_was_compared_with_other_cells_is_refused(tmp_path):
    facts = FACTS | {"space": {"constraints": {"part": "ice40up5k"}}}
    path = earlier(tmp_path / "s.sqlite", facts)
    message = r"earlier fxsim, which did not count the logic of ice40up5k as it is packed; explore"
    with pytest.raises(FileError, match=message), read_store(path):
        pass


def filled(path):
    """A store with a row of each kind; returns all that is in it."""
    with open_store(path, FACTS, resume=False) as store:
        for k in range(20):
            store.add(Outcome((k, 0), k, {"error": k / 7, "lut": 5.0 * k}), 0.5)
        store.measure((1, 0), {"lut": 7.0})
        store.verify((1, 0), {"exact": True})
        store.note((1, 0), "retrained", {"error": 0.25})
    return content(path)


def content(path):
    with read_store(path) as store:
        return (
            *(store.facts, store.outcomes(), store.predicted(), store.verified()),
            *(store.notes("retrained"), store.seconds()),
        )


def refused(path):
    """The line that refuses a damaged store; it names it and stays as it is."""
    before = path.read_bytes()
    with pytest.raises(FileError) as raised:
        content(path)
    with pytest.raises(FileError), open_store(path, FACTS, resume=True) as store:
        store.outcomes(), store.verified(), store.notes("retrained")
    assert path.read_bytes() == before
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_a_changed_bit_is_never_a_result(tmp_path):
    """Either the store reads as it was written, or it is refused."""
    path, other = tmp_path / "s.sqlite", tmp_path / "t.sqlite"
    whole = filled(path)
    data, rng, told = path.read_bytes(), random.Random(1), 0
    for place in rng.sample(range(8 * len(data)), 400):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        other.write_bytes(flipped)
        found: list[object] = []
        message = refusal(FileError, lambda seen=found: seen.append(content(other)))
        told += message is not None
        assert message is None or message.startswith(f"{other}: ")
        assert message or found == [whole]
    assert told > 20  # most bits of a page are not in use


@pytest.mark.parametrize(
    "statement",
    [
        "update outcomes set metrics = replace(metrics, '5.0', '4.0')",
        "update outcomes set place = place + 1",
        "update facts set value = '2' where name = 'seed'",
        "update measured set metrics = '{\"lut\": 1.0}'",
        "update verified set result = '{\"exact\": false}'",
        "update notes set value = '{}'",
        "delete from outcomes where place = 7",
        "delete from seals where place = 'facts'",
        "drop table seals",
        "drop table notes",
        "insert into verified values ('[2, 0]', '{\"exact\": true}')",
    ],
)
def test_a_changed_row_is_refused(statement, tmp_path):
    path = tmp_path / "s.sqlite"
    filled(path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = delete")
    refused(path)


@pytest.mark.parametrize("length", [0, 1, 50, 100, 4096, 9000])
def test_a_cut_store_is_refused(length, tmp_path):
    path = tmp_path / "s.sqlite"
    filled(path)
    path.write_bytes(path.read_bytes()[:length])
    refused(path)


def test_a_store_without_checksums_gets_them_when_it_goes_on(tmp_path):
    path = tmp_path / "s.sqlite"
    whole = filled(path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("drop table seals")
        connection.execute(f"""update facts set value = '"{UNSEALED}"' where name = 'schema'""")
    assert content(path)[1:] == whole[1:]
    with open_store(path, FACTS, resume=True):
        pass
    assert content(path) == whole
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update outcomes set place = 3")
    with pytest.raises(FileError, match="is damaged"):
        content(path)


def test_what_a_deleted_store_has_left_is_not_replayed(tmp_path):
    """Its journal would put its rows into the new one."""
    path = tmp_path / "s.sqlite"
    with open_store(path, FACTS, resume=False) as store:
        store.add(Outcome((0,), 0, {"error": 0.5}), 0.0)
        journal = path.with_name("s.sqlite-wal").read_bytes()
    path.unlink()
    path.with_name("s.sqlite-wal").write_bytes(journal)
    with open_store(path, FACTS, resume=False) as store:
        assert store.outcomes() == []
