"""Names of code in docstrings, comments and pages are those of code that exists."""

from __future__ import annotations

import importlib
import re

from tests.places import ROOT

NAME = re.compile(r"`(fxsim(?:\.\w+)+)`")
FILE = re.compile(r"`((?:fxsim|hw|testbenches|tests|benchmarks|models)/[\w/.-]+)`")
FOLDERS = ("fxsim", "hw", "testbenches", "tests", "benchmarks", "docs")
HISTORY = {"CHANGELOG.md"}


def texts() -> dict[str, str]:
    """Every file with text, by its path."""
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for path in [*paths, *ROOT.glob("*.md")]
        if path.suffix in (".py", ".md") and path.name not in HISTORY
    }


def exists(name: str) -> bool:
    """Whether a dotted name leads to a module, or to something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            fields = getattr(found, "__dataclass_fields__", {})
            if part in fields:
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_names_lead_to_code() -> None:
    found = {(name, place) for place, text in texts().items() for name in NAME.findall(text)}
    assert sorted(pair for pair in found if not exists(pair[0])) == []


def test_paths_lead_to_files() -> None:
    found = {(path, place) for place, text in texts().items() for path in FILE.findall(text)}
    assert sorted(pair for pair in found if not (ROOT / pair[0]).exists()) == []


def test_a_name_that_is_nowhere_is_found() -> None:
    assert exists("fxsim.plan.planner.Plan.blocks")
    assert not exists("fxsim.plan.planner.Plan.nothing")
    assert not exists("fxsim.nowhere.at_all")
