"""A save that is killed leaves the old network or the new one, and nothing for good."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import shutil
import subprocess
import sys

import pytest

from fxsim.errors import FileError
from fxsim.folders import HIDDEN
from fxsim.network.storage import MANIFEST, TENSORS, load_network, network_hash, save_network
from tests.messages import raises
from tests.network.stored_networks import assert_equal, small_network

FIRST = small_network()
SECOND = dataclasses.replace(FIRST, layers=FIRST.layers[:1])
THIRD = dataclasses.replace(FIRST, name="third")
DONE, KILLED, FAILED = 0, 9, 1
RANDOM = re.compile(r"(\.fxsim-[0-9a-f]{16}-)[a-z0-9_]{8}")


def apart(save):
    """Call ``save`` in a process of its own; its exit status. It may end the process."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = FAILED
    try:
        save()
        status = DONE
    finally:
        os._exit(status)


def before_each_call(action):
    """Act before each call of this process that touches files, but for those of the action."""
    acting = False

    def heard(event, _):
        nonlocal acting
        if event.startswith(("open", "os.", "tempfile.")) and not acting:
            acting = True
            action()
            acting = False

    sys.addaudithook(heard)


def save_killed(network, folder, calls):
    """Save in a process that dies before its call number ``calls`` that touches files.

    Returns whether it was done before.
    """
    left = calls

    def count():
        nonlocal left
        left -= 1
        if left < 0:
            os._exit(KILLED)

    def save():
        before_each_call(count)
        save_network(network, folder)

    status = apart(save)
    assert status in (DONE, KILLED)
    return status == DONE


def moments(network, folder, copies):
    """Copies of ``folder`` before each call that touches files while a save runs, and at its end.

    Each is what a kill at that call leaves, as `test_old_or_new` shows.
    """
    number = itertools.count()

    def copy():
        shutil.copytree(folder, copies / f"{next(number):03}")

    def save():
        before_each_call(copy)
        save_network(network, folder)

    assert apart(save) == DONE
    shutil.copytree(folder, copies / "end")
    return sorted(copies.iterdir())


def content(folder):
    """Files of a folder with bytes and modes; what is random in their names is left out."""
    return frozenset(
        (
            RANDOM.sub(r"\1", path.relative_to(folder).as_posix()),
            path.stat().st_mode,
            None if path.is_dir() else path.read_bytes(),
        )
        for path in folder.rglob("*")
    )


def interruptions(network, folder, prepare):
    """Number of calls that a save of ``network`` was killed after; the last one came to its end."""
    calls, done = 0, False
    while not done:
        prepare()
        done = save_killed(network, folder, calls)
        yield calls
        calls += 1


def loaded_one(folder, networks):
    """Number of the network that the folder holds."""
    found = load_network(folder)
    number = [network_hash(network) for network in networks].index(network_hash(found))
    assert_equal(found, networks[number])
    return number


def names(folder):
    """Files in a folder; the hidden one holds nothing but the lock."""
    assert [path.name for path in (folder / HIDDEN).iterdir()] == ["lock"]
    return sorted(path.name for path in folder.iterdir() if path.name != HIDDEN)


def test_old_or_new(tmp_path):
    folder = tmp_path / "net"

    def prepare():
        save_network(FIRST, folder)
        assert names(folder) == [TENSORS, MANIFEST]  # and nothing that was left over

    prepare()
    copies = moments(SECOND, folder, tmp_path / "copies")
    seen, left = [], []
    for _ in interruptions(SECOND, folder, prepare):
        seen.append(loaded_one(folder, (FIRST, SECOND)))
        left.append(content(folder))
    assert seen == sorted(seen)
    assert set(seen) == {0, 1}
    assert seen.count(1) > 2  # renamed, then tidied up
    assert names(folder) == [TENSORS, MANIFEST]
    assert left == list(map(content, copies))


def test_what_was_left_is_as_good_a_start(tmp_path):
    """From each different folder that a kill leaves; the next save knows nothing else of it."""
    save_network(FIRST, tmp_path / "net")
    left = moments(SECOND, tmp_path / "net", tmp_path / "copies")
    starts = {content(folder): folder for folder in left}
    assert len(starts) > 5
    for start in starts.values():
        old = (FIRST, SECOND)[loaded_one(start, (FIRST, SECOND))]
        folders = moments(THIRD, start, tmp_path / f"after-{start.name}")
        seen = [loaded_one(folder, (old, THIRD)) for folder in folders]
        assert seen == sorted(seen)
        assert set(seen) == {0, 1}
        assert names(start) == [TENSORS, MANIFEST]


def test_exceptions_leave_no_temporary_files(tmp_path, monkeypatch):
    """Ctrl-C and a full disk, at each change of a name."""
    replace, expected = os.replace, [FIRST, FIRST, SECOND]
    for calls, network in enumerate(expected):
        save_network(FIRST, tmp_path)
        for error in (KeyboardInterrupt(), OSError(28, "No space left on device")):
            left = iter(range(calls))

            def interrupted(*arguments, left=left, error=error):
                if next(left, None) is None:
                    raise error
                replace(*arguments)

            with monkeypatch.context() as patch:
                patch.setattr(os, "replace", interrupted)
                with pytest.raises((KeyboardInterrupt, FileError)):
                    save_network(SECOND, tmp_path)
            assert_equal(load_network(tmp_path), network)
            assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_a_name_that_cannot_be_taken(tmp_path):
    (tmp_path / TENSORS).mkdir()
    with raises(FileError, f"{tmp_path / TENSORS}: cannot be written (Is a directory)"):
        save_network(FIRST, tmp_path)
    assert_equal(load_network(tmp_path), FIRST)


def test_files_of_others_stay(tmp_path):
    others = ["network-2.npz", ".network", "network-notes.yaml", ".network-a.npz"]
    for name in others:
        (tmp_path / name).touch()
    save_network(FIRST, tmp_path)
    assert names(tmp_path) == sorted([*others, TENSORS, MANIFEST])


SAVE = """
import sys
from pathlib import Path
from fxsim.network.storage import load_network, save_network
network = load_network(sys.argv[1])
for _ in range(30):
    save_network(network, sys.argv[2])
"""


def test_saves_at_once_leave_one_of_them(tmp_path):
    for name, network in (("first", FIRST), ("second", SECOND)):
        save_network(network, tmp_path / name)
    saves = [
        subprocess.Popen([sys.executable, "-c", SAVE, tmp_path / name, tmp_path / "out"])
        for name in ("first", "second", "first")
    ]
    assert [save.wait() for save in saves] == [0, 0, 0]
    loaded_one(tmp_path / "out", (FIRST, SECOND))
    assert names(tmp_path / "out") == [TENSORS, MANIFEST]


def test_a_hash_is_no_path(tmp_path):
    """The name of a file is made of nothing else."""
    save_network(FIRST, tmp_path / "a")
    save_network(SECOND, tmp_path)
    manifest = tmp_path / "a" / MANIFEST
    manifest.write_text(manifest.read_text().replace("hash: ", "hash: /../../"))
    with raises(FileError, f"{manifest}: hash does not match the content of {tmp_path / 'a'}"):
        load_network(tmp_path / "a")
