"""Made speech in the manner of TIMIT: frames of 61 phones by many speakers, without a download.

Each phone has targets: three formants with their bandwidths, the levels of voice and of frication,
and where the frication lies; diphthongs move from one target to another. Speakers differ in the
length of their vocal tract, in tilt and in pitch; every phone spoken strays from its targets;
neighbours run into one another; spectra are noisy as periodograms are. What follows is the
front end of Sung et al. 2015 (`fxsim.data.frames`): 1353 inputs a frame.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from fxsim.data.dataset import Dataset, Split
from fxsim.data.frames import mel_filters, samples, with_derivatives
from fxsim.data.phones import FOLD, PHONES
from fxsim.network import FloatArray, IntArray

UTTERANCES = {"train": 120, "validation": 30, "test": 60}
"""Each by a speaker of its own, of about 400 frames of 10 ms."""

# phone: frames, F1 F2 F3 in Hz, voice and frication in dB, centre and width of the frication in Hz
_VOICED = {
    "iy": (9, 310, 2250, 2950),
    "ih": (7, 410, 1950, 2550),
    "eh": (8, 550, 1800, 2500),
    "ae": (12, 680, 1700, 2450),
    "aa": (12, 740, 1120, 2500),
    "ao": (12, 600, 880, 2500),
    "ah": (8, 630, 1220, 2450),
    "uh": (7, 450, 1080, 2300),
    "uw": (9, 330, 950, 2300),
    "ux": (9, 340, 1500, 2250),
    "ax": (5, 500, 1350, 2450),
    "ix": (5, 420, 1700, 2500),
    "er": (9, 480, 1330, 1700),
    "axr": (7, 470, 1400, 1800),
    "r": (6, 400, 1150, 1550),
    "l": (6, 370, 1000, 2750),
    "el": (8, 430, 900, 2700),
    "w": (6, 310, 700, 2250),
    "y": (6, 280, 2250, 3050),
}
_GLIDES = {
    "ey": ("eh", "iy", 12),
    "ay": ("aa", "ih", 15),
    "oy": ("ao", "ih", 16),
    "aw": ("ae", "uh", 15),
    "ow": ("ah", "uw", 12),
}
_NASAL = {
    "m": (6, 260, 1050, 2200),
    "em": (8, 280, 1050, 2200),
    "n": (5, 270, 1500, 2550),
    "en": (7, 290, 1500, 2550),
    "ng": (6, 280, 1900, 2350),
    "eng": (7, 300, 1900, 2350),
    "nx": (3, 330, 1550, 2500),
}
_NOISY = {  # frames, voice, frication, centre, width
    "s": (11, -40, 6, 6200, 1300),
    "z": (9, -14, 3, 6000, 1400),
    "sh": (11, -40, 7, 3700, 1000),
    "zh": (8, -14, 4, 3600, 1100),
    "f": (10, -40, -9, 5500, 3500),
    "v": (6, -10, -12, 5000, 3500),
    "th": (9, -40, -8, 6300, 2600),
    "dh": (4, -9, -13, 5800, 3000),
    "hh": (7, -36, -8, 1800, 1300),
    "hv": (7, -14, -10, 1700, 1300),
    "jh": (6, -18, 4, 4000, 1300),
    "ch": (9, -40, 6, 4100, 1200),
    "b": (2, -16, -8, 900, 900),
    "d": (2, -18, -2, 4200, 1500),
    "g": (3, -18, -3, 2200, 800),
    "p": (4, -36, -7, 1100, 1200),
    "t": (5, -38, 1, 4800, 1700),
    "k": (5, -36, -1, 2400, 900),
    "dx": (3, -10, -16, 4000, 2500),
    "q": (6, -12, -30, 3000, 2000),
    "ax-h": (4, -34, -12, 1500, 1100),
}
_CLOSED = {
    "bcl": (6, -22),
    "dcl": (5, -23),
    "gcl": (5, -24),
    "pcl": (7, -42),
    "tcl": (5, -43),
    "kcl": (6, -42),
    "epi": (4, -46),
    "pau": (12, -50),
    "h#": (16, -52),
}
_ONSETS = """
b d g p t k s s sh f v th dh dh z hh hv m n l r w y ch jh zh sp st sk pr tr kr br dr gr bl pl kl fl
fr sl sw q
"""
_CODAS = """
- - - - - n n n m ng t t d k s s z z l r r p b g v f th sh ch jh nt nd st ks dx nx zh pcl bcl dcl
gcl kcl epi
"""
_NUCLEI = """
iy iy ih ih ix ix ix eh eh ae aa ao ah ax ax ax-h uh uw ux er axr axr ey ay ow ow oy aw el en em eng
"""

_JITTER = 0.09
"""Deviation of a spoken phone's formants from its targets, in nepers; levels follow in dB."""
_BLUR = 1.6
"""Deviation of the Gaussian in time that runs neighbours into one another, in frames."""
_LOOKS = 8
"""Periodograms averaged in a frame's spectrum: fewer are noisier."""
_BINS, _RATE = 129, 16_000.0


def draw_frames(utterances: int, seed: int) -> tuple[FloatArray, IntArray]:
    """Static and dynamic features (n, 123) of some utterances, and the class of each frame (n,)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    targets = _targets()
    parts, labels = [], []
    for _ in range(utterances):
        phones = _sentence(rng)
        pace = 0.85 + 0.35 * rng.random()
        mean = targets[phones, 0, 0] * pace * np.exp(0.3 * rng.standard_normal(len(phones)))
        length = np.maximum(np.rint(mean), 1).astype(np.int64)
        y = np.repeat(phones, length)
        spoken = _spoken(rng, targets[phones, :, 1:])
        along = np.concatenate([(np.arange(n) + 0.5) / n for n in length])[:, None]
        begin, end = (np.repeat(spoken[:, which], length, axis=0) for which in (0, 1))
        parts.append(_static(rng, _blurred(begin + along * (end - begin))))
        labels.append(y)
    return np.concatenate([with_derivatives(part) for part in parts]), np.concatenate(labels)


@cache
def _targets() -> FloatArray:
    """Targets (61, 2, 9) at the begin and end of each phone.

    Frames; logarithms of F1, F2, F3; voice, frication in dB; logarithms of the frication's centre
    and width; nasality.
    """
    rows = {
        name: (frames, *np.log([f1, f2, f3]), 0, -38, np.log(3000), np.log(2000), 0)
        for name, (frames, f1, f2, f3) in _VOICED.items()
    }
    rows |= {
        name: (frames, *np.log([f1, f2, f3]), -7, -44, np.log(3000), np.log(2000), 1)
        for name, (frames, f1, f2, f3) in _NASAL.items()
    }
    neutral = np.log([480, 1500, 2500])
    rows |= {
        name: (frames, *neutral, voice, noise, np.log(centre), np.log(width), 0)
        for name, (frames, voice, noise, centre, width) in _NOISY.items()
    }
    murmur = np.log([220, 1500, 2500])
    rows |= {
        name: (frames, *murmur, voice, -48, np.log(2500), np.log(2500), 0)
        for name, (frames, voice) in _CLOSED.items()
    }
    both = {name: [row, row] for name, row in rows.items()}
    for name, (first, last, frames) in _GLIDES.items():
        both[name] = [(frames, *rows[which][1:]) for which in (first, last)]
    return np.array([both[name] for name in PHONES], dtype=np.float64)


def _sentence(rng: np.random.Generator) -> IntArray:
    """Phones of one utterance: syllables between two silences."""

    def one(choices: str) -> str:
        among = choices.split()
        return among[int(rng.random() * len(among))]

    names = ["h#"]
    for _ in range(int(9 + 9 * rng.random())):
        names += _cluster(one(_ONSETS), begins=True) if rng.random() < 0.85 else []
        names.append(one(_NUCLEI))
        names += _cluster(one(_CODAS), begins=False)
        if rng.random() < 0.08:
            names.append("pau")
    names.append("h#")
    return np.array([PHONES.index(name) for name in names])


def _cluster(text: str, *, begins: bool) -> list[str]:
    """Phones of a group of consonants; a stop follows its closure, at an end perhaps alone."""
    if text == "-":
        return []
    names = [text] if text in PHONES else list(text)
    out = []
    for name in names:
        closure = {"ch": "tcl", "jh": "dcl"}.get(name, f"{name}cl" if name in "bdgptk" else None)
        out += [closure] if closure else []
        out.append(name)
    return out


def _spoken(rng: np.random.Generator, targets: FloatArray) -> FloatArray:
    """Targets (phones, 2, 8) by one speaker, each phone a little different."""
    shift = np.zeros((len(targets), 1, 8))
    tract, tilt = 0.13 * rng.standard_normal(), rng.standard_normal()
    shift[..., [0, 1, 2, 5]] += np.clip(tract, -0.25, 0.25)
    shift[..., 3] += 2 * tilt
    shift[..., 4] -= 2 * tilt
    deviation = np.array([1, 1, 0.7, 35, 35, 1.3, 1.5, 0.6]) * _JITTER
    shift += deviation * rng.standard_normal(shift.shape)
    return targets + shift


def _blurred(track: FloatArray) -> FloatArray:
    """Targets over time (n, 8) run into one another."""
    reach = int(3 * _BLUR) + 1
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _BLUR) ** 2)
    padded = np.pad(track, ((reach, reach), (0, 0)), mode="edge")
    rows = np.lib.stride_tricks.sliding_window_view(padded, len(window), axis=0)
    blurred: FloatArray = (rows * (window / window.sum())).sum(axis=-1)
    return blurred


def _static(rng: np.random.Generator, track: FloatArray) -> FloatArray:
    """Logarithms of the 40 filters and of the energy, (n, 41), of targets over time (n, 8)."""
    frequency = np.linspace(0, _RATE / 2, _BINS)
    formants, (voice, noise, centre, width, nasal) = np.exp(track[:, :3]), track[:, 3:].T
    envelope = np.zeros((len(track), _BINS))
    for formant, band, level in zip(formants.T, (60.0, 90.0, 140.0), (0, -6, -12), strict=True):
        wide = band * (1 + 0.8 * np.clip(nasal, 0, 1))[:, None]
        loud = 10 ** (0.1 * (level - 6 * np.clip(nasal, 0, 1)))[:, None]
        envelope += loud / (1 + ((frequency - formant[:, None]) / wide) ** 2)
    slope = 1 / (1 + (frequency / 500) ** (1.2 + 0.2 * rng.standard_normal()))
    pitch = 100 + 130 * rng.random()
    ripple = 1 + 0.5 * np.cos(2 * np.pi * frequency / pitch) * np.exp(-frequency / 600)
    power = 10 ** (0.1 * voice)[:, None] * envelope * slope * ripple
    apart = (frequency - np.exp(centre)[:, None]) / np.exp(width)[:, None]
    power += 0.03 * 10 ** (0.1 * noise)[:, None] / (1 + apart**2) ** 2
    floor = 10 ** (-5.3 + 0.3 * rng.standard_normal())
    power = (power + floor) * rng.standard_gamma(_LOOKS, power.shape) / _LOOKS
    bands = power @ mel_filters(_BINS, _RATE)
    gain = 0.8 * rng.standard_normal()
    energy = power.sum(axis=1, keepdims=True)
    static: FloatArray = np.log(np.concatenate([bands, energy], axis=1) + 1e-9) + gain
    return static


@cache
def load() -> Dataset:
    """Load the frames: x of shape (n, 1353) with the mean 0 and the deviation 1; 61 classes."""
    made = [draw_frames(count, 6100 + seed) for seed, count in enumerate(UTTERANCES.values())]
    views = samples([frames for frames, _ in made])
    train, validation, test = (Split(x, y) for x, (_, y) in zip(views, made, strict=True))
    return Dataset("phonemes", train, test, len(PHONES), validation=validation, fold=FOLD)
