"""Two threads against one: ``python -m benchmarks.threads``.

Wall-clock time, so the machine must have two free cores. The products are forced onto one and onto
two threads, interleaved in one process; the last column is what `Product` does by itself.
"""

from __future__ import annotations

import argparse
import os

import numpy as np

from benchmarks.timing import machine, medians, publish
from fxsim.kernels import product as module
from fxsim.kernels.packing import aligned
from fxsim.kernels.product import Product

SHAPES = [
    (128, 128, 128),
    (256, 256, 256),
    (128, 512, 1024),
    (1024, 800, 32),
    (4096, 256, 64),
    (256, 512, 1024),
    (128, 1024, 2048),
    (256, 1024, 1024),
    (512, 1024, 1024),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="for each shape")
    options = parser.parse_args()
    os.environ["FXSIM_THREADS"] = "2"
    worth = module._WORTH_THREADS
    lines = [
        f"{machine()}; wall clock.",
        "",
        "| rows x inputs x outputs | one, us | two, us | one / two | by itself |",
        "|---|---|---|---|---|",
    ]
    facts = {}
    for rows, inputs, outputs in SHAPES:
        generator = np.random.default_rng(0)
        x = generator.integers(0, 256, (rows, inputs)).astype(np.uint8)
        weight = generator.integers(-127, 128, (outputs, inputs))
        product = Product(weight, np.zeros(outputs, np.int64), 0, 255)
        out = aligned((rows, outputs), np.int32)

        def run(least: int, product: Product = product, x=x, out=out) -> None:
            module._WORTH_THREADS = least
            product(x, out)

        times = medians(
            {"one": lambda run=run: run(1 << 62), "two": lambda run=run: run(0)},
            options.seconds,
            cpu=False,
        )
        one, two = 1e6 * times["one"], 1e6 * times["two"]
        chosen = "two" if rows * inputs * outputs >= worth and rows >= 128 else "one"
        name = f"{rows} x {inputs} x {outputs}"
        lines.append(f"| {name} | {one:.1f} | {two:.1f} | {one / two:.2f} | {chosen} |")
        facts[name] = {"one_us": one, "two_us": two, "by_itself": chosen}
    publish("threads", "\n".join(lines), {"products": facts})


if __name__ == "__main__":
    main()
