"""Weights of two bits against bytes, for one row: ``python -m benchmarks.two_bits``.

One row is bound by reading its weights, so fewer bytes are faster. Both kernels are fxsim's; they
need AVX-512 VNNI. Wall clock; a microsecond of each is the call from Python.
"""

from __future__ import annotations

import argparse
from typing import Any

import numba
import numpy as np

from benchmarks.timing import cold, hot, machine, medians, publish
from fxsim.kernels.blocks import excess_of, places_of, row_of_panel
from fxsim.kernels.packing import LaneWeight, aligned, pack
from fxsim.kernels.target import Backend

SIZES = (64, 128, 256, 512, 1024, 2048, 4096)


@numba.njit
def _row(weight: LaneWeight, x: Any, out: Any) -> None:
    places, source = places_of(weight), x.ctypes.data
    excess = excess_of(places, source)
    for panel in range(len(weight.panels)):
        row_of_panel(places, panel, source, excess, out.ctypes.data + 128 * panel, False)


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="for each line and state")
    options = parser.parse_args()
    columns = ["1 row, inputs = outputs", *["bytes, us", "2 bits, us", "ratio"] * 2]
    columns[4:6] = [f"{name[:-4]}, again, us" for name in columns[4:6]]
    lines = [f"{machine()}; wall clock.", "", f"| {' | '.join(columns)} |", "|---" * 7 + "|"]
    facts: dict[int, list[float]] = {}
    for size in SIZES:
        generator = np.random.default_rng(0)
        x = generator.integers(0, 256, size).astype(np.uint8)
        weight = generator.integers(-1, 2, (size, size)).astype(np.int8)
        narrow = pack(weight, np.zeros(size, np.int64), Backend.VNNI)
        wide, out = narrow._replace(narrow=narrow.narrow[:0]), aligned((size,), np.int32)
        calls = {
            "bytes": lambda weight=wide, x=x, out=out: _row(weight, x, out),
            "two": lambda weight=narrow, x=x, out=out: _row(weight, x, out),
        }
        for call in calls.values():
            out[:] = 0
            call()
            assert (out == weight.astype(np.int64) @ x).all()
        cells, facts[size] = "", []
        for before in (cold, hot):
            times = medians(calls, options.seconds, cpu=False, before=before)
            one, two = 1e6 * times["bytes"], 1e6 * times["two"]
            facts[size] += [one, two]
            cells += f" {one:.1f} | {two:.1f} | {one / two:.2f} |"
        lines.append(f"| {size} |{cells}")
    publish("two-bits", "\n".join(lines), {"microseconds": facts})


if __name__ == "__main__":
    main()
