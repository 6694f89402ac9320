"""Seconds of an epoch of the quick experiments, and how much of it is not matrix products.

``python -m benchmarks.training`` prints a table in Markdown; one thread, or a GPU where PyTorch
sees one. Seconds are those of the processor (of the clock on a GPU) for an epoch without a
profiler. Another run under `torch.profiler` says what share of it products had: matrix products,
convolutions, and the fused LSTM layer, whose nonlinearities are inside. Everything else counts as
outside: elementwise operations, quantization of weights, the optimizer, batches, Python, and the
evaluation of the validation split after the epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import torch

from fxsim import data
from fxsim.data import Dataset
from fxsim.reproduce.classifier import convolutional, feed_forward, first, flat, levels_of
from fxsim.reproduce.language import language_model
from fxsim.spec.specification import NetworkSpec
from fxsim.training import Progress, train

PRODUCTS = ("mm", "convolution", "cudnn", "rnn_layer", "_thnn", "lstm")
"""Parts of the names of operations that are products."""

_WHOLE = "whole"

Make = Callable[..., NetworkSpec]


def networks() -> Iterator[tuple[str, Make, Dataset, dict[str, Any]]]:
    """Title, network by levels and recipes, data, and recipe of the quick experiments."""
    frames, images, text = (
        flat(data.load("phonemes")),
        first(data.load("house-numbers"), 6000, 3000),
        data.load("pydoc"),
    )
    sgd = {"batch": 128, "dropout": 0.05, "optimizer": {"lr": 0.02}}
    for layers, units in ((4, 32), (4, 256)):
        make = partial(feed_forward, frames, [units] * layers)
        yield f"feed-forward, {layers} x {units}", make, frames, sgd
    adam = {"batch": 64, "optimizer": {"type": "adam", "lr": 0.0015}}
    for maps in ((4, 4, 8), (16, 16, 32)):
        make = partial(convolutional, images, maps, [64])
        yield f"convolutional, {'-'.join(map(str, maps))}", make, images, adam
    steps = {"batch": 16, "steps": 48, "clip": 1.0, "optimizer": {"type": "adam", "lr": 0.008}}
    for cells in (64, 128):
        yield f"LSTM, {cells} cells", partial(language_model, text, cells), text, steps


def measure(
    make: Make, dataset: Dataset, recipe: dict[str, Any], *, quantized: bool
) -> list[float]:
    """Seconds of an epoch, and the share of it outside of products."""
    cuda = torch.cuda.is_available()
    clock = time.perf_counter if cuda else time.process_time
    ends: list[float] = []

    def told(progress: Progress) -> None:
        ends.append(clock())

    def run(epochs: int) -> None:
        if not quantized:
            train(make(3, {**recipe, "epochs": epochs}), dataset, told)
            return
        retrain = {"epochs": epochs, "optimizer": recipe["optimizer"]}
        train(make(levels_of(2), {**recipe, "epochs": 0}, retrain), dataset, told)

    run(3)
    seconds = min(after - before for before, after in pairwise(ends))
    with torch.profiler.profile() as profile, torch.profiler.record_function(_WHOLE):
        run(1)
    events = {event.key: event for event in profile.key_averages()}
    field = "self_device_time_total" if cuda else "self_cpu_time_total"
    products = sum(
        getattr(event, field)
        for key, event in events.items()
        if any(part in key for part in PRODUCTS)
    )
    return [seconds, 1 - products / events[_WHOLE].cpu_time_total]


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| network | float, s | outside products | quantized, s | outside products |")
    print("|---|---|---|---|---|")
    for title, make, dataset, recipe in networks():
        cells = [title]
        for quantized in (False, True):
            seconds, outside = measure(make, dataset, recipe, quantized=quantized)
            cells += [f"{seconds:.2f}", f"{outside:.0%}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
