"""Integer matrix products against other libraries: ``python -m benchmarks.kernels``.

Prints a Markdown table of GMAC/s, one thread, CPU time, all calls interleaved. onnxruntime takes
part where it is installed (``pip install 'fxsim[bench]'``). It is measured with unsigned
activations and signed weights, which is its fastest form.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import apytypes
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.timing import machine, medians
from fxsim.formats import Rounding
from fxsim.kernels.epilogue import Epilogue, rounding_terms
from fxsim.kernels.packing import aligned
from fxsim.kernels.product import Product
from fxsim.kernels.saturate import beat_sums, pack_beats
from fxsim.kernels.target import Backend, has_vnni, obstacles

SHAPES = [(256, 1024, 1024), (64, 512, 1024), (1, 1024, 1024), (1024, 800, 32)]
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
                multiplier, narrow = (
                    aligned((outputs,), np.int64),
                    aligned((rows, outputs), np.uint8),
                )
                multiplier[:] = 3277
                constants = Epilogue(
                    multiplier,
                    25,
                    *rounding_terms(Rounding.TIES_AWAY, 25),
                    -(1 << 62),
                    128,
                    0,
                    255,
                    0,
                )
                # Weights of its own, as every other line has: none finds them in the cache.
                again = Product(weight, nothing, 0, 255, backend)
                found[f"fxsim {backend}, to uint8"] = lambda p=again, e=constants, out=narrow: (
                    p.requantized(x, e, out)
                )
    if has_vnni():
        out = np.empty((rows, outputs), np.int32)
        for simd in (1, 4, 16):
            packed = pack_beats(weight.astype(np.int8), nothing, simd, 0)
            for name, how in {
                "saturate": (False, False),
                "saturate and count": (True, False),
                "wrap and count": (True, True),
            }.items():
                found[f"fxsim {name}, simd {simd}"] = lambda p=packed, s=simd, how=how: beat_sums(
                    x, 0, p, s, -(1 << 21), (1 << 21) - 1, out, *how
                )
    for kind in ("MatMulInteger", "QLinearMatMul"):
        if (session := onnx_session(kind, columns)) is not None:
            if kind == "MatMulInteger":
                assert (session(x)[0] == expected).all()
            found[f"onnxruntime {kind}"] = lambda session=session: session(x)
    signed = torch.from_numpy((x >> 1).astype(np.int8))
    if rows > 16:
        torch_weight = torch.from_numpy(columns)
        found["torch._int_mm"] = lambda: torch._int_mm(signed, torch_weight)
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="for each shape")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    figures: dict[str, dict[str, float]] = {}
    for shape in SHAPES:
        title, work = " x ".join(map(str, shape)), float(np.prod(shape))
        for name, seconds in medians(calls(shape), options.seconds).items():
            figures.setdefault(name, {})[title] = work / seconds / 1e9
    titles = [" x ".join(map(str, shape)) for shape in SHAPES]
    print(f"{machine()}; GMAC/s on one thread\n")
    print(f"| rows x inputs x outputs | {' | '.join(titles)} |")
    print("|---" * (len(titles) + 1) + "|")
    for name, row in figures.items():
        cells = [f"{row[title]:.1f}" if title in row else "-" for title in titles]
        print(f"| {name} | {' | '.join(cells)} |")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "gmac_per_s": figures}, indent=1))


if __name__ == "__main__":
    main()
