"""Rounding and overflow against SystemC (IEEE 1666), compiled from ``systemc_rounding.cpp``."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.arithmetic.integers import overflow, shift_round

SOURCE = Path(__file__).with_name("systemc_rounding.cpp")
NEEDED = "this test needs g++ and SystemC 2.3: apt-get install g++ libsystemc-dev"
# In the order of the tables in systemc_rounding.cpp.
ROUNDINGS = (
    Rounding.FLOOR,  # SC_TRN
    Rounding.TO_ZERO,  # SC_TRN_ZERO
    Rounding.TIES_AWAY,  # SC_RND_INF
    Rounding.TIES_POS,  # SC_RND
    Rounding.TIES_EVEN,  # SC_RND_CONV
)
OVERFLOWS = (
    (Overflow.WRAP, False),  # SC_WRAP
    (Overflow.SATURATE, False),  # SC_SAT
    (Overflow.SATURATE, True),  # SC_SAT_SYM
)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("systemc")
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.fail(f"g++ not found; {NEEDED}")
    program, output = folder / "rounding", folder / "records"
    build = [compiler, "-std=c++17", "-O1", str(SOURCE), "-lsystemc", "-o", str(program)]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.fail(f"{NEEDED}\n{built.stderr}")
    subprocess.run([str(program), str(output)], capture_output=True, check=True)
    return np.fromfile(output, dtype=np.int16).reshape(-1, 7)


def expected_keys():
    for signed, overflows in ((1, 3), (0, 2)):
        for q, o in product(range(5), range(overflows)):
            for width, shift in product(range(2 if o == 2 else 1, 10), range(11)):
                for value in range(-128, 256):
                    yield q, o, signed, shift, width, value


def test_every_case_is_there(records):
    keys = np.array(list(expected_keys()), dtype=np.int16)
    np.testing.assert_array_equal(records[:, :-1], keys)


@pytest.mark.parametrize("q", range(5), ids=map(str, ROUNDINGS))
def test_equal(records, q):
    rounding = ROUNDINGS[q]
    shifted = cache(lambda value, shift: shift_round(value, shift, rounding))
    fmt = cache(lambda width, signed, narrow: IntFormat(bits=width, signed=signed, narrow=narrow))
    compared = 0
    for _, o, signed, shift, width, value, theirs in records[records[:, 0] == q].tolist():
        how, narrow = OVERFLOWS[o]
        ours = overflow(shifted(value, shift), fmt(width, bool(signed), narrow), how)
        assert ours == theirs, (how, signed, narrow, shift, width, value)
        compared += 1
    assert compared == (9 + 9 + 8 + 9 + 9) * 11 * 384
