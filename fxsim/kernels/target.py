"""Which integer units the kernels use: what numba compiles for, not what the processor has.

An instruction that the compilation target lacks ends the process inside LLVM, so the question is
put to numba (`NUMBA_CPU_NAME` and `NUMBA_CPU_FEATURES` count), and a kernel that is not chosen is
never compiled. AMX also needs the operating system's permission, once per process.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
from enum import StrEnum

import numba
from numba.core.registry import cpu_target

from fxsim.errors import ConfigError

_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1023, 18


class Backend(StrEnum):
    """Implementations of the integer matrix product, the fastest first."""

    AMX = "amx"
    VNNI = "vnni"
    AVX2 = "avx2"
    BLAS = "blas"
    PLAIN = "plain"


_NEEDS = {
    Backend.AMX: {"amx-int8", "amx-tile", "avx512vnni", "avx512bw", "avx512vl"},
    Backend.VNNI: {"avx512vnni", "avx512bw", "avx512vl"},
    Backend.AVX2: {"avx2"},
}


@functools.cache
def obstacles() -> dict[Backend, str]:
    """Why a back end cannot run in this process; empty for one that can."""
    return {backend: _obstacle(backend) for backend in Backend}


@functools.cache
def chosen() -> Backend:
    """The back end in use: `FXSIM_KERNEL`, else the first one without an obstacle.

    Raises
    ------
    ConfigError
        If `FXSIM_KERNEL` names no back end, or one that cannot run here.
    """
    name = os.environ.get("FXSIM_KERNEL", "")
    if not name:
        return next(backend for backend in Backend if not obstacles()[backend])
    if name not in list(Backend):
        names = ", ".join(Backend)
        raise ConfigError(f"FXSIM_KERNEL must be one of {names}, not {name!r}")
    if why := obstacles()[Backend(name)]:
        raise ConfigError(f"FXSIM_KERNEL must name what can run here, not {name}: {why}")
    return Backend(name)


@functools.cache
def target_features() -> frozenset[str]:
    """Names of the features that numba compiles for."""
    text = cpu_target.target_context.codegen().magic_tuple()[2]
    return frozenset(word[1:] for word in text.split(",") if word.startswith("+"))


def has_vnni() -> bool:
    """True if kernels of AVX-512 VNNI can run, whatever is chosen for the dense products."""
    return not obstacles()[Backend.VNNI]


def _obstacle(backend: Backend) -> str:
    if backend not in _NEEDS:
        return ""
    if numba.config.DISABLE_JIT:
        return "NUMBA_DISABLE_JIT is set"
    if platform.machine() not in {"x86_64", "AMD64"}:
        return f"the processor is {platform.machine()}"
    if missing := sorted(_NEEDS[backend] - target_features()):
        return f"numba's target lacks {', '.join(missing)}"
    if backend is Backend.AMX and (refusal := _request_tiles()):
        return refusal
    return ""


def _request_tiles() -> str:
    """Ask Linux for AMX tile data; why it was refused, or nothing."""
    if platform.system() != "Linux":
        return f"{platform.system()} has no known way to ask for tiles"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA) != 0:
        return f"Linux refuses tiles: {os.strerror(ctypes.get_errno())}"
    return ""
