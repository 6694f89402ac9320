"""Emitted Verilog: no warnings, Verilog-2005, nothing of the machine, the same bytes each time."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from fxsim.arithmetic.formats import MemoryStyle
from fxsim.hw.edges.axi_lite import Access, AxiLiteRegisters, Register
from fxsim.hw.emit import accelerator_verilog, memory_files, unit_verilog, verilog_of
from fxsim.network import Folding, QuantizedNetwork
from fxsim.shipped import models_folder
from fxsim.spec.units import load_unit
from fxsim.testbenches import test_backward, test_sparse
from fxsim.testbenches.bench.lint import SLANG_WAIVERS, WAIVERS, lint, lint_together
from fxsim.testbenches.cases.blocks import BLOCKS
from fxsim.testbenches.cases.samples import MODELS, chain, shipped
from fxsim.testbenches.test_blocks import cases_of
from tests.places import ROOT
from tests.residual_strategies import residual_networks
from tests.strategies import networks

SHIPPED = sorted(path.parent.name for path in models_folder().glob("*/network.yaml"))
UNITS = sorted(path.stem for path in models_folder().glob("*.yaml"))

TWO = ("charlm-lstm-int8", "charlm-lstm-ternary")
"""Networks whose layers have the same names, with weights in files."""

NAMELESS = "\\$signal"
"""What Amaranth calls a signal whose name it cannot tell, as in ``a, b = Signal(), Signal()``."""

CONTENTS = "initial begin"
"""Start of what puts words into a memory that is not a module of its own."""


@cache
def emitted(model: str) -> tuple[str, str]:
    network = shipped(model)
    return accelerator_verilog(network), network.name


def foreign_modules(verilog: str, top: str) -> list[str]:
    """Modules whose names do not begin with that of the top module."""
    modules = re.findall(r"^module \\?([^\s(]+)", verilog, re.MULTILINE)
    assert len(modules) > 5
    return [name for name in modules if name != top and not re.match(rf"{top}(\.|__)", name)]


@pytest.mark.parametrize("model", SHIPPED)
def test_shipped_models_have_no_warnings(model: str, tmp_path: Path) -> None:
    verilog, top = emitted(model)
    assert lint(verilog, top, tmp_path) == []
    assert foreign_modules(verilog, top) == []
    assert NAMELESS not in verilog
    assert CONTENTS not in verilog


@pytest.mark.parametrize("name", UNITS)
def test_shipped_units_have_no_warnings(name: str, tmp_path: Path) -> None:
    unit = load_unit(models_folder() / f"{name}.yaml")
    assert unit is not None
    verilog = unit_verilog(unit)
    assert lint(verilog, unit.name, tmp_path) == []
    assert foreign_modules(verilog, unit.name) == []
    assert NAMELESS not in verilog
    assert CONTENTS not in verilog


def test_blocks_of_the_backward_pass_have_no_warnings(tmp_path: Path) -> None:
    assert lint(test_backward.cases_of("units")[1], "backward", tmp_path) == []


def test_sparse_blocks_have_no_warnings(tmp_path: Path) -> None:
    assert lint(test_sparse.cases_of("units")[1], "sparse", tmp_path) == []


@pytest.mark.parametrize("one_unit", [False, True], ids=["units of their own", "one unit"])
def test_two_networks_of_a_project_do_not_clash(one_unit: bool, tmp_path: Path) -> None:
    """Modules and files of both character networks, whose layers have the same names."""
    sources = []
    for verilog, name in map(emitted, TWO):
        sources.append(tmp_path / f"{name}.v")
        sources[-1].write_text(verilog)
    assert lint_together(sources, one_unit=one_unit) == []


@pytest.mark.parametrize("model", TWO)
def test_names_of_files_begin_with_the_network(model: str) -> None:
    network = shipped(model)
    files = memory_files(network)
    assert len(files) == 3
    assert all(name.startswith(f"{network.name}.") for name in files)


@pytest.mark.parametrize("top", BLOCKS)
def test_blocks_have_no_warnings(top: str, tmp_path: Path) -> None:
    """Sizes of all sorts side by side, such as 4 columns, whose last none exceeds."""
    assert lint(cases_of(top)[1], top, tmp_path) == []


@settings(max_examples=4, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
@given(network=networks(max_size=16))
def test_random_networks_have_no_warnings(
    network: QuantizedNetwork, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert lint(accelerator_verilog(network), network.name, tmp_path_factory.mktemp("lint")) == []


@settings(max_examples=3, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
@given(network=residual_networks(images=False))
def test_residual_networks_have_no_warnings(
    network: QuantizedNetwork, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert lint(accelerator_verilog(network), network.name, tmp_path_factory.mktemp("lint")) == []


def test_weights_in_files_cause_no_warnings(tmp_path: Path) -> None:
    folding = Folding(rows=2, simd=3, memory=MemoryStyle.BLOCK)
    verilog = accelerator_verilog(chain(["layer0", "layer1"], folding=folding))
    assert ".FILE(" in verilog
    assert lint(verilog, "chain", tmp_path) == []


@pytest.mark.parametrize("style", list(MemoryStyle))
def test_only_a_style_that_is_asked_for_puts_words_into_memories(
    style: MemoryStyle, tmp_path: Path
) -> None:
    """Else what is constant is logic, or in a file."""
    folding = Folding(rows=2, simd=3, memory=style)
    verilog = accelerator_verilog(chain(["layer0", "layer1"], folding=folding))
    distributed = style is MemoryStyle.DISTRIBUTED
    assert (CONTENTS in verilog) == distributed
    assert ('rom_style = "distributed"' in verilog) == distributed
    assert lint(verilog, "chain", tmp_path) == []


def test_every_waiver_is_needed(tmp_path: Path) -> None:
    folding = Folding(rows=2, simd=3, memory=MemoryStyle.BLOCK)
    verilog = accelerator_verilog(chain(["layer0", "layer1"], folding=folding))
    registers = [
        Register(name=f"r{k}", offset=4 * k, access=Access.READ, bits=8, text="") for k in range(4)
    ]  # one for every address
    file = verilog_of(AxiLiteRegisters(registers, address_bits=4), "registers")
    texts = {"chain": verilog, "registers": file}
    complaints = "\n".join(
        line
        for top, text in texts.items()
        for line in lint(text, top, tmp_path, waivers=[], slang_waivers=[])
    )
    assert set(re.findall(r"%Warning-(\w+):", complaints)) == set(WAIVERS)
    found = {
        name.split("-")[0] if name.startswith("unused") else name
        for name in re.findall(r"\[-W([\w-]+)\]", complaints)
    }
    assert found == set(SLANG_WAIVERS)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("wire [1:0] two = 3'd5;", "WIDTHTRUNC"),
        ("wire nobody; wire reader = nobody;", "UNDRIVEN"),
        ("reg held; always @* if (value) held = 1'b1;", "LATCH"),
        ("logic copy;", "'logic'"),
    ],
    ids=["width", "undriven", "latch", "systemverilog"],
)
def test_lint_can_fail(line: str, complaint: str, tmp_path: Path) -> None:
    verilog = f"module sample(input value);\n  {line}\nendmodule\n"
    assert any(complaint in found for found in lint(verilog, "sample", tmp_path))


@pytest.mark.parametrize("model", MODELS)
def test_text_says_nothing_of_the_machine(model: str) -> None:
    verilog, _ = emitted(model)
    for pattern in (r"\bsrc\b", r"/(home|root|tmp|work|usr)/", r"\.py\b", r"\b\d\d:\d\d:\d\d\b"):
        assert re.search(pattern, verilog) is None
    assert str(Path.cwd()) not in verilog
    assert re.search(r"\b(19|20)\d\d-\d\d-\d\d\b", verilog) is None
    assert verilog.isascii()


def test_text_is_the_same_in_every_process() -> None:
    script = (
        "import sys; from fxsim.testbenches.test_lint import MODELS, emitted;"
        "[sys.stdout.write(emitted(name)[0]) for name in MODELS]"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "4242")
    }
    assert texts == {"".join(emitted(name)[0] for name in MODELS).encode()}
