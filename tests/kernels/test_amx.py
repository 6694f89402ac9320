"""The kernels for AMX where there is none: the tile instructions run in ``amx_emulator.cpp``."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.registry import cpu_target

from fxsim.kernels import target
from fxsim.kernels.target import Backend

SOURCE = Path(__file__).with_name("amx_emulator.cpp")
TILES = {"amx-int8", "amx-tile"}

pytestmark = [
    pytest.mark.skipif(
        platform.system() != "Linux" or not target.has_vnni(),
        reason="only tiles are emulated, on Linux",
    ),
    pytest.mark.skipif(
        target.target_features() >= TILES, reason="test_kernels.py runs on this machine's AMX"
    ),
]

SUITES = (
    ("tests/kernels/test_kernels.py", "-k", "amx or requantization or threads"),
    ("tests/network/test_convolution.py", "-k", "simulator_equals_reference"),
    ("tests/network/test_lstm.py", "-k", "stream or saved"),
)
RUN = """
import ctypes, json, sys, pytest
from fxsim.kernels import target
print(target.chosen())
emulator = ctypes.CDLL(None)
emulator.amx_emulator_dots.restype = emulator.amx_emulator_kept.restype = ctypes.c_ulong
for suite in json.loads(sys.argv[1]):
    before = emulator.amx_emulator_dots()
    code = pytest.main(["-q", "-p", "no:faulthandler", "-p", "no:cacheprovider", *suite])
    dots = emulator.amx_emulator_dots() - before
    print(f"done: {int(code)} {dots} {emulator.amx_emulator_kept()}", flush=True)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Variables for a process that has tiles."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.fail("g++ not found; this test needs it: apt-get install g++")
    library = tmp_path_factory.mktemp("amx") / "amx_emulator.so"
    build = [compiler, "-std=c++17", "-O2", "-shared", "-fPIC", str(SOURCE), "-o", str(library)]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.fail(built.stderr)
    _, name, features = cpu_target.target_context.codegen().magic_tuple()
    masked = [word for word in features.split(",") if word[1:] not in TILES]
    return os.environ | {
        "LD_PRELOAD": str(library),
        "NUMBA_CPU_NAME": name,
        "NUMBA_CPU_FEATURES": ",".join([*masked, *(f"+{tile}" for tile in sorted(TILES))]),
        "FXSIM_KERNEL": "amx",
    }


def run(environment, code, *arguments):
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def done(environment):
    """One process that has run all suites: they share imports and compiled kernels."""
    return run(environment, RUN, json.dumps(SUITES))


@pytest.mark.parametrize("number", range(len(SUITES)), ids=[suite[0] for suite in SUITES])
def test_every_product_on_tiles(done, number) -> None:
    lines = done.stdout.splitlines()
    assert lines[:1] == [Backend.AMX], done.stderr
    results = [line.split()[1:] for line in lines if line.startswith("done: ")]
    assert len(results) > number, done.stdout + done.stderr
    code, dots, kept = map(int, results[number])
    assert code == 0, done.stdout + done.stderr
    assert dots > 0
    assert kept == 0


COUNTED = """
import ctypes
import numpy as np
from fxsim.kernels.product import Product
emulator = ctypes.CDLL(None)
emulator.amx_emulator_dots.restype = emulator.amx_emulator_kept.restype = ctypes.c_ulong
product = Product(np.ones((64, 128), np.int64), np.zeros(64, np.int64), 0, 255)
for rows in (1, 4, 5, 16, 17, 32, 33, 37, 64):
    before = emulator.amx_emulator_dots()
    assert (product(np.ones((rows, 128), np.uint8)) == 128).all()
    print(rows, emulator.amx_emulator_dots() - before, emulator.amx_emulator_kept())
"""


def test_tiles_compute_every_block_of_more_than_four_rows(environment) -> None:
    done = run(environment, COUNTED)
    assert done.returncode == 0, done.stderr
    tiles = {1: 0, 4: 0, 5: 1, 16: 1, 17: 2, 32: 2, 33: 2, 37: 3, 64: 4}  # of rows
    expected = [f"{rows} {2 * 2 * 2 * count} 0" for rows, count in tiles.items()]
    assert done.stdout.splitlines() == expected


ALONE = """
import numpy as np
from fxsim.kernels import intrinsics as unit
from fxsim.kernels.jit import jit
CONFIG = unit.TILE_CONFIG
@jit
def load(address):
    unit.tile_load(0, address, 64)
load(CONFIG.ctypes.data)
"""


def test_the_emulator_refuses_what_the_processor_would(environment) -> None:
    done = run(environment, ALONE)
    assert done.returncode != 0
    assert done.stderr.endswith("amx_emulator: a tile before ldtilecfg or after tilerelease\n")
