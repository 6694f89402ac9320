"""Interleaved timing: ratios of calls that ran side by side in one process."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

Calls = Mapping[str, Callable[[], object]]


def medians(calls: Calls, seconds: float, *, cpu: bool = True) -> dict[str, float]:
    """Median seconds of each call, a round of all of them at a time, for ``seconds`` in all.

    CPU time of this process by default, so that other programs on the machine do not count, and all
    threads of a library do; wall-clock time for calls that are to use more than one.
    """
    clock = time.process_time if cpu else time.perf_counter
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < 5:
        for name, call in calls.items():
            start = clock()
            call()
            times[name].append(clock() - start)
    return {name: median(values) for name, values in times.items()}


def machine() -> str:
    """Processor and the back end in use."""
    from fxsim.kernels.target import chosen

    features = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        flags = info.read_text().split()
        wanted = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8")
        features = f" ({', '.join(flag for flag in wanted if flag in flags)})"
    return f"{platform.machine()}{features}, back end {chosen()}"
