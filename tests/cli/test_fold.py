"""``fxsim fold``: balanced foldings, their table and the specification that it writes."""

import json

import pytest

from fxsim.network.storage import load_network
from fxsim.plan.memories import memories
from fxsim.plan.planner import plan_network
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


def test_a_part_is_compared_with():
    """Cells of 8-bit weights take multipliers of 9 x 9, two of which share one on Gowin."""
    arguments = ("fold", "digits-mlp-int8", "--multipliers", 100, "--part", "gw1nr-9", "--json")
    facts = json.loads(fxsim_cli(*arguments).stdout)
    folded = fold_within(load_network(MODELS / "digits-mlp-int8"), 100)
    products = sum(-(-p.folding.rows * p.folding.simd // 2) for p in folded.network.linears)
    taken, there = facts["part"]["dsp"]
    assert taken >= products
    assert there == 20
    assert facts["part"]["luts"] == [folded.luts, 8640]
    held = memories(plan_network(folded.network))
    assert facts["part"]["memory_bits"] == [sum(m.bits for m in held), 26 * 16384]
    text = fxsim_cli(*arguments[:-1]).stdout
    share = f"{folded.luts:,} of 8,640 ({folded.luts / 8640:.0%})"
    assert f"gw1nr-9 (gowin): DSP blocks {taken:,} of 20 ({taken / 20:.0%}); logic" in text
    assert f"cells alone about {share}; memory bits" in text
    line = fxsim_cli("fold", DIGITS, "--luts", 1000, "--part", "gw1nr9", status=1).stderr
    assert line == "error: unknown part 'gw1nr9'; did you mean 'gw1nr-9'?\n"


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
