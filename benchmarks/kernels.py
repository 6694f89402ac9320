"""Integer matrix products against other libraries: ``python -m benchmarks.kernels``.

Writes Markdown tables of GMAC/s to docs/performance.md and the figures to build/kernels.json: one
thread, CPU time, all calls interleaved, medians. onnxruntime takes part where it is installed
(``pip install 'fxsim[bench]'``). It is measured with unsigned activations and signed weights, which
is its fastest form.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

import apytypes
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.peak import peaks
from benchmarks.timing import Before, cold, hot, machine, medians, publish
from fxsim.arithmetic.formats import Rounding
from fxsim.kernels.epilogue import Epilogue, rounding_terms
from fxsim.kernels.packing import aligned
from fxsim.kernels.product import Product
from fxsim.kernels.saturate import beat_sums, pack_beats
from fxsim.kernels.target import Backend, has_vnni, obstacles

ROW = (1, 1024, 1024)
SHAPES = [(256, 1024, 1024), (64, 512, 1024), ROW, (1024, 800, 32)]
AGAIN = [(64, 512, 1024), ROW]
"""Shapes whose weights fit the second cache: measured right after the same call, too."""
INTEGERS = tuple(f"fxsim {name}" for name in ("amx", "vnni", "avx2", "saturate", "wrap"))
INTEGERS += ("onnxruntime", "torch._int_mm")
"""Lines that take turns; those with larger weights, which would fill the caches, do so apart."""
Case = dict[str, Callable[[], object]]


def onnx_session(kind: str, weight: np.ndarray) -> Callable[[np.ndarray], object] | None:
    """Onnxruntime's ``MatMulInteger`` or ``QLinearMatMul`` on one thread; None without it."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    constants = [numpy_helper.from_array(weight, "w")]
    inputs, out = ["x", "w"], TensorProto.INT32
    if kind == "QLinearMatMul":
        scalars = {
            "s": np.float32(1),
            "z": np.uint8(0),
            "ws": np.float32(1),
            "wz": np.int8(0),
            "os": np.float32(1e4),
            "oz": np.uint8(128),
        }
        constants += [numpy_helper.from_array(np.array(v), k) for k, v in scalars.items()]
        inputs, out = ["x", "s", "z", "w", "ws", "wz", "os", "oz"], TensorProto.UINT8
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["m", weight.shape[0]])],
        [helper.make_tensor_value_info("y", out, ["m", weight.shape[1]])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x": x})


def calls(shape: tuple[int, int, int]) -> Case:
    """Every library's product of uint8 activations and int8 weights; all but float are checked."""
    rows, inputs, outputs = shape
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (rows, inputs)).astype(np.uint8)
    weight = generator.integers(-127, 128, (outputs, inputs))
    columns = np.ascontiguousarray(weight.T.astype(np.int8))
    nothing = np.zeros(outputs, np.int64)
    expected = x.astype(np.int64) @ weight.T
    found: Case = {}
    for backend in Backend:
        if not obstacles()[backend] and (backend is not Backend.PLAIN or rows * inputs < 1 << 17):
            product = Product(weight, nothing, 0, 255, backend)
            assert (product(x) == expected).all()
            sums = aligned((rows, outputs), np.int32)
            found[f"fxsim {backend}"] = lambda product=product, sums=sums: product(x, sums)
            if product.fused:
                multiplier, offset, below = (aligned((outputs,), np.int64) for _ in range(3))
                multiplier[:], offset[:], below[:] = 3277, 0, 0
                narrow = aligned((rows, outputs), np.uint8)
                base, sign, parity = rounding_terms(Rounding.TIES_AWAY, 25)
                constants = Epilogue(
                    multiplier=multiplier,
                    offset=offset,
                    below=below,
                    split=0,
                    uneven=0,
                    keep=-1,
                    shift=25,
                    base=base,
                    sign=sign,
                    parity=parity,
                    floor=-(1 << 62),
                    ceiling=1 << 62,
                    zero_point=128,
                    low=0,
                    high=255,
                    wrap_mask=0,
                )
                # Weights of its own, as every other line has: none finds them in the cache.
                again = Product(weight, nothing, 0, 255, backend)
                found[f"fxsim {backend}, to uint8"] = lambda p=again, e=constants, out=narrow: (
                    p.requantized(x, e, out)
                )
    for kind in ("MatMulInteger", "QLinearMatMul"):
        if (session := onnx_session(kind, columns)) is not None:
            if kind == "MatMulInteger":
                assert (session(x)[0] == expected).all()
            found[f"onnxruntime {kind}, unsigned"] = lambda session=session: session(x)
    signed = torch.from_numpy((x >> 1).astype(np.int8))
    if rows > 16:
        torch_weight = torch.from_numpy(columns)
        found["torch._int_mm, signed"] = lambda: torch._int_mm(signed, torch_weight)
    floats = torch.from_numpy(x.astype(np.float32)), torch.from_numpy(columns.astype(np.float32))
    found["PyTorch float32"] = lambda: floats[0] @ floats[1]
    singles = x.astype(np.float32), columns.astype(np.float32)
    found["numpy float32"] = lambda: singles[0] @ singles[1]
    if rows * inputs < 1 << 17:
        wide = x.astype(np.int64), weight.T
        found["numpy int64"] = lambda: wide[0] @ wide[1]
    if rows == 1:
        found |= apytypes_calls(x, columns)
    return found


def apytypes_calls(x: np.ndarray, columns: np.ndarray) -> Case:
    """APyTypes' product of whole numbers, and with an accumulator that saturates at 22 bits."""
    left = apytypes.APyFixedArray.from_array(x, int_bits=9, frac_bits=0)
    right = apytypes.APyFixedArray.from_array(columns, int_bits=8, frac_bits=0)

    def saturated() -> object:
        with apytypes.APyFixedAccumulatorContext(
            int_bits=22, frac_bits=0, overflow=apytypes.OverflowMode.SAT
        ):
            return left @ right

    return {"APyTypes": lambda: left @ right, "APyTypes, saturating": saturated}


def overflowing(shape: tuple[int, int, int]) -> Case:
    """Accumulators cut after each beat: of 22 bits, which nothing fills, of 20, and of 18."""
    rows, inputs, outputs = shape
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (rows, inputs)).astype(np.uint8)
    weight = generator.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    out, found = np.empty((rows, outputs), np.int32), {}
    for simd in (1, 4, 16):
        nothing = np.zeros(outputs, np.int64)
        for name, bits, counts, wraps in [
            ("fxsim saturate", 22, False, False),
            ("fxsim saturate and count", 22, True, False),
            ("fxsim saturate, few overflows", 20, False, False),
            ("fxsim saturate and count, few overflows", 20, True, False),
            ("fxsim saturate, many overflows", 18, False, False),
            ("fxsim saturate and count, many overflows", 18, True, False),
            ("fxsim wrap and count, many overflows", 18, True, True),
        ]:
            high = (1 << bits - 1) - 1
            packed = pack_beats(weight, nothing, simd, 0, -high - 1, high)
            how = simd, out, counts, wraps
            found[f"{name}, simd {simd}"] = lambda packed=packed, how=how: beat_sums(
                x, 0, packed, *how
            )
    return found


def table(figures: dict[str, dict[str, float]], columns: list[str]) -> str:
    """Markdown: a line a library, a column a shape."""
    lines = [f"| GMAC/s | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, row in figures.items():
        cells = [f"{row[column]:.1f}" if column in row else "-" for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="for each column")
    options = parser.parse_args()
    os.environ["FXSIM_THREADS"] = "1"
    torch.set_num_threads(1)
    threadpool_limits(1)
    products: dict[str, dict[str, float]] = {}
    beats: dict[str, dict[str, float]] = {}
    titles = [" x ".join(map(str, shape)) for shape in SHAPES]

    def measure(case: Case, shape: tuple[int, int, int], before: Before) -> dict[str, float]:
        # Reading the clock of the process takes microseconds, as long as part of a row.
        how = {"before": before, "cpu": shape != ROW}
        near, far = (
            {name: call for name, call in case.items() if name.startswith(INTEGERS) is integers}
            for integers in (True, False)
        )
        times = medians(near, options.seconds, **how)
        if far:
            times |= medians(far, options.seconds / 2, **how)
        return {name: float(np.prod(shape)) / time / 1e9 for name, time in times.items()}

    def keep(figures: dict[str, dict[str, float]], title: str, rates: dict[str, float]) -> None:
        for name, rate in rates.items():
            figures.setdefault(name, {})[title] = rate

    for shape, title in zip(SHAPES, titles, strict=True):
        keep(products, title, measure(calls(shape), shape, cold))
        if has_vnni() and shape != ROW:
            keep(beats, title, measure(overflowing(shape), shape, cold))
    for shape in AGAIN:
        titles.append(f"{' x '.join(map(str, shape))}, again")
        keep(products, titles[-1], measure(calls(shape), shape, hot))
    limits = peaks()
    peak = ", ".join(f"{name} {value:.0f}" for name, value in limits.items()) or "not known"
    text = [f"{machine()}, one thread. Peak, touching registers only: {peak} GMAC/s."]
    text.append(table(products, titles))
    if beats:
        text.append(table(beats, list(next(iter(beats.values())))))
    facts = {"peak": limits, "gmac_per_s": products, "beats_gmac_per_s": beats}
    publish("kernels", "\n\n".join(text), facts)


if __name__ == "__main__":
    main()
