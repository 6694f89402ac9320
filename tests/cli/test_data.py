"""Data sets through the commands: shapes, missing files and other people's files."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fxsim import data
from fxsim.cli.options import Simulator
from fxsim.cli.verify import choose_vectors
from fxsim.data import handwriting
from fxsim.errors import FileError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters, save_checkpoint
from fxsim.network.storage import load_network, save_network
from tests.cli.test_errors import refused
from tests.commands import fxsim_cli, small_network
from tests.places import MODELS

SPEC = """
name: flat
data: handwriting
input: {shape: [784], bits: 4}
layers:
  - {type: linear, units: 10}
"""


def test_images_serve_a_network_that_takes_them_flat(tmp_path, monkeypatch):
    monkeypatch.setattr(handwriting, "SIZES", {"train": 40, "validation": 10, "test": 30})
    handwriting.load.cache_clear()
    try:
        (tmp_path / "spec.yaml").write_text(SPEC)
        images, y = data.load("handwriting").train.x, data.load("handwriting").train.y
        means = np.array([images[y == digit].mean(axis=0).ravel() for digit in range(10)])
        weight = means - means.mean(axis=0)
        parameters = LinearParameters(weight=weight, bias=-0.5 * (weight * means).sum(axis=1))
        save_checkpoint(Checkpoint(parent={"layer0": parameters}), tmp_path / "checkpoint.npz")
        fxsim_cli("quantize", tmp_path / "spec.yaml", "-o", tmp_path)
        arguments = ("simulate", tmp_path, "--data", "handwriting:train", "--json")
        facts = json.loads(fxsim_cli(*arguments).stdout)
        assert facts["samples"] == 40
        assert facts["accuracy_fixed"] >= 0.5  # of the images that the means are of
        network = load_network(tmp_path)
        _, vectors = choose_vectors(network, [Simulator.ICARUS], None, 1)
        expected = data.load("handwriting").test.x.reshape(30, 784)
        scale = network.input.activation.scale
        words = vectors["icarus"]["input"]
        np.testing.assert_array_equal(words, np.clip(np.rint(expected / scale), 0, 15))
    finally:
        monkeypatch.undo()
        handwriting.load.cache_clear()


def test_missing_files_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("FXSIM_DATA", str(tmp_path))
    save_network(small_network(data="mnist"), tmp_path)
    line = refused("simulate", tmp_path, names=["mnist: train-images-idx3-ubyte not found in"])
    assert line.count(str(tmp_path)) >= 2
    there = tmp_path / "there"
    refused("simulate", tmp_path, "--data", f"svhn@{there}:test", names=[f"not found in {there},"])


@pytest.mark.parametrize("name", ["mnist", "timit", "nothing"])
def test_hardware_is_verified_without_the_files_too(tmp_path, monkeypatch, name):
    monkeypatch.setenv("FXSIM_DATA", str(tmp_path))
    source, vectors = choose_vectors(small_network(data=name), [Simulator.ICARUS], 5, 3)
    assert source == "random integers, seed 3"
    assert vectors["icarus"]["input"].shape == (5, 6)


def test_damaged_files_end_the_verification(tmp_path, monkeypatch):
    monkeypatch.setenv("FXSIM_DATA", str(tmp_path))
    (tmp_path / "text8").write_bytes(b"not it")
    with pytest.raises(FileError, match=r"the published file has 100000000 bytes, this one 6$"):
        choose_vectors(small_network(data="text8"), [Simulator.ICARUS], 5, 3)


@pytest.mark.parametrize(
    ("name", "images"), [("handwriting-lenet-ternary", 2), ("house-numbers-cnn-narrow", 1)]
)
def test_icarus_gets_fewer_images_the_more_cycles_each_takes(name, images):
    """784 cycles an image, and 6,400."""
    network = replace(load_network(MODELS / name), data="none")
    source, vectors = choose_vectors(network, list(Simulator), None, 1)
    assert source == "random integers, seed 1"
    counts = {simulator: len(x) for simulator, taken in vectors.items() for x in taken.values()}
    assert counts == {"icarus": images, "verilator": 50}
