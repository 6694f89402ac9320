"""Builds of simulations: compiled once, compiled again when damaged, and kept while they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fxsim import cache
from fxsim.errors import CacheWarning
from fxsim.files import remove
from fxsim.testbenches import builds
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.builds import Build, build, ready
from tests.caches import own_cache


def module(top: str) -> str:
    return f"module {top}(input clk); endmodule\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache whose path has a space, as a home may."""
    monkeypatch.setenv(*own_cache(tmp_path / "my cache"))
    return tmp_path / "my cache"


def made(name: str = "icarus", top: str = "one") -> Build:
    return build(find_simulator(name), module(top), top, quick=True)


def test_objects_of_verilator_are_shared() -> None:
    """In the usual cache, for they take long to compile."""
    for top in ("first", "second"):
        log = (made("verilator", top).folder / "build.log").read_text()
    assert " verilated.o " in log  # linked
    assert "-o verilated.o " not in log


def test_shared_objects_heal(place: Path, tmp_path: Path) -> None:
    """Who finds them damaged compiles them again, for those that come later."""
    verilator = find_simulator("verilator")

    def object_of(name: str, compiled: bytes) -> bytes:
        folder = tmp_path / name
        folder.mkdir()
        with builds._shared_objects(verilator, folder):
            path = folder / "verilated.o"
            if not path.exists():
                path.write_bytes(compiled)
        return path.read_bytes()

    assert object_of("first", b"first") == b"first"
    assert object_of("second", b"second") == b"first"
    (shared,) = (place / "sim").glob("verilator-objects-*/verilated.o")
    shared.write_bytes(b"firs")
    with pytest.warns(CacheWarning, match=f"^{shared.parent}: is damaged; the objects are"):
        assert object_of("third", b"third") == b"third"
    assert object_of("fourth", b"fourth") == b"third"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "missing": Path.unlink,
    "folder": folder,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("name", ["sim.vvp", "one.v", "sealed"])
def test_a_damaged_build_is_said_and_done_again(
    name: str, damage: Callable[[Path], object], place: Path
) -> None:
    first = made()
    path = first.folder / name
    sound = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    damage(path)
    with pytest.warns(CacheWarning, match="is damaged; the simulation is compiled again$"):
        assert made() == first
    assert path.is_file()
    assert set(sound) == {path.name for path in first.folder.iterdir()}
    assert (first.folder / "one.v").read_bytes() == sound["one.v"]
    assert made() == first  # and nothing is said


def test_a_file_in_the_place_of_a_build(place: Path) -> None:
    first = made()
    remove(first.folder)
    first.folder.write_text("")
    with pytest.warns(CacheWarning, match="is damaged"):
        assert made() == first
    assert first.source.is_file()


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder stands in for it, and that is said."""
    monkeypatch.setenv("FXSIM_CACHE", "/dev/null/cache")
    with pytest.warns(
        CacheWarning, match="^/dev/null/cache: cannot be written, so nothing is kept"
    ):
        assert made().source.is_file()


def test_what_runs_is_not_cleared(place: Path) -> None:
    with ready(find_simulator("icarus"), module("one"), "one") as used:
        other = made(top="two")
        assert cache.clear("sim") == {used.folder: "another command is using it"}
        assert used.source.is_file()
        assert not other.folder.exists()
    assert cache.clear("sim") == {}
    assert cache.sizes("sim") == (0, 0)
    assert made(top="two") == other
