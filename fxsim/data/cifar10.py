"""CIFAR-10 (Krizhevsky 2009) from its binary or its python version.

The fifth batch is the validation split, so 40 000 images train, as in Sung et al. 2015.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fxsim.data.dataset import Dataset, Split, pixels
from fxsim.data.local import check_published, find, folders, read
from fxsim.data.unpickle import unpickle
from fxsim.errors import FileError, MissingDataError
from fxsim.network import IntArray

PYTHON = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
"""Files of the python version and their MD5."""

BINARY = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
"""Files of the binary version, of 30 730 000 bytes each, and their MD5.

Their author publishes that of the archive only; these are the ones that others check against.
"""

_PIXELS = 3 * 32 * 32
_COUNT = 10_000
_LIMIT = 1 << 27

Batch = tuple[npt.NDArray[np.uint8], IntArray]


def load(folder: Path | None = None, *, published: bool = True) -> Dataset:
    """Load the images: x of shape (n, 3, 32, 32), red, green, blue, 0.0 to 1.0.

    Parameters
    ----------
    folder : Path, optional
        See `fxsim.data.local`.
    published : bool
        True if the files must be the published ones.

    Raises
    ------
    FileError
        If a file is missing, damaged or not the published one.
    """
    places = folders("cifar10", folder, ("cifar-10-batches-bin", "cifar-10-batches-py"))
    try:
        batches = [
            _read_binary(path, digest if published else None)
            for path, digest in zip(
                find("cifar10", places, list(BINARY)), BINARY.values(), strict=True
            )
        ]
    except MissingDataError:
        paths = find("cifar10", places, list(PYTHON))
        batches = [
            _read_python(path, digest if published else None)
            for path, digest in zip(paths, PYTHON.values(), strict=True)
        ]
    images = np.concatenate([images for images, _ in batches[:4]])
    labels = np.concatenate([labels for _, labels in batches[:4]])
    validation, test = (Split(pixels(images), labels) for images, labels in batches[4:])
    return Dataset("cifar10", Split(pixels(images), labels), test, 10, validation=validation)


def _read_binary(path: Path, digest: str | None) -> Batch:
    content = read(path, limit=_LIMIT)
    if digest is not None:
        check_published(path, content, _COUNT * (1 + _PIXELS), digest)
    if len(content) % (1 + _PIXELS):
        raise FileError(f"{path}: must hold records of {1 + _PIXELS} bytes, not {len(content)}")
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + _PIXELS)
    return _checked(path, records[:, 1:], records[:, 0].astype(np.int64))


def _read_python(path: Path, digest: str | None) -> Batch:
    content = read(path, limit=_LIMIT)
    value = unpickle(path, content)
    if digest is not None:
        check_published(path, content, len(content), digest)
    images, labels = (
        (value.get(key, value.get(key.decode())) for key in (b"data", b"labels"))
        if isinstance(value, dict)
        else (None, None)
    )
    if not isinstance(images, np.ndarray) or not isinstance(labels, list):
        raise FileError(f"{path}: must hold an array 'data' and a list 'labels'")
    if images.ndim != 2 or images.shape != (len(labels), _PIXELS):
        raise FileError(
            f"{path}: data must have shape ({len(labels)}, {_PIXELS}), not {images.shape}"
        )
    if not all(type(label) is int and 0 <= label < 10 for label in labels):
        raise FileError(f"{path}: labels must be integers from 0 to 9")
    return _checked(path, images, np.array(labels, dtype=np.int64))


def _checked(path: Path, images: npt.NDArray[np.uint8], labels: IntArray) -> Batch:
    if not len(labels):
        raise FileError(f"{path}: must hold at least one image")
    if labels.max() > 9:
        raise FileError(f"{path}: labels must be at most 9, not {labels.max()}")
    return images.reshape(-1, 3, 32, 32), labels
