"""Sound files of 16-bit samples, one channel: NIST SPHERE as TIMIT comes in, and RIFF.

libsndfile (`soundfile`) reads both, but gives what is left of a file that was cut short, and says
nothing (libsndfile 1.2.2); here that is an error.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fxsim.errors import FileError
from fxsim.files import read_bytes

_LIMIT = 1 << 26
_SPHERE = {"channel_count": "1", "sample_n_bytes": "2", "sample_coding": "pcm"}


def read_audio(path: Path, rate: int) -> npt.NDArray[np.int16]:
    """Samples (n,) of a file, whatever its name ends with.

    Raises
    ------
    FileError
        If it is damaged, compressed, or has other than ``rate`` samples a second of 16 bits in one
        channel.
    """
    content = read_bytes(path, limit=_LIMIT)
    try:
        if content.startswith(b"NIST_1A\n"):
            return _sphere(content, rate)
        if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
            return _riff(content, rate)
        raise ValueError("must be NIST SPHERE or RIFF WAVE")
    except (ValueError, struct.error) as error:
        raise FileError(f"{path}: {error}") from error


def _sphere(content: bytes, rate: int) -> npt.NDArray[np.int16]:
    start = _number(content[8:16].decode("latin1"), "length of the header")
    if not 16 <= start <= len(content):
        raise ValueError(f"header claims {start} bytes, file has {len(content)}")
    fields = dict(_SPHERE)
    for line in content[16:start].decode("latin1").splitlines():
        if line.strip() == "end_head":
            break
        name, _, value = line.partition(" ")
        fields[name] = value.partition(" ")[2].strip()
    for name, wanted in {**_SPHERE, "sample_rate": str(rate)}.items():
        if fields.get(name) != wanted:
            raise ValueError(f"{name} must be {wanted}, not {fields.get(name)}")
    order = {"01": "<i2", "10": ">i2"}.get(fields.get("sample_byte_format", ""))
    if order is None:
        raise ValueError(
            f"sample_byte_format must be 01 or 10, not {fields.get('sample_byte_format')}"
        )
    count = _number(fields.get("sample_count", ""), "sample_count")
    return _samples(content[start:], count, order)


def _riff(content: bytes, rate: int) -> npt.NDArray[np.int16]:
    at, described = 12, False
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        if name == b"fmt " and at + 24 <= len(content):
            coding, channels, seen, _, _, bits = struct.unpack_from("<HHIIHH", content, at + 8)
            if (coding, channels, seen, bits) != (1, 1, rate, 16):
                raise ValueError(
                    f"must be plain samples of 16 bits, one channel, {rate} a second, not coding"
                    f" {coding}, {bits} bits, {channels} channels, {seen} a second"
                )
            described = True
        elif name == b"data" and described:
            return _samples(content[at + 8 :], size // 2, "<i2")
        at += 8 + size + size % 2
    raise ValueError("must have a chunk 'fmt ' and then a chunk 'data'")


def _samples(data: bytes, count: int, order: str) -> npt.NDArray[np.int16]:
    if count * 2 > len(data):
        raise ValueError(f"header claims {count} samples, file has {len(data) // 2}")
    return np.frombuffer(data, order, count).astype(np.int16)


def _number(text: str, what: str) -> int:
    if not text.strip().isdecimal() or len(text) > 12:
        raise ValueError(f"{what} must be a number, not {text!r}")
    return int(text)
