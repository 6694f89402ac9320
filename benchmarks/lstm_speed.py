"""Integer LSTM against PyTorch's float32 ``nn.LSTM``: ``python -m benchmarks.lstm_speed``.

Prints Markdown tables. One thread (CPU time) unless ``--threads`` says otherwise (wall clock).
"""

from __future__ import annotations

import argparse
import os

import numpy as np
import torch

from benchmarks.gradient_error import NARROW, quantized, random_weights
from benchmarks.timing import machine, medians
from fxsim.backward import backward
from fxsim.formats import Rounding
from fxsim.kernels.recurrent import lstm_kernel_of
from fxsim.lstm import QuantizedLstm
from fxsim.lstm_gradient import GradientFormat, LstmGradient
from fxsim.simulate import run_lstm_states
from fxsim.tensors import IntArray


def stack(cells: int, layers: int) -> list[QuantizedLstm]:
    """Layers of 8-bit weights, activations and tables with ``cells`` inputs and cells."""
    generator = np.random.default_rng(1)
    return [quantized(random_weights(generator, cells, cells), NARROW) for _ in range(layers)]


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
        states.append(run_lstm_states(gradient.layer, inputs[-1]))
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


def row(name: str, times: dict[str, float], unit: float = 1e3) -> str:
    """A line: both times and how many times faster the integers are."""
    ours, theirs = times["fxsim"], times["torch"]
    return f"| {name} | {ours * unit:.2f} | {theirs * unit:.2f} | {theirs / ours:.2f} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10, help="for each line")
    options = parser.parse_args()
    os.environ["FXSIM_THREADS"] = str(options.threads)
    torch.set_num_threads(options.threads)
    cpu = options.threads == 1

    def measure(ours, theirs):
        return medians({"fxsim": ours, "torch": theirs}, options.seconds, cpu=cpu)

    print(f"{machine()}; {options.threads} thread(s) for PyTorch {torch.__version__}\n")
    print("| | fxsim, ms | PyTorch, ms | PyTorch / fxsim |\n|---|---|---|---|")
    generator = np.random.default_rng(2)
    cells, count, steps = 256, 64, 100
    layers, net = stack(cells, 3), torch.nn.LSTM(cells, cells, 3, batch_first=True)
    x = generator.integers(-127, 127, (count, steps, cells), endpoint=True)
    real = torch.from_numpy(x / 127.0).float()
    with torch.no_grad():
        times = measure(lambda: forward(layers, x), lambda: net(real))
    print(row("forward, batch 64, 100 steps, 3 x 256 cells", times))

    dy = generator.integers(-20, 20, (count, steps, cells), endpoint=True)
    leaf, real_dy = real.clone().requires_grad_(), torch.from_numpy(dy / 1024.0).float()

    def train_step() -> None:
        net.zero_grad()
        net(leaf)[0].backward(real_dy)

    gradients = [contract(layer) for layer in layers]
    times = measure(lambda: forward_and_backward(gradients, x, dy), train_step)
    print(row("forward and backward, the same", times))

    for cells in (64, 256):
        layers, net = stack(cells, 1), torch.nn.LSTM(cells, cells, 1, batch_first=True)
        x = generator.integers(-127, 127, (1, 1000, cells), endpoint=True)
        real = torch.from_numpy(x / 127.0).float()
        with torch.no_grad():
            times = measure(lambda: forward(layers, x), lambda: net(real))  # noqa: B023
            print(row(f"batch 1, 1000 steps, {cells} cells", times))
            times["torch"] = medians(
                {"torch": lambda: step_by_step(net, real[:, :100])},  # noqa: B023
                options.seconds / 2,
                cpu=cpu,
            )["torch"]
        times["torch"] *= 10
        print(row(f"the same, PyTorch one step a call, {cells} cells", times))


def step_by_step(net: torch.nn.LSTM, x: torch.Tensor) -> None:
    """As a stream arrives: a call for each step, the state carried."""
    state = None
    for t in range(x.shape[1]):
        _, state = net(x[:, t : t + 1], state)


if __name__ == "__main__":
    main()
