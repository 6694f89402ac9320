"""Measure the made data sets: seconds, and accuracy of small networks; draw their contact sheet.

Run as ``python -m benchmarks.data [docs/data.png]``. It prints the table of docs/data.md.
"""

from __future__ import annotations

import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fxsim import data
from fxsim.data import handwriting, house_numbers, phonemes
from fxsim.files import replacing
from fxsim.floats.forward import forward
from fxsim.spec import parse_spec
from fxsim.training import train

Image = npt.NDArray[np.uint8]

SETS = {
    "digits": {"epochs": 30, "dropout": 0.0},
    "handwriting": {"epochs": 10, "dropout": 0.0},
    "house-numbers": {"epochs": 10, "dropout": 0.0},
    "phonemes": {"epochs": 6, "dropout": 0.2},
}
UNITS = 128


def main() -> None:
    """Print a line for each set, then draw the sheet if its path is given."""
    handwriting.draw_images(10, 1)  # compiles the kernel, once in the life of an installation
    print("| set | shape | classes | train / validation / test | seconds | 1 layer | 3 layers |")
    print("|---|---|---|---|---|---|---|")
    for name, recipe in SETS.items():
        start = time.process_time()
        dataset = data.load(name)
        seconds = time.process_time() - start
        sizes = " / ".join(f"{len(split.y):,}" for split in dataset.splits.values())
        shape = " x ".join(map(str, dataset.test.shape))
        scores = " | ".join(f"{100 * score(dataset, layers, recipe):.1f} %" for layers in (0, 2))
        print(f"| {name} | {shape} | {dataset.classes} | {sizes} | {seconds:.1f} | {scores} |")
    for path in map(Path, sys.argv[1:]):
        with replacing(path) as temporary:
            temporary.write_bytes(png(sheet()))


def score(dataset: data.Dataset, hidden: int, recipe: dict[str, float]) -> float:
    """Test accuracy, folded, of a float network with some hidden layers."""
    inputs = int(np.prod(dataset.test.shape))
    layer = {"type": "linear", "units": UNITS, "nonlinearity": "relu", "output": {"bits": 8}}
    spec = parse_spec(
        {
            "name": "baseline",
            "data": dataset.name,
            "input": {"shape": [inputs], "bits": 8},
            "layers": [layer] * hidden + [{"type": "linear", "units": dataset.classes}],
            "train": {**recipe, "optimizer": {"lr": 0.02 if hidden else 0.01}, "seed": 1},
        },
        "baseline",
    )
    flat = dataset.shaped((inputs,))
    parent = train(spec, flat).parent
    return dataset.accuracy(forward(spec, parent, flat.test.x).argmax(axis=1), flat.test.y)


def sheet() -> Image:
    """Rows of handwriting, of house numbers, and the filter banks of an utterance."""
    columns, lines, gap = 20, 2, 6
    width = columns * 32
    rows = []
    for draw, side in ((handwriting.draw_images, 32), (house_numbers.draw_images, 32)):
        images, y = draw(20 * columns, seed=5)
        chosen = [np.flatnonzero(y == k % 10)[k // 10] for k in range(lines * columns)]
        pictures = images[chosen]
        pad = (side - pictures.shape[-1]) // 2
        pictures = np.pad(pictures, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        pictures = np.repeat(pictures, 3 // pictures.shape[1], axis=1)
        grid = pictures.reshape(lines, columns, 3, side, side).transpose(0, 3, 1, 4, 2)
        rows += [grid.reshape(lines * side, width, 3), np.full((gap, width, 3), 255, np.uint8)]
    bands = phonemes.draw_frames(3, seed=4)[0][: width // 2, 39::-1].T
    low, high = np.percentile(bands, [2, 99.5])
    grey = np.rint(255 * (1 - np.clip((bands - low) / (high - low), 0, 1))).astype(np.uint8)
    rows.append(np.repeat(np.repeat(grey, 2, axis=0), 2, axis=1)[..., None].repeat(3, axis=2))
    return np.concatenate(rows)


def png(image: Image) -> bytes:
    """PNG file of an image (height, width, 3)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    height, width, _ = image.shape
    lines = b"".join(b"\0" + row.tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines, 9))
        + chunk(b"IEND", b"")
    )


if __name__ == "__main__":
    main()
