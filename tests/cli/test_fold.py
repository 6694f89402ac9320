"""``fxsim fold``: balanced foldings, their table and the specification that it writes."""

import json

import pytest

from fxsim.network.storage import load_network
from fxsim.quantizer import quantize
from fxsim.spec import load_spec
from fxsim.timing.cycles import load
from fxsim.timing.folding import fold, fold_within, luts
from tests.commands import fxsim_cli
from tests.places import MODELS

DIGITS, LENET = "digits-mlp-ternary", "handwriting-lenet-ternary"


def test_the_table_names_the_bottleneck():
    text = fxsim_cli("fold", DIGITS, "--interval", 64).stdout
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line[:5] == "layer"}
    # 64 x 64, 32 x 64 and 10 x 32 products within 64 cycles: 64, 32 and 5 cells.
    assert [row[4] for row in rows.values()] == ["64", "32", "5"]
    assert [row[6:] for row in rows.values()] == [["64", "100%"]] * 3
    assert "interval 64 cycles, set by layer0; 101 multiply-accumulate cells" in text


def test_budgets():
    facts = json.loads(fxsim_cli("fold", DIGITS, "--multipliers", 100, "--json").stdout)
    folded = fold_within(load_network(MODELS / DIGITS), 100)
    assert facts["interval"] == folded.interval > 64
    assert facts["multipliers"] == sum(row["multipliers"] for row in facts["layers"]) <= 100
    facts = json.loads(fxsim_cli("fold", DIGITS, "--luts", 1000, "--json").stdout)
    assert facts["luts"] == sum(row["luts"] for row in facts["layers"]) <= 1000
    faster = fold(load_network(MODELS / DIGITS), facts["interval"] - 1)
    assert sum(map(luts, faster.network.layers)) > 1000


@pytest.mark.parametrize("model", [DIGITS, LENET])
def test_the_specification_that_is_written_folds_so(model, tmp_path):
    path = tmp_path / "folded.yaml"
    fxsim_cli("fold", model, "--interval", 2000, "-o", path)
    wanted = fold(load_network(MODELS / model), 2000)
    before, after = load_spec(MODELS / model / "spec.yaml"), load_spec(path)
    for i, layer in enumerate(before.layers):
        assert after.layers[i].model_copy(update={"hardware": None}) == layer.model_copy(
            update={"hardware": None}
        )
    assert after.train == before.train
    assert after.retrain == before.retrain
    network = quantize(after, *_parameters(model, after), direct=False)
    assert {layer.name: load(layer) for layer in network.layers} == wanted.loads
    for layer, other in zip(network.linears, wanted.network.linears, strict=True):
        assert layer.folding == other.folding


def _parameters(model, spec):
    from fxsim.data import load as load_data
    from fxsim.floats.checkpoint import load_checkpoint
    from fxsim.simulator.evaluate import calibration_samples

    dataset = load_data(spec.data, spec.input.shape)
    checkpoint = load_checkpoint(MODELS / model / "checkpoint.npz", spec)
    return checkpoint, calibration_samples(dataset, 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((DIGITS, "--multipliers", 2), "multipliers must be at least 3, not 2"),
        ((DIGITS, "--luts", 40), "luts must be at least 41, not 40"),
        (
            (LENET, "--interval", 783),
            "layer0: interval must be at least 784, not 783",
        ),
        (
            ("charlm-lstm-int8", "--interval", 100),
            "layer0: foldings of layers with state must be chosen by hand",
        ),
    ],
)
def test_what_cannot_be(arguments, message):
    assert fxsim_cli("fold", *arguments, status=1).stderr == f"error: {message}\n"


@pytest.mark.parametrize("arguments", [(), ("--interval", 9, "--luts", 9)])
def test_one_limit_is_needed(arguments):
    text = fxsim_cli("fold", DIGITS, *arguments, status=2).stderr
    assert "give one of --interval, --multipliers and --luts" in text


def test_a_folding_needs_a_specification_to_be_written(tmp_path):
    for name in ("network.yaml", "network.npz"):
        (tmp_path / name).write_bytes((MODELS / DIGITS / name).read_bytes())
    arguments = ("fold", tmp_path, "--interval", 64, "-o", tmp_path / "new.yaml")
    assert fxsim_cli(*arguments, status=1).stderr == (
        f"error: {tmp_path / 'spec.yaml'}: not found; a folding is written to a copy of it\n"
    )
