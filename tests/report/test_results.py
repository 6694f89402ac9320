"""Results: the verdict, and plain values."""

import json
from dataclasses import FrozenInstanceError

import pytest

from fxsim.network.storage import network_hash
from fxsim.report.page import render
from fxsim.report.results import Mismatch, Regression
from tests.report.cases import (
    BLOCKS,
    CYCLES,
    MISMATCH,
    NETWORK,
    SWEEP,
    Page,
    make_results,
    make_run,
)


@pytest.mark.parametrize(
    ("runs", "status", "text"),
    [
        ([], "unverified", "not verified: no simulator was run"),
        ([{"words": 0}], "failed", "failed on icarus: no words were compared"),
        ([{"tests": 0}], "failed", "failed on icarus: no words were compared"),
        ([{"failed": 1}], "failed", "failed on icarus: 1 of 2 tests failed"),
        ([{"failed": 1, "messages": ["it hangs"]}], "failed", "failed on icarus: it hangs"),
        (
            [{"latency_measured": 3}],
            "failed",
            "failed on icarus: cycles differ from the prediction",
        ),
        ([{"wrong": 1}], "failed", "not bit-exact: 1 of 7,872 words differ"),
        ([{"mismatch": MISMATCH}], "failed", "not bit-exact: 0 of 7,872 words differ"),
        (
            [{"latency_measured": None, "interval_measured": None}],
            "exact",
            "bit-exact: 7,872 words compared, 0 mismatches",
        ),
    ],
)
def test_only_a_complete_comparison_is_exact(runs, status, text):
    results = make_results(regressions=[make_run(**run) for run in runs])
    assert (results.verdict.status, results.verdict.text) == (status, text)
    page = Page(render(results))
    assert ("class", f"verdict {status}") in page.attributes
    assert " ".join(page.verdict.split()).startswith(text)


def test_json_holds_everything():
    value = make_results(regressions=[make_run(failed=1, wrong=1, mismatch=MISMATCH)]).to_json()
    assert json.loads(json.dumps(value)) == value
    assert value["schema"] == "fxsim-results/1"
    assert value["hash"] == network_hash(NETWORK)
    assert value["verdict"] == {
        "status": "failed",
        "text": "not bit-exact: 1 of 7,872 words differ",
    }
    assert value["regressions"][0]["mismatch"] == MISMATCH
    assert value["areas"][1]["blocks"] == BLOCKS
    assert value["accuracy"]["fixed"] == 0.9806
    assert [row["accuracy"] for row in value["sweep"]] == [row.accuracy for row in SWEEP]
    assert value["cycles"]["latency"] == CYCLES.latency
    assert value["layers"][0]["accumulator"]["limits"] == [-256, 255]


def test_results_are_frozen_and_made_from_any_object_with_their_attributes():
    run = Regression.of(make_run(mismatch=MISMATCH))
    assert run.mismatch == Mismatch(**MISMATCH)
    assert run.patterns == ("none", "both")
    with pytest.raises(FrozenInstanceError):
        run.words = 1
    del (incomplete := make_run()).words
    with pytest.raises(TypeError, match="words"):
        Regression.of(incomplete)
