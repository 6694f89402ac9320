"""MNIST (LeCun, Cortes and Burges 1998) from its IDX files, plain or ``.gz``.

The last 10 000 of the 60 000 training images are the validation split.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fxsim.data.dataset import Dataset, Split, pixels
from fxsim.data.local import check_published, find, folders, read
from fxsim.errors import FileError
from fxsim.network import IntArray

PUBLISHED = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""Files, and the SHA-256 of each when it is unpacked."""

_SIZES = (47_040_016, 60_008, 7_840_016, 10_008)
_LIMIT = 1 << 28


def parse_idx(path: Path, content: bytes, dimensions: int) -> npt.NDArray[np.uint8]:
    """Array of bytes of an IDX file; ``path`` is for messages.

    Raises
    ------
    FileError
        If the magic number is another, or the file has more or fewer bytes than it declares.
    """
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes((0, 0, 8, dimensions)):
        raise FileError(f"{path}: must start as an IDX file of {dimensions}-dimensional bytes")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if math.prod(shape) != len(content) - header:
        raise FileError(
            f"{path}: header claims {math.prod(shape)} bytes, file has {len(content) - header}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def load(folder: Path | None = None, *, published: bool = True) -> Dataset:
    """Load the images: x of shape (n, 1, 28, 28), 0.0 for paper and 1.0 for ink.

    Parameters
    ----------
    folder : Path, optional
        See `fxsim.data.local`.
    published : bool
        True if the files must be the published ones. False takes other sets in this format; the
        last sixth of the training images is the validation split then too.

    Raises
    ------
    FileError
        If a file is missing, damaged or not the published one.
    """
    places = folders("mnist", folder, ("raw", "MNIST/raw"))
    paths = find("mnist", places, list(PUBLISHED))
    arrays = []
    for path, digest, size in zip(paths, PUBLISHED.values(), _SIZES, strict=True):
        content = read(path, limit=_LIMIT)
        if published:
            check_published(path, content, size, digest)
        arrays.append(parse_idx(path, content, 1 if "labels" in path.name else 3))
    parts = [_paired(paths[i], arrays[i], arrays[i + 1]) for i in (0, 2)]
    (images, labels), tested = parts
    cut = len(images) * 5 // 6
    return Dataset(
        "mnist",
        Split(pixels(images[:cut]), labels[:cut]),
        Split(pixels(tested[0]), tested[1]),
        10,
        validation=Split(pixels(images[cut:]), labels[cut:]),
    )


def _paired(
    path: Path, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint8], IntArray]:
    if images.shape != (len(labels), 28, 28) or not len(labels):
        raise FileError(
            f"{path}: must hold images of 28 x 28 for {len(labels)} labels, not {images.shape}"
        )
    if labels.max() > 9:
        raise FileError(f"{path}: labels must be at most 9, not {labels.max()}")
    return images[:, None], labels.astype(np.int64)
