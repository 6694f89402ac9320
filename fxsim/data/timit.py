"""TIMIT (Garofolo et al. 1993) from its audio and phone files, with the front end of Sung et al.

Filter banks are taken every 10 ms from windows of 25 ms (`fxsim.data.frames`); a frame has the
label of the sample in the middle of its window. Training is on the 462 speakers without the SA
sentences, validation on the usual 50 speakers of the test part, testing on the 24 of the core set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fxsim.data.audio import read_audio
from fxsim.data.dataset import Dataset, Split
from fxsim.data.frames import mel_filters, samples, with_derivatives
from fxsim.data.local import folders, missing
from fxsim.data.phones import FOLD, PHONES
from fxsim.errors import FileError
from fxsim.files import read_bytes
from fxsim.network import FloatArray, IntArray

_CORE = """
mdab0 mwbt0 felc0 mtas1 mwew0 fpas0 mjmp0 mlnt0 fpkt0 mlll0 mtls0 fjlm0 mbpm0 mklt0 fnlp0 mcmj0
mjdh0 fmgd0 mgrt0 mnjm0 fdhc0 mjln0 mpam0 fmld0
"""
_DEVELOPMENT = """
faks0 fdac1 fjem0 mgwt0 mjar0 mmdb1 mmdm2 mpdf0 fcmh0 fkms0 mbdg0 mbwm0 mcsh0 fadg0 fdms0 fedw0
mgjf0 mglb0 mrtk0 mtaa0 mtdt0 mthc0 mwjg0 fnmr0 frew0 fsem0 mbns0 mmjr0 mdls0 mdlf0 mdvc0 mers0
fmah0 fdrw0 mrcs0 mrjm4 fcal1 mmwh0 fjsj0 majc0 mjsw0 mreb0 fgjd0 fjmg0 mroa0 mteb0 mjfc0 mrjr0
fmml0 mrws1
"""

CORE = frozenset(_CORE.split())
"""Speakers of the core test set, two men and a woman of each of eight regions."""

DEVELOPMENT = frozenset(_DEVELOPMENT.split())
"""Speakers of the validation split, from the test part outside the core set."""

UTTERANCES = {"train": 3696, "validation": 400, "test": 192}
"""Utterances of the whole corpus in each split; no checksums are published."""

RATE = 16_000
_WINDOW, _HOP, _TRANSFORM = 400, 160, 512


def front_end(sound: npt.NDArray[np.int16]) -> FloatArray:
    """Static and dynamic features (n, 123) of samples, a frame every 160 of them.

    Pre-emphasis 0.97, Hamming window of 400 samples, 40 mel filters on the power spectrum, their
    logarithms and that of the energy before pre-emphasis.
    """
    x = sound.astype(np.float64)
    sharp = np.append(x[:1], x[1:] - 0.97 * x[:-1])
    view = np.lib.stride_tricks.sliding_window_view
    frames = view(sharp, _WINDOW)[::_HOP] * np.hamming(_WINDOW)
    power = np.abs(np.fft.rfft(frames, _TRANSFORM)) ** 2
    energy = (view(x, _WINDOW)[::_HOP] ** 2).sum(axis=1, keepdims=True)
    bands = power @ mel_filters(_TRANSFORM // 2 + 1, RATE)
    return with_derivatives(np.log(np.concatenate([bands, energy], axis=1) + 1.0))


def read_labels(path: Path, frames: int) -> IntArray:
    """Class of each of ``frames`` frames by a .phn file: lines of first sample, end and phone.

    Raises
    ------
    FileError
        If a line has another form, an unknown phone, or is out of order.
    """
    ends, phones = [0], []
    for line in read_bytes(path, limit=1 << 20).decode("latin1").splitlines():
        match line.split():
            case [begin, end, phone] if begin.isdecimal() and end.isdecimal() and len(end) < 12:
                if phone not in PHONES:
                    raise FileError(f"{path}: unknown phone {phone!r}")
                if int(end) < ends[-1]:
                    raise FileError(f"{path}: phones must be in order, not {line!r}")
                ends.append(int(end))
                phones.append(PHONES.index(phone))
            case []:
                pass
            case _:
                raise FileError(f"{path}: lines must be 'begin end phone', not {line[:80]!r}")
    if not phones:
        raise FileError(f"{path}: must hold at least one phone")
    middle = _WINDOW // 2 + _HOP * np.arange(frames)
    index = np.searchsorted(np.array(ends[1:]), middle, side="right")
    return np.array(phones, dtype=np.int64)[np.minimum(index, len(phones) - 1)]


def load(folder: Path | None = None, *, published: bool = True) -> Dataset:
    """Load the frames: x of shape (n, 1353) with the mean 0 and the deviation 1; 61 classes.

    Parameters
    ----------
    folder : Path, optional
        With the folders TRAIN and TEST, in capitals or not; see `fxsim.data.local`.
    published : bool
        True if every utterance must be there.

    Raises
    ------
    FileError
        If a file is missing or damaged, or a split has more or fewer utterances.
    """
    places = folders("timit", folder, ("TIMIT",))
    places += [place / "data" for place in places] + [places[0] / "timit" / "timit"]
    place = next((place for place in places if _part(place, "train")), None)
    if place is None:
        raise missing("timit", "TRAIN", places)
    features: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in UTTERANCES}
    labels: dict[str, list[IntArray]] = {name: [] for name in UTTERANCES}
    for split, sound, phones in _utterances(place):
        heard = read_audio(sound, RATE)
        if len(heard) < _WINDOW:
            raise FileError(f"{sound}: must have at least {_WINDOW} samples, not {len(heard)}")
        features[split].append(front_end(heard).astype(np.float32))
        labels[split].append(read_labels(phones, len(features[split][-1])))
    for split, parts in labels.items():
        wanted = UTTERANCES[split]
        if len(parts) != wanted and (published or not parts):
            raise FileError(f"{place}: {split} must have {wanted} utterances, not {len(parts)}")
    views = samples([np.concatenate(parts) for parts in features.values()])
    train, validation, test = (
        Split(x, np.concatenate(parts)) for x, parts in zip(views, labels.values(), strict=True)
    )
    return Dataset("timit", train, test, len(PHONES), validation=validation, fold=FOLD)


def _part(place: Path, name: str) -> Path | None:
    """Folder TRAIN or TEST."""
    if not place.is_dir():
        return None
    return next((entry for entry in sorted(place.iterdir()) if entry.name.lower() == name), None)


def _utterances(place: Path) -> Iterator[tuple[str, Path, Path]]:
    """Split, sound and phones of each utterance that is used, in the order of their names."""
    for part in ("train", "test"):
        found = _part(place, part)
        if found is None:
            raise missing("timit", part.upper(), [place])
        for base, inner, names in os.walk(found):
            inner.sort()
            speaker = Path(base).name.lower()
            split = "train" if part == "train" else _SPLITS.get(speaker)
            files = {name.lower(): Path(base) / name for name in sorted(names)}
            for name, path in files.items():
                if split is None or path.suffix.lower() != ".phn" or name.startswith("sa"):
                    continue
                ends = [name.removesuffix(".phn") + end for end in _SOUND]
                sound = next((files[end] for end in ends if end in files), None)
                if sound is None:
                    raise missing("timit", f"{path.stem}.WAV", [Path(base)])
                yield split, sound, path


_SOUND = (".wav", ".wav.wav", ".sph")
_SPLITS = dict.fromkeys(DEVELOPMENT, "validation") | dict.fromkeys(CORE, "test")
