"""Kinds of files that fxsim reads: valid ones, how they are mutated, and what reads them."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fxsim.errors import FxsimError
from fxsim.files import read_npy, read_npz, read_yaml
from tests.fuzz import mutate
from tests.places import MODELS

INT8, TERNARY = MODELS / "digits-mlp-int8", MODELS / "digits-mlp-ternary"
LSTM, RESIDUAL = MODELS / "charlm-lstm-int8", MODELS / "handwriting-residual-ternary"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One way into fxsim.

    Parameters
    ----------
    name : str
    write : callable
        Writes valid files into a folder.
    read : callable
        Reads them from there, as far as commands go with them.
    mutations : mapping of str to sequence of callable
        Mutations of each file.
    """

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path], None]
    mutations: Mapping[str, Sequence[mutate.Mutation]]


def _copying(*sources: Path) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for source in sources:
            shutil.copy(source, folder / source.name)

    return write


def _read_spec(folder: Path) -> None:
    from fxsim.floats.checkpoint import load_checkpoint
    from fxsim.spec import load_spec

    spec = load_spec(folder / "spec.yaml")
    load_checkpoint(folder / "checkpoint.npz", spec)


def _quantize(folder: Path) -> None:
    from fxsim.cost.facts import blocks_of
    from fxsim.floats.checkpoint import load_checkpoint
    from fxsim.network.storage import load_network, save_network
    from fxsim.plan.planner import plan_network
    from fxsim.quantizer.quantizer import quantize
    from fxsim.simulator.simulator import simulate_outputs
    from fxsim.spec import load_spec

    spec = load_spec(folder / "spec.yaml")
    checkpoint = load_checkpoint(folder / "checkpoint.npz", spec)
    samples = np.random.default_rng(1).random((4, *spec.input.shape))
    network = quantize(spec, checkpoint, samples)
    save_network(network, folder / "net")
    network = load_network(folder / "net")
    simulate_outputs(network, samples)
    plan_network(network)
    blocks_of(network)


def _read_space(folder: Path) -> None:
    from fxsim.explorer.space import load_space
    from fxsim.spec import load_spec

    space = load_space(load_spec(folder / "spec.yaml"), "spec.yaml", folder / "explore.yaml")
    for number in (0, space.size - 1):
        try:
            space.apply(space.choices(number))
        except FxsimError:
            continue


def _read_unit(folder: Path) -> None:
    from fxsim.spec.units import load_unit

    for path in sorted(folder.glob("*.yaml")):
        load_unit(path)


def _read_network(folder: Path) -> None:
    from fxsim.network.storage import load_network

    load_network(folder)


def _read_sealed(folder: Path) -> None:
    """Give files whose hash would not be right the one that is, then read and run the network."""
    from fxsim.files import write_npz, write_yaml
    from fxsim.network.manifest import build, describe, tensors_of
    from fxsim.network.schema1 import convert
    from fxsim.network.storage import MANIFEST, TENSORS, _hashes, load_network
    from fxsim.plan.planner import plan_network
    from fxsim.simulator.simulator import simulate_outputs

    value, tensors = read_yaml(folder / MANIFEST), read_npz(folder / TENSORS)
    try:
        old = value["schema"] == "fxsim-network/1"
        network = build(convert(value) if old else value, tensors)
    except (KeyError, TypeError, ValueError, AttributeError, FxsimError):
        load_network(folder)
        return
    write_yaml(folder / MANIFEST, describe(network) | _hashes(network))
    write_npz(folder / TENSORS, tensors_of(network))
    network = load_network(folder)
    leading = (1, 2) if network.recurrent else (1,)
    zeros = {
        name: np.zeros((*leading, source.tensor.items), np.float32)
        for name, source in network.inputs.items()
        if source.tensor.items < 1 << 16
    }
    if len(zeros) == len(network.inputs):
        simulate_outputs(network, zeros)
    plan_network(network)


def _write_arrays(folder: Path) -> None:
    draw = np.random.default_rng(1)
    np.save(folder / "x.npy", draw.integers(0, 16, (20, 6)))
    np.save(folder / "floats.npy", draw.random((20, 6), np.float32))
    np.savez(folder / "dnet.npz", dnet=draw.integers(-128, 128, (6, 16), np.int8), x=np.ones(3))


def _read_arrays(folder: Path) -> None:
    from fxsim.explorer.skip.gate_gradients import from_file
    from fxsim.explorer.skip.study import study
    from fxsim.npy import reading_npy, reading_npz
    from fxsim.simulator.stream import Stream
    from tests.commands import small_network

    read_npz(folder / "dnet.npz")
    with reading_npz(folder / "dnet.npz") as rows:
        for found in rows.values():
            found.take(*found.shape)
    for name in ("x.npy", "floats.npy"):
        with reading_npy(folder / name) as rows:
            list(Stream(small_network(), rows))
        read_npy(folder / name)
    gradients = from_file(folder / "dnet.npz")
    if gradients.size < 1 << 12:
        list(study(gradients, outputs=4))


def _write_store(folder: Path) -> None:
    from fxsim.explorer.outcome import Outcome
    from fxsim.explorer.run import Settings, facts_of
    from fxsim.explorer.store import open_store
    from tests.explorer.small import make

    job = make()
    facts = facts_of(job, Settings(), "fxsim explore", "fxsim explore --pick={point}")
    with open_store(folder / "s.sqlite", facts, resume=False) as store:
        for k in range(3):
            metrics = {"error": 0.1, "loss": 1.0 / (k + 1), "weight_memory_bits": 100.0 * (k + 1)}
            store.add(Outcome((k, 0, 0, 0), k, metrics), 0.5)
        store.add(Outcome((0, 1, 1, 1), 3, None, "impossible"), 0.5)
        store.measure((0, 0, 0, 0), {"loss": 2.0})
        verified = {"exact": True, "words": 50, "latency": 20, "interval": 8}
        store.verify((1, 0, 0, 0), verified)
        store.note((2, 0, 0, 0), "tested", {"error": 0.2})
    _unseal(folder / "s.sqlite")
    for path in folder.glob("*.lock"):
        path.unlink()


def _unseal(store: Path) -> None:
    """Make it one of before checksums, which would refuse most of the damage at once."""
    from fxsim.explorer.store import UNSEALED

    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("drop table seals")
        connection.execute("update facts set value = ? where name = 'schema'", (f'"{UNSEALED}"',))


def _read_store(folder: Path) -> None:
    from fxsim.explorer.front import front_rows, table, to_csv
    from fxsim.explorer.store import read_store
    from fxsim.report.exploration import write_exploration

    with read_store(folder / "s.sqlite") as store:
        to_csv(front_rows(store))
        table(store)
        store.predicted()
        json.dumps(store.facts)
        write_exploration(store, folder / "page.html", "s.sqlite")


def _read_trace(folder: Path) -> None:
    from fxsim.simulator.gradient_traces import load

    load(folder.name, folder.parent)


def _write_caches(folder: Path) -> None:
    from fxsim.cost.amounts import SYNTHESISED
    from fxsim.kernels.cache import CheckedCacheFile
    from fxsim.reproduce.store import Store

    (folder / "cells.json").write_text(json.dumps(dict.fromkeys(SYNTHESISED, 1.0)))
    (folder / "written.json").write_text(json.dumps({"a.v": ["0" * 64]}))
    CheckedCacheFile(str(folder), "kernel", "stamp").save("key", {"code": b"x" * 50})
    Store(folder).keep("run", {"seed": 1}, {"accuracy": 0.5})


def _read_caches(folder: Path) -> None:
    from fxsim.cost import synth_cache
    from fxsim.folders import _read_list
    from fxsim.kernels.cache import CheckedCacheFile
    from fxsim.reproduce.store import Store

    found = CheckedCacheFile(str(folder), "kernel", "stamp").load("key")
    assert found in (None, {"code": b"x" * 50})
    cells = synth_cache._read(folder / "cells.json")
    assert cells is None or all(isinstance(value, float) for value in cells.values())
    Store(folder).find("run", {"seed": 1})
    _read_list(folder / "written.json")


def _write_state(folder: Path) -> None:
    import torch

    from fxsim.training.resume import TrainingState, save_state

    values = {"network": {"w": torch.ones(30), "scales": [None]}, "best": None}
    save_state(TrainingState(fingerprint="f", stage=1, epoch=2, values=values), folder / "resume")


def _read_state(folder: Path) -> None:
    import torch

    from fxsim.training.resume import load_state

    found = load_state(folder / "resume", "f")  # what is accepted is what was written
    assert (found.stage, found.epoch) == (1, 2)
    assert found.values["network"]["w"].equal(torch.ones(30))


def _write_data(folder: Path) -> None:
    import scipy.io

    from tests.data.test_local import idx, write_mnist
    from tests.data.test_timit import SOUND, riff, sphere

    write_mnist(folder)
    (folder / "packed.gz").write_bytes(gzip.compress(idx(np.zeros((3, 28, 28)))))
    images = np.zeros((32, 32, 3, 3), np.uint8)
    labels = np.array([[1], [2], [3]], np.uint8)
    values = {"X": images, "y": labels, "other": np.ones(3)}
    scipy.io.savemat(folder / "packed.mat", values, do_compression=True)
    scipy.io.savemat(folder / "plain.mat", values)
    batch = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 2]}
    (folder / "batch").write_bytes(pickle.dumps(batch, protocol=2))
    (folder / "batch.bin").write_bytes(bytes(3073 * 2))
    (folder / "sphere.wav").write_bytes(sphere(SOUND))
    (folder / "riff.wav").write_bytes(riff(SOUND))
    (folder / "a.phn").write_text("0 2000 sil\n2000 4000 aa\n".replace("sil", "h#"))


def _read_data(folder: Path) -> None:
    """Read every file, so that a mutated one is met after sound ones."""
    from fxsim.data import cifar10, mnist, svhn, timit
    from fxsim.data.audio import read_audio
    from fxsim.data.local import read

    mnist.load(folder, published=False)
    mnist.parse_idx(folder / "packed.gz", read(folder / "packed.gz", limit=1 << 20), 3)
    for name in ("packed.mat", "plain.mat"):
        svhn._read(folder / name, None, None)
    cifar10._read_python(folder / "batch", None)
    cifar10._read_binary(folder / "batch.bin", None)
    for name in ("sphere.wav", "riff.wav"):
        timit.front_end(read_audio(folder / name, 16_000))
    timit.read_labels(folder / "a.phn", 10)


_SPEC = {"spec.yaml": mutate.YAML, "checkpoint.npz": mutate.NPZ}
_NETWORK = {"network.yaml": mutate.YAML, "network.npz": mutate.NPZ}
_MANIFEST = {"network.yaml": (mutate.yaml_tree,), "network.npz": (mutate.npz_members,)}


def _spec_of(name: str, model: Path, read: Callable[[Path], None]) -> Reader:
    write = _copying(model / "spec.yaml", model / "checkpoint.npz")
    return Reader(name=name, write=write, read=read, mutations=_SPEC)


def _network_of(name: str, model: Path) -> Reader:
    write = _copying(model / "network.yaml", model / "network.npz")
    return Reader(name=name, write=write, read=_read_sealed, mutations=_MANIFEST)


_ALL = (
    _spec_of("spec", INT8, _quantize),
    _spec_of("spec-lstm", LSTM, _read_spec),
    _spec_of("spec-graph", RESIDUAL, _read_spec),
    Reader(
        name="space",
        write=_copying(TERNARY / "spec.yaml", TERNARY / "explore.yaml"),
        read=_read_space,
        mutations={"explore.yaml": mutate.YAML},
    ),
    Reader(
        name="unit",
        write=_copying(*sorted(MODELS.glob("*.yaml"))),
        read=_read_unit,
        mutations={path.name: mutate.YAML for path in MODELS.glob("*.yaml")},
    ),
    Reader(
        name="network",
        write=_copying(INT8 / "network.yaml", INT8 / "network.npz"),
        read=_read_network,
        mutations=_NETWORK,
    ),
    _network_of("sealed", TERNARY),
    _network_of("sealed-lstm", LSTM),
    _network_of("sealed-graph", RESIDUAL),
    Reader(
        name="arrays",
        write=_write_arrays,
        read=_read_arrays,
        mutations={"x.npy": mutate.NPY, "floats.npy": mutate.NPY, "dnet.npz": mutate.NPZ},
    ),
    Reader(
        name="store", write=_write_store, read=_read_store, mutations={"s.sqlite": mutate.SQLITE}
    ),
    Reader(
        name="trace",
        write=_copying(*sorted((MODELS / "gradient-traces" / "early").iterdir())),
        read=_read_trace,
        mutations=_NETWORK | {"trace.yaml": mutate.YAML, "trace.npz": mutate.NPZ},
    ),
    Reader(
        name="caches",
        write=_write_caches,
        read=_read_caches,
        mutations={
            **dict.fromkeys(("cells.json", "written.json", "run.json"), mutate.JSON),
            **dict.fromkeys(("kernel.nbi", "kernel.1.nbc"), mutate.BYTES),
        },
    ),
    Reader(name="state", write=_write_state, read=_read_state, mutations={"resume": mutate.BYTES}),
    Reader(
        name="data",
        write=_write_data,
        read=_read_data,
        mutations=dict.fromkeys(
            (
                *("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "packed.gz", "packed.mat"),
                *("plain.mat", "batch", "batch.bin", "sphere.wav", "riff.wav", "a.phn"),
            ),
            mutate.BYTES,
        ),
    ),
)

READERS: Mapping[str, Reader] = {reader.name: reader for reader in _ALL}


def write_seeds(folder: Path) -> None:
    """Write the valid files of every reader, each into a folder of its own."""
    for reader in _ALL:
        (folder / reader.name).mkdir(parents=True)
        reader.write(folder / reader.name)
