"""Street View House Numbers (Netzer et al. 2011), cropped digits, from its MATLAB files.

The last 5000 of the 73 257 training images are the validation split. The 531 131 easy images of
``extra_32x32.mat`` are left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fxsim.data.dataset import Dataset, Split, pixels
from fxsim.data.local import check_published, find, folders, read
from fxsim.data.matfile import read_variables
from fxsim.errors import FileError
from fxsim.network import IntArray

PUBLISHED = {
    "train_32x32.mat": (182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373"),
    "test_32x32.mat": (64_275_384, "eb5a983be6a315427106f1b164d9cef3"),
}
"""Files, their bytes and their MD5."""

_LIMIT = 1 << 29


def load(folder: Path | None = None, *, published: bool = True) -> Dataset:
    """Load the images: x of shape (n, 3, 32, 32), red, green, blue, 0.0 to 1.0.

    Parameters
    ----------
    folder : Path, optional
        See `fxsim.data.local`.
    published : bool
        True if the files must be the published ones. The last fifteenth of other training images
        is the validation split.

    Raises
    ------
    FileError
        If a file is missing, damaged or not the published one.
    """
    paths = find("svhn", folders("svhn", folder), list(PUBLISHED))
    (images, labels), (tested, answers) = (
        _read(path, *(expected if published else (None, None)))
        for path, expected in zip(paths, PUBLISHED.values(), strict=True)
    )
    cut = len(images) - (5000 if published else len(images) // 15)
    return Dataset(
        "svhn",
        Split(pixels(images[:cut]), labels[:cut]),
        Split(pixels(tested), answers),
        10,
        validation=Split(pixels(images[cut:]), labels[cut:]),
    )


def _read(
    path: Path, size: int | None, digest: str | None
) -> tuple[npt.NDArray[np.uint8], IntArray]:
    content = read(path, limit=_LIMIT)
    if size is not None:
        check_published(path, content, size, digest)
    found = read_variables(path, content, {"X", "y"}, limit=_LIMIT)
    if set(found) != {"X", "y"}:
        raise FileError(f"{path}: must hold the variables X and y, not {sorted(found)}")
    images, labels = found["X"], found["y"].reshape(-1).astype(np.int64)
    if images.ndim == 3:
        images = images[..., None]  # MATLAB drops the last axis of a single image
    if images.shape != (32, 32, 3, len(labels)):
        raise FileError(
            f"{path}: X must have shape (32, 32, 3, {len(labels)}), as y has {len(labels)} labels,"
            f" not {images.shape}"
        )
    if not len(labels) or labels.max() > 10:
        raise FileError(f"{path}: y must hold labels of at most 10, and one at least")
    return images.transpose(3, 2, 0, 1), labels % 10  # 10 stands for the digit 0
