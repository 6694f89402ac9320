"""Compiled kernels in fresh processes: what is said, and what a cache of another target does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fxsim.kernels import target
from fxsim.kernels.target import Backend

PRODUCT = """
import numpy as np
from fxsim.kernels.product import Product
x, w = np.arange(-99, 51).reshape(5, 30), np.arange(-120, 120).reshape(8, 30)
assert (Product(w, np.arange(8), -99, 300)(x) == x @ w.T + np.arange(8)).all()
print("equal")
"""
ANNOUNCEMENT = "fxsim: compiling kernels for this processor"


def run(cache, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)} | variables
    return subprocess.run(
        [sys.executable, "-c", PRODUCT], capture_output=True, text=True, env=environment
    )


@pytest.mark.parametrize("kernel", ["", "plain"])
def test_a_cache_of_another_processor_is_not_used(kernel, tmp_path) -> None:
    older = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    if not target.obstacles()[Backend.AVX2]:
        older = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"}
    for count, variables in [(1, {}), (2, older), (2, {}), (2, older)]:
        done = run(tmp_path, FXSIM_KERNEL=kernel, **variables)
        assert (done.stdout, done.stderr, done.returncode) == ("equal\n", "", 0)
        if kernel == "plain":  # the one that has the same types for every target
            assert len(list(tmp_path.rglob("product._add_products-*.nbc"))) == count


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_compilation_is_announced_once_on_a_terminal(tmp_path) -> None:
    import pty

    def said() -> str:
        ours, theirs = pty.openpty()
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        subprocess.run(
            [sys.executable, "-c", PRODUCT], stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 4096):
                text += part
        except OSError:  # Linux's way to say that nobody writes any more
            pass
        os.close(ours)
        return text.decode()

    assert said().count(ANNOUNCEMENT) == 1
    assert said() == "equal\r\n"
