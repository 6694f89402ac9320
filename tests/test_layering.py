"""Who may import whom: nothing imports upwards, and optional packages stay in their folder."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.places import ROOT

_FLOORS = """
errors environment threads shipped formats arith names tensors stochastic files folders windows
spec_scale spec_formats spec_layers spec_images spec_add spec_train weight_groups spec_errors spec
linear
memory convolution add argmax tables lstm lstm_gradient network skip_unit spec_skip manifest
storage step_size layouts checkpoint prune nonuniform floating expect kernels flow blocks cycles
depths quantize_weight quantize_remarks quantize_requantizer quantize_activation quantize_scale
quantize_linear quantize_lstm quantize_convolution quantize_add quantize reference
reference_gradient state trace simulate_linear simulate_lstm simulate_images simulate_add simulate
backward gradient_traces folding skip_cycles backward_cycles data evaluate noise scale_noise
sample train explore interop report reproduce cli __main__
"""
FLOORS = _FLOORS.split()
"""The floors of fxsim from the ground up; a module imports only from floors below its own."""

HOME_OF = {
    "torch": ("fxsim/training", "benchmarks"),
    "onnx": ("fxsim/interop", "benchmarks"),
    "onnxruntime": ("benchmarks",),
    "filelock": ("fxsim/folders.py",),
    "optuna": ("fxsim/explorer",),
    "distributed": ("fxsim/explorer",),
    "scipy": ("fxsim/explorer",),
    "sklearn": ("fxsim/data", "fxsim/quantizer/nonuniform.py"),
    "matplotlib": ("fxsim/report",),
    "typer": ("fxsim/cli",),
    "rich": ("fxsim/cli",),
    "cocotb": ("testbenches",),
    "cocotb_tools": ("testbenches",),
    "pyosys": ("hw/tools/yosys_script.py",),
    "amaranth": ("hw", "testbenches", "benchmarks"),
    "numba": ("fxsim/kernels", "benchmarks"),
    "llvmlite": ("fxsim/kernels", "benchmarks"),
}

HW_MAY_IMPORT = {
    "fxsim",
    "fxsim.environment",
    "fxsim.errors",
    "fxsim.files",
    "fxsim.folders",
    "fxsim.arithmetic.formats",
    "fxsim.network.lstm_gradient",
    "fxsim.plan.memory",
    "fxsim.network.quantized",
    "fxsim.network.skip_unit",
    "fxsim.arithmetic.stochastic",
    "fxsim.network.storage",  # for the content hash in the header of the Verilog
    "fxsim.arithmetic.tensors",
}


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """Modules that a file imports; with ``top_level`` not those inside functions."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def sources(folder: str) -> list[Path]:
    """Python files below a folder of the repository."""
    return sorted((ROOT / folder).rglob("*.py"))


def floor_of(path: Path) -> int | None:
    """Floor of a file of fxsim; None for the package's own ``__init__``."""
    part = path.relative_to(ROOT / "fxsim").parts[0].removesuffix(".py")
    return None if part == "__init__" else FLOORS.index(part)


@pytest.mark.parametrize("path", sources("fxsim"), ids=str)
def test_nothing_imports_upwards(path: Path) -> None:
    floor = floor_of(path)
    for module in imports(path):
        parts = module.split(".")
        if module.startswith(("fxsim.hw", "fxsim.testbenches")):
            continue
        if parts[0] == "fxsim" and len(parts) > 1 and floor is not None:
            assert FLOORS.index(parts[1]) <= floor, f"{path} imports {module}"


@pytest.mark.parametrize("path", sources("fxsim"), ids=str)
def test_fxsim_does_not_need_the_hardware_side(path: Path) -> None:
    outside = {"fxsim.hw", "fxsim.testbenches", "tests", "amaranth", "cocotb"}

    def heads(modules: Iterator[str]) -> set[str]:
        return {".".join(module.split(".")[:k]) for module in modules for k in (1, 2)}

    assert not outside & heads(imports(path, top_level=True))
    if path.name == "__main__.py" or floor_of(path) != FLOORS.index("cli"):
        assert not outside & heads(imports(path))


@pytest.mark.parametrize("path", sources("hw"), ids=str)
def test_hw_knows_nothing_of_what_it_is_tested_against(path: Path) -> None:
    for module in imports(path):
        if module.startswith("fxsim") and not module.startswith("fxsim.hw"):
            assert module in HW_MAY_IMPORT, f"{path} imports {module}"
        assert module.split(".")[0] not in {"numba", "testbenches", "tests"}


@pytest.mark.parametrize("package", HOME_OF)
def test_packages_stay_in_their_folder(package: str) -> None:
    for folder in ("fxsim", "hw", "testbenches", "benchmarks"):
        for path in sources(folder):
            if package in {module.split(".")[0] for module in imports(path)}:
                place = path.relative_to(ROOT).as_posix()
                assert place.startswith(HOME_OF[package]), f"{place} imports {package}"


def test_import_fxsim_is_light() -> None:
    heavy = ["numba", "torch", "matplotlib", "sklearn", "pydantic", "amaranth"]
    code = f"import sys, fxsim; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_models_hold_data_only() -> None:
    assert not sources("models")
