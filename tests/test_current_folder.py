"""Commands execute nothing from the folder that they are started in, whatever it holds."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fxsim.environment import start_safely
from fxsim.files import write_yaml
from fxsim.network.storage import save_network
from tests.caches import own_cache
from tests.commands import TERNARY, small_network
from tests.places import MODELS

OURS = ("fxsim", "hw", "testbenches", "tests")
SPACE = {
    "variables": {"bits": {"set": ["input.bits"], "to": [2, 4]}},
    "objectives": ["loss", "weight_memory_bits"],
}
TRAP = """with open({marker!r}, "a") as file:
    file.write(__name__ + "\\n")
raise ImportError(f"executed: {{__name__}}")
"""


class Trap:
    """A folder with a module of every name, each of which tells when it is executed."""

    def __init__(self, tmp_path, modules, packages):
        self.folder, self.marker = tmp_path / "here", tmp_path / "executed"
        self.pickles = tmp_path / "pickles"
        text = TRAP.format(marker=str(self.marker))
        self.folder.mkdir()
        for name in packages:
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / "__init__.py").write_text(text)
        for name in modules:
            (self.folder / f"{name}.py").write_text(text)
        write_yaml(self.folder / ".numba_config.yaml", {"cache_dir": str(self.pickles)})

    def run(self, *arguments, **variables):
        """Run a command there as the user does, and check that it works and nothing else ran."""
        return self.start(
            Path(sys.executable).with_name("fxsim"), *map(str, arguments), **variables
        )

    def start(self, *command, **variables):
        """Run a program there, and check the same."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "NUMBA"))}
        environment |= variables
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert not self.marker.exists(), self.marker.read_text()
        assert not self.pickles.exists()
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """Names of the standard library, of all that is installed, and of our own packages."""
    installed = {
        name for name in importlib.metadata.packages_distributions() if name.isidentifier()
    }
    modules = sys.stdlib_module_names | installed | {"sitecustomize", "usercustomize"}
    monkeypatch.setenv(*own_cache(tmp_path / "cache"))
    return Trap(tmp_path, sorted(modules - set(OURS)), OURS)


@pytest.fixture
def little(tmp_path):
    """Folder of a network that is quick to build."""
    save_network(small_network(), tmp_path / "little")
    return tmp_path / "little"


@pytest.fixture
def model(tmp_path):
    """The digits network with a space of two points."""
    folder = shutil.copytree(MODELS / TERNARY, tmp_path / "model")
    write_yaml(folder / "explore.yaml", SPACE)
    return folder / "spec.yaml"


def test_the_trap_works(trap):
    """Python itself executes what is in the folder: the test can fail."""
    code = "import signal"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=trap.folder, capture_output=True, check=False).returncode
    assert trap.marker.read_text()


def test_generate_verify_and_synth(trap, little):
    trap.run("generate", little, "-o", "out")
    trap.run("verify", little, "--sim", "icarus", "--vectors", 3)
    trap.run("synth", little, "--target", "ice40")


PROGRAM = """
if __name__ == "__main__":
    from fxsim.processes import each
    from fxsim.hw.tools.yosys import run_yosys
    from pathlib import Path
    print(sorted(each(abs, [1, -2], 2)))
    run_yosys("log nothing", Path())
"""


def test_processes_of_a_program(trap, tmp_path):
    """Without the command line, which makes all processes safe at once."""
    program = tmp_path / "safe" / "program.py"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    assert trap.start(sys.executable, program) == "[(-2, 2), (1, 1)]\n"


def test_worker_processes(trap, model):
    trap.run("explore", model, "-j", 2, "--store", "s.sqlite", "--report", "page.html")


@pytest.mark.parametrize("name", ["hw", "testbenches"])
def test_a_package_of_the_user(name, tmp_path, little, monkeypatch):
    """Their own ``hw`` is none of ours, also below the output folder."""
    monkeypatch.setenv(*own_cache(tmp_path / "cache"))
    trap = Trap(tmp_path, ["signal", "wasmtime", "platform"], [name, f"out/icarus/{name}"])
    trap.run("verify", little, "--sim", "icarus", "--vectors", 3, "-o", "out")
    trap.run("synth", little, "--target", "ice40")


@pytest.mark.parametrize(
    ("name", "text"),
    [("pytest.ini", "[pytest]\n"), ("pyproject.toml", "[tool.pytest.ini_options]\n")],
)
@pytest.mark.parametrize("place", ["here", "there"])
def test_tests_of_the_user(place, name, text, tmp_path, little, monkeypatch):
    """A ``conftest.py`` above the current folder, or above the output, is none of ours."""
    monkeypatch.setenv(*own_cache(tmp_path / "cache"))
    trap = Trap(tmp_path, ["conftest"], ["testbenches"])
    (tmp_path / "there" / "out").mkdir(parents=True)
    shutil.copytree(trap.folder, tmp_path / "there", dirs_exist_ok=True)
    (tmp_path / place / name).write_text(text)
    output = tmp_path / place / "out"
    trap.run("verify", little, "--sim", "icarus", "--vectors", 3, "-o", output)


def test_variables_of_the_user(tmp_path, little, monkeypatch):
    """No variable for cocotb or pytest has a say in what is simulated, or in what executes."""
    monkeypatch.setenv(*own_cache(tmp_path / "cache"))
    trap = Trap(tmp_path, ["plugin"], [])
    variables = {
        "COCOTB_TEST_FILTER": "none_of_them",
        "COCOTB_TEST_MODULES": "plugin",
        "COCOTB_REWRITE_ASSERTION_FILES": "*.py",
        "COCOTB_USER_COVERAGE": "1",
        "COCOTB_RESULTS_FILE": str(trap.marker),
        "GPI_USERS": "nothing.so",
        "PYTEST_ADDOPTS": "-p plugin",
        "TESTCASE": "none",
        "TOPLEVEL": "none",
        "WAVES": "1",
    }
    trap.run(
        *("verify", little, "--sim", "icarus", "--vectors", 3, "-o", tmp_path / "out"), **variables
    )
    files = {path.name for path in (tmp_path / "out" / "icarus").iterdir() if path.is_file()}
    outcomes = {f"outcome_{name}.json" for name in ("none", "idle_source", "slow_sink", "both")}
    assert files == {"job.json", "words.bin", "results.xml", "run.log"} | outcomes


@pytest.mark.parametrize(
    ("before", "after"), [("a:", "a"), (":a::b", "a:b"), (":", None), ("a", "a"), (None, None)]
)
def test_empty_entries_of_the_path(before, after, tmp_path, monkeypatch):
    """They mean the current folder, for this process and for those that it starts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    monkeypatch.setenv("PYTHONPATH", before or "")
    if before is None:
        monkeypatch.delenv("PYTHONPATH")
    start_safely()
    assert os.environ.get("PYTHONPATH") == after
    assert (str(tmp_path) in sys.path) == (before == "a" or before is None)


@pytest.mark.slow
def test_everything_else(trap, little, model):
    trap.run("verify", little, "--sim", "verilator", "--vectors", 3)
    trap.run("verify", "zero-skipper", "--vectors", 3)
    trap.run("generate", "zero-skip-64", "-o", "unit")
    trap.run("synth", "zero-skipper")
    trap.run("skip-study", "late", "-o", "study")
    trap.run("noise", model, "-o", "noise.svg")
    trap.run("simulate", TERNARY)
    trap.run("explore", model, "-j", 2, "--cluster", "local", "--store", "c.sqlite")
    trap.run("codesign", TERNARY, "--vectors", 2, "--target", "ice40", "-o", "all")
