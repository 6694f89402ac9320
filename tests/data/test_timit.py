"""TIMIT from a small corpus in its true format, which the tests write."""

import struct

import numpy as np
import pytest

from fxsim import data
from fxsim.data import frames, timit
from fxsim.data.audio import read_audio
from fxsim.data.phones import FOLD, PHONES
from fxsim.errors import FileError, MissingDataError
from tests.messages import raises

SPHERE = """NIST_1A
   1024
database_id -s5 TIMIT
utterance_id -s8 cjf0_sa1
channel_count -i 1
sample_count -i {count}
sample_rate -i {rate}
sample_min -i -2191
sample_n_bytes -i 2
sample_byte_format -s2 {order}
sample_sig_bits -i 16
end_head
"""


def sphere(sound, *, order="01", rate=16_000, count=None, extra=""):
    header = SPHERE.format(count=len(sound) if count is None else count, rate=rate, order=order)
    header = header.replace("end_head", f"{extra}end_head").encode()
    return header.ljust(1024, b" ") + sound.astype("<i2" if order == "01" else ">i2").tobytes()


def riff(sound, *, rate=16_000, bits=16, channels=1, coding=1, size=None):
    body = sound.astype("<i2").tobytes()
    fmt = struct.pack("<HHIIHH", coding, channels, rate, rate * 2, 2, bits)
    chunks = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    chunks += b"fmt " + struct.pack("<I", 16) + fmt
    chunks += b"data" + struct.pack("<I", len(body) if size is None else size) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


MANY_CHANNELS = """
must be plain samples of 16 bits, one channel, 16000 a second,
not coding 1, 8 bits, 2 channels, 16000 a second
""".replace("\n", " ").strip()

SOUND = np.random.default_rng(1).integers(-3000, 3000, 4000).astype(np.int16)


@pytest.mark.parametrize("content", [sphere(SOUND), sphere(SOUND, order="10"), riff(SOUND)])
def test_samples_of_both_formats(tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_audio(path, 16_000), SOUND)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be NIST SPHERE or RIFF WAVE"),
        (sphere(SOUND)[:-2], "header claims 4000 samples, file has 3999"),
        (sphere(SOUND, count=10**11), "header claims 100000000000 samples, file has 4000"),
        (sphere(SOUND, count=-1), "sample_count must be a number, not '-1'"),
        (sphere(SOUND, rate=8000), "sample_rate must be 16000, not 8000"),
        (sphere(SOUND, order="1"), "sample_byte_format must be 01 or 10, not 1"),
        (
            sphere(SOUND, extra="sample_coding -s26 pcm,embedded-shorten-v2.00\n"),
            "sample_coding must be pcm, not pcm,embedded-shorten-v2.00",
        ),
        (b"NIST_1A\n99999999", "header claims 99999999 bytes, file has 16"),
        (b"NIST_1A\nwhat", "length of the header must be a number, not 'what'"),
        (riff(SOUND)[:40], "must have a chunk 'fmt ' and then a chunk 'data'"),
        (riff(SOUND)[:-2], "header claims 4000 samples, file has 3999"),
        (riff(SOUND, size=0xFFFFFFFF), "header claims 2147483647 samples, file has 4000"),
        (
            riff(SOUND, bits=8, channels=2),
            MANY_CHANNELS,
        ),
    ],
)
def test_damaged_sound(tmp_path, content, message):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with raises(FileError, f"{path}: {message}"):
        read_audio(path, 16_000)


def test_a_tone_is_loudest_in_the_filter_at_its_pitch():
    t = np.arange(8000) / 16_000
    for pitch in (300, 1000, 3000, 7000):
        sound = np.rint(8000 * np.sin(2 * np.pi * pitch * t)).astype(np.int16)
        features = timit.front_end(sound)
        assert features.shape == (1 + (8000 - 400) // 160, 123)
        mel = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 42)[1:-1]
        nearest = np.abs(mel - 2595 * np.log10(1 + pitch / 700)).argmin()
        assert features[20, :40].argmax() == nearest
        # 400 samples of amplitude 8000, whole periods of all but the first pitch.
        assert features[20, 40] == pytest.approx(np.log(400 * 8000**2 / 2), abs=0.01)
        assert np.abs(features[10:-10, 41:]).max() < 0.2


def test_a_frame_has_the_label_of_its_middle(tmp_path):
    path = tmp_path / "a.phn"
    path.write_text("0 520 h#\n520 521 q\n\n521 1000 ax-h\n1000 1400 s\n")
    y = timit.read_labels(path, 8)
    # Middles: 200, 360, 520, 680, 840, 1000, 1160, 1320.
    assert [PHONES[c] for c in y] == ["h#", "h#", "q", "ax-h", "ax-h", "s", "s", "s"]
    assert [PHONES[c] for c in timit.read_labels(path, 12)][8:] == ["s"] * 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold at least one phone"),
        ("0 100 xx\n", "unknown phone 'xx'"),
        ("0 100 s\n100 50 s\n", "phones must be in order, not '100 50 s'"),
        ("0 s\n", "lines must be 'begin end phone', not '0 s'"),
        ("0 -5 s\n", "lines must be 'begin end phone', not '0 -5 s'"),
        (f"0 {10**30} s\n", f"lines must be 'begin end phone', not '0 {10**30} s'"),
    ],
)
def test_damaged_labels(tmp_path, text, message):
    path = tmp_path / "a.phn"
    path.write_text(text)
    with raises(FileError, f"{path}: {message}"):
        timit.read_labels(path, 10)


def write_corpus(folder, *, upper=True, write=sphere, end=".wav"):
    """A training speaker, one of development, one of the core set and one who is neither."""
    rng = np.random.default_rng(5)
    written = {}
    for part, region, speaker in (
        ("train", "dr1", "fcjf0"),
        ("train", "dr2", "faem0"),
        ("test", "dr1", "faks0"),
        ("test", "dr1", "mdab0"),
        ("test", "dr1", "mrcw0"),
    ):
        for sentence in ("sa1", "sx10", "si9"):
            sound = rng.integers(-3000, 3000, int(rng.integers(4000, 6000))).astype(np.int16)
            phones = f"0 1500 h#\n1500 3000 {PHONES[rng.integers(61)]}\n3000 {len(sound)} iy\n"
            names = [part, region, speaker, sentence]
            base = folder.joinpath(*(name.upper() if upper else name for name in names))
            base.parent.mkdir(parents=True, exist_ok=True)
            base.with_name(base.name + (end.upper() if upper else end)).write_bytes(write(sound))
            base.with_name(base.name + (".PHN" if upper else ".phn")).write_text(phones)
            written[speaker, sentence] = sound
    return written


@pytest.mark.parametrize(
    "options",
    [{}, {"upper": False, "write": riff}, {"write": riff, "end": ".wav.wav"}],
    ids=["as published", "lower case, RIFF", "both"],
)
def test_timit(tmp_path, options):
    written = write_corpus(tmp_path / "TIMIT", **options)
    dataset = timit.load(tmp_path, published=False)
    assert (dataset.name, dataset.classes) == ("timit", 61)
    np.testing.assert_array_equal(dataset.fold, FOLD)
    speakers = {"train": ["faem0", "fcjf0"], "validation": ["faks0"], "test": ["mdab0"]}
    for name, split in dataset.splits.items():
        sounds = [
            written[key] for key in sorted(written) if key[0] in speakers[name] and key[1] != "sa1"
        ]
        assert len(split.y) == sum(1 + (len(sound) - 400) // 160 for sound in sounds)
        assert split.x.shape == (len(split.y), 1353)
    # The regions come in their order: dr1 with fcjf0 first.
    order = [("fcjf0", "si9"), ("fcjf0", "sx10"), ("faem0", "si9"), ("faem0", "sx10")]
    static = np.concatenate([timit.front_end(written[key]) for key in order])
    expected = (static - static.mean(axis=0)) / static.std(axis=0)
    middle = dataset.train.x[:, 5 * 123 : 6 * 123]
    np.testing.assert_allclose(middle, expected, atol=2e-4)
    assert (dataset.train.y[:8] == PHONES.index("h#")).all()


def test_a_silent_recording_has_frames(tmp_path):
    features = timit.front_end(np.zeros(4000, np.int16))
    (x,) = frames.samples([features])
    assert (x == 0).all()


def test_an_incomplete_corpus_is_not_the_published_one(tmp_path):
    write_corpus(tmp_path)
    with raises(FileError, f"{tmp_path}: train must have 3696 utterances, not 4"):
        data.load(f"timit@{tmp_path}")


def test_files_that_are_missing_are_named(tmp_path):
    write_corpus(tmp_path)
    speaker = tmp_path / "TEST" / "DR1" / "MDAB0"
    (speaker / "SX10.WAV").unlink()
    with pytest.raises(MissingDataError, match=rf"^timit: SX10.WAV not found in {speaker};"):
        timit.load(tmp_path, published=False)
    (tmp_path / "TEST").rename(tmp_path / "other")
    with pytest.raises(MissingDataError, match=rf"^timit: TEST not found in {tmp_path};"):
        timit.load(tmp_path, published=False)


def test_a_recording_of_no_frame_is_refused(tmp_path):
    write_corpus(tmp_path)
    path = tmp_path / "TEST" / "DR1" / "MDAB0" / "SX10.WAV"
    path.write_bytes(sphere(SOUND[:399]))
    with raises(FileError, f"{path}: must have at least 400 samples, not 399"):
        timit.load(tmp_path, published=False)


def test_the_splits_share_no_speaker():
    assert len(timit.CORE) == 24
    assert len(timit.DEVELOPMENT) == 50
    assert not timit.CORE & timit.DEVELOPMENT
    assert sum(name.startswith("f") for name in timit.CORE) == 8


def test_the_core_set_is_that_of_the_corpus():
    """Two men and a woman of each dialect region, by the table of the corpus' own testset.doc."""
    regions = """
    1 DAB0 WBT0 ELC0 | 2 TAS1 WEW0 PAS0 | 3 JMP0 LNT0 PKT0 | 4 LLL0 TLS0 JLM0
    5 BPM0 KLT0 NLP0 | 6 CMJ0 JDH0 MGD0 | 7 GRT0 NJM0 DHC0 | 8 JLN0 PAM0 MLD0
    """
    speakers = set()
    for entry in regions.replace("\n", "|").split("|"):
        if entry.strip():
            _, first, second, woman = entry.lower().split()
            speakers |= {f"m{first}", f"m{second}", f"f{woman}"}
    assert speakers == timit.CORE
