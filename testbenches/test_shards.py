"""Whole data sets in shards: the same words as in one run, kept as they finish, taken up again."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from fxsim.cluster import connected, each_on
from fxsim.errors import FileError
from fxsim.hw import emit
from fxsim.network import INPUT, QuantizedNetwork
from fxsim.processes import each
from fxsim.simulator.simulator import simulate_trace
from fxsim.testbenches import shards as shards_module
from fxsim.testbenches.cases.samples import chain, random_inputs, tail_of
from fxsim.testbenches.shards import PATTERNS, Shards, keeping
from fxsim.testbenches.verify import verify
from tests.commands import fxsim_cli

COUNT = 11


@pytest.fixture
def shards(monkeypatch: pytest.MonkeyPatch) -> Shards:
    """Eleven samples of a small network, in shards of at most four."""
    network = chain(["layer0", "layer1"])
    samples = {INPUT: random_inputs(network, COUNT)}
    made = Shards.of(network, samples, "icarus", 1)
    monkeypatch.setattr(shards_module, "_CYCLES", 4 * made.cycles // COUNT)
    return made


def test_shards_have_the_words_of_one_run(shards: Shards, tmp_path: Path) -> None:
    assert shards.spans == [(0, 4), (4, 8), (8, 11)]
    results = [shards(span) for span in shards.spans]
    (whole,) = verify(
        shards.network,
        vectors={"icarus": shards.samples},
        seed=1,
        folder=tmp_path,
        patterns=PATTERNS,
    )
    assert all(result.ok for result in results)
    assert sum(result.words for result in results) == whole.words
    assert sum(result.vectors for result in results) == whole.vectors == COUNT
    assert [(result.first, result.last) for result in results] == shards.spans


def test_on_processes_and_on_a_cluster(shards: Shards) -> None:
    """What crosses to other processes finds the same there."""
    spans = shards.spans
    here = {span: shards(span).words for span in spans}
    assert {span: found.words for span, found in each(shards, spans, 2)} == here
    with connected("local", 1) as client:
        assert {span: found.words for span, found in each_on(client, shards, spans)} == here


def shifted(network: QuantizedNetwork) -> QuantizedNetwork:
    """The network, whose last layer shifts one place more."""
    first, last = network.linears
    tail = tail_of(last)
    return replace(network, layers=(first, replace(last, tail=replace(tail, shift=tail.shift + 1))))


def test_a_wrong_word_has_its_sample(shards: Shards) -> None:
    wrong = replace(shards, network=shifted(shards.network))
    result = wrong((4, 8))
    assert not result.ok
    assert result.wrong > 0
    assert result.messages[0].startswith(
        "samples 4 to 7, vectors from 0 there: stream/pattern=none: layer1: vector "
    )


def test_results_are_kept_and_taken_up_again(shards: Shards, tmp_path: Path) -> None:
    path = tmp_path / "shards.jsonl"
    done = [shards(span) for span in shards.spans[:2]]
    bad = replace(done[1], wrong=1)
    with keeping(tmp_path, shards.facts) as kept:
        kept.add(done[0])
        kept.add(bad)
        assert kept.samples == 8
    with keeping(tmp_path, shards.facts) as kept:
        assert list(kept.results.values()) == done[:1]  # what is not clean is done again
        kept.add(done[1])
    whole = path.read_text()
    for damaged in (
        whole[:-9].encode(),  # a kill, or a full disk
        whole.replace('"first": 4, "last": 8', '"first": 4, "last": 9').encode(),
        whole.encode().replace(b"\n", b"\n\xff", 1),
    ):
        path.write_bytes(damaged)
        with keeping(tmp_path, shards.facts) as kept:
            assert list(kept.results.values()) == done[:1]
            kept.add(done[1])
        assert path.read_text() == whole


@pytest.mark.parametrize("what", ["samples", "network", "seed", "simulator"])
def test_results_of_something_else_are_not_taken(
    what: str, shards: Shards, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    result = shards(shards.spans[0])
    with keeping(tmp_path, shards.facts) as kept:
        kept.add(result)
    network = chain(["layer0", "other"])
    changes = {
        "samples": {"samples": {INPUT: shards.samples[INPUT][::-1]}},
        "network": {"network": network, "verilog": emit.accelerator_verilog(network)},
        "seed": {"seed": 2},
        "simulator": {},
    }
    other = replace(shards, **changes[what])  # type: ignore[arg-type]
    with keeping(tmp_path, shards.facts) as kept:
        kept.check(shards)
        assert list(kept.results) == shards.spans[:1]
    if what == "simulator":  # another word expected, from code that has changed
        monkeypatch.setattr(
            "fxsim.testbenches.shards.simulate_trace",
            lambda network, x: simulate_trace(shifted(network), x),
        )
    with keeping(tmp_path, other.facts) as kept:
        kept.check(other)
        assert kept.results == {}


def test_two_runs_at_once_are_refused(shards: Shards, tmp_path: Path) -> None:
    with (
        keeping(tmp_path, shards.facts),
        pytest.raises(FileError, match="another run is writing to it"),
        keeping(tmp_path, shards.facts),
    ):
        pass


# The command.


def test_command(tmp_path: Path) -> None:
    verify_digits = partial(
        fxsim_cli, "verify", "digits-mlp-ternary", "--data", "digits:test", "-o", tmp_path, "--json"
    )
    first = verify_digits()
    assert "digits_mlp_ternary on verilator: 360 of 360 in " in first.stderr
    (whole,) = json.loads(first.stdout)
    expected = {"samples": 360, "words": 41_760, "mismatches": 0, "kept": 0, "ok": True}
    assert whole.items() >= expected.items()
    again = verify_digits()
    (whole,) = json.loads(again.stdout)
    assert whole.items() >= (expected | {"kept": 1}).items()
    assert "1 shards, 1 of them done before" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either NETWORK or --all-networks"),
        (["digits-mlp-ternary", "--all-networks"], "give either NETWORK or --all-networks"),
        (["--all-networks", "--data", "digits:test"], "leave out --data"),
        (
            ["digits-mlp-ternary", "--data", "digits:test", "--vectors", "3"],
            "--vectors and --bench do not go with whole data sets",
        ),
        (["digits-mlp-ternary", "-j", "2"], "--processes and --cluster go with --data or"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], message: str) -> None:
    assert message in " ".join(fxsim_cli("verify", *arguments, status=2).stderr.split())


def test_a_unit_has_no_data_set() -> None:
    said = fxsim_cli("verify", "zero-skipper", "--data", "digits:test", status=1).stderr
    assert said == "error: zero-skipper is a unit, which has no data set; leave out --data\n"


def test_a_split_that_is_unknown() -> None:
    said = fxsim_cli("verify", "digits-mlp-ternary", "--data", "digits:all", status=1).stderr
    assert "split must be digits:train or digits:validation or digits:test" in said


@pytest.mark.slow
def test_all_networks(tmp_path: Path) -> None:
    """Every test sample of every shipped network."""
    found = json.loads(fxsim_cli("verify", "--all-networks", "-o", tmp_path, "--json").stdout)
    assert len(found) == 9
    for whole in found:
        assert whole["ok"], whole["messages"]
