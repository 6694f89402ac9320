# amaranth: UnusedElaboratable=no
"""Dot products against Python integers, their latency, and the area of the ternary one."""

import json
import random
from itertools import product

import pytest
from amaranth.back import verilog
from amaranth.hdl import signed, unsigned
from amaranth.sim import Simulator

from fxsim.errors import ConfigError
from fxsim.hw.blocks.arith import bounds_of
from fxsim.hw.blocks.dot import IntDot, TernaryDot, dot

SIMDS = [1, 2, 3, 5, 8, 16, 33]


def weight_bounds(dut):
    return (-1, 1) if isinstance(dut, TernaryDot) else bounds_of(dut.weight[0].shape())


def vectors(dut, count, seed):
    """All corners of the operands, then random operands rich in extremes."""
    ranges = bounds_of(dut.activation[0].shape()), weight_bounds(dut)
    rng = random.Random(seed)
    for x, w in product(*ranges):
        yield [x] * dut.simd, [w] * dut.simd
    for _ in range(count):
        yield tuple(
            [rng.choice([low, high, rng.randint(low, high)]) for _ in range(dut.simd)]
            for low, high in ranges
        )


def run(dut, cases, *, enable=lambda: True):
    """Feed one case per enabled cycle; return the sums, starting with that of the first case."""
    cases, sums = list(cases), []

    async def bench(ctx):
        steps = 0
        while len(sums) < len(cases):
            activation, weight = cases[min(steps, len(cases) - 1)]
            enabled = enable()
            # Operands offered while the enable is low must leave no trace.
            ctx.set(dut.activation, activation if enabled else [0] * dut.simd)
            ctx.set(dut.weight, weight if enabled else [1] * dut.simd)
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
def test_ternary(simd, activation):
    dut = TernaryDot(simd=simd, activation=activation)
    check(dut, vectors(dut, 40, seed=simd))


@pytest.mark.parametrize("dsp", [True, False])
@pytest.mark.parametrize("simd", SIMDS)
def test_int8(simd, dsp):
    for activation in signed(8), unsigned(8):
        dut = IntDot(simd=simd, activation=activation, weight=signed(8), dsp=dsp)
        check(dut, vectors(dut, 15, seed=simd))


@pytest.mark.parametrize("bits", range(1, 10))
def test_activation_bits(bits):
    for simd, activation in product([2, 3], [signed(bits), unsigned(bits)]):
        for dut in (
            TernaryDot(simd=simd, activation=activation),
            IntDot(simd=simd, activation=activation, weight=signed(3), dsp=True),
            IntDot(simd=simd, activation=activation, weight=signed(3), dsp=False),
        ):
            check(dut, vectors(dut, 25, seed=bits))


@pytest.mark.parametrize("dsp", [True, False])
@pytest.mark.parametrize("bits", range(2, 17))
def test_weight_bits(bits, dsp):
    dut = IntDot(simd=2, activation=signed(8), weight=signed(bits), dsp=dsp)
    check(dut, vectors(dut, 40, seed=bits))


@pytest.mark.parametrize("activation", [signed(3), unsigned(3)])
@pytest.mark.parametrize("ternary", [True, False])
def test_exhaustive(activation, ternary):
    """All operands of two lanes with 3-bit activations, for ternary, 2-bit and radix-4 weights."""
    duts = (
        [TernaryDot(simd=2, activation=activation)]
        if ternary
        else [IntDot(simd=2, activation=activation, weight=signed(2), dsp=d) for d in (True, False)]
    )
    for dut in duts:
        low, high = bounds_of(activation)
        xs, ws = range(low, high + 1), range(weight_bounds(dut)[0], 2)
        check(dut, product(product(xs, repeat=2), product(ws, repeat=2)))


def test_fourth_ternary_code_is_zero():
    dut = TernaryDot(simd=3, activation=signed(4))
    codes = list(product([-2, -1, 0, 1], repeat=3))
    expected = exact(([3, -8, 5], [0 if w == -2 else w for w in code]) for code in codes)
    assert run(dut, [([3, -8, 5], code) for code in codes]) == expected


@pytest.mark.parametrize(
    "dut",
    [
        TernaryDot(simd=5, activation=signed(8)),
        IntDot(simd=5, activation=unsigned(8), weight=signed(8)),
        IntDot(simd=5, activation=signed(8), weight=signed(8), dsp=False),
    ],
    ids=["ternary", "dsp", "booth"],
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
        IntDot(simd=simd, activation=signed(4), weight=signed(4)),
        IntDot(simd=simd, activation=signed(4), weight=signed(4), dsp=False),
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
    assert IntDot(simd=1, activation=signed(8), weight=signed(8)).sum.shape() == signed(16)
    assert IntDot(simd=2, activation=signed(8), weight=signed(8)).sum.shape() == signed(17)


@pytest.mark.parametrize(
    ("options", "kind", "latency"),
    [
        ({"weight": signed(2), "ternary": True}, TernaryDot, 3),
        ({"weight": signed(2), "ternary": False}, IntDot, 4),
        ({"weight": signed(5), "ternary": False, "dsp": False}, IntDot, 5),
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
        ({"weight": signed(17)}, r"weight must be signed\(2\) to signed\(16\), not signed\(17\)"),
        ({"weight": unsigned(4)}, r"weight must be signed\(2\) to signed\(16\), not unsigned\(4\)"),
    ],
)
def test_errors(change, message):
    options = {"simd": 4, "activation": signed(8), "weight": signed(8)}
    with pytest.raises(ConfigError, match=f"^{message}$"):
        IntDot(**options | change)


def test_ternary_needs_two_bits():
    message = r"^weight must be signed\(2\) when ternary, not signed\(8\)$"
    with pytest.raises(ConfigError, match=message):
        dot(weight=signed(8), activation=signed(8), simd=4, ternary=True)


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
