"""Interleaved timing, ratios of calls that ran side by side in one process, and where they go."""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from fxsim.files import write_text

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"

Call = Callable[[], object]
Calls = Mapping[str, Call]
Before = Callable[[Call], None]

_OTHER = np.ones(1 << 19, np.int64)


def cold(call: Call) -> None:
    """Before a call: read 4 MB, so that it finds nothing in the two nearest caches."""
    _OTHER.sum()


def hot(call: Call) -> None:
    """Before a call: the same call, so that it finds all that the caches can hold."""
    call()


def medians(
    calls: Calls,
    seconds: float,
    *,
    cpu: bool = True,
    before: Before | None = None,
) -> dict[str, float]:
    """Median seconds of each call, a round of all of them at a time, for ``seconds`` in all.

    CPU time of this process by default, so that other programs on the machine do not count, and all
    threads of a library do; wall-clock time for calls that are to use more than one. ``before`` is
    done with each call before it is measured, so that its place in the round does not matter.
    """
    clock = time.process_time if cpu else time.perf_counter
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < 5:
        for name, call in calls.items():
            if before is not None:
                before(call)
            start = clock()
            call()
            times[name].append(clock() - start)
    return {name: median(values) for name, values in times.items()}


def machine() -> str:
    """Processor and the back end in use."""
    from fxsim.kernels.target import chosen

    name, features = platform.machine(), ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        text = info.read_text()
        wanted = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8")
        features = f" ({', '.join(flag for flag in wanted if flag in text.split())})"
        if model := re.search(r"model name\s*: (.*)", text):
            name = f"{model[1].strip()}, {name}"
    return f"{name}{features}, back end {chosen()}"


def publish(name: str, text: str, facts: dict[str, Any]) -> None:
    """Print ``text`` and write it to its place in docs/performance.md, ``facts`` to build/."""
    print(text)
    document = json.dumps({"machine": machine(), **facts}, indent=2)
    write_text(ROOT / "build" / f"{name}.json", document + "\n")
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, rest = PAGE.read_text().split(begin)
    write_text(PAGE, f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}")
