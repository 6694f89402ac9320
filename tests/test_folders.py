"""Output folders: results move in whole, and what others wrote stays."""

import json
import os
import subprocess
import sys
import time

import pytest

from fxsim.errors import FileError, UnwrittenError
from fxsim.folders import HIDDEN, filling, held, reserved
from tests.messages import raises

KILLED, DONE = 9, 0


def fill(folder, files, command="make"):
    """Write files, by name and text, as a run of ``command``."""
    with filling(folder, command) as own:
        for name, text in files.items():
            (own / name).parent.mkdir(parents=True, exist_ok=True)
            (own / name).write_text(text)


def content(folder):
    """Text of every file that is not hidden, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and HIDDEN not in path.parts
    }


def test_the_last_run_stays_whole(tmp_path):
    fill(tmp_path / "new" / "out", {"a": "1", "sub/b": "2", "sub/old/c": "3"})
    fill(tmp_path / "new" / "out", {"a": "4", "d": "5"})
    assert content(tmp_path / "new" / "out") == {"a": "4", "d": "5"}
    assert {path.name for path in (tmp_path / "new" / "out").iterdir()} == {"a", "d", HIDDEN}
    assert {p.name for p in (tmp_path / "new" / "out" / HIDDEN).iterdir()} == {"lock", "make.json"}


def test_what_fxsim_did_not_write_stays(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.hex").write_text("mine")
    fill(tmp_path, {"sub/ours.hex": "1", "sub/more.hex": "2"})
    (tmp_path / "sub" / "more.hex").write_text("changed by hand")
    fill(tmp_path, {"a": "3"}, "other")
    fill(tmp_path, {"b": "4"})
    assert content(tmp_path) == {
        "sub/mine.hex": "mine",
        "sub/more.hex": "changed by hand",
        "a": "3",
        "b": "4",
    }


@pytest.mark.parametrize("early", [True, False])
def test_a_file_of_another_is_not_replaced(early, tmp_path):
    (tmp_path / "b").write_text("mine")
    message = "exists, and fxsim did not write it; move it away, or give another folder"
    with raises(FileError if early else UnwrittenError, f"{tmp_path / 'b'}: {message}"):
        if early:
            with filling(tmp_path, "make", files=["b"]):
                pytest.fail("must be refused before anything takes time")
        fill(tmp_path, {"a": "1", "b": "2"})
    assert content(tmp_path) == {"b": "mine"}
    (tmp_path / "b").unlink()
    (tmp_path / "b").symlink_to("nowhere")
    with raises(UnwrittenError, f"{tmp_path / 'b'}: {message}"):
        fill(tmp_path, {"a": "1", "b": "2"})
    (tmp_path / "b").unlink()
    (tmp_path / "b").mkdir()
    with raises(UnwrittenError, f"{tmp_path / 'b'}: is a folder, not a file"):
        fill(tmp_path, {"a": "1", "b": "2"})
    assert content(tmp_path) == {}
    (tmp_path / "sub").write_text("mine")
    with raises(UnwrittenError, f"{tmp_path / 'sub'}: is a file, not a folder"):
        fill(tmp_path, {"a": "1", "sub/c": "2"})
    assert content(tmp_path) == {"sub": "mine"}


def test_an_error_leaves_what_was_there(tmp_path):
    fill(tmp_path, {"a": "1"})

    def interrupted():
        with filling(tmp_path, "make") as own:
            (own / "a").write_text("2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert content(tmp_path) == {"a": "1"}
    assert {path.name for path in (tmp_path / HIDDEN).iterdir()} == {"lock", "make.json"}


def test_a_part_of_a_result_moves_with_the_whole(tmp_path):
    with filling(tmp_path / "out", "whole") as own:
        for name in ("a", "b"):
            with filling(own / "parts" / name, "part") as part:
                (part / "file").write_text(name)
        assert content(tmp_path / "out") == {}
    assert content(tmp_path / "out") == {"parts/a/file": "a", "parts/b/file": "b"}


def fill_killed(folder, files, calls):
    """Fill in a process that dies before its call number ``calls`` that touches files.

    Returns whether it was done before.
    """
    if child := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (DONE, KILLED)
        return status == DONE
    left = calls

    def count(event, _):
        nonlocal left
        if event.startswith(("open", "os.", "tempfile.", "shutil.")):
            left -= 1
            if left < 0:
                os._exit(KILLED)

    try:
        sys.addaudithook(count)
        fill(folder, files)
        os._exit(DONE)
    finally:
        os._exit(1)


def test_killed_at_any_point(tmp_path):
    """Each file is the old or the new one; the old result stays until the new one is whole."""
    old, new = {"a": "1", "b": "2", "c": "3"}, {"a": "4", "b": "5", "sub/d": "6"}
    (tmp_path / "mine").write_text("mine")
    calls, states, done = 0, [], False
    while not done:
        fill(tmp_path, old)
        assert content(tmp_path) == {**old, "mine": "mine"}  # the run after a kill mends all
        assert {path.name for path in (tmp_path / HIDDEN).iterdir()} == {"lock", "make.json"}
        done = fill_killed(tmp_path, new, calls)
        seen = content(tmp_path)
        assert seen.pop("mine") == "mine"
        for name in ("a", "b"):
            assert seen[name] in (old[name], new[name])
        states.append(seen)
        calls += 1
    changed = [state != old for state in states]
    assert changed == sorted(changed)
    assert states[0] == old
    assert states[-1] == new
    # Most of the time the earlier result is there, then the new one; moves are a moment between.
    assert sum(state not in (old, new) for state in states) < len(states) / 3


def test_a_list_names_no_file_elsewhere(tmp_path):
    """A folder from somewhere else cannot make fxsim remove files outside of it."""
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    fill(outside, {"kept": "1"})
    fill(out, {"a": "1"})
    (digests,) = json.loads((outside / HIDDEN / "make.json").read_text()).values()
    (out / "link").symlink_to(outside)
    (out / "self").symlink_to(outside / "kept")
    names = ("../outside/kept", str(outside / "kept"), "link/kept", "self")
    (out / HIDDEN / "make.json").write_text(json.dumps(dict.fromkeys(names, digests)))
    (out / "a").unlink()
    fill(out, {"b": "2"})
    assert (outside / "kept").read_text() == "1"
    assert (out / "self").is_symlink()
    (outside / HIDDEN / "run-1").mkdir()
    (outside / HIDDEN / ".mine.json").write_text("mine")
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / HIDDEN).symlink_to(outside / HIDDEN)
    with pytest.raises(FileError, match=r"\.fxsim: must be a folder, not a symbolic link"):
        fill(tmp_path / "third", {"a": "1"})
    assert (outside / HIDDEN / "run-1").exists()
    (out / HIDDEN / "make.json").write_text("[1]")
    with pytest.raises(FileError, match=r"make\.json: not a list of written files .*; delete it"):
        fill(out, {"b": "3"})


HOLD = """
import sys, time
from pathlib import Path
from fxsim.folders import filling, reserved
with reserved(Path(sys.argv[1])), filling(Path(sys.argv[1]), "make") as own:
    (own / "a").write_text("theirs")
    print("holds", flush=True)
    time.sleep(60)
"""


def test_locks_end_with_their_process(tmp_path):
    fill(tmp_path, {"a": "1"})
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "holds\n"
        start = time.monotonic()
        with (
            raises(FileError, f"{tmp_path}: another run is writing to it"),
            reserved(tmp_path),
        ):
            pass
        fill(tmp_path, {"a": "2"})  # neither waits for the other run nor disturbs it
        assert time.monotonic() - start < 30
        assert len(list((tmp_path / HIDDEN).glob("run-*/"))) == 1
    finally:
        other.kill()
        other.communicate()
    with reserved(tmp_path):
        fill(tmp_path, {"a": "3"})
    assert content(tmp_path) == {"a": "3"}
    assert not list((tmp_path / HIDDEN).glob("run-*/"))


RACE = """
import sys
from pathlib import Path
from fxsim.folders import filling
for k in range(20):
    with filling(Path(sys.argv[1]), "make") as own:
        for name in range(10):
            (own / f"{name}").write_text(sys.argv[2])
        (own / sys.argv[2]).write_text(sys.argv[2])
"""


def test_runs_at_once_do_not_mix(tmp_path):
    others = [subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path), k]) for k in "xyz"]
    assert [other.wait() for other in others] == [0, 0, 0]
    (winner,) = set(content(tmp_path).values())
    assert content(tmp_path).keys() == {*map(str, range(10)), winner}


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match=r"file: is a file, not a folder"):
        fill(tmp_path / "file", {"a": "1"})
    with (
        pytest.raises(FileError, match=r"file: is a file, not a folder"),
        held(tmp_path / "file" / "lock", tmp_path / "x"),
    ):
        pass
