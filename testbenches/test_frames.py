"""A frame of the wrong length costs its own vector, and no other."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.hw.emit import accelerator_verilog, memory_files, unit_memory_files, unit_verilog
from fxsim.network import IntArray, QuantizedNetwork
from fxsim.network.skip_unit import SkipUnit
from fxsim.network.storage import load_network
from fxsim.network.units import AnyUnit
from fxsim.plan.mac_unit import plan_mac_unit
from fxsim.plan.planner import plan_network
from fxsim.simulator.simulator import simulate_trace
from fxsim.testbenches import mac_unit, skip_unit, test_mac_unit, test_skip_unit
from fxsim.testbenches.accelerator import accelerator_job
from fxsim.testbenches.bench.job import RESTART, Job
from fxsim.testbenches.bench.simulators import SIMULATORS, find_simulator
from fxsim.testbenches.frames import cut, errors_of, lengths_of, reframed
from fxsim.testbenches.run import run
from fxsim.testbenches.test_networks import drawn
from tests.graph_strategies import graph_networks
from tests.places import MODELS

STEPS = 3
"""Vectors of a sequence."""

NETWORKS = {
    "digits-mlp-ternary": (60, 24),
    "digits-mlp-int8": (60, 24),
    "phonemes-mlp-ternary": (60, 6),
    "charlm-lstm-ternary": (12, 3),
    "charlm-lstm-int8": (12, 3),
    "handwriting-lenet-ternary": (12, 3),
    "handwriting-residual-ternary": (12, 3),
    "house-numbers-cnn-narrow": (4, 3),
    "house-numbers-cnn-ternary": (4, 3),
}
"""Frames of each network on Verilator and on Icarus."""

QUICK = {
    ("verilator", "digits-mlp-int8"),
    ("verilator", "charlm-lstm-int8"),
    ("verilator", "handwriting-lenet-ternary"),
    ("icarus", "digits-mlp-ternary"),
    ("icarus", "charlm-lstm-ternary"),
}
"""Those of every run of the tests; the others are slow ones."""


def frames_job(network: QuantizedNetwork, count: int, seed: int) -> tuple[Job, int]:
    """Job of frames of many lengths, and how many of them are wrong."""
    generator, plan = random.Random(seed), plan_network(network)
    recurrent, steps = network.recurrent, STEPS if network.recurrent else 1
    given_: dict[str, IntArray] = {}
    lengths: dict[str, list[int]] = {}
    for name, source in network.inputs.items():
        beats, fmt = plan.inputs[name].count, source.activation.format
        size = (count, steps, source.tensor.items)
        x = np.random.default_rng(seed).integers(fmt.min, fmt.max, size, endpoint=True)
        # A sequence has the length that the first input gives it; its last vector may lack words.
        leads = recurrent and not lengths
        given_[name] = x
        found = lengths_of(generator, count, beats * steps, (steps - 1) * beats + 1 if leads else 1)
        lengths[name] = [min(n, beats * steps) for n in found] if leads else found
    shape = (count, steps, -1) if recurrent else (count, -1)
    taken = {
        name: cut(x, lengths[name], plan.inputs[name].beat.lanes).reshape(shape)
        for name, x in given_.items()
    }
    job = accelerator_job(
        network, simulate_trace(network, taken), patterns=["none", "both", RESTART], seed=seed
    )
    sent = accelerator_job(
        network,
        simulate_trace(network, {name: x.reshape(shape) for name, x in given_.items()}),
    )
    (device,), (clean,) = job.devices, sent.devices
    errors = sum(errors_of(channel, lengths[channel.name]) for channel in clean.sources)
    sent_by, *more = (
        reframed(channel, lengths[channel.name], generator, sequences=recurrent)
        for channel in clean.sources
    )
    # Only later words tell whether a frame is as long as that of the first input.
    flag = None if recurrent and more else device.flag
    device = replace(device, source=sent_by, more_sources=more, flag=flag)
    return replace(job, devices=[device]), errors


def check(network: QuantizedNetwork, count: int, simulator: str, folder: Path, seed: int) -> None:
    """Every word of every layer, and the count of wrong frames."""
    network = replace(network, control=True)
    job, errors = frames_job(network, count, seed)
    result = run(
        *(find_simulator(simulator), accelerator_verilog(network), network.name, job, folder),
        memories=memory_files(network),
    )
    assert (result.messages, result.wrong) == ([], 0)
    assert [seen["registers"]["frame_errors"] for seen in result.outcomes] == [errors] * 3


@pytest.mark.parametrize(
    ("simulator", "name"),
    [
        pytest.param(*run, marks=() if run in QUICK else pytest.mark.slow)
        for run in product(SIMULATORS, NETWORKS)
    ],
)
def test_shipped_networks(simulator: str, name: str, tmp_path: Path) -> None:
    count = NETWORKS[name][SIMULATORS.index(simulator)]
    check(load_network(MODELS / name), count, simulator, tmp_path, 3)


def unit_frames(job: Job, sent: Job, lengths: list[int], generator: random.Random) -> Job:
    """The job with frames of these lengths at its input."""
    (device,), (clean,) = job.devices, sent.devices
    source = reframed(clean.source, lengths, generator, sequences=False)
    return replace(job, devices=[replace(device, source=source)])


def run_unit(unit: AnyUnit, job: Job, simulator: str, folder: Path) -> list[int]:
    """Frame errors of each run, where all words are right."""
    memories = unit_memory_files(unit)
    result = run(
        *(find_simulator(simulator), unit_verilog(unit), unit.name, job, folder), memories=memories
    )
    assert (result.messages, result.wrong) == ([], 0)
    return [seen["registers"]["frame_errors"] for seen in result.outcomes]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("name", ["loaded columns", "from a file"])
def test_mac_units(name: str, simulator: str, tmp_path: Path) -> None:
    """Matrices of several columns, and those that a file has the weights for."""
    unit, generator, seed = (
        test_mac_unit.small(tmp_path, test_mac_unit.SMALL[name]),
        random.Random(5),
        5,
    )
    weights = mac_unit.loaded_weights(unit, seed)
    vectors = mac_unit.random_vectors(unit, 40 * unit.columns, seed)
    plan = plan_mac_unit(unit)
    matrices = unit.matrices(vectors)
    lengths = lengths_of(generator, len(matrices), plan.input.count)
    flat = matrices.reshape(len(matrices), 1, -1)
    taken = cut(flat, lengths, plan.input.beat.lanes).reshape(matrices.shape)
    seen = taken.swapaxes(1, 2).reshape(-1, unit.layer.inputs)
    job, sent = (
        mac_unit.unit_job(unit, weights, x, patterns=["none", "both"], seed=seed)
        for x in (seen, vectors)
    )
    job = unit_frames(job, sent, lengths, generator)
    errors = errors_of(sent.devices[0].source, lengths)
    assert run_unit(unit, job, simulator, tmp_path) == [errors] * 2


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("name", ["loadable", "skipper"])
def test_skip_units(name: str, simulator: str, tmp_path: Path) -> None:
    unit, generator = test_skip_unit.units_of(tmp_path)[name], random.Random(6)
    weights = unit.product.weights if unit.product is not None and unit.product.loadable else None
    gradients = skip_unit_samples(unit, 60)
    lengths = lengths_of(generator, len(gradients), unit.beats)
    taken = cut(gradients[:, None], lengths, unit.lanes)[:, 0]
    job, sent = (
        skip_unit.unit_job(unit, weights, x, 2, patterns=["none", "both"], seed=6)
        for x in (taken, gradients)
    )
    job = unit_frames(job, sent, lengths, generator)
    errors = errors_of(sent.devices[0].source, lengths)
    assert run_unit(unit, job, simulator, tmp_path) == [errors] * 2


def skip_unit_samples(unit: SkipUnit, count: int) -> IntArray:
    """Gradients, half of which are 0."""
    generator, fmt = np.random.default_rng(6), unit.gradient
    values = generator.integers(fmt.min, fmt.max, (count, unit.items), endpoint=True)
    return np.where(generator.random(values.shape) < 0.5, values, 0)


@pytest.mark.parametrize("lengths", [(-3, 0), (2, 0), (-1, 5, 0)], ids=["short", "long", "both"])
@pytest.mark.parametrize("kind", ["mac", "skip"])
def test_sets_of_weights(kind: str, lengths: tuple[int, ...], tmp_path: Path) -> None:
    """A set of the wrong length lets matrices in as any other, and the next set is right again."""
    unit: AnyUnit
    if kind == "mac":
        unit = array = test_mac_unit.small(tmp_path, test_mac_unit.SMALL["loaded columns"])
        loaded, vectors = mac_unit.loaded_weights(array, 1), mac_unit.random_vectors(array, 7, 1)
        job = mac_unit.unit_job(array, loaded, vectors, patterns=["none"])
    else:
        unit = skipping = test_skip_unit.units_of(tmp_path)["loadable"]
        assert skipping.product is not None
        weights, gradients = skipping.product.weights, skip_unit_samples(skipping, 9)
        job = skip_unit.unit_job(skipping, weights, gradients, 0, patterns=["none"])
    (right,) = job.preload
    frames = [len(right.words) + more for more in lengths]
    words = [k % 3 for k in range(sum(frames[:-1]))] + list(right.words)
    (device,) = job.devices
    job = replace(
        job,
        preload=[replace(right, words=words, frames=frames)],
        # Frames that come before the bench looks.
        devices=[replace(device, flag=None)],
    )
    assert run_unit(unit, job, "icarus", tmp_path) == [len(lengths) - 1]


@drawn(max_examples=3)
@given(data=st.data())
def test_random_graphs(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    network = data.draw(
        graph_networks(max_layers=6, max_side=4, recurrent=data.draw(st.booleans()))
    )
    folder = tmp_path_factory.mktemp("frames")
    check(network, 6, "icarus", folder, data.draw(st.integers(0, 99)))
