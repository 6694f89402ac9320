"""A whole ternary network against other libraries: ``python -m benchmarks.network``.

1353-512-512-512-512-61, batch 256, uint8 activations, one thread, CPU time, integers interleaved.
onnxruntime runs the same integers as ``QGemm`` nodes (bias, product and requantization in one, the
fastest form it has); it multiplies by float scales where fxsim's multipliers are exact, so outputs
may differ by one.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.timing import cold, machine, medians, publish
from fxsim.arithmetic.codes import TernaryCode
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.network import (
    INPUT,
    Accumulator,
    Activation,
    Folding,
    InputQuantizer,
    QuantizedLinear,
    QuantizedNetwork,
    Tail,
    accumulator_bounds,
)
from fxsim.simulator import simulate

WIDTHS = (1353, 512, 512, 512, 512, 61)
BATCH = 256
_BYTE = IntFormat(bits=8, signed=False)


def ternary_network(seed: int = 0) -> QuantizedNetwork:
    """Random ternary weights and biases, relu, 8-bit activations that use their range."""
    generator = np.random.default_rng(seed)
    layers = []
    for k, (inputs, outputs) in enumerate(itertools.pairwise(WIDTHS)):
        weight = generator.integers(-1, 2, (outputs, inputs))
        bias = generator.integers(-1000, 1001, outputs)
        low, high = accumulator_bounds(weight, bias, _BYTE)
        layers.append(
            QuantizedLinear(
                name=f"layer{k}",
                weight=weight,
                code=TernaryCode(),
                weight_scale=np.ones(1),
                bias=bias,
                input=Activation(format=_BYTE, scale=1.0),
                accumulator=Accumulator(
                    format=IntFormat.spanning(low, high, signed=True), mode=AccumulatorMode.WIDE
                ),
                tail=Tail(
                    multiplier=np.array([1 << 15]),
                    multiplier_bits=16,
                    shift=20 if k == 0 else 19,
                    rounding=Rounding.TIES_AWAY,
                    overflow=Overflow.SATURATE,
                    relu=True,
                ),
                output=Activation(format=_BYTE, scale=1.0),
                folding=Folding(rows=1, simd=1),
            )
        )
    source = Activation(format=_BYTE, scale=1.0)
    return QuantizedNetwork(
        name="ternary",
        data="none",
        inputs={
            INPUT: InputQuantizer(
                shape=(WIDTHS[0],), activation=source, rounding=Rounding.TIES_AWAY
            )
        },
        layers=tuple(layers),
    )


def onnx_session(network: QuantizedNetwork) -> Callable[[np.ndarray], np.ndarray] | None:
    """Network of the same integers in onnxruntime on one thread; None without it."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    constants = [
        numpy_helper.from_array(np.array(value), name)
        for name, value in {"one": np.float32(1), "zero": np.uint8(0), "none": np.int8(0)}.items()
    ]
    nodes, source = [], "x"
    for layer in network.layers:
        assert isinstance(layer, QuantizedLinear)
        assert layer.tail is not None
        scale = np.float32(2.0**layer.tail.shift / layer.tail.multiplier[0])
        for name, value in {
            "w": layer.weight.T.astype(np.int8),
            "b": layer.bias.astype(np.int32),
            "s": scale,
        }.items():
            constants.append(
                numpy_helper.from_array(np.ascontiguousarray(value), layer.name + name)
            )
        inputs = [source, "one", "zero", layer.name + "w", "one", "none", layer.name + "b"]
        inputs += [layer.name + "s", "zero"]
        nodes.append(helper.make_node("QGemm", inputs, [layer.name], domain="com.microsoft"))
        source = layer.name
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", WIDTHS[0]])],
        [helper.make_tensor_value_info(source, TensorProto.UINT8, ["n", WIDTHS[-1]])],
        constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x": x})[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    os.environ["FXSIM_THREADS"] = "1"
    torch.set_num_threads(1)
    network = ternary_network()
    x = np.random.default_rng(1).integers(0, 256, (BATCH, WIDTHS[0]), dtype=np.uint8)
    calls: dict[str, Callable[[], object]] = {"fxsim": lambda: simulate(network, x)}
    if (session := onnx_session(network)) is not None:
        difference = np.abs(session(x).astype(int) - simulate(network, x))
        print(f"onnxruntime differs in {np.count_nonzero(difference)} of {difference.size} outputs")
        calls["onnxruntime QGemm, unsigned"] = lambda: session(x)
    floats = [torch.from_numpy(layer.weight.astype(np.float32)) for layer in network.layers]
    source = torch.from_numpy(x.astype(np.float32))

    def run_floats() -> torch.Tensor:
        value = source
        for weight in floats:
            value = torch.relu(torch.nn.functional.linear(value, weight))
        return value

    times = medians(calls, options.seconds, before=cold)
    with torch.inference_mode():  # apart: its larger weights would fill the caches
        times |= medians({"PyTorch float32": run_floats}, options.seconds / 2, before=cold)
    lines = [
        f"{machine()}; {'-'.join(map(str, WIDTHS))}, ternary, batch {BATCH}, one thread.",
        "",
        "| | ms a batch | times fxsim's |",
        "|---|---|---|",
    ]
    for name, value in times.items():
        lines.append(f"| {name} | {1e3 * value:.2f} | {value / times['fxsim']:.2f} |")
    publish("network", "\n".join(lines), {"widths": WIDTHS, "batch": BATCH, "seconds": times})


if __name__ == "__main__":
    main()
