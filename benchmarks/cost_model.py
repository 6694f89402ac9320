"""Clean test of the cost model: fitted to some configurations, tested on others.

``python -m benchmarks.cost_model`` synthesizes random configurations of three networks, fits the
model of each network and target to the training ones, predicts the held-out ones, and writes the
table of docs/exploration.md. All draws are seeded. While the amounts that the model counts were
chosen, only training configurations were looked at (``--train``: cross-validation on these alone);
the held-out seed of a case was drawn for amounts that are not changed any more.
"""

import argparse
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from fxsim.cli.synthesis import synthesis
from fxsim.cost.amounts import SYNTHESISED
from fxsim.cost.model import CostModel, relative
from fxsim.errors import RangeError, SpecError
from fxsim.explorer.space import parse_space
from fxsim.files import write_text
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.quantizer import quantize
from fxsim.spec import parse_spec
from fxsim.targets.registry import TARGETS

PAGE = Path(__file__).parents[1] / "docs" / "exploration.md"
DRAWS = (1, 20261122)
"""Seeds of the configurations of the fit: the first draw, and the held-out one of a first test."""


def folding(rows, simd):
    """Values of a folding, fewest lanes first."""
    pairs = [(a, b) for a in rows for b in simd]
    return [{"rows": a, "simd": b} for a, b in sorted(pairs, key=lambda p: p[0] * p[1])]


def product(at, *, levels=(3, 7, 15, 63, 255), bits=(2, 3, 4, 6, 8), rows=(), simd=()):
    """Variables of a layer with weights, given the path of its keys."""
    n = re.sub(r"\W", "", at)
    found = {f"{n}_levels": {"set": [f"{at}.weights.levels"], "to": list(levels)}}
    if bits:
        found[f"{n}_bits"] = {"set": [f"{at}.output.bits"], "to": list(bits)}
        found[f"{n}_multiplier"] = {
            "set": [f"{at}.requantize.multiplier_bits"],
            "to": [8, 12, 16],
        }
    if rows:
        found[f"{n}_folding"] = {"set": [f"{at}.hardware"], "to": folding(rows, simd)}
    return found


SUMS = [{"overflow": "wrap", "bits": 14}, {"overflow": "saturate", "bits": 14}, {}]


def mlp():
    """Two fully connected layers, random weights."""
    spec = parse_spec(
        {
            "name": "mlp",
            "data": "none",
            "input": {"shape": [16]},
            "layers": [
                {"type": "linear", "units": 24, "nonlinearity": "relu", "output": {}},
                {"type": "linear", "units": 10},
            ],
        },
        "benchmark",
    )
    variables = {
        "input_bits": {"set": ["input.bits"], "to": [2, 3, 4, 6, 8]},
        "per": {"set": ["layers[0].weights.per"], "to": ["tensor", "channel"]},
        "sums": {"set": ["layers[0].accumulator"], "to": SUMS},
        "dsp": {"set": ["layers[1].hardware.dsp"], "to": [True, False]},
        **product("layers[0]", rows=(1, 2, 4, 8), simd=(1, 2, 4, 8)),
        **product("layers[1]", bits=()),
        "rows": {"set": ["layers[1].hardware.rows"], "to": [1, 2, 5]},
        "simd": {"set": ["layers[1].hardware.simd"], "to": [1, 2, 4, 8]},
    }
    return spec, variables, *_random(spec)


def lstm():
    """An LSTM layer of 12 cells and a fully connected one, random weights."""
    spec = parse_spec(
        {
            "name": "lstm",
            "data": "none",
            "input": {"shape": [12], "signed": True},
            "layers": [{"type": "lstm", "cells": 12}, {"type": "linear", "units": 8}],
        },
        "benchmark",
    )
    at = "layers[0]"
    variables = {
        "input_bits": {"set": ["input.bits"], "to": [2, 4, 8]},
        "levels": {"set": [f"{at}.weights.levels"], "to": [3, 7, 15, 63, 255]},
        "preactivation": {"set": [f"{at}.preactivation.bits"], "to": [8, 9, 10]},
        "guard": {"set": [f"{at}.preactivation.guard_bits"], "to": [1, 2, 3]},
        "sigmoid": {"set": [f"{at}.tables.sigmoid_bits"], "to": [6, 7, 8]},
        "tanh": {"set": [f"{at}.tables.tanh_bits"], "to": [6, 7, 8]},
        "step": {"set": [f"{at}.tables.step_bits"], "to": [2, 1, 0]},
        "cell": {"set": [f"{at}.cell.bits"], "to": [13, 14, 16]},
        "output": {"set": [f"{at}.output.bits"], "to": [4, 6, 8]},
        "multipliers": {"set": [f"{at}.hardware.multipliers"], "to": [1, 3]},
        "multiplier": {"set": [f"{at}.requantize.multiplier_bits"], "to": [8, 12, 16]},
        "input": {"set": [f"{at}.hardware.input"], "to": folding((2, 4), (2, 4))},
        "hidden": {"set": [f"{at}.hardware.hidden"], "to": folding((2, 4), (2, 4))},
        **product("layers[1]", levels=(3, 15, 63, 255), bits=(), rows=(1, 2, 4), simd=(2, 4)),
    }
    return spec, variables, *_random(spec)


def images():
    """Two convolutions, max pooling and a fully connected layer, random weights."""
    spec = parse_spec(
        {
            "name": "images",
            "data": "none",
            "input": {"shape": [2, 8, 8]},
            "layers": [
                {"type": "convolution", "units": 4, "kernel": 3, "nonlinearity": "relu"}
                | {"output": {}},
                {"type": "max_pool", "kernel": 2},
                {"type": "convolution", "units": 6, "kernel": 3, "nonlinearity": "relu"}
                | {"output": {}},
                {"type": "flatten"},
                {"type": "linear", "units": 10},
            ],
        },
        "benchmark",
    )
    variables = {
        "input_bits": {"set": ["input.bits"], "to": [2, 4, 6, 8]},
        "per": {
            "set": ["layers[0].weights.per", "layers[2].weights.per"],
            "to": ["tensor", "channel"],
        },
        **product("layers[0]", rows=(1, 2, 4), simd=(1, 2, 6)),
        "lanes": {"set": ["layers[1].hardware.lanes"], "to": [1, 2, 4]},
        **product("layers[2]", rows=(1, 2, 3), simd=(1, 2, 4, 12)),
        **product("layers[4]", levels=(3, 15, 63, 255), bits=(), rows=(1, 2, 5), simd=(1, 2, 4)),
    }
    return spec, variables, *_random(spec)


def _random(spec):
    """Parameters and samples of normal distributions."""
    rng = np.random.default_rng(1)
    parent = {
        p.name: LinearParameters(
            weight=rng.normal(size=(p.outputs, p.inputs)) / np.sqrt(p.inputs),
            bias=0.1 * rng.normal(size=p.outputs),
        )
        for p in spec.products
    }
    steps = (20,) if spec.recurrent else ()
    samples = rng.normal(size=(40, *steps, *spec.input.shape))
    return Checkpoint(parent=parent), samples if spec.input.signed else np.abs(samples)


NETWORKS = {"mlp": mlp, "lstm": lstm, "images": images}
CASES = (
    ("mlp", "ice40", (40, 30), 30, 20261123),
    ("mlp", "ecp5", (40, 30), 30, 20261123),
    ("mlp", "xc7", (40, 0), 30, 20261127),
    ("lstm", "ecp5", (40, 0), 30, 20261127),
    ("images", "ice40", (40, 0), 30, 20261127),
    ("mlp", "gowin", (40, 30), 30, 20261130),
)
"""Network, target, configurations of each draw of the fit, held-out ones, and their seed."""


@cache
def drawn(name: str, count: int, seed: int):
    """Numbers and networks of distinct random points that are possible."""
    spec, variables, checkpoint, samples = NETWORKS[name]()
    space = parse_space(spec, {"variables": variables, "objectives": ["lut"]}, name)
    source, found = random.Random(f"{name} {seed}"), {}
    while len(found) < count:
        number = source.randrange(space.size)
        try:
            found[number] = quantize(
                space.apply(space.choices(number)), checkpoint, samples, direct=True
            )
        except (SpecError, RangeError):
            continue
    return found


def fitted(name: str, counts):
    """Numbers and networks that the model is fitted to."""
    found = {}
    for count, seed in zip(counts, DRAWS, strict=True):
        found |= drawn(name, count, seed)
    return found


def cells_of(networks, target: str, parallel: int):
    """Cells of the blocks of each network."""
    with ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(synthesis(target).blocks, networks))


def errors(name: str, target: str, counts, held: int, seed: int, parallel: int) -> Iterator[str]:
    """Lines of the table for a network and target; ``held`` 0 leaves the test out."""
    train = fitted(name, counts)
    model = CostModel(
        list(train.values()), cells_of(train.values(), target, parallel), target=target
    )
    crossed = model.cross_validate()
    found = {}
    if held:
        fresh = {k: n for k, n in drawn(name, held, seed).items() if k not in train}
        cells = cells_of(fresh.values(), target, parallel)
        guesses = [model.predict(network) for network in fresh.values()]
        for kind in SYNTHESISED:
            true = np.array([sum(block[kind] for block in blocks.values()) for blocks in cells])
            guess = np.array([guess[kind] for guess in guesses])
            found[kind] = relative(guess, true)
    for kind in SYNTHESISED:
        seen = found.get(kind)
        shown = f"{np.median(seen):.1%} | {seen.max():.1%}" if held else "- | -"
        seen = crossed[kind]
        yield (
            f"| {name} | {target} | {len(train)} + {held} | {kind.replace('_', ' ')} | {shown} |"
            f" {seen['median']:.1%} | {seen['worst']:.1%} |"
        )


def kept_and_new(page: str, lines: list[str]) -> list[str]:
    """Lines of the table: those that the page has of cases not measured now, and the new ones."""
    cases = [f"| {name} | {target} |" for name, target, *_ in CASES]
    new = {case: [line for line in lines if line.startswith(case)] for case in cases}
    old = {case: [line for line in page.splitlines() if line.startswith(case)] for case in cases}
    return lines[:2] + [line for case in cases for line in new[case] or old[case]]


def main() -> None:
    """Measure, and replace what is between the markers of the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("network", nargs="?", default="all", choices=["all", *NETWORKS])
    parser.add_argument("target", nargs="?", default="all", choices=["all", *TARGETS])
    parser.add_argument("--train", action="store_true", help="cross-validation only; no page")
    parser.add_argument("-j", dest="parallel", type=int, default=1)
    parser.add_argument("--collect", action="store_true", help="synthesize only")
    arguments = parser.parse_args()
    if arguments.collect:
        for name, target, train, test, seed in CASES:
            if arguments.network not in ("all", name) or arguments.target not in ("all", target):
                continue
            for draw in (fitted(name, train), drawn(name, test, seed)):
                cells_of(draw.values(), target, arguments.parallel)
                print(name, target, len(draw), flush=True)
        return
    head = "| network | target | fitted + held out | cells | median, held out | worst"
    head += " | median, cross-validated | worst |"
    lines = [head, "|---" * (head.count("|") - 1) + "|"]
    print("\n".join(lines))
    for name, target, counts, held, seed in CASES:
        if arguments.network not in ("all", name) or arguments.target not in ("all", target):
            continue
        held = 0 if arguments.train else held
        for line in errors(name, target, counts, held, seed, arguments.parallel):
            print(line, flush=True)
            lines.append(line.replace("%", " %"))
    if not arguments.train:
        text = PAGE.read_text()
        table = "\n".join(kept_and_new(text, lines))
        pattern = r"(<!-- cost model -->\n\n).*?(\n\n<!-- end -->)"
        text = re.sub(pattern, lambda found: found[1] + table + found[2], text, flags=re.S)
        write_text(PAGE, text)


if __name__ == "__main__":
    main()
