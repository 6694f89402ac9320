"""Graphs in specifications: sources, inputs and outputs, and every refusal with its reason."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest
import yaml
from hypothesis import given

from fxsim.errors import SpecError
from fxsim.explorer.space import parse_space
from fxsim.files import read_yaml
from fxsim.spec import parse_spec
from fxsim.spec.graph import Graph
from fxsim.spec.weight_groups import weight_groups
from tests.graph_specs import OUT, graph_specs
from tests.messages import raises
from tests.places import ROOT
from tests.spec.specs import changed, refused
from tests.strategies import unhurried


def linear(name, *sources, units=4, **keys):
    layer = {"type": "linear", "name": name, "units": units} | OUT | keys
    return layer | ({"sources": list(sources)} if sources else {})


def add(name, *sources, **keys):
    return {"type": "add", "name": name, "sources": list(sources)} | OUT | keys


CONVOLUTION = {"type": "convolution", "units": 4, "kernel": 1} | OUT

SPEC = {
    "name": "net",
    "data": "none",
    "inputs": {"image": {"shape": [2, 3, 3]}, "extra": {"shape": [4]}},
    "layers": [
        CONVOLUTION | {"name": "stem", "sources": ["image"]},
        CONVOLUTION | {"name": "left"},
        CONVOLUTION | {"name": "right", "sources": ["stem"]},
        add("merge", "left", "right", "stem"),
        {"type": "flatten", "name": "flat"},
        {"type": "lstm", "name": "cells", "cells": 4},
        linear("beside", "extra"),
        add("sum", "cells", "beside"),
        linear("scores", units=3),
        {"type": "argmax", "name": "class0"},
    ],
    "outputs": ["class0", "merge"],
}
"""Branches of images, an LSTM layer behind them, and a sum with the other input."""


def test_edges():
    spec = parse_spec(SPEC, "x.yaml")
    sources = {spec.layer_name(i): spec.layer_sources(i) for i in range(len(spec.layers))}
    assert sources == {
        "stem": ("image",),
        "left": ("stem",),
        "right": ("stem",),
        "merge": ("left", "right", "stem"),
        "flat": ("merge",),
        "cells": ("flat",),
        "beside": ("extra",),
        "sum": ("cells", "beside"),
        "scores": ("sum",),
        "class0": ("scores",),
    }
    assert spec.outputs == ("class0", "merge")
    image = (4, 3, 3)
    assert spec.shapes == {
        **{"image": (2, 3, 3), "extra": (4,), "flat": (36,), "scores": (3,), "class0": (1,)},
        **dict.fromkeys(("stem", "left", "right", "merge"), image),
        **dict.fromkeys(("cells", "beside", "sum"), (4,)),
    }
    assert spec.layer_shapes(3) == (image,) * 3
    assert [spec.in_network(name) for name in ("flat", "merge", "image")] == [
        *("merge", "merge", "image")
    ]
    assert [spec.logits(name) for name in spec.outputs] == ["scores", "merge"]
    names = ("stem", "cells_input", "cells_hidden", "beside", "scores")
    assert [product.inputs for product in spec.products if product.name in names] == [
        *(2, 36, 4, 4, 4)
    ]


def test_what_a_graph_says():
    """A diamond a -> (b -> c | d) -> e, whose c is an output, too."""
    graph = Graph(
        inputs=("x", "y"),
        layers=("a", "b", "c", "d", "e"),
        sources=(("x",), ("a",), ("b",), ("a", "y"), ("c", "d")),
        outputs=("c", "e"),
    )
    assert [graph.consumers(name) for name in ("x", "a", "c", "e")] == [(0,), (1, 3), (4,), ()]
    assert [graph.ancestors(i) for i in (2, 3, 4)] == [(0, 1, 2), (0, 3), (0, 1, 2, 3, 4)]
    assert [graph.inputs_of(i) for i in (2, 3)] == [("x",), ("x", "y")]
    assert graph.released() == (("x",), (), ("b",), ("a", "y"), ("d",))


def test_a_shortcut_is_short_for_sources():
    layers = [linear("a"), linear("b"), add("c", "b", "a")]
    value = {"name": "n", "data": "d", "input": {"shape": [3]}, "layers": layers}
    short = {key: item for key, item in layers[2].items() if key != "sources"} | {"shortcut": "a"}
    both = [parse_spec(value | {"layers": [*layers[:2], last]}, "t") for last in (layers[2], short)]
    assert both[0].graph == both[1].graph
    assert both[0] != both[1]  # a file is written as it was read


@unhurried
@given(graph_specs())
def test_what_is_written_is_what_was_read(value):
    spec = parse_spec(value, "x.yaml")
    for options in ({}, {"exclude_unset": True}, {"exclude_none": True}):
        plain = spec.model_dump(mode="json", **options)
        assert parse_spec(json.loads(json.dumps(plain)), "x.yaml") == spec
        assert ("inputs" in plain, "input" in plain) == ("inputs" in value, "input" in value)
        for layer, wanted in zip(plain["layers"], value["layers"], strict=True):
            assert ("sources" in layer) == ("sources" in wanted)
    assert pickle.loads(pickle.dumps(spec)) == spec


@unhurried
@given(graph_specs())
def test_answers_of_random_graphs(value):
    """The edges, from the plain values."""
    spec = parse_spec(value, "x.yaml")
    graph, names = spec.graph, [layer["name"] for layer in value["layers"]]
    assert graph.outputs == tuple(value.get("outputs", names[-1:]))
    taken = {name for sources in graph.sources for name in sources}
    assert taken | set(graph.outputs) == {*names, *spec.inputs}
    for i, name in enumerate(names):
        assert all(i in graph.ancestors(k) for k in graph.consumers(name))
        assert set(graph.ancestors(i)) == {i}.union(
            *(
                graph.ancestors(names.index(source))
                for source in graph.sources[i]
                if source in names
            )
        )
    gone = [name for released in graph.released() for name in released]
    assert sorted(gone) == sorted(taken - set(graph.outputs))


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("models/*/spec.yaml")), ids=lambda p: p.parent.name
)
def test_shipped_networks_are_written_without_new_keys(path):
    spec = parse_spec(read_yaml(path), str(path))
    plain = spec.model_dump(mode="json")
    assert not {"inputs", "outputs"} & set(plain)
    assert not any("sources" in layer for layer in plain["layers"])
    assert list(plain)[:4] == ["name", "data", "input", "layers"]


ERRORS = [
    (
        "layers.3.sources",
        ["left", "rihgt"],
        "sources must name an earlier layer or an input, not 'rihgt'; did you mean 'right'?",
        "layers[3].sources",
    ),
    (
        "layers.1.sources",
        ["zz"],
        "sources must name an earlier layer or an input, not 'zz' (image, extra, stem)",
        "layers[1].sources",
    ),
    (
        "layers.1.sources",
        ["merge"],
        "sources must name an earlier layer or an input, not 'merge', which comes later",
        "layers[1].sources",
    ),
    (
        "layers.1.sources",
        ["left"],
        "sources must name an earlier layer or an input, not 'left', which comes later",
        "layers[1].sources",
    ),
    ("layers.1.sources", [], "sources must have at least 1 item, not 0", "layers[1].sources"),
    ("layers.1.sources", "stem", "sources must be a valid array, not 'stem'", "layers[1].sources"),
    (
        "layers.1.sources",
        ["stem", "image"],
        "convolution takes 1 source, not 2",
        "layers[1].sources",
    ),
    (
        "layers.3.sources",
        ["left"],
        "add needs 2 sources or more, or a shortcut, not 'left' alone",
        "layers[3].sources",
    ),
    (
        "layers.3.sources",
        ["left", "right", "left"],
        "operands of an add must differ, not be 'left' twice",
        "layers[3].sources",
    ),
    (
        "layers.3.sources",
        ["left", "right", "image"],
        "'image' must have shape [4, 3, 3], that of 'left', not [2, 3, 3]",
        "layers[3].sources",
    ),
    ("layers.3.shortcut", "stem", "shortcut must be left out with sources", "layers[3].shortcut"),
    (
        "layers.0.sources",
        ...,
        "sources must be given where there are several inputs (image, extra)",
        "layers[0].sources",
    ),
    (
        "layers.1.sources",
        ["extra"],
        "convolution needs an image, but 'extra' is a vector of 4",
        "layers[1].type",
    ),
    (
        "layers.5.sources",
        ["merge"],
        "lstm needs a vector, but 'merge' is an image; flatten it first",
        "layers[5].type",
    ),
    (
        "layers.8.sources",
        ["beside"],
        "'sum' must be an output or a source of a layer, but is neither",
        "layers[7]",
    ),
    (
        "layers.6.sources",
        ["cells"],
        "'extra' must be an output or a source of a layer, but is neither",
        "inputs.extra",
    ),
    (
        "layers.2.output",
        ...,
        "output is missing: 'merge' takes no raw accumulators",
        "layers[2].output",
    ),
    (
        "outputs",
        ["claas0"],
        "outputs must name layers, not 'claas0'; did you mean 'class0'?",
        "outputs",
    ),
    (
        "outputs",
        ["class0", "image"],
        "outputs must name layers, not 'image'; did you mean 'merge'?",
        "outputs",
    ),
    ("outputs", ["class0", "class0"], "outputs must differ, not be 'class0' twice", "outputs"),
    ("outputs", [], "outputs must have at least 1 item, not 0", "outputs"),
    (
        "outputs",
        ["class0", "merge", "flat"],
        "outputs must differ, but 'flat' is 'merge', flattened",
        "outputs",
    ),
    ("input", {"shape": [4]}, "inputs must be left out where there is an input", "inputs"),
    ("inputs", ..., "input is missing", "input"),
    ("inputs", {}, "inputs must have at least 1 item, not 0", "inputs"),
    (
        "inputs.extra.shape",
        [2, 2],
        "shape must have 1 item (a vector) or 3 (an image), not 2",
        "inputs.extra.shape",
    ),
    ("inputs.extra.shap", [2], "unknown key 'shap'; did you mean 'shape'?", "inputs.extra.shap"),
    ("inputs.extra.bits", 17, "bits must be less than or equal to 16, not 17", "inputs.extra.bits"),
    (
        "inputs.extra.narrow",
        True,
        "narrow must be used with signed formats of 2 bits or more",
        "inputs.extra.narrow",
    ),
    (
        "layers.9.name",
        "Extra",
        "name must be unique, but an input is 'extra' too",
        "layers[9].name",
    ),
]


@pytest.mark.parametrize(("path", "value", "message", "where"), ERRORS)
def test_errors(path, value, message, where):
    spec = SPEC | {"outputs": ["Extra", "merge"]} if value == "Extra" else SPEC
    refused(spec, path, value, message, where)


@pytest.mark.parametrize("name", ["input", "1x", "a__b", "reg"])
def test_names_of_inputs_are_identifiers(name):
    inputs = {name: SPEC["inputs"]["image"], "extra": SPEC["inputs"]["extra"]}
    value = changed(SPEC, "layers.0.sources", [name]) | {"inputs": inputs}
    with pytest.raises(SpecError, match=rf"^{name} must .* \(x\.yaml: inputs\.{name}\)$"):
        parse_spec(value, "x.yaml")


def test_twins_are_refused():
    """Two names for one tensor of hardware."""
    layers = [
        CONVOLUTION | {"name": "c"},
        {"type": "flatten", "name": "f", "sources": ["c"]},
        {"type": "flatten", "name": "g", "sources": ["c"]},
        add("sum", "f", "g"),
    ]
    value = {"name": "n", "data": "d", "input": {"shape": [2, 3, 3]}, "layers": layers}
    message = "operands of an add must differ, but 'f' and 'g' are both 'c'"
    with raises(SpecError, f"{message} (t: layers[3].sources)"):
        parse_spec(value, "t")


def test_raw_accumulators_leave_or_are_compared():
    """Through what flattens, too; an output may be taken by an argmax as well."""
    raw = {"type": "convolution", "name": "c", "units": 3, "kernel": 3}
    layers = [raw, {"type": "flatten", "name": "f"}, {"type": "argmax", "name": "a"}]
    value = {"name": "n", "data": "d", "input": {"shape": [2, 3, 3]}, "layers": layers}
    parse_spec(value | {"outputs": ["a", "c"]}, "t")
    with raises(
        SpecError, "output is missing: 'x' takes no raw accumulators (t: layers[0].output)"
    ):
        parse_spec(value | {"layers": [*layers, linear("x", "f")], "outputs": ["a", "x"]}, "t")


def test_a_copy_has_edges_of_its_own():
    spec = parse_spec(SPEC, "x.yaml")
    assert spec.shapes["scores"] == (3,)
    copied = spec.model_copy(update={"layers": spec.layers[:1], "named_outputs": None})
    assert copied.shapes == {"image": (2, 3, 3), "extra": (4,), "stem": (4, 3, 3)}
    assert copied.graph.layers == copied.outputs == ("stem",)
    assert parse_spec(SPEC, "x.yaml") == spec


def test_one_input_and_one_output_are_asked_for():
    spec = parse_spec(SPEC, "x.yaml")
    for ask, message in (
        (lambda: spec.input, "net must have one input, not 2 (image, extra)"),
        (lambda: spec.output, "net must have one output, not 2 (class0, merge)"),
        (lambda: spec.last, "net must have one output, not 2 (class0, merge)"),
    ):
        with raises(SpecError, message):
            ask()


def test_groups_of_weights():
    """Between layers, by the first operand of a sum; out where there is one end."""
    spec = parse_spec(SPEC, "x.yaml")
    assert weight_groups(spec) == {
        "image-C1": "stem",
        "C1-C2": "left",
        "C1-C3": "right",
        "C2-L1": "cells_input",
        "L1-L1": "cells_hidden",
        "extra-F1": "beside",
        "L1-out": "scores",
    }
    two = [linear("a"), linear("b", "a"), linear("c", "a")]
    value = {"name": "n", "data": "d", "input": {"shape": [3]}, "layers": two}
    spec = parse_spec(value | {"outputs": ["b", "c"]}, "t")
    assert weight_groups(spec) == {"In-h1": "a", "h1-h2": "b", "h1-h3": "c"}


def test_keys_of_inputs_are_explored():
    space = {
        "variables": {
            "bits": {"set": ["inputs.extra.bits", "layers[6].output.bits"], "to": [4, 8]},
        }
    }
    spec = parse_spec(SPEC, "x.yaml")
    explored = parse_space(spec, space, "x.yaml")
    assert [explored.apply((k,)).inputs["extra"].bits for k in (0, 1)] == [4, 8]
    assert explored.apply((0,)).graph == spec.graph
    for key, message in (
        ("input.bits", "unknown key 'input'; did you mean 'inputs'?"),
        ("inputs.extr.bits", "unknown key 'extr'; did you mean 'extra'?"),
        ("inputs.extra.bit", "unknown key 'bit'; did you mean 'bits'?"),
        ("inputs.extra", "a variable must set a key of a layer, of the input or of the network"),
    ):
        wrong = {"variables": {"bits": {"set": [key], "to": [4]}}}
        with raises(SpecError, f"{message} (x.yaml: variables.bits.set: {key})"):
            parse_space(spec, wrong, "x.yaml")


def test_the_page_has_networks_that_are_read():
    """Those of `docs/graphs.md`: graphs, two ports, and sequences of images."""
    text = (ROOT / "docs" / "graphs.md").read_text()
    found = [
        parse_spec(yaml.safe_load(block), "graphs.md")
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    ]
    assert [spec.name for spec in found] == ["branches", "encoder", "two", "frames"]
    assert found[0].layer_sources(4) == ("wide", "narrower", "stem")
    ports = [(len(spec.inputs), len(spec.outputs)) for spec in found]
    assert ports == [(1, 1), (1, 1), (2, 2), (1, 1)]
    assert [spec.recurrent for spec in found] == [False, False, False, True]


def test_numbers_of_samples_do_not_matter_to_shapes():
    """A layer may be anywhere behind what it takes."""
    layers = [linear("a"), linear("b", "input"), linear("c", "a"), add("d", "c", "b", "a")]
    value = {"name": "n", "data": "d", "input": {"shape": [3]}, "layers": layers}
    spec = parse_spec(value, "t")
    assert spec.shapes == {"input": (3,)} | dict.fromkeys("abcd", (4,))
    assert np.prod(spec.layer_shape(3)) == spec.layer_inputs(3) == 4


def test_a_name_twice_is_told_whatever_takes_it():
    """Also where a flatten takes the first, and there is a second after it."""
    layers = [
        {"name": "same", "type": "max_pool", "kernel": 2},
        {"name": "flat", "type": "flatten"},
        {"name": "same", "type": "linear", "units": 3},
    ]
    value = {"name": "n", "data": "none", "input": {"shape": [1, 4, 4]}, "layers": layers}
    with pytest.raises(SpecError, match="name must be unique"):
        parse_spec(value, "x.yaml")
