"""Real data sets from files in their true format, which the tests write."""

import gzip
import hashlib
import pickle
import struct

import numpy as np
import pytest

from fxsim import data
from fxsim.data import cifar10, local, mnist, wikipedia
from fxsim.errors import FileError, MissingDataError
from tests.messages import raises

RNG = np.random.default_rng(1)


def idx(array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_mnist(folder, train=12, test=5, pack=False):
    parts = {}
    for part, count in (("train", train), ("t10k", test)):
        parts[f"{part}-images-idx3-ubyte"] = RNG.integers(0, 256, (count, 28, 28))
        parts[f"{part}-labels-idx1-ubyte"] = RNG.integers(0, 10, count)
    for name, array in parts.items():
        path = folder / (name + ".gz" * pack)
        path.write_bytes(gzip.compress(idx(array)) if pack else idx(array))
    return list(parts.values())


@pytest.mark.parametrize("pack", [False, True])
def test_mnist(tmp_path, pack):
    images, labels, tested, answers = write_mnist(tmp_path, pack=pack)
    dataset = mnist.load(tmp_path, published=False)
    assert (dataset.name, dataset.classes) == ("mnist", 10)
    assert dataset.train.x.shape == (10, 1, 28, 28)
    for split, x, y in (
        (dataset.train, images[:10], labels[:10]),
        (dataset.validation, images[10:], labels[10:]),
        (dataset.test, tested, answers),
    ):
        np.testing.assert_array_equal(np.rint(split.x[:, 0] * 255), x)
        np.testing.assert_array_equal(split.y, y)
        assert (split.x.dtype, split.y.dtype) == (np.float32, np.int64)


def test_mnist_of_another_size_is_not_the_published_one(tmp_path):
    write_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    message = f"{path}: the published file has 47040016 bytes, this one {16 + 12 * 784}"
    with raises(FileError, message):
        data.load(f"mnist@{tmp_path}")


def test_checksums_are_compared():
    # The test vectors "abc" of RFC 1321 and FIPS 180-4.
    md5 = "900150983cd24fb0d6963f7d28e17f72"
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    for digest in (md5, sha256, None):
        local.check_published("f", b"abc", 3, digest)
    for digest, kind in ((md5, "md5"), (sha256, "sha256")):
        with pytest.raises(FileError, match=rf"^f: the published file has the {kind} {digest}, "):
            local.check_published("f", b"abd", 3, digest)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train-images-idx3-ubyte", lambda raw: raw[:-1], "header claims 9408 bytes, file has"),
        ("train-images-idx3-ubyte", lambda raw: b"\1" + raw[1:], "must start as an IDX file"),
        ("train-images-idx3-ubyte", lambda raw: raw[:9], "must start as an IDX file of 3-dim"),
        (
            "train-images-idx3-ubyte",
            lambda raw: raw[:4] + b"\xff" * 12 + raw[16:],
            r"header claims 7922\d+ bytes, file has 9408",
        ),
        ("t10k-labels-idx1-ubyte", lambda raw: idx(np.zeros(4)), "28 x 28 for 4 labels, not"),
        (
            "t10k-labels-idx1-ubyte",
            lambda raw: raw[:-1] + b"\n",
            "labels must be at most 9, not 10",
        ),
    ],
)
def test_damaged_mnist(tmp_path, name, change, message):
    write_mnist(tmp_path)
    path = tmp_path / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(FileError, match=message):
        mnist.load(tmp_path, published=False)


@pytest.mark.parametrize("cut", [5, 200, -4])
def test_damaged_gzip(tmp_path, cut):
    write_mnist(tmp_path, pack=True)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:cut] if cut != 200 else b"no gzip at all")
    with pytest.raises(FileError, match=f"^{path}: not a valid gzip file"):
        mnist.load(tmp_path, published=False)


def test_a_gzip_bomb_is_stopped(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(1 << 24)))
    with raises(FileError, f"{path}: must unpack to at most 65536 bytes"):
        local.read(path, limit=1 << 16)


def test_the_file_that_is_missing_and_the_places_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FXSIM_DATA", str(tmp_path))
    for name, file in (
        ("mnist", "train-images-idx3-ubyte"),
        ("cifar10", "data_batch_1"),
        ("svhn", "train_32x32.mat"),
        ("timit", "TRAIN"),
        ("text8", "text8"),
        ("enwik8", "enwik8"),
    ):
        with pytest.raises(MissingDataError) as caught:
            data.load(name)
        message = str(caught.value)
        assert message.startswith(f"{name}: {file} not found in {tmp_path}, ")
        assert f"{tmp_path / name}" in message
        assert message.endswith(f"set FXSIM_DATA to its folder, or write {name}@FOLDER")
    write_mnist(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(MissingDataError, match=rf"t10k-images-idx3-ubyte not found in {tmp_path};"):
        data.load("mnist")


def test_the_folder_may_hold_a_folder_of_the_set(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    write_mnist(tmp_path / "mnist")
    monkeypatch.setenv("FXSIM_DATA", str(tmp_path))
    assert len(mnist.load(published=False).test.y) == 5
    monkeypatch.delenv("FXSIM_DATA")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").rename(tmp_path / "data")
    assert len(mnist.load(published=False).test.y) == 5


def cifar_batches():
    return [
        (RNG.integers(0, 256, (4, 3072), np.uint8), RNG.integers(0, 10, 4).tolist())
        for _ in range(6)
    ]


def write_binary(folder, batches):
    for name, (images, labels) in zip(cifar10.BINARY, batches, strict=True):
        rows = [bytes([label]) + row.tobytes() for row, label in zip(images, labels, strict=True)]
        (folder / name).write_bytes(b"".join(rows))


def write_python(folder, batches, protocol=2):
    folder.mkdir(exist_ok=True)
    for name, (images, labels) in zip(cifar10.PYTHON, batches, strict=True):
        value = {b"data": images, b"labels": labels, b"batch_label": b"of a test"}
        (folder / name).write_bytes(pickle.dumps(value, protocol=protocol))


def test_cifar10_in_both_versions(tmp_path):
    batches = cifar_batches()
    write_binary(tmp_path, batches)
    write_python(tmp_path / "cifar-10-batches-py", batches)
    binary = cifar10.load(tmp_path, published=False)
    python = cifar10.load(tmp_path / "cifar-10-batches-py", published=False)
    assert binary.train.x.shape == (16, 3, 32, 32)
    assert len(binary.validation.y) == len(binary.test.y) == 4
    images, labels = batches[1]
    assert binary.train.x[5, 2, 1, 7] == np.float32(images[1, 2 * 1024 + 32 + 7]) / np.float32(255)
    assert binary.train.y[5] == labels[1]
    for name, split in binary.splits.items():
        np.testing.assert_array_equal(split.x, python.splits[name].x)
        np.testing.assert_array_equal(split.y, python.splits[name].y)


@pytest.mark.parametrize("protocol", range(5))
def test_pickles_of_every_older_protocol_are_read(tmp_path, protocol):
    batches = cifar_batches()
    write_python(tmp_path, batches, protocol)
    dataset = cifar10.load(tmp_path, published=False)
    np.testing.assert_array_equal(dataset.test.y, batches[5][1])
    np.testing.assert_array_equal(np.rint(dataset.test.x.reshape(4, -1) * 255), batches[5][0])


def test_a_pickle_as_python_2_wrote_it(tmp_path):
    # Of {'labels': [1, 2], 'data': a (2, 3072) array}, opcode by opcode as in the published files.
    def text(value):
        return b"U" + bytes([len(value)]) + value

    pixels = RNG.integers(0, 256, (2, 3072), np.uint8)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85q\x03"
        + text(b"b")
        + b"q\x04\x87q\x05Rq\x06(K\x01K\x02M\x00\x0c\x86q\x07cnumpy\ndtype\nq\x08"
        + text(b"u1")
        + b"q\x09K\x00K\x01\x87q\x0aRq\x0b(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0cb\x89T"
        + struct.pack("<I", pixels.size)
        + pixels.tobytes()
        + b"q\x0dtq\x0eb"
    )
    raw = (
        b"\x80\x02}q\x00(" + text(b"labels") + b"]q\x0f(K\x01K\x02e" + text(b"data") + array + b"u."
    )
    for name in cifar10.PYTHON:
        (tmp_path / name).write_bytes(raw)
    dataset = cifar10.load(tmp_path, published=False)
    np.testing.assert_array_equal(dataset.test.y, [1, 2])
    np.testing.assert_array_equal(np.rint(dataset.test.x.reshape(2, -1) * 255), pixels)


def test_binary_cifar10_of_the_right_size_must_be_the_published_one(tmp_path):
    for name in cifar10.BINARY:
        (tmp_path / name).write_bytes(bytes(30_730_000))
    path = tmp_path / "data_batch_1.bin"
    message = (
        f"{path}: the published file has the md5 5dd7e06a14cb22eb9f671a540d1b7c25, this one"
        f" {hashlib.md5(bytes(30_730_000)).hexdigest()}"
    )
    with raises(FileError, message):
        cifar10.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw[:-1], "must hold records of 3073 bytes, not 12291"),
        (lambda raw: b"\x0a" + raw[1:], "labels must be at most 9, not 10"),
        (lambda raw: b"", "must hold at least one image"),
    ],
)
def test_damaged_binary_cifar10(tmp_path, change, message):
    write_binary(tmp_path, cifar_batches())
    path = tmp_path / "data_batch_3.bin"
    path.write_bytes(change(path.read_bytes()))
    with raises(FileError, f"{path}: {message}"):
        cifar10.load(tmp_path, published=False)


def test_cifar10_of_another_size_is_not_the_published_one(tmp_path):
    write_binary(tmp_path, cifar_batches())
    with pytest.raises(FileError, match=r"the published file has 30730000 bytes, this one 12292$"):
        cifar10.load(tmp_path)
    (tmp_path / "py").mkdir()
    write_python(tmp_path / "py", cifar_batches())
    with pytest.raises(FileError, match=r"the published file has the md5 c99cafc1"):
        cifar10.load(tmp_path / "py")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({b"data": np.zeros((2, 3072), np.uint8)}, "must hold an array 'data' and a list 'labels'"),
        ([1, 2], "must hold an array 'data' and a list 'labels'"),
        ({b"data": np.zeros((2, 9), np.uint8), b"labels": [1, 2]}, r"must have shape \(2, 3072\)"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, "integers from 0 to 9"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": ["1"]}, "integers from 0 to 9"),
        ({b"data": np.zeros((1, 3072)), b"labels": [1]}, "as many bytes as its shape says"),
        ({b"data": np.zeros(1, object), b"labels": [1]}, "as many bytes as its shape says"),
    ],
)
def test_pickles_of_other_values(tmp_path, value, message):
    for name in cifar10.PYTHON:
        (tmp_path / name).write_bytes(pickle.dumps(value, protocol=2))
    with pytest.raises(FileError, match=message):
        cifar10.load(tmp_path, published=False)


def write_text(folder, name, size=50_000):
    symbols = wikipedia.SYMBOLS[name].encode("latin1")
    raw = bytes(symbols[i] for i in RNG.integers(0, len(symbols), size))
    (folder / name).write_bytes(raw)
    return raw


@pytest.mark.parametrize("name", ["text8", "enwik8"])
def test_wikipedia(tmp_path, name):
    raw = write_text(tmp_path, name)
    symbols = wikipedia.SYMBOLS[name].encode("latin1")
    texts = wikipedia.read_text(name, tmp_path, published=False)
    assert [len(part) for part in texts.values()] == [45_000, 2_500, 2_500]
    assert bytes(symbols[i] for part in texts.values() for i in part) == raw
    dataset = wikipedia.load(name, tmp_path, published=False)
    assert dataset.classes == len(symbols)
    assert dataset.train.x.shape == (449, 100, len(symbols))
    assert dataset.validation.x.shape == dataset.test.x.shape == (24, 100, len(symbols))
    joined = dataset.train.x.argmax(axis=-1).ravel()
    np.testing.assert_array_equal(joined, texts["train"][:44_900])
    np.testing.assert_array_equal(dataset.train.y.ravel(), texts["train"][1:44_901])
    np.testing.assert_array_equal(dataset.test.y.ravel(), texts["test"][1:2_401])


def test_vectors_of_a_long_text_are_kept_to_their_limit(tmp_path, monkeypatch):
    write_text(tmp_path, "text8")
    monkeypatch.setattr(wikipedia, "_VECTORS", 1 << 20)
    dataset = wikipedia.load("text8", tmp_path, published=False)
    assert dataset.train.x.nbytes <= 1 << 20 < dataset.train.x.nbytes + 100 * 27 * 4


def test_wikipedia_that_is_something_else(tmp_path):
    path = tmp_path / "text8"
    write_text(tmp_path, "text8")
    with raises(FileError, f"{path}: the published file has 100000000 bytes, this one 50000"):
        data.load(f"text8@{tmp_path}")
    path.write_bytes(b"Capital" * 1000)
    with raises(FileError, f"{path}: must hold the space and a to z only, not byte 67"):
        wikipedia.load("text8", tmp_path, published=False)
    path.write_bytes(b"short")
    with raises(FileError, f"{path}: must have at least 2020 bytes, not 5"):
        wikipedia.load("text8", tmp_path, published=False)
