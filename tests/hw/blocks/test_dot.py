# amaranth: UnusedElaboratable=no
"""Dot products against Python integers, their latency, and the area of the ternary one."""

import json
import random
from itertools import product

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.hdl import signed, unsigned
from amaranth.sim import Simulator

from fxsim.arithmetic.codes import (
    WITHOUT_MULTIPLIER,
    BinaryCode,
    IntegerCode,
    PowerOfTwoCode,
    TernaryCode,
    parse_code,
)
from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError
from fxsim.hw.blocks.arith import bounds_of
from fxsim.hw.blocks.dots import BinaryDot, IntDot, PowerOfTwoDot, TernaryDot, dot

SIMDS = [1, 2, 3, 5, 8, 16, 33]


def int_dot(simd, activation, bits, dsp=True):
    code = IntegerCode(IntFormat(bits=bits, signed=True))
    return IntDot(simd=simd, activation=activation, code=code, dsp=dsp)


def without_multiplier(simd, activation):
    return [dot(code=code, simd=simd, activation=activation) for code in WITHOUT_MULTIPLIER]


def weights_of(dut):
    """Every weight that the cells can be given."""
    return sorted({int(w) for w in dut.code.restored(np.arange(1 << dut.code.bits))})


def vectors(dut, count, seed):
    """All corners of the operands, then random operands rich in extremes."""
    weights, (low, high) = weights_of(dut), bounds_of(dut.activation[0].shape())
    rng = random.Random(seed)
    for x, w in product((low, high), (weights[0], weights[-1])):
        yield [x] * dut.simd, [w] * dut.simd
    for _ in range(count):
        yield (
            [rng.choice([low, high, rng.randint(low, high)]) for _ in range(dut.simd)],
            [rng.choice([weights[0], weights[-1], rng.choice(weights)]) for _ in range(dut.simd)],
        )


def run(dut, cases, *, enable=lambda: True, words=None):
    """Feed one case per enabled cycle; return the sums, starting with that of the first case.

    ``words`` are stored weights in place of those of the cases.
    """
    cases, sums = list(cases), []

    async def bench(ctx):
        steps = 0
        while len(sums) < len(cases):
            activation, weight = cases[min(steps, len(cases) - 1)]
            enabled = enable()
            # Operands offered while the enable is low must leave no trace.
            ctx.set(dut.activation, activation if enabled else [0] * dut.simd)
            stored = dut.code.stored(np.array(weight if enabled else [1] * dut.simd)).tolist()
            ctx.set(dut.weight, words[min(steps, len(cases) - 1)] if words else stored)
            ctx.set(dut.en, enabled)
            await ctx.tick()
            steps += enabled
            if enabled and steps >= dut.latency:
                sums.append(ctx.get(dut.sum))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return sums


def exact(cases):
    return [sum(x * w for x, w in zip(*case, strict=True)) for case in cases]


def check(dut, cases, **options):
    cases = list(cases)
    assert run(dut, cases, **options) == exact(cases)


@pytest.mark.parametrize("simd", SIMDS)
@pytest.mark.parametrize("activation", [signed(8), unsigned(8)])
def test_without_multiplier(simd, activation):
    for dut in without_multiplier(simd, activation):
        check(dut, vectors(dut, 40, seed=simd))


@pytest.mark.parametrize("dsp", [True, False])
@pytest.mark.parametrize("simd", SIMDS)
def test_int8(simd, dsp):
    for activation in signed(8), unsigned(8):
        dut = int_dot(simd, activation, 8, dsp)
        check(dut, vectors(dut, 15, seed=simd))


@pytest.mark.parametrize("bits", range(1, 10))
def test_activation_bits(bits):
    for simd, activation in product([2, 3], [signed(bits), unsigned(bits)]):
        for dut in (
            *without_multiplier(simd, activation),
            int_dot(simd, activation, 3),
            int_dot(simd, activation, 3, dsp=False),
        ):
            check(dut, vectors(dut, 25, seed=bits))


@pytest.mark.parametrize("dsp", [True, False])
@pytest.mark.parametrize("bits", range(2, 17))
def test_weight_bits(bits, dsp):
    dut = int_dot(2, signed(8), bits, dsp)
    check(dut, vectors(dut, 40, seed=bits))


@pytest.mark.parametrize("activation", [signed(3), unsigned(3)])
@pytest.mark.parametrize("multiplies", [False, True])
def test_exhaustive(activation, multiplies):
    """All operands of two lanes with 3-bit activations: every code, DSP blocks and radix 4."""
    duts = (
        [int_dot(2, activation, 2, dsp) for dsp in (True, False)]
        if multiplies
        else without_multiplier(2, activation)
    )
    for dut in duts:
        low, high = bounds_of(activation)
        xs, ws = range(low, high + 1), weights_of(dut)
        check(dut, product(product(xs, repeat=2), product(ws, repeat=2)))


def test_words_that_stand_for_nothing_are_zero():
    """2 is no ternary word, and 3 exponents have no number beyond 3, but 4 and 5 have."""
    for code in TernaryCode(), PowerOfTwoCode(4), PowerOfTwoCode(5):
        dut = dot(code=code, simd=2, activation=signed(4))
        words = list(product(range(1 << code.bits), repeat=2))
        cases = [([3, -8], code.restored(np.array(pair)).tolist()) for pair in words]
        assert run(dut, cases, words=words) == exact(cases)


@pytest.mark.parametrize(
    "dut",
    [
        *without_multiplier(5, signed(8)),
        int_dot(5, unsigned(8), 8),
        int_dot(5, signed(8), 8, dsp=False),
    ],
    ids=[*map(str, WITHOUT_MULTIPLIER), "dsp", "booth"],
)
def test_enable(dut):
    """The sums are the same whenever the enable pauses the pipeline."""
    rng = random.Random(1)
    check(dut, vectors(dut, 60, seed=2), enable=lambda: rng.random() < 0.5)


@pytest.mark.parametrize("simd", SIMDS)
def test_latency(simd):
    """One non-zero beat among zero ones shows up after exactly ``latency`` cycles."""
    for dut in (
        TernaryDot(simd=simd, activation=signed(4)),
        PowerOfTwoDot(simd=simd, activation=signed(4), code=PowerOfTwoCode(3)),
        int_dot(simd, signed(4), 4),
        int_dot(simd, signed(4), 4, dsp=False),
    ):
        seen = []

        async def bench(ctx, dut=dut, seen=seen):
            ctx.set(dut.en, 1)
            ctx.set(dut.activation, [-8] * simd)
            for cycle in range(dut.latency + 3):
                ctx.set(dut.weight, [1 if cycle == 0 else 0] * simd)
                seen.append(ctx.get(dut.sum))
                await ctx.tick()

        simulator = Simulator(dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
        assert seen == [0] * dut.latency + [-8 * simd, 0, 0]


def test_sum_width():
    """The narrowest width that holds the extremes, one of which may be a power of two."""
    assert TernaryDot(simd=64, activation=signed(8)).sum.shape() == signed(15)
    assert TernaryDot(simd=3, activation=unsigned(8)).sum.shape() == signed(11)
    assert BinaryDot(simd=3, activation=unsigned(8)).sum.shape() == signed(11)
    powers = PowerOfTwoDot(simd=1, activation=signed(8), code=PowerOfTwoCode(6))
    assert powers.sum.shape() == signed(14)
    assert int_dot(1, signed(8), 8).sum.shape() == signed(16)
    assert int_dot(2, signed(8), 8).sum.shape() == signed(17)


@pytest.mark.parametrize(
    ("options", "kind", "latency"),
    [
        ({"code": TernaryCode()}, TernaryDot, 3),
        ({"code": BinaryCode()}, BinaryDot, 3),
        ({"code": PowerOfTwoCode(2)}, PowerOfTwoDot, 3),
        ({"code": IntegerCode(IntFormat(bits=2, signed=True))}, IntDot, 4),
        ({"code": IntegerCode(IntFormat(bits=5, signed=True)), "dsp": False}, IntDot, 5),
    ],
)
def test_dot(options, kind, latency):
    dut = dot(activation=signed(8), simd=4, **options)
    assert type(dut) is kind
    assert dut.latency == latency
    check(dut, vectors(dut, 10, seed=3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"simd": 0}, r"simd must be at least 1, not 0"),
        ({"activation": unsigned(0)}, r"activation must be at least 1 bit wide, not unsigned\(0\)"),
        ({"code": parse_code("int17")}, "weight must be int2 to int16, not int17"),
    ],
)
def test_errors(change, message):
    options = {"simd": 4, "activation": signed(8), "code": parse_code("int8")}
    with pytest.raises(ConfigError, match=f"^{message}$"):
        IntDot(**options | change)


def cells(dut, path, options=""):
    """Cells of ``dut``, counted by type, after synthesis for Xilinx 7 series."""
    import pyosys.libyosys as yosys

    (path / "dut.v").write_text(verilog.convert(dut, name="dut", emit_src=False))
    design = yosys.Design()
    for command in (
        f"read_verilog {path / 'dut.v'}",
        # Amaranth names lane 0 of a port `weight[0]`, which Yosys confuses with bit 0 of `weight`.
        "rename -hide",
        f"synth_xilinx -family xc7 -flatten -top dut {options}",
        f"tee -q -o {path / 'stat.json'} stat -json",
    ):
        yosys.run_pass(f"tee -q -o {path / 'log'} {command}", design)
    text = (path / "stat.json").read_text()
    return json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]


def luts(counts):
    return sum(count for name, count in counts.items() if name.startswith(("LUT", "SRL", "INV")))


def test_ternary_area(tmp_path):
    """It takes 10.9 LUTs per lane; 17 are allowed a row, so the rest is left to accumulators."""
    counts = cells(TernaryDot(simd=16, activation=signed(8)), tmp_path)
    assert "DSP48E1" not in counts
    assert luts(counts) / 16 <= 12
