"""Specifications that are written again keep what their users wrote in them."""

from __future__ import annotations

import difflib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsim.cli.explore import write_point
from fxsim.explorer.space import load_space
from fxsim.files import read_yaml, write_yaml
from fxsim.spec import load_spec
from fxsim.spec.rewrite import rewrite
from tests.commands import fxsim_cli
from tests.places import MODELS

TEXT = """\
# What it is for.
name: "n"   # quoted
data: digits

input: {shape: [64], bits: 8}  # why eight
layers:
  # The first.
  - type: linear
    units: 010   # not a number
    hardware: {rows: 8, simd: 8}

  - {type: linear, units: 10}
train: {lr: 1e-4}
"""


def written(tmp_path, text, old, new):
    source, path = tmp_path / "old.yaml", tmp_path / "new.yaml"
    source.write_text(text)
    rewrite(source, old, new, path, lambda plain: plain == new)
    return path.read_text()


def test_all_but_what_changes_stays(tmp_path):
    (tmp_path / "old.yaml").write_text(TEXT)
    old = read_yaml(tmp_path / "old.yaml")
    new = json.loads(json.dumps(old))
    new["layers"][0]["hardware"]["rows"] = 4
    new["layers"][1]["hardware"] = {"rows": 2, "pad": False}
    del new["train"]
    expected = (
        TEXT.replace("hardware: {rows: 8, simd: 8}", "hardware: {rows: 4, simd: 8}")
        .replace("units: 10}", "units: 10, hardware: {rows: 2, pad: false}}")
        .replace("train: {lr: 1e-4}\n", "")
    )
    assert written(tmp_path, TEXT, old, new) == expected


KEYS = st.sampled_from("abcd")
NUMBERS = st.integers() | st.floats(allow_nan=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text("ab01:#-", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(KEYS, PLAIN, min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(old=MAPPINGS, new=MAPPINGS)
def test_what_is_read_back_is_what_was_wanted(tmp_path_factory, old, new):
    folder = tmp_path_factory.mktemp("r")
    write_yaml(folder / "old.yaml", old)
    rewrite(folder / "old.yaml", old, new, folder / "new.yaml", lambda plain: plain == new)
    assert read_yaml(folder / "new.yaml") == new


@pytest.mark.parametrize("name", ["digits-mlp-ternary", "handwriting-residual-ternary"])
def test_fold_keeps_comments(tmp_path, name):
    path, source = tmp_path / "spec.yaml", MODELS / name / "spec.yaml"
    fxsim_cli("fold", MODELS / name, "--interval", 2000, "-o", path)
    before, after = source.read_text().splitlines(), path.read_text().splitlines()
    assert [line for line in before if line.lstrip().startswith("#")] == [
        line for line in after if line.lstrip().startswith("#")
    ]
    plain = [load_spec(p).model_dump(mode="json", exclude_unset=True) for p in (source, path)]
    for value in plain:
        for layer in value["layers"]:
            layer.pop("hardware", None)
    assert plain[0] == plain[1]
    if name == "digits-mlp-ternary":  # a key a line
        changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
        assert changed
        assert all("hardware" in line for line in changed)


def test_a_picked_point_keeps_comments(tmp_path):
    source, path = MODELS / "digits-mlp-ternary" / "spec.yaml", tmp_path / "point.yaml"
    space = load_space(load_spec(source), "s", source.with_name("explore.yaml"))
    write_point(space, 7, source, path)
    assert path.read_text().startswith(source.read_text().splitlines()[0])
    expected = space.apply(space.choices(7))
    assert load_spec(path).model_dump(exclude_none=True) == expected.model_dump(exclude_none=True)
