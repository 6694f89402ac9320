"""Who may import whom, and who may ask for a type.

No import leads upwards, none in circles, and rare packages stay at home. Only the dispatch of a
stage asks what kind of layer it has.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import get_args

import pytest

from fxsim.network import Layer
from tests.places import ROOT

_FLOORS = """
errors arguments names differences environment leftovers files npy folders scratch cache threads
processes tools cluster shipped faces
arithmetic targets
network
spec kernels reference plan
floats timing cost
quantizer
data
simulator
training hw testbenches
explorer
report
reproduce
cli __main__
"""
FLOORS = [line.split() for line in _FLOORS.split("\n") if line]
"""From the ground up. On a floor, too, imports lead one way only: there are no circles."""

HW_MAY_IMPORT = {"arithmetic", "targets", "network", "plan", "hw", *FLOORS[0], *FLOORS[1]}

HIGHER = {
    ("fxsim/testbenches/test_verdicts.py", "fxsim.cli.runs"): "tests what commands make of runs",
}
"""Imports that lead upwards, and why they are there."""

HOME_OF = {
    "torch": ("fxsim/training", "benchmarks"),
    "onnx": ("benchmarks",),
    "onnxruntime": ("benchmarks",),
    "filelock": ("fxsim/folders.py",),
    "platformdirs": ("fxsim/cache.py",),
    "psutil": ("fxsim/processes.py",),
    "ruamel": ("fxsim/spec/rewrite.py",),
    "optuna": ("fxsim/explorer",),
    "distributed": ("fxsim/cluster.py", "fxsim/explorer/cluster.py"),
    "scipy": ("fxsim/explorer", "fxsim/cost"),
    "sklearn": ("fxsim/data",),
    "matplotlib": ("fxsim/report",),
    "moocore": ("fxsim/explorer/pareto.py",),
    "typer": ("fxsim/cli",),
    "rich": ("fxsim/cli",),
    "cocotb": ("fxsim/testbenches",),
    "cocotb_tools": ("fxsim/testbenches",),
    "pyosys": ("fxsim/hw/tools/yosys_script.py",),
    "amaranth": ("fxsim/hw", "fxsim/testbenches", "benchmarks"),
    "numba": ("fxsim/kernels", "benchmarks"),
    "llvmlite": ("fxsim/kernels", "benchmarks"),
}


KINDS = {kind.__name__ for kind in get_args(Layer)} | {"LayerTrace", "LayerResult", "LstmResult"}
"""Classes that only a dispatch tells from one another."""

DISPATCHES = {
    ("fxsim/network/manifest.py", "_describe_layer"),
    ("fxsim/reference/interpreter.py", "run_layer"),
    ("fxsim/simulator/simulator.py", "_driver"),
    ("fxsim/plan/planner.py", "plan_layer"),
    ("fxsim/timing/folding.py", "_choices"),
    ("fxsim/training/calibrate.py", "_leaving"),
}
"""The one function of each stage that is a ``match`` over all kinds."""

ASKING = (
    *("fxsim/network/", "fxsim/reference/", "fxsim/simulator/", "fxsim/plan/", "fxsim/timing/"),
    *("fxsim/cost/", "fxsim/kernels/", "fxsim/report/", "fxsim/cli/", "fxsim/hw/"),
    *("fxsim/testbenches/", "fxsim/explorer/evaluate.py", "fxsim/explorer/metrics.py"),
    *("fxsim/explorer/skip/", "fxsim/training/"),
)
"""Packages and files where layers, traces and results answer for themselves."""

NO_LAYERS = {
    ("fxsim/hw/layer.py", "getattr"): "blocks, of which one kind has memories",
    ("fxsim/hw/lstm/lstm.py", "getattr"): "blocks, of which one kind has memories",
    ("fxsim/report/results.py", "hasattr"): "what tools found, of whichever class",
}
"""Questions for an attribute that may be missing, and who is asked."""


@dataclass(frozen=True)
class Import:
    """Import of a module, or of a name that ``module`` ends with, somewhere in a file."""

    module: str
    later: bool
    """Made when a function is called, or for types only."""


def name_of(place: str) -> str:
    """Name of the module in a file."""
    return place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports(node: ast.AST, later: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, later) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"relative import of {child.module}"
            yield from (Import(f"{child.module}.{alias.name}", later) for alias in child.names)
        apart = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        )
        yield from _imports(child, later or apart)


@cache
def parsed() -> dict[str, ast.Module]:
    """Every file, as a package would find it: hw and testbenches are in fxsim."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
        for folder in ("fxsim", "fxsim/hw", "fxsim/testbenches", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


@cache
def tree() -> dict[str, list[Import]]:
    """Imports of every file."""
    return {place: list(_imports(module)) for place, module in parsed().items()}


@cache
def modules() -> dict[str, str]:
    """File of each module."""
    return {name_of(place): place for place in tree()}


def files_behind(place: str, counts: Callable[[Import], bool] = lambda _: True) -> set[str]:
    """Files of fxsim that a file imports; ``import fxsim`` asks for the version only."""
    behind = set()
    for found in filter(counts, tree()[place]):
        module = found.module
        while module and module not in modules():
            module = module.rpartition(".")[0]
        if module not in ("", "fxsim"):
            behind.add(modules()[module])
    return behind - {place}


def package_of(place: str) -> str:
    """Package, or module on its own, at the top of fxsim."""
    return place.split("/")[1].removesuffix(".py")


def sources() -> list[str]:
    """Files of fxsim but its face, which stands above all."""
    outside = {place for place in tree() if place.startswith("benchmarks/")}
    return sorted(set(tree()) - outside - {"fxsim/__init__.py"})


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Members of a circle, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def excused(place: str, behind: str) -> bool:
    """Whether `HIGHER` lists the import of a file."""
    return (place, name_of(behind)) in HIGHER


def upwards(places: Iterable[str]) -> list[str]:
    """Imports that lead to a higher floor and are not listed."""
    floor = {package: k for k, packages in enumerate(FLOORS) for package in packages}
    return [
        f"{place} imports {behind}"
        for place in places
        for behind in sorted(files_behind(place))
        if floor[package_of(behind)] > floor[package_of(place)] and not excused(place, behind)
    ]


def test_every_package_has_a_floor() -> None:
    assert {package_of(place) for place in sources()} <= {name for row in FLOORS for name in row}


def test_nothing_imports_upwards() -> None:
    assert upwards(sources()) == []


def test_packages_do_not_import_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    for place in sources():
        behind = {package_of(file) for file in files_behind(place) if not excused(place, file)}
        graph.setdefault(package_of(place), set()).update(behind - {package_of(place)})
    assert circle(graph) == []


def test_files_do_not_import_in_circles() -> None:
    assert circle({place: files_behind(place) for place in sources()}) == []


def test_what_leads_upwards_is_listed_only_while_it_does() -> None:
    for place, module in HIGHER:
        assert any(f"{found.module}.".startswith(f"{module}.") for found in tree()[place])


def test_hw_knows_nothing_of_what_it_is_tested_against() -> None:
    for place in sources():
        if package_of(place) == "hw":
            above = {package_of(file) for file in files_behind(place)} - HW_MAY_IMPORT
            assert not above, f"{place} imports {above}"


def test_the_core_does_not_need_the_hardware_side() -> None:
    for place in sources():
        if package_of(place) not in ("hw", "testbenches"):
            now = {package_of(file) for file in files_behind(place, lambda found: not found.later)}
            assert not {"hw", "testbenches"} & now, f"{place} imports {now}"


def test_nothing_that_is_installed_needs_the_tests() -> None:
    for place in sources():
        if "testbenches/test_" not in place:
            for found in tree()[place]:
                needed = found.module.startswith("tests.")
                assert not needed or (place, found.module.rpartition(".")[0]) in HIGHER, place


def test_packages_stay_in_their_folder() -> None:
    for place, imports in tree().items():
        for found in imports:
            home = HOME_OF.get(found.module.split(".")[0], ("",))
            assert place.startswith(home), f"{place} imports {found.module}"


def test_faces_are_for_others() -> None:
    """Files of a package import one another in full, so that its face can name them all."""
    for place in sources():
        for file in files_behind(place):
            if file.endswith("/__init__.py") and not place.endswith("/__init__.py"):
                assert not place.startswith(file.removesuffix("__init__.py")), f"{place}: {file}"


def _in_a_fresh_process(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "module", ["fxsim", "fxsim.network", "fxsim.quantizer", "fxsim.simulator.trace", "fxsim.spec"]
)
def test_import_is_light(module: str) -> None:
    heavy = ["numba", "torch", "matplotlib", "sklearn", "pydantic", "amaranth"]
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    assert _in_a_fresh_process(code) == "[]"


def test_functions_stay_functions() -> None:
    """A public name is never that of a submodule, which would take its place once imported."""
    programs = re.compile(r"__main__|\.cocotb_|\.yosys_script|testbenches\.test_")
    names = [name for name in modules() if name.startswith("fxsim.") and not programs.search(name)]
    code = f"""
import importlib, fxsim
for name in {names}:
    importlib.import_module(name)
functions = [getattr(fxsim, name) for name in fxsim.__all__ if not name.startswith("_")]
assert all(map(callable, functions))
print(sorted(f"{{function.__module__}}.{{function.__name__}}" for function in functions))
"""
    expected = ["fxsim.network.storage.load_network", "fxsim.simulator.simulator.simulate"]
    assert _in_a_fresh_process(code) == str(expected)


def test_models_hold_data_only() -> None:
    assert not list(Path(ROOT / "models").rglob("*.py"))


def _names(node: ast.AST) -> set[str]:
    """Names in an expression, those behind a dot too."""
    parts = list(ast.walk(node))
    return {part.id for part in parts if isinstance(part, ast.Name)} | {
        part.attr for part in parts if isinstance(part, ast.Attribute)
    }


def _asks(node: ast.AST) -> str | None:
    """How a node asks for a kind: by type, by a tag, or by an attribute that may be missing."""
    match node:
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass" as how)) if _names(node) & KINDS:
            return how
        case ast.Call(func=ast.Name(id="hasattr")):
            return "hasattr"
        case ast.Call(func=ast.Name(id="getattr"), args=[_, _, _]):
            return "getattr"
        case ast.MatchClass(cls=cls) if _names(cls) & KINDS:
            return "case"
        case ast.Compare() if "type" in _names(node) and _names(node) & KINDS:
            return "type"
        case ast.Dict(keys=keys) if any(key and _names(key) & KINDS for key in keys):
            return "dict"
        case ast.Compare(
            left=ast.Attribute(value=ast.Name(id="layer" | "trace" | "seen"), attr=tag)
        ):
            return "tag" if tag in ("kind", "type") else None
    return None


def type_tests(node: ast.AST, function: str = "") -> Iterator[tuple[str, str, int]]:
    """Function, way and line of each question for a type below a node."""
    for child in ast.iter_child_nodes(node):
        if how := _asks(child):
            yield function, how, child.lineno  # type: ignore[attr-defined]
        name = child.name if isinstance(child, ast.FunctionDef) and not function else function
        yield from type_tests(child, name)


def test_only_dispatches_ask_for_a_kind() -> None:
    found = [
        f"{place}:{line}: {how} in {function}"
        for place in sources()
        if place.startswith(ASKING)
        for function, how, line in type_tests(parsed()[place])
        if (place, function) not in DISPATCHES and (place, how) not in NO_LAYERS
    ]
    assert found == []


@pytest.mark.parametrize(("place", "name"), sorted(DISPATCHES))
def test_dispatches_are_complete(place: str, name: str) -> None:
    """They end in ``assert_never``, so that mypy names a kind that is forgotten."""
    (function,) = (
        node
        for node in parsed()[place].body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    (match,) = (node for node in function.body if isinstance(node, ast.Match))
    assert (
        ast.unparse(match.cases[-1]) == f"case _:\n    assert_never({ast.unparse(match.subject)})"
    )


def test_who_is_asked_for_an_attribute_is_listed_only_while_it_is() -> None:
    for place, how in NO_LAYERS:
        assert how in {way for _, way, _ in type_tests(parsed()[place])}


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("isinstance", "isinstance(x, (int, QuantizedAdd))"),
        ("isinstance", "isinstance(x, network.MaxPool | Argmax)"),
        ("type", "type(x) is Argmax"),
        ("case", "match x:\n    case QuantizedLinear():\n        pass"),
        ("hasattr", "hasattr(x, 'windows')"),
        ("getattr", "getattr(x, 'windows', None)"),
        ("dict", "{MaxPool: plan_pool}"),
        ("tag", "layer.kind == 'add'"),
    ],
)
def test_every_way_to_ask_is_found(how: str, code: str) -> None:
    assert [way for _, way, _ in type_tests(ast.parse(code))] == [how]
