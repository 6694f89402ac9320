"""Operands of more than 8 bits, as words and as bytes: ``python -m benchmarks.words``.

The same exact sums, inside compiled code: 16-bit multiply-add, bytes that all meet each other, and
numpy's float64, in which both operands are converted before. One thread, CPU time, interleaved,
medians; writes a table to docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.timing import cold, machine, medians, publish
from fxsim.kernels.operand import Operand, exact_sums, operand_of, scratch, split, words_fit
from fxsim.kernels.target import Backend, chosen

SHAPE = (256, 1024, 1024)
BITS = ((8, 8), (12, 8), (16, 8), (8, 12), (10, 10), (12, 12), (16, 16))


def sums(operand: Operand, x: Any, planes: Any, partial: Any, out: Any) -> None:
    """Steps of a compiled layer: split, multiply, put together."""
    split(x, operand, planes, len(x))
    exact_sums(operand, planes, partial, out)


def rates(bits: tuple[int, int], seconds: float) -> dict[str, float]:
    """GMAC/s of each way that can be exact."""
    rows, inputs, outputs = SHAPE
    generator, backend = np.random.default_rng(0), chosen()
    most, widest = (1 << bits[0] - 1) - 1, (1 << bits[1] - 1) - 1
    x = generator.integers(-most, most + 1, (rows, inputs))
    # As a trained layer has them: most weights are far from the largest one.
    weight = generator.normal(0, widest / 4, (outputs, inputs)).clip(-widest, widest).astype(int)
    expected, nothing = x @ weight.T, np.zeros(outputs, np.int64)
    calls = {}
    for words in (True, False):
        if words and not words_fit(weight, nothing, -most, most, backend):
            continue
        operand = operand_of(weight, nothing, -most, most, backend, words=words)
        out = np.empty((rows, outputs), np.int64)
        arguments = (operand, x, *scratch(rows, inputs, operand), out)
        sums(*arguments)
        assert (out == expected).all()
        calls["words" if words else "bytes"] = lambda arguments=arguments: sums(*arguments)
    left, right = x.astype(np.float64), weight.T.astype(np.float64)
    calls["float64"] = lambda: left @ right
    times = medians(calls, seconds, before=cold)
    return {name: float(np.prod(SHAPE)) / time / 1e9 for name, time in times.items()}


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="for each line")
    options = parser.parse_args()
    os.environ["FXSIM_THREADS"] = "1"
    threadpool_limits(1)
    if chosen() is not Backend.VNNI:
        sys.exit(f"only vnni has words, not {chosen()}")
    title = f"{machine()}; {' x '.join(map(str, SHAPE))}, GMAC/s, one thread."
    lines = [title, "", "| bits of activations x weights | words | bytes | numpy float64 |"]
    lines.append("|---" * 4 + "|")
    facts = {}
    for bits in BITS:
        name = " x ".join(map(str, bits))
        facts[name] = found = rates(bits, options.seconds)
        cells = [f"{found[k]:.1f}" if k in found else "-" for k in ("words", "bytes", "float64")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    publish("words", "\n".join(lines), {"gmac_per_s": facts})


if __name__ == "__main__":
    main()
