"""The folder of the cache: where it is, and what stands in for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fxsim import cache
from fxsim.network.storage import save_network
from tests.caches import own_cache
from tests.commands import fxsim_cli, fxsim_process, small_network


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of the test, without variables that name a cache."""
    for name in ("FXSIM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "my home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path / "my home"


def test_the_folder(home, monkeypatch, tmp_path):
    assert cache.root() == home / ".cache" / "fxsim"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert cache.root() == tmp_path / "other" / "fxsim"
    monkeypatch.setenv("FXSIM_CACHE", str(tmp_path / "mine"))
    assert cache.root() == tmp_path / "mine"
    assert cache.folder("sim") == tmp_path / "mine" / "sim"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FXSIM_CACHE", "here")  # tools are started elsewhere
    assert cache.root() == tmp_path / "here"


HOMES = {
    "missing": "/proc/none",
    "a file": "/dev/null",
    "read-only": "/proc",
}


@pytest.mark.parametrize("where", HOMES.values(), ids=HOMES)
def test_without_a_home_a_temporary_folder_stands_in(where, home, tmp_path):
    """Processes that are started meanwhile share it; it goes with the command."""
    code = (
        "import os, subprocess, sys, warnings; from fxsim import cache;"
        "warnings.simplefilter('always'); root = cache.root(); (root / 'sim').mkdir(parents=True);"
        "command = [sys.executable, '-c', 'from fxsim import cache; print(cache.root())'];"
        "assert subprocess.check_output(command, text=True).strip() == str(root); print(root)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": where},
    )
    root = Path(done.stdout.strip())
    assert root.is_relative_to(tmp_path / f"fxsim-{os.getuid()}")
    assert not root.exists()
    assert done.stderr.count("cannot be written, so nothing is kept for later runs") == 1


WARNING = (
    "warning: /proc/none/.cache/fxsim: cannot be written, so nothing is kept for later runs;"
    " set FXSIM_CACHE to a folder that can"
)


def without_home(*command, folder):
    """A command that ends well; it warns once."""
    save_network(small_network(), folder / "little")
    done = fxsim_process(*command, cwd=folder, env={**os.environ, "HOME": "/proc/none"})
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("warning")] == [WARNING]
    return done.stdout


def test_a_command_without_a_home(home, tmp_path):
    assert f"{tmp_path}/fxsim-{os.getuid()}/run-" in without_home("cache", folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_tools_without_a_home(simulator, home, tmp_path):
    """Kernels, Yosys and Verilator are all compiled anew."""
    options = ("--sim", simulator, "--vectors", "2", "-o", "out")
    assert simulator in without_home("verify", "little", *options, folder=tmp_path)


def test_the_command_shows_and_clears(tmp_path, monkeypatch):
    monkeypatch.setenv(*own_cache(tmp_path / "cache", shared=()))
    (cache.folder("kernels") / "one").mkdir()
    (tmp_path / "cache" / "kernels" / "one" / "a.nbc").write_bytes(bytes(3_000_000))
    (cache.folder("logs") / "a.log").write_text("abc")
    facts = json.loads(fxsim_cli("cache", "--json").stdout)
    assert facts["folder"] == str(tmp_path / "cache")
    assert facts["kinds"]["kernels"] == {"entries": 1, "bytes": 3_000_000}
    assert facts["kinds"]["logs"] == {"entries": 1, "bytes": 3}
    assert facts["kinds"]["sim"] == {"entries": 0, "bytes": 0}
    (row,) = [line for line in fxsim_cli("cache").stdout.splitlines() if "kernels" in line]
    assert row.split()[:3] == ["kernels", "1", "3.0"]
    said = fxsim_cli("cache", "clear", "kernels").stdout
    assert said == f"{tmp_path / 'cache'}: 3.0 MB freed\n"
    assert (tmp_path / "cache" / "logs" / "a.log").exists()
    fxsim_cli("cache", "clear")
    assert cache.sizes("logs") == (0, 0)


def test_what_fxsim_did_not_make_is_not_cleared(tmp_path, monkeypatch):
    """Folders of that name, and those that links lead to."""
    monkeypatch.setenv("FXSIM_CACHE", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "training.log").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").write_text("mine")
    (tmp_path / "sim").symlink_to(tmp_path / "elsewhere")
    (cache.folder("logs") / "fxsim.log").write_text("of fxsim, among others")
    cache.folder("sim")
    said = fxsim_cli("cache", "clear").stdout.splitlines()
    reason = "stays, for fxsim did not make it (it has no CACHEDIR.TAG)"
    assert said[1:] == [f"{tmp_path / 'sim'}: {reason}", f"{tmp_path / 'logs'}: {reason}"]
    assert (tmp_path / "logs" / "training.log").read_text() == "mine"
    assert (tmp_path / "elsewhere" / "a").read_text() == "mine"
    kept = json.loads(fxsim_cli("cache", "clear", "sim", "--json").stdout)["kept"]
    assert kept == {str(tmp_path / "sim"): "fxsim did not make it (it has no CACHEDIR.TAG)"}


def test_an_unknown_kind_is_refused():
    said = fxsim_cli("cache", "clear", "kernel", status=2)
    words = " ".join(said.stderr.replace("│", " ").split())
    assert "kind must be one of kernels, sim, synthesis, tools, logs, not 'kernel'" in words
