"""Image networks, bit for bit, against PyTorch's float32: ``python -m benchmarks.convolution``.

Every shipped image network at batch 256 on one thread: the integers of `fxsim.simulator.simulate`
against the same layers as PyTorch modules, batch normalisation folded, without gradients, in both
of PyTorch's memory layouts. All calls are interleaved in one process; medians of CPU time. Writes
a JSON document and the table in docs/performance.md.
"""

from __future__ import annotations

import argparse
import os

import numpy as np
import torch
from torch import nn

from benchmarks.timing import ROOT, machine, medians, publish
from fxsim import data
from fxsim.network import (
    INPUT,
    Argmax,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedNetwork,
)
from fxsim.network.storage import load_network
from fxsim.simulator import as_input, simulate

BATCH = 256


def image_networks() -> dict[str, QuantizedNetwork]:
    """The shipped networks that work on images, by name."""
    folders = sorted(path.parent for path in (ROOT / "models").glob("*/network.yaml"))
    networks = {folder.name: load_network(folder) for folder in folders}
    return {name: network for name, network in networks.items() if network.spatial}


class Floats(nn.Module):
    """Layers in float32; weights are real ones."""

    def __init__(self, network: QuantizedNetwork) -> None:
        super().__init__()
        self._layers = network.layers
        self._taken = network.taken
        self.parts = nn.ModuleList(map(_part, network.layers))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs for images (n, channels, height, width)."""
        kept = {INPUT: x}
        for layer, part in zip(self._layers, self.parts, strict=True):
            taken = [kept[source] for source in self._taken[layer.name]]
            x = taken[0].argmax(1) if isinstance(layer, Argmax) else part(sum(taken))
            kept[layer.name] = x
        return x


def _part(layer: Layer) -> nn.Module:
    """Layer of PyTorch for a layer of a network."""
    if isinstance(layer, MaxPool):
        shape = layer.windows
        return nn.MaxPool2d(shape.kernel, shape.stride, shape.padding)
    if isinstance(layer, QuantizedAdd):
        return nn.ReLU() if layer.tail.relu else nn.Identity()
    if isinstance(layer, Argmax):
        return nn.Identity()
    assert isinstance(layer, QuantizedConvolution | QuantizedLinear)
    (product,) = layer.linears
    real = (product.weight_scale[:, None] * product.weight).astype(np.float32)
    weight = torch.from_numpy(real)
    parts: list[nn.Module] = []
    module: nn.Conv2d | nn.Linear
    if isinstance(layer, QuantizedConvolution):
        shape = layer.windows
        if shape.groups == shape.channels == product.outputs and (product.weight == 1).all():
            return nn.AvgPool2d(shape.kernel, shape.stride)
        sizes = (shape.channels, product.outputs, shape.kernel, shape.stride, shape.padding)
        module = nn.Conv2d(*sizes, groups=shape.groups)
        weight = weight.reshape(len(weight), *shape.kernel, -1).permute(0, 3, 1, 2)
    else:
        parts.append(nn.Flatten())
        module = nn.Linear(product.inputs, product.outputs)
    module.weight.data = weight.contiguous()
    parts.append(module)
    if product.tail is not None and product.tail.relu:
        parts.append(nn.ReLU())
    return nn.Sequential(*parts)


def multiplications(network: QuantizedNetwork) -> int:
    """Products of weights and activations for one image."""
    return sum(
        layer.outputs * product.inputs for layer in network.layers for product in layer.linears
    )


def measure(network: QuantizedNetwork, seconds: float) -> dict[str, float]:
    """Milliseconds for a batch of test images."""
    images = data.load(network.data, network.input.shape).test.x[:BATCH]
    assert len(images) == BATCH
    integers = as_input(network, images, np.uint8)
    module, source = Floats(network).eval(), torch.from_numpy(images.astype(np.float32))
    last = source.to(memory_format=torch.channels_last)
    other = Floats(network).eval().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        times = medians(
            {
                "fxsim": lambda: simulate(network, integers),
                "torch": lambda: module(source),
                "torch_channels_last": lambda: other(last),
            },
            seconds,
        )
    return {name: 1e3 * value for name, value in times.items()}


def table(rows: list[dict[str, float | str]]) -> str:
    """Markdown: times, and how many times faster the integers are than the faster layout."""
    lines = [
        "| network | MMAC an image | fxsim, ms | PyTorch, ms | PyTorch channels last, ms | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['network']} | {row['mmac']:.2f} | {row['fxsim']:.2f} | {row['torch']:.2f}"
            f" | {row['torch_channels_last']:.2f} | {row['ratio']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="for each network")
    options = parser.parse_args()
    os.environ["FXSIM_THREADS"] = "1"
    torch.set_num_threads(1)
    rows: list[dict[str, float | str]] = []
    for name, network in image_networks().items():
        times = measure(network, options.seconds)
        ratio = min(times["torch"], times["torch_channels_last"]) / times["fxsim"]
        rows.append(
            {"network": name, "mmac": multiplications(network) / 1e6, **times, "ratio": ratio}
        )
        print(rows[-1], flush=True)
    text = f"{machine()}, batch {BATCH}, one thread.\n\n{table(rows)}"
    publish("convolution", text, {"batch": BATCH, "torch": torch.__version__, "networks": rows})


if __name__ == "__main__":
    main()
