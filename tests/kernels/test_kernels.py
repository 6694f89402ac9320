"""Integer kernels: every back end of this machine against int64 numpy, and the choice of one."""

from __future__ import annotations

import copy as copy_module
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.arithmetic import integers
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.errors import ConfigError
from fxsim.kernels import linear as linear_module
from fxsim.kernels import product as product_module
from fxsim.kernels import target
from fxsim.kernels.blocks import rows_of_tiles
from fxsim.kernels.epilogue import epilogue, requantize
from fxsim.kernels.operand import (
    MAX_INPUTS,
    digits_of,
    exact_sums,
    operand_of,
    planes_of,
    scratch,
    split,
)
from fxsim.kernels.product import Product
from fxsim.kernels.saturate import accumulate_beats, beat_sums, pack_beats
from fxsim.kernels.target import Backend
from fxsim.network import Accumulator, Activation, Folding, Tail
from tests.network.test_quantized import linear as linear_layer
from tests.strategies import unhurried

BACKENDS = [backend for backend in Backend if not target.obstacles()[backend]]
SHAPES = [
    *[(1, 1, 1), (0, 5, 5), (3, 7, 2), (33, 65, 31), (16, 64, 32), (45, 130, 67), (70, 1, 96)],
    *[(2, 0, 3), (2, 3, 0), (1, 67, 33), (1, 128, 64), (13, 127, 61)],
]
RANGES = [(0, 255), (-128, 127), (0, 1), (-1, 0), (-256, 255), (0, 65535), (-32768, 32767)]
WEIGHTS = [
    (-1, 1),
    (-2, 1),
    (-2, 2),
    (-3, 1),
    (-64, 64),
    (-65, 65),
    (-128, 127),
    (0, 255),
    (-32768, 32767),
    (-(1 << 31), (1 << 31) - 1),
]


def operands(seed, shape, source, weights):
    """Random operands; every fourth at the limits of their ranges."""
    generator = np.random.default_rng(seed)
    rows, inputs, outputs = shape

    def draw(limits, size):
        if generator.random() < 0.25:
            return generator.choice(np.array(limits), size=size)
        return generator.integers(*limits, size, endpoint=True)

    return draw(source, (rows, inputs)), draw(weights, (outputs, inputs))


@pytest.mark.parametrize("backend", BACKENDS)
@unhurried
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from(SHAPES),
    source=st.sampled_from(RANGES),
    weights=st.sampled_from(WEIGHTS),
    most=st.sampled_from([1000, 1 << 33]),  # 32 bits hold the sums of bytes, or do not
)
def test_products(backend, seed, shape, source, weights, most) -> None:
    x, weight = operands(seed, shape, source, weights)
    start = np.random.default_rng(seed).integers(-most, most, len(weight))
    expected = x @ weight.T + start
    found = Product(weight, start, *source, backend)
    assert np.array_equal(found(x), expected)
    assert np.array_equal(found(np.asfortranarray(x)), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_extremes_and_huge_sums(backend) -> None:
    inputs = 70_000  # more than 2**31 / 128**2 would hold
    weight, x = np.full((2, inputs), -128), np.full((1, inputs), 255)
    weight[1] = 127
    found = Product(weight, np.array([7, -7]), 0, 255, backend)(x)
    assert found.tolist() == [[-128 * 255 * inputs + 7, 127 * 255 * inputs - 7]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("weight", "inputs"), [(-1, 600_000), (-2, 300_000), (1, 720_000)])
def test_huge_rows_of_two_bits(backend, weight, inputs) -> None:
    product = Product(np.full((1, inputs), weight), np.array([3]), 0, 255, backend)
    assert product(np.full((1, inputs), 255)).tolist() == [[weight * 255 * inputs + 3]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("inputs", "start"), [(2, 0), (1, 1 << 30), (2, -1)])
def test_sums_at_the_limit_of_32_bits(backend, inputs, start) -> None:
    least = -(1 << 15)
    product = Product(np.full((1, inputs), least), np.array([start]), least, 0, backend)
    assert product(np.full((1, inputs), least)).tolist() == [[inputs * least**2 + start]]


def test_a_product_has_no_copies() -> None:
    product = Product(np.ones((2, 3), np.int64), np.zeros(2, np.int64), 0, 255)
    for copy in (copy_module.deepcopy, copy_module.copy, pickle.dumps):
        with pytest.raises(TypeError, match=r"^a Product holds addresses: make another one"):
            copy(product)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("source", "value"), [((-128, 127), -128), ((-128, 127), 127), ((0, 255), 255)]
)
@pytest.mark.parametrize("weight", [-128, 127])
def test_extremes_everywhere(backend, shape, source, value, weight) -> None:
    rows, inputs, outputs = shape
    product = Product(np.full((outputs, inputs), weight), np.arange(outputs), *source, backend)
    found = product(np.full((rows, inputs), value))
    assert np.array_equal(found, np.full((rows, 1), value * weight * inputs) + np.arange(outputs))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_unaligned_inputs(backend, rows) -> None:
    for inputs, offset in [(64, 1), (70, 3), (128, 61)]:
        x, weight = operands(4, (rows, inputs, 33), (0, 255), (-127, 127))
        raw = np.empty(rows * inputs + offset, np.uint8)[offset:].reshape(rows, inputs)
        raw[:] = x
        found = Product(weight, np.zeros(33, np.int64), 0, 255, backend)(raw)
        assert np.array_equal(found, x @ weight.T)


GUARDED = """
import ctypes, mmap, sys
import numpy as np
from fxsim.kernels.product import Product
from fxsim.kernels.target import Backend
libc = ctypes.CDLL(None, use_errno=True)
memory = mmap.mmap(-1, 17 * mmap.PAGESIZE)
first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
end = 16 * mmap.PAGESIZE
assert libc.mprotect(ctypes.c_void_p(first + end), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
generator = np.random.default_rng(0)
for inputs in (64, 65, 100, 128):
    for most, dtype, least, greatest in [
        (127, np.uint8, 0, 255),
        (1, np.uint8, 0, 255),
        (127, np.int16, -9999, 9999),
    ]:
        weight = generator.integers(-most, most + 1, (33, inputs))
        nothing = np.zeros(33, np.int64)
        product = Product(weight, nothing, least, greatest, Backend(sys.argv[1]))
        for rows in (1, 3, 5, 15, 16, 17, 31, 33, 49, 60):
            size = np.dtype(dtype).itemsize * rows * inputs
            x = np.frombuffer(memory, dtype, rows * inputs, end - size).reshape(rows, inputs)
            x[:] = generator.integers(least, greatest + 1, x.shape)
            assert (product(x) == x.astype(int) @ weight.T).all(), (inputs, most, rows)
print("equal")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="protects pages with a call of Linux")
@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_read_past_the_activations(backend) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GUARDED, backend], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr, done.returncode) == ("equal\n", "", 0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
def test_narrow_and_strided_inputs(backend, dtype) -> None:
    x, weight = operands(3, (40, 100, 33), (-128, 127), (-127, 127))
    found = Product(weight, np.zeros(33, np.int64), -128, 127, backend)
    wide = np.zeros((80, 300), dtype)
    wide[::2, ::3] = x
    assert np.array_equal(found(wide[::2, ::3]), x @ weight.T)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("source", RANGES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_exact_sums_inside_of_kernels(backend, source, weights) -> None:
    x, weight = operands(5, (37, 67, 35), source, weights)
    start = np.random.default_rng(5).integers(-(1 << 33), 1 << 33, len(weight))
    operand = operand_of(weight, start, *source, backend)
    planes, partial = scratch(len(x), x.shape[1], operand)
    split(x, operand, planes, len(x))
    found = np.empty((len(x), len(weight)), np.int64)
    exact_sums(operand, planes, partial, found)
    assert np.array_equal(found, x @ weight.T + start)


@given(st.lists(st.integers(-(1 << 40), 1 << 40), min_size=1))
def test_digits_add_up(values) -> None:
    digits = digits_of(np.array([values]))
    assert [sum(int(d[0, k]) << 8 * i for i, d in enumerate(digits)) for k in range(len(values))] \
        == values  # fmt: skip


@given(st.integers(-(1 << 40), 0), st.integers(0, 1 << 40))
def test_planes_hold_the_range(low, high) -> None:
    planes, offset = planes_of(low, high)
    assert low + offset >= 0
    assert high + offset < 256**planes
    assert planes == 1 or not (
        -(256 ** (planes - 1)) // 2 <= low and high < 256 ** (planes - 1) // 2
    )


def constants_of(tail):
    below = tail.below if len(tail.below) > 1 else tail.below.repeat(34)
    return tail.multiplier.tolist(), tail.offset.tolist(), below.tolist()


@unhurried
@given(
    seed=st.integers(0, 2**32 - 1),
    rounding=st.sampled_from(Rounding),
    overflow=st.sampled_from(Overflow),
    relu=st.booleans(),
    shift=st.integers(0, 20),
    slack_bits=st.sampled_from([0, 0, 1, 6]),
    uneven=st.booleans(),
    clamps=st.booleans(),
    zero_point=st.integers(-100, 100),
    fmt=st.sampled_from(
        [IntFormat(bits=b, signed=s) for b in (3, 8, 9, 16) for s in (True, False)]
    ),
    most=st.sampled_from([127, 5000]),
    backend=st.sampled_from(
        [b for b in BACKENDS if b not in {Backend.BLAS, Backend.PLAIN}] or [None]
    ),
)
def test_requantization(
    seed,
    rounding,
    overflow,
    relu,
    shift,
    slack_bits,
    uneven,
    clamps,
    zero_point,
    fmt,
    most,
    backend,
) -> None:
    x, weight = operands(seed, (35, 20, 34), (-most - 1, most), (-127, 127))
    generator = np.random.default_rng(seed)
    clamp = None
    if clamps and overflow is Overflow.SATURATE:
        clamp = tuple(sorted(generator.integers(fmt.min, fmt.max + 1, 2).tolist()))
    tail = Tail(
        multiplier=generator.integers(0, 1 << 12, 34),
        multiplier_bits=12,
        shift=shift,
        offset=generator.integers(-(1 << shift + 4), 1 << shift + 4, 34),
        below=generator.integers(-(1 << shift + 4), 1 << shift + 4, 34 if uneven else 1) * uneven,
        slack_bits=min(slack_bits, shift),
        rounding=rounding,
        overflow=overflow,
        relu=relu,
        clamp=clamp,
    )
    zero_point = min(max(zero_point, fmt.min), fmt.max)
    output = Activation(format=fmt, scale=1.0, zero_point=zero_point)
    constants = epilogue(tail, 34, output)
    sums = x @ weight.T
    options = {
        "shift": shift,
        "slack_bits": tail.slack_bits,
        "zero_point": zero_point,
        "fmt": fmt,
        "rounding": rounding,
        "mode": overflow,
        "relu": relu,
        "clamp": clamp,
    }
    expected = [
        [
            integers.requantize(value, multiplier=m, offset=o, below=b, **options)
            for value, m, o, b in zip(row, *constants_of(tail), strict=True)
        ]
        for row in sums.tolist()
    ]
    assert requantize(sums, constants)[0].tolist() == expected
    if backend is not None:
        fused = Product(weight, np.zeros(34, np.int64), -most - 1, most, backend)
        assert fused.fused == (most == 127 or backend is Backend.VNNI)
        if fused.fused:
            found = fused.requantized(x, constants)
            assert found.dtype == (np.uint8 if fmt.bits <= 8 else np.uint16)
            assert np.array_equal(found, np.array(expected) & (1 << 8 * found.itemsize) - 1)


@unhurried
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(1, 1, 1), (7, 13, 33), (50, 20, 5), (13, 40, 64), (7, 150, 3)]),
    simd=st.integers(1, 40),
    bits=st.integers(2, 30),
    signed=st.booleans(),
    mode=st.sampled_from([AccumulatorMode.SATURATE, AccumulatorMode.WRAP]),
)
def test_accumulators_that_overflow(seed, shape, simd, bits, signed, mode) -> None:
    x, weight = operands(seed, shape, (-128, 127) if signed else (0, 255), (-127, 127))
    fmt = IntFormat(bits=bits, signed=True)
    bias = np.random.default_rng(seed).integers(fmt.min, fmt.max, len(weight), endpoint=True)
    sums, overflows = [], 0
    for row in x.tolist():
        for column, start in zip(weight.tolist(), bias.tolist(), strict=True):
            products = [a * b for a, b in zip(row, column, strict=True)]
            total, count = integers.accumulate(products, start=start, simd=simd, fmt=fmt, mode=mode)
            sums.append(total)
            overflows += count
    saturates = mode is AccumulatorMode.SATURATE
    found, count = accumulate_beats(x, np.ascontiguousarray(weight.T), bias, simd, bits, saturates)
    assert (found.ravel().tolist(), count) == (sums, overflows)
    if target.has_vnni():
        flip = 128 if signed else 0
        packed = pack_beats(weight.astype(np.int8), bias, simd, flip, fmt.min, fmt.max)
        out = np.empty(found.shape, np.int32)
        for counting in (True, False) if saturates else (True,):
            count = beat_sums(x.astype(np.uint8), flip, packed, simd, out, counting, not saturates)
            assert out.ravel().tolist() == sums
            assert count == (overflows if counting else 0)


@pytest.mark.skipif(not target.has_vnni(), reason="the kernel needs AVX-512 VNNI")
@pytest.mark.parametrize("saturates", [True, False])
@pytest.mark.parametrize("simd", [1, 7, 1 << 14])
@pytest.mark.parametrize(("value", "weight"), [(-128, -128), (-128, 127), (127, -128)])
def test_the_longest_sums_of_beats(saturates, simd, value, weight) -> None:
    bits, inputs = 30, MAX_INPUTS
    x, weights = np.full((1, inputs), value), np.full((2, inputs), weight)
    x[0, inputs // 2 :] = -value - 1  # half of the way back
    weights[1, : inputs // 4] //= 2
    columns, bias = np.ascontiguousarray(weights.T), np.array([-(1 << 29), (1 << 29) - 1])
    expected, count = accumulate_beats(x, columns, bias, simd, bits, saturates)
    packed = pack_beats(weights.astype(np.int8), bias, simd, 128, -(1 << 29), (1 << 29) - 1)
    out = np.empty((1, 2), np.int32)
    found = beat_sums(x.astype(np.uint8), 128, packed, simd, out, True, not saturates)
    assert (out.tolist(), found) == (expected.tolist(), count)


@pytest.mark.skipif(not target.has_vnni(), reason="the kernel needs AVX-512 VNNI")
@pytest.mark.parametrize("saturates", [True, False])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("moving", [0, 5, 6])
@pytest.mark.parametrize("spare", [-1, 0, 1])
@pytest.mark.parametrize(
    ("simd", "inputs"), [(1, 16), (1, 17), (1, 40), (1, 150), (4, 64), (16, 200), (9, 50)]
)
def test_beats_that_reach_the_limit_and_one_more(
    saturates, sign, moving, spare, simd, inputs
) -> None:
    low, high, bits = -(1 << 17), (1 << 17) - 1, 18
    weights = np.full((33, inputs), sign)
    bias = np.full(33, high - 255 * inputs - spare if sign > 0 else low + 255 * inputs + spare)
    x = np.zeros((7, inputs), int)
    x[moving] = 255  # six rows are taken at once, then one
    columns = np.ascontiguousarray(weights.T)
    expected, count = accumulate_beats(x, columns, bias, simd, bits, saturates)
    packed = pack_beats(weights.astype(np.int8), bias, simd, 0, low, high)
    out = np.empty((7, 33), np.int32)
    found = beat_sums(x.astype(np.uint8), 0, packed, simd, out, True, not saturates)
    assert (out.tolist(), found) == (expected.tolist(), count)
    assert count == (33 if spare < 0 else 0)


def test_threads_change_nothing(monkeypatch) -> None:
    x, weight = operands(9, (300, 64, 65), (0, 255), (-127, 127))
    product = Product(weight, np.zeros(65, np.int64), 0, 255)
    expected = x @ weight.T
    monkeypatch.setattr(product_module, "_WORTH_THREADS", 1)
    monkeypatch.setattr(product_module, "threads", lambda: 3)
    submitted = []
    submit = product_module._pool().submit
    monkeypatch.setattr(product_module._pool(), "submit", lambda work, *rest: (
        submitted.append(work), submit(work, *rest))[1])  # fmt: skip
    for _ in range(20):
        assert np.array_equal(product(x), expected)
    # Weights are addresses to the kernel: who works must keep them if the call is interrupted.
    assert submitted
    assert all(work.__self__ is product for work in submitted)


@pytest.mark.parametrize(("inputs", "fits"), [(MAX_INPUTS, True), (MAX_INPUTS + 1, False)])
def test_beats_are_on_lanes_while_32_bits_hold_their_limits(inputs, fits) -> None:
    layer = linear_layer(
        weight=np.ones((2, inputs), np.int64),
        accumulator=Accumulator(
            format=IntFormat(bits=20, signed=True), mode=AccumulatorMode.SATURATE
        ),
        folding=Folding(rows=1, simd=1),
    )
    lanes = target.has_vnni() and target.chosen() in {Backend.AMX, Backend.VNNI}
    assert linear_module._lanes_fit(layer) == (fits and lanes)


def choice(**variables: str) -> str:
    """What a fresh process with these environment variables chooses, or the error."""
    code = (
        "from fxsim.errors import ConfigError\n"
        "from fxsim.kernels import target\n"
        "try:\n    print(target.chosen())\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "FXSIM_KERNEL"} | variables
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


def test_the_target_of_numba_decides() -> None:
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    assert choice(**generic) == "blas"
    message = choice(FXSIM_KERNEL="amx", **generic)
    assert message.startswith("FXSIM_KERNEL must name what can run here, not amx: ")
    assert choice(NUMBA_DISABLE_JIT="1") == "blas"
    if not target.obstacles()[Backend.AVX2]:
        assert choice(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+avx2,+fma") == "avx2"
    assert choice(FXSIM_KERNEL="plain") == "plain"
    assert choice(FXSIM_KERNEL="mmx") == (
        "FXSIM_KERNEL must be one of amx, vnni, avx2, blas, plain, not 'mmx'"
    )


def test_without_tiles_the_next_one_is_chosen() -> None:
    features = sorted(target.target_features() - {"amx-int8", "amx-tile", "amx-bf16"})
    masked = ",".join(f"+{name}" for name in features)
    found = choice(NUMBA_CPU_FEATURES=f"{masked},-amx-int8,-amx-tile")
    assert found == next(backend for backend in BACKENDS if backend is not Backend.AMX)


SMALL = """
import numpy as np
from fxsim.kernels.product import Product
from fxsim.kernels.operand import operand_of, scratch, split, exact_sums
from fxsim.kernels.target import chosen
generator = np.random.default_rng(0)
x, w = generator.integers(-300, 300, (5, 9)), generator.integers(-127, 127, (4, 9))
start = np.arange(4)
assert (Product(w, start, -300, 300)(x) == x @ w.T + start).all()
operand = operand_of(w, start, -300, 300, chosen())
planes, partial = scratch(5, 9, operand)
split(x, operand, planes, 5)
out = np.empty((5, 4), np.int64)
exact_sums(operand, planes, partial, out)
assert (out == x @ w.T + start).all()
print("equal")
"""


@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_plain_kernels_without_compiler_and_with_checks(variable, tmp_path) -> None:
    environment = os.environ | {
        variable: "1",
        "FXSIM_KERNEL": "plain",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SMALL],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.stdout.strip(), done.stderr) == ("equal", "")


def test_what_cannot_run_is_an_error(monkeypatch) -> None:
    monkeypatch.setenv("FXSIM_KERNEL", "vnni")
    monkeypatch.setattr(target, "obstacles", lambda: {Backend.VNNI: "nobody knows"})
    target.chosen.cache_clear()
    message = "^FXSIM_KERNEL must name what can run here, not vnni: nobody knows$"
    try:
        with pytest.raises(ConfigError, match=message):
            target.chosen()
    finally:
        target.chosen.cache_clear()


def test_info_says_what_is_used() -> None:
    environment = os.environ | {"FXSIM_KERNEL": "plain"}
    command = [sys.executable, "-c", "from fxsim.cli import main; main()", "info", "--kernels"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    first, *rest = done.stdout.splitlines()
    assert first.startswith("plain: FXSIM_KERNEL asks for it")
    assert [line.split(":")[0].strip() for line in rest] == list(Backend)
    facts = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, check=True, env=environment
    )
    assert json.loads(facts.stdout)["kernel"] == "plain"
    bad = environment | {"FXSIM_KERNEL": "mmx"}
    failed = subprocess.run(command, capture_output=True, text=True, check=False, env=bad)
    assert failed.returncode == 1
    assert "FXSIM_KERNEL must be one of" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_blocks_on_tiles_need_the_rows_that_a_tile_reads():
    read = [rows_of_tiles(None, height) for height in range(1, 33)]
    assert read == [1, 2, 3, 4, *[16] * 12, *[32] * 16]
