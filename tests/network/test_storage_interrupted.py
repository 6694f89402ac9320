"""A save that is killed leaves the old network or the new one, and nothing for good."""

from __future__ import annotations

import dataclasses
import os
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


def save_killed(network, folder, calls):
    """Save in a process that dies before its call number ``calls`` that touches files.

    Returns whether it was done before.
    """
    if child := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (DONE, KILLED)
        return status == DONE
    left = calls

    def count(event, _):
        nonlocal left
        if event.startswith(("open", "os.", "tempfile.")):
            left -= 1
            if left < 0:
                os._exit(KILLED)

    status = FAILED
    try:
        sys.addaudithook(count)
        save_network(network, folder)
        status = DONE
    finally:
        os._exit(status)


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
    def prepare():
        save_network(FIRST, tmp_path)
        assert names(tmp_path) == [TENSORS, MANIFEST]  # and nothing that was left over

    seen = [loaded_one(tmp_path, (FIRST, SECOND)) for _ in interruptions(SECOND, tmp_path, prepare)]
    assert seen == sorted(seen)
    assert set(seen) == {0, 1}
    assert seen.count(1) > 2  # renamed, then tidied up
    assert names(tmp_path) == [TENSORS, MANIFEST]


def test_what_was_left_is_as_good_a_start(tmp_path):
    def first(calls):
        save_network(FIRST, tmp_path)
        save_killed(SECOND, tmp_path, calls)

    for calls in list(interruptions(SECOND, tmp_path, lambda: save_network(FIRST, tmp_path))):
        first(calls)
        before = loaded_one(tmp_path, (FIRST, SECOND))
        seen = [
            loaded_one(tmp_path, ((FIRST, SECOND)[before], THIRD))
            for _ in interruptions(THIRD, tmp_path, lambda calls=calls: first(calls))
        ]
        assert seen == sorted(seen)
        assert set(seen) == {0, 1}
        assert names(tmp_path) == [TENSORS, MANIFEST]


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
