"""Files that are missing, and writers that never leave half a file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from fxsim.errors import FileError
from fxsim.files import read_npy, read_npz, read_yaml, replacing, write_text
from tests.messages import raises


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.yaml"


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
    with raises(FileError, f"{below.parent}: is a file, not a folder"):
        write_text(below, "x")


WRITE_AND_DIE = """
import os, pathlib, sys
from fxsim.files import replacing
with replacing(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_save_has_left_goes_with_the_next(path):
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WRITE_AND_DIE, path], check=False)
    (left,) = path.parent.iterdir()  # the second has removed what the first has left
    assert left.name.startswith(".fxsim-")
    other = path.parent / ".file.yaml-original.yaml"
    other.write_text("mine")
    with replacing(path) as temporary:
        write_text(path, "meanwhile")
        assert temporary.exists()  # it is being written
        temporary.write_text("later")
    assert path.read_text() == "later"
    assert sorted(path.parent.iterdir()) == [other, path]
