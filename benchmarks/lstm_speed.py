"""Integer LSTM against PyTorch's float32 ``nn.LSTM``: ``python -m benchmarks.lstm_speed``.

Writes a Markdown table to docs/performance.md and the figures to build/lstm.json: one thread, CPU
time, interleaved, medians.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

import numpy as np
import torch

from benchmarks.gradient_error import NARROW, Words, quantized, random_weights
from benchmarks.timing import machine, medians, publish
from fxsim.arithmetic.formats import Rounding
from fxsim.arithmetic.tensors import IntArray
from fxsim.kernels.recurrent import lstm_kernel_of
from fxsim.network import QuantizedLstm
from fxsim.network.lstm_gradient import GradientFormat, LstmGradient
from fxsim.simulator.lstm import trace_states
from fxsim.simulator.lstm_gradient import backward

TERNARY = replace(NARROW, weight=2)


def stack(cells: int, layers: int, words: Words = NARROW) -> list[QuantizedLstm]:
    """Layers with ``cells`` inputs and cells; by default all words but the cell's have 8 bits."""
    generator = np.random.default_rng(1)
    return [quantized(random_weights(generator, cells, cells), words) for _ in range(layers)]


def forward(layers: list[QuantizedLstm], x: IntArray) -> IntArray:
    """Outputs of the last layer for sequences (n, t, cells)."""
    for layer in layers:
        state = [np.zeros((len(x), width), np.int64) for width in (layer.cells, layer.outputs)]
        x = lstm_kernel_of(layer).run(x, *state).outputs
    return x


def forward_and_backward(gradients: list[LstmGradient], x: IntArray, dy: IntArray) -> None:
    """The states of every layer, then its gradients, the last layer first."""
    inputs, states = [x], []
    for gradient in gradients:
        states.append(trace_states(gradient.layer, inputs[-1]))
        inputs.append(states[-1].activations)
    for gradient, state, source in reversed(list(zip(gradients, states, inputs, strict=False))):
        dy = backward(gradient, state, source, dy).dx


def contract(layer: QuantizedLstm) -> LstmGradient:
    """Eight-bit gradients; about four of five gate gradients are zero."""
    fmt = GradientFormat(bits=8, fraction=10)
    # dx of one layer is dy of the one below: read in the format of its dh.
    return LstmGradient(
        layer=layer,
        dh=fmt,
        dc=fmt,
        dnet=fmt,
        dx=GradientFormat(bits=8, fraction=3),
        accumulator_bits=32,
        threshold=1,
        rounding=Rounding.TIES_AWAY,
    )


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="for each line")
    options = parser.parse_args()
    os.environ["FXSIM_THREADS"] = "1"
    torch.set_num_threads(1)
    lines = [f"{machine()}, one thread; PyTorch {torch.__version__}.", ""]
    lines += ["| | fxsim, ms | PyTorch, ms | PyTorch / fxsim |", "|---|---|---|---|"]
    facts: dict[str, list[float]] = {}

    def line(name: str, ours: float, theirs: float) -> None:
        lines.append(f"| {name} | {1e3 * ours:.2f} | {1e3 * theirs:.2f} | {theirs / ours:.2f} |")
        facts[name] = [ours, theirs]

    generator = np.random.default_rng(2)
    cells, count, steps = 256, 64, 100
    layers, net = stack(cells, 3), torch.nn.LSTM(cells, cells, 3, batch_first=True)
    x = generator.integers(-127, 127, (count, steps, cells), endpoint=True)
    real = torch.from_numpy(x / 127.0).float()
    with torch.no_grad():
        calls = {"fxsim": lambda: forward(layers, x), "torch": lambda: net(real)}
        times = medians(calls, options.seconds)
    line("forward, batch 64, 100 steps, 3 x 256 cells", *times.values())

    dy = generator.integers(-20, 20, (count, steps, cells), endpoint=True)
    leaf, real_dy = real.clone().requires_grad_(), torch.from_numpy(dy / 1024.0).float()

    def train_step() -> None:
        net.zero_grad()
        net(leaf)[0].backward(real_dy)

    gradients = [contract(layer) for layer in layers]
    calls = {"fxsim": lambda: forward_and_backward(gradients, x, dy), "torch": train_step}
    line("forward and backward, the same", *medians(calls, options.seconds).values())
    for cells in (64, 256):
        for name, times in streams(cells, options.seconds).items():
            line(name, *times)
    publish("lstm", "\n".join(lines), {"seconds": facts})


def streams(cells: int, seconds: float) -> dict[str, tuple[float, float]]:
    """One sequence of 1000 steps; times of fxsim and of PyTorch."""
    net = torch.nn.LSTM(cells, cells, 1, batch_first=True)
    x = np.random.default_rng(3).integers(-127, 127, (1, 1000, cells), endpoint=True)
    real = torch.from_numpy(x / 127.0).float()
    bytes_, ternary = stack(cells, 1), stack(cells, 1, TERNARY)
    with torch.no_grad():
        times = medians(
            {
                "bytes": lambda: forward(bytes_, x),
                "ternary": lambda: forward(ternary, x),
                "whole": lambda: net(real),
            },
            seconds,
        )
        # Apart: the Python code of a call for each step would displace all that the others read.
        times |= medians({"steps": lambda: step_by_step(net, real[:, :100])}, seconds / 2)
    title = f"batch 1, 1000 steps, {cells} cells"
    return {
        title: (times["bytes"], times["whole"]),
        f"{title}, ternary": (times["ternary"], times["whole"]),
        f"{title}, PyTorch one step a call": (times["bytes"], 10 * times["steps"]),
    }


def step_by_step(net: torch.nn.LSTM, x: torch.Tensor) -> None:
    """Run a stream as it arrives: a call for each step, the state carried."""
    state = None
    for t in range(x.shape[1]):
        _, state = net(x[:, t : t + 1], state)


if __name__ == "__main__":
    main()
