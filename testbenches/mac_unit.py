"""Hold the Verilog of a MAC array equal to the reference, word for word and cycle for cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fxsim.arithmetic.tensors import IntArray
from fxsim.hw.edges.axi_lite import Access
from fxsim.hw.mac_top import VERSION, registers_of, word_bytes
from fxsim.network.mac_unit import MacUnit
from fxsim.plan.mac_unit import array_of, plan_mac_unit
from fxsim.reference.linear import run_linear
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
from fxsim.timing.mac_unit import mac_unit_cycles


def verify_mac_unit(
    unit: MacUnit,
    *,
    vectors: Mapping[str, IntArray],
    seed: int,
    folder: Path,
    patterns: Sequence[str] = PATTERNS,
    bench: Bench = "verilog",
) -> list[UnitRun]:
    """Run the regression of a unit.

    A run is ok when every word agrees, the registers after it, and without pauses every cycle.
    Loadable weights are replaced by random ones first, and the vectors are hard for those.

    Parameters
    ----------
    vectors : mapping of str to int64 array, shape (n, inputs)
        For each simulator, the vectors that it streams through the unit.
    """
    loaded = loaded_weights(unit, seed)

    def prepare(batch: IntArray) -> tuple[Job, Expected]:
        job = unit_job(unit, loaded, batch, patterns=patterns, seed=seed)
        return job, _expected(unit, len(batch))

    return verify_runs(unit, vectors, prepare, folder, patterns=patterns, bench=bench)


def loaded_weights(unit: MacUnit, seed: int) -> IntArray | None:
    """Random weights to be streamed in, other than those after power-up; None if they cannot be."""
    if not unit.loadable:
        return None
    layer = unit.layer
    return np.random.default_rng([seed, 1]).choice(layer.code.weights, layer.weight.shape)


def hard_vectors(unit: MacUnit, seed: int) -> IntArray:
    """Vectors that are hard on sums, shape (n, inputs).

    Zeros, the limits of the format, alone and in turn, single items; for the first, the middle and
    the last output, for all its weights, the vectors with its least and greatest sum.
    """
    weights = loaded_weights(unit, seed)
    layer = unit.layer if weights is None else unit.with_weights(weights).layer
    low, high = layer.input.format.min, layer.input.format.max
    places = np.arange(layer.inputs)
    found = [places * 0, places * 0 + low, places * 0 + high]
    found += [np.where(places % 2 == k, low, high) for k in (0, 1)]
    found += [np.where(places == k, low, 0) for k in {0, layer.inputs // 2, layer.inputs - 1}]
    for output in sorted({0, layer.outputs // 2, layer.outputs - 1}):
        positive = layer.weight[output] > 0
        found += [np.where(positive, high, low), np.where(positive, low, high)]
    return np.array(found)


def random_vectors(unit: MacUnit, count: int, seed: int) -> IntArray:
    """Uniform integers of the format of activations, shape (count, inputs)."""
    fmt = unit.layer.input.format
    size = (count, unit.layer.inputs)
    return np.random.default_rng(seed).integers(fmt.min, fmt.max, size, endpoint=True)


def products_of(unit: MacUnit, vectors: IntArray) -> IntArray:
    """Outputs of each vector, shape (n, outputs), by the reference on Python integers."""
    return np.array([run_linear(unit.layer, vector).activations for vector in vectors.tolist()])


def unit_job(
    unit: MacUnit,
    weights: IntArray | None,
    vectors: IntArray,
    *,
    patterns: Sequence[str] = PATTERNS,
    seed: int = 1,
) -> Job:
    """Stream ``vectors`` through the unit; ``weights`` replace its own where they are given.

    Lanes of the input beyond the end of a matrix hold the greatest activation, which must not
    matter.
    """
    plan, layer = plan_mac_unit(unit), unit.layer
    used = unit if weights is None else unit.with_weights(weights)
    given = unit.matrices(vectors)
    columns = given.swapaxes(1, 2).reshape(-1, layer.inputs)
    wanted = unit.matrices(products_of(used, columns))
    source, sink = plan.input.beat, plan.output.beat
    return Job(
        clock="aclk",
        reset="aresetn",
        reset_active=0,
        devices=[
            Device(
                source=axis_channel(
                    *(
                        "s_axis",
                        source.format,
                        source.lanes,
                        given.reshape(len(given), -1).tolist(),
                    ),
                    pad=source.format.max,
                ),
                sink=axis_channel(
                    *("m_axis", sink.format, sink.lanes, wanted.reshape(len(wanted), -1).tolist()),
                    pad=layer.idle,
                ),
                flag="frame_error",
            )
        ],
        patterns=list(patterns),
        seed=seed,
        preload=[] if weights is None else [_weight_channel(used)],
        registers=Registers(
            prefix="s_axi",
            reads={
                register.name: register.offset
                for register in registers_of(unit)
                if register.access is Access.READ
            },
        ),
    )


def _weight_channel(unit: MacUnit) -> Channel:
    """A word of the weight memory a beat."""
    content = array_of(unit).content
    return channel(
        "s_axis_weights",
        lanes=1,
        stride=8 * word_bytes(unit),
        bits=content.width,
        signed=False,
        beats=content.depth,
        words=content.words,
    )


def _expected(unit: MacUnit, vectors: int) -> Expected:
    """Cycles, as the model has them, and registers: idle, and the memory read without an error."""
    cycles = mac_unit_cycles(unit, -(-vectors // unit.columns))
    memory = array_of(unit).content
    registers = {"version": VERSION, "status": 0b00001}
    if memory.checked:
        registers |= {"status": 0b01001, "checksum": memory.checksum}
    return Expected(
        vectors=vectors,
        accepted=cycles.accepted,
        outputs=cycles.outputs,
        registers=registers,
    )
