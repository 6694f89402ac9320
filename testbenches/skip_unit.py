"""Hold the Verilog of a zero-skipping unit equal to the dense product, word, cycle and counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fxsim.arithmetic import integers
from fxsim.arithmetic.tensors import IntArray
from fxsim.hw.edges.axi import lane_bytes
from fxsim.hw.skip.skip_top import VERSION, index_format, registers_of
from fxsim.network.skip_unit import SkipProduct, SkipUnit
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.job import PATTERNS, Device, Job, Registers
from fxsim.testbenches.run import Bench
from fxsim.testbenches.units import (
    Expected,
    UnitRun,
    axis_channel,
    channel,
    verify_runs,
)
from fxsim.timing.skip_unit import (
    SkipCycles,
    sparse_matvec_cycles,
    sparse_matvec_latency,
    zero_skipper_cycles,
)


def verify_unit(
    unit: SkipUnit,
    *,
    vectors: Mapping[str, IntArray],
    threshold: int,
    seed: int,
    folder: Path,
    patterns: Sequence[str] = PATTERNS,
    bench: Bench = "verilog",
) -> list[UnitRun]:
    """Run the regression of a unit.

    A run is ok when every word agrees, in the run without pauses every cycle and every counter, and
    with pauses what does not depend on them. Loadable weights are replaced by random ones first.

    Parameters
    ----------
    vectors : mapping of str to int64 array, shape (n, items)
        For each simulator, the gradients that it streams through the unit.
    threshold : int
        Written to the register before them.
    """
    loaded = _loaded(unit, seed)

    def prepare(gradients: IntArray) -> tuple[Job, Expected]:
        job = unit_job(unit, loaded, gradients, threshold, patterns=patterns, seed=seed)
        return job, _expected(unit, gradients, threshold)

    return verify_runs(unit, vectors, prepare, folder, patterns=patterns, bench=bench)


def unit_cycles(unit: SkipUnit, gradients: IntArray, threshold: int) -> SkipCycles:
    """Prediction of `fxsim.timing.skip_unit`."""
    product = unit.product
    if product is None:
        return zero_skipper_cycles(
            gradients, lanes=unit.lanes, issue=unit.issue, depth=unit.depth, threshold=threshold
        )
    latency = sparse_matvec_latency(
        issue=unit.issue,
        weight=product.weight,
        dsp=product.dsp,
        multiplier_bits=product.tail.multiplier_bits,
        per_channel=product.tail.per_channel,
    )
    return sparse_matvec_cycles(
        gradients,
        lanes=unit.lanes,
        issue=unit.issue,
        depth=unit.depth,
        threshold=threshold,
        tiles=product.tiles,
        latency=latency,
    )


def counters_of(cycles: SkipCycles, gradients: IntArray, threshold: int) -> dict[str, int]:
    """Values of the counters after gradients without a pause."""
    return {
        "vectors": len(gradients),
        "operands": gradients.size,
        "skipped": int((np.abs(gradients) <= threshold).sum()),
        "cycles": cycles.total - 1,
        "busy": cycles.busy,
        "starved": int(cycles.starved.sum()),
        "conflict": 0,
        "drain": cycles.drain,
        "full": int(cycles.full.sum()),
    }


def unit_job(
    unit: SkipUnit,
    weights: IntArray | None,
    gradients: IntArray,
    threshold: int,
    *,
    patterns: Sequence[str] = PATTERNS,
    seed: int = 1,
) -> Job:
    """Stream ``gradients`` through the unit; ``weights`` replace its own where they are given."""
    kept = np.where(np.abs(gradients) <= threshold, 0, gradients)
    source = axis_channel("s_axis", unit.gradient, unit.lanes, gradients.tolist())
    preload = []
    product = unit.product
    if product is None:
        sink = _pairs(unit, kept)
    else:
        if weights is not None:
            preload = [_weight_channel(unit, product, weights)]
            product = replace(product, weights=weights)
        sink = axis_channel(
            "m_axis", product.output.format, product.rows, dense(product, kept), pad=_idle(product)
        )
    offsets = {register.name: register.offset for register in registers_of(unit)}
    return Job(
        clock="aclk",
        reset="aresetn",
        reset_active=0,
        devices=[Device(source=source, sink=sink, flag="frame_error")],
        patterns=list(patterns),
        seed=seed,
        settle=5,
        preload=preload,
        registers=Registers(
            prefix="s_axi",
            writes=[[offsets["threshold"], threshold], [offsets["control"], 1]],
            reads={name: offset for name, offset in offsets.items() if name != "control"},
        ),
    )


def dense(product: SkipProduct, gradients: IntArray) -> list[list[int]]:
    """Outputs by dense arithmetic on integers, which knows nothing of skipping."""
    return [
        [_requantized(product, total) for total in vector]
        for vector in (gradients @ product.weights).tolist()
    ]


def _requantized(product: SkipProduct, accumulator: int) -> int:
    tail = product.tail
    return integers.requantize(
        accumulator,
        multiplier=int(tail.multiplier[0]),
        shift=tail.shift,
        zero_point=product.output.zero_point,
        fmt=product.output.format,
        rounding=tail.rounding,
        mode=tail.overflow,
        relu=tail.relu,
    )


def _idle(product: SkipProduct) -> int:
    return _requantized(product, 0)


def _loaded(unit: SkipUnit, seed: int) -> IntArray | None:
    """Random weights to be streamed in, other than those after power-up."""
    product = unit.product
    if product is None or not product.loadable:
        return None
    low, high = product.weight.min, product.weight.max
    return np.random.default_rng(seed).integers(low, high, product.weights.shape, endpoint=True)


def _weight_channel(unit: SkipUnit, product: SkipProduct, weights: IntArray) -> Channel:
    """Tile by tile, index by index, ``rows`` weights a beat."""
    padded = np.zeros((unit.items, product.tiles * product.rows), np.int64)
    padded[:, : product.outputs] = weights
    words = [
        padded[index, tile * product.rows : (tile + 1) * product.rows]
        for tile in range(product.tiles)
        for index in range(unit.items)
    ]
    return axis_channel(
        "s_axis_weights", product.weight, product.rows, [np.concatenate(words).tolist()]
    )


def _pairs(unit: SkipUnit, gradients: IntArray) -> Channel:
    """Groups of pairs; a channel of vectors of one beat, whose tlast is in its words."""
    value, index = 8 * lane_bytes(unit.gradient), 8 * lane_bytes(index_format(unit))
    words: list[int] = []
    frames = []
    for vector in gradients.tolist():
        pairs = [(v & ((1 << value) - 1)) | k << value for k, v in enumerate(vector) if v]
        groups = [pairs[k : k + unit.issue] for k in range(0, len(pairs), unit.issue)] or [[]]
        for group in groups:
            words.append(sum(pair << k * (value + index) for k, pair in enumerate(group)))
        frames.append(len(groups))
    return channel(
        "m_axis",
        lanes=unit.issue,
        stride=value + index,
        bits=value,
        signed=unit.gradient.signed,
        beats=1,
        words=words,
        frames=frames,
    )


def _expected(unit: SkipUnit, gradients: IntArray, threshold: int) -> Expected:
    """Cycles and counters, as the model has them."""
    cycles = unit_cycles(unit, gradients, threshold)

    def sums(registers: Mapping[str, int]) -> str | None:
        parts = sum(registers[name] for name in ("busy", "starved", "conflict", "drain"))
        right = parts == registers["cycles"] and registers["busy"] == cycles.busy
        return None if right else f"cycles do not add up: {registers}"

    return Expected(
        vectors=len(gradients),
        accepted=cycles.accepted,
        outputs=cycles.outputs,
        registers={
            "version": VERSION,
            "status": 1,
            "threshold": threshold,
            **counters_of(cycles, gradients, threshold),
        },
        paused=frozenset({"cycles", "busy", "starved", "drain", "full"}),
        sums=sums,
    )
