"""Kinds of specification: each goes through each stage, and nobody asks a layer which one it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
import pytest
import torch

from fxsim.errors import SpecError
from fxsim.floats.checkpoint import Checkpoint
from fxsim.floats.forward import forward
from fxsim.quantizer.quantizer import quantize
from fxsim.simulator.simulator import simulate
from fxsim.spec import parse_spec
from fxsim.spec.kind import Kind
from fxsim.spec.specification import LAYER_TYPES, LayerSpec
from fxsim.training.module import Network
from fxsim.training.parameters import product_parameters
from tests.messages import raises
from tests.places import ROOT

OUT = {"output": {"bits": 12}}
IMAGE = [2, 6, 4]
CONVOLUTION = {"type": "convolution", "units": 2, "kernel": 3, "padding": 1} | OUT
NETWORKS = {
    "linear": ([5], [{"type": "linear", "units": 3} | OUT]),
    "lstm": ([5], [{"type": "lstm", "cells": 3, "output": {"bits": 12}}]),
    "convolution": (IMAGE, [CONVOLUTION | {"units": 4, "stride": 2}]),
    "max_pool": (IMAGE, [{"type": "max_pool", "kernel": 2}]),
    "average_pool": (IMAGE, [{"type": "average_pool", "kernel": 2}]),
    "flatten": (IMAGE, [CONVOLUTION, {"type": "flatten"}]),
    "add": (IMAGE, [CONVOLUTION, {"type": "add", "shortcut": "input"} | OUT]),
    "concat": (IMAGE, [CONVOLUTION, {"type": "concat", "sources": ["layer0", "input"]}]),
    "resize": (IMAGE, [{"type": "resize", "factor": [2, 3]}]),
    "rescale": (IMAGE, [{"type": "rescale"} | OUT]),
    "argmax": ([5], [{"type": "linear", "units": 3} | OUT, {"type": "argmax"}]),
}
"""A small network for each kind, whose last layer is of it."""

SHAPES = {
    "linear": (3,),
    "lstm": (3,),
    "convolution": (4, 3, 2),
    "max_pool": (2, 3, 2),
    "average_pool": (2, 3, 2),
    "flatten": (48,),
    "add": (2, 6, 4),
    "concat": (4, 6, 4),
    "resize": (2, 12, 12),
    "rescale": (2, 6, 4),
    "argmax": (1,),
}
NO_VECTOR = "needs a vector, but 'input' is an image; flatten it first"
NO_IMAGE = "needs an image, but 'input' is a vector of 48"
MISPLACED = {
    "linear": ([2, 6, 4], f"linear {NO_VECTOR}"),
    "lstm": ([2, 6, 4], f"lstm {NO_VECTOR}"),
    "argmax": ([2, 6, 4], f"argmax {NO_VECTOR}"),
    "convolution": ([48], f"convolution {NO_IMAGE}"),
    "max_pool": ([48], f"max_pool {NO_IMAGE}"),
    "average_pool": ([48], f"average_pool {NO_IMAGE}"),
    "flatten": ([48], f"flatten {NO_IMAGE}"),
    "add": ([48], "operands of an add must differ, not be 'input' twice"),
    "concat": (
        [48],
        "sources must name an earlier layer or an input, not 'layer0', which comes later",
    ),
    "resize": ([48], f"resize {NO_IMAGE}"),
}
"""A shape of the input that each kind refuses when it comes first, and what is said.

A rescale takes any.
"""
KEYS = {"add": "shortcut", "concat": "sources"}
"""Keys that it is said of, where that is not the type."""

BROUGHT = {"concat": ["layer1_input"]}
"""Layers that bring operands to one format and scale; the other one has it."""


def network(shape, layers):
    source = {"shape": shape, "bits": 12}
    return parse_spec({"name": "n", "data": "d", "input": source, "layers": layers}, "x.yaml")


def small(kind):
    """A network of `NETWORKS`, its module, parameters, and samples."""
    spec = network(*NETWORKS[kind])
    torch.manual_seed(3)
    module = Network(spec).eval()
    parameters = {
        product.name: product_parameters(linear)
        for product, linear in zip(spec.products, module.linears(), strict=True)
    }
    leading = (20, 4) if spec.recurrent else (20,)
    return spec, module, parameters, np.random.default_rng(2).random((*leading, *spec.input.shape))


def test_the_grid_has_every_kind():
    kinds = {kind.__name__ for kind in LAYER_TYPES.values()}
    assert kinds == {kind.__name__ for kind in get_args(get_args(LayerSpec)[0])}
    assert set(NETWORKS) == set(SHAPES) == {*MISPLACED, "rescale"} == set(LAYER_TYPES)
    assert {name: layers[-1]["type"] for name, (_, layers) in NETWORKS.items()} == {
        name: name for name in LAYER_TYPES
    }


@pytest.mark.parametrize("kind", LAYER_TYPES)
def test_check(kind):
    spec = network(*NETWORKS[kind])
    assert type(spec.layers[-1]) is LAYER_TYPES[kind]
    assert spec.shapes[spec.output] == SHAPES[kind]
    if kind not in MISPLACED:
        return
    shape, message = MISPLACED[kind]
    with raises(SpecError, f"{message} (x.yaml: layers[0].{KEYS.get(kind, 'type')})"):
        network(shape, NETWORKS[kind][1][-1:])


@pytest.mark.parametrize("kind", LAYER_TYPES)
def test_float_forward_and_training_module(kind):
    """The two compute the same, each in its own way."""
    spec, module, parameters, x = small(kind)
    found = forward(spec, parameters, x)
    yielded = module(torch.from_numpy(x.astype(np.float32)))
    if yielded.ndim == 4:  # channels are together in what is stored
        yielded = yielded.permute(0, 2, 3, 1).flatten(1)
    np.testing.assert_allclose(found, yielded.detach().numpy(), atol=1e-5)
    assert np.std(found) > 0
    logits = spec.shapes[spec.logits(spec.output)]
    assert found.shape[-1] == np.prod(logits)
    if module.linears():
        yielded.square().sum().backward()
        assert all(product.weight.grad.any() for product in module.linears())


@pytest.mark.parametrize("kind", LAYER_TYPES)
def test_quantize(kind):
    spec, _, parameters, x = small(kind)
    quantized = quantize(spec, Checkpoint(parent=parameters), x)
    *before, last = (spec.layer_name(i) for i, layer in enumerate(spec.layers) if layer.in_hardware)
    names = [*before, *BROUGHT.get(kind, []), last]
    assert [layer.name for layer in quantized.layers] == names
    real, found = forward(spec, parameters, x), simulate(quantized, x)
    if spec.classifies:
        best = np.sort(real)
        clear = best[:, -1] - best[:, -2] > 0.05
        assert clear.sum() > 10
        np.testing.assert_array_equal(found[clear, 0], real[clear].argmax(axis=1))
    else:  # weights have 255 levels, activations 12 bits
        output = quantized.output
        found = output.scale * (found - output.zero_point)
        assert np.abs(found.reshape(real.shape) - real).max() < 0.02 * np.abs(real).max()


class Strange(Kind):
    """A kind that no stage knows."""

    type: Literal["strange"] = "strange"

    def shape_out(self, shape):
        return shape

    def check(self, context, fail):
        pass


def test_an_unknown_kind_is_an_error():
    """It does not pass for another one, wherever it comes."""
    spec, _, parameters, x = small("linear")
    strange = spec.model_copy(update={"layers": (*spec.layers, Strange())})
    for stage in (
        lambda: forward(strange, parameters, x),
        lambda: Network(strange),
        lambda: quantize(strange, Checkpoint(parent=parameters), x),
    ):
        with pytest.raises(AssertionError, match=r"Expected code to be unreachable.*strange"):
            stage()


def test_a_kind_must_answer():
    class Silent(Kind):
        type: Literal["silent"] = "silent"

    with pytest.raises(TypeError, match=r"abstract methods? .*check.*shape_out"):
        Silent()


NAMES = {kind.__name__ for kind in LAYER_TYPES.values()} | {
    *("Kind", "ImageKind", "LayerSpec", "ProjectionSpec"),
    *("ProductSpec", "Tail", "AffineSpec", "AffineLayerSpec", "TrainSpec", "RetrainSpec"),
}
PLACES = ("spec", "floats", "training", "quantizer", "explorer", "reproduce")
FILES = ("fxsim/simulator/noise.py", "fxsim/simulator/scale_noise.py")
DISPATCH = {
    ("fxsim/floats/forward.py", "_layer"),
    ("fxsim/training/module.py", "_module"),
    ("fxsim/quantizer/quantizer.py", "_quantize_layer"),
}
"""Functions that tell kinds apart, one a stage."""


def named(node: ast.AST) -> bool:
    """Whether a kind is named in an expression."""
    return any(isinstance(inner, ast.Name) and inner.id in NAMES for inner in ast.walk(node))


def is_type(node: ast.AST) -> bool:
    """Whether an expression is the type of something."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "type"


def asks(node: ast.AST) -> bool:
    """Whether a node asks what something is."""
    match node:
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kinds]):
            return named(kinds)
        case ast.Call(func=ast.Name(id="hasattr"), args=[_, name]):
            return ast.unparse(name) != "'model_fields'"
        case ast.Call(func=ast.Name(id="getattr"), args=[_, name, _]):
            return ast.unparse(name) != "'model_fields'"
        case ast.Compare(left=left, comparators=others):
            sides = [left, *others]
            if any(map(is_type, sides)):
                return "type(None)" not in map(ast.unparse, sides)
            texts = [ast.unparse(side) for side in sides]
            return any(t.endswith(".type") and not t.endswith("optimizer.type") for t in texts)
        case ast.Subscript(slice=inner):
            return is_type(inner)
        case ast.Dict(keys=keys):
            return any(key is not None and named(key) for key in keys)
        case ast.MatchClass(cls=cls):
            return named(cls)
    return False


def questions(tree: ast.AST, function: str = "") -> Iterator[tuple[str, str]]:
    """Function and text of every test of a kind."""
    for node in ast.iter_child_nodes(tree):
        here = node.name if isinstance(node, ast.FunctionDef) else function
        if asks(node):
            yield here, ast.unparse(node)
        yield from questions(node, here)


def trees() -> dict[str, ast.Module]:
    paths = [path for place in PLACES for path in (ROOT / "fxsim" / place).rglob("*.py")]
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
        for path in [*paths, *(ROOT / file for file in FILES)]
    }


def test_kinds_are_told_apart_in_one_function_a_stage():
    found = {(place, *seen) for place, tree in trees().items() for seen in questions(tree)}
    assert sorted(seen for seen in found if seen[:2] not in DISPATCH) == []
    for place, function in DISPATCH:
        kinds = [text for *where, text in found if where == [place, function]]
        assert sorted(kinds) == sorted(f"{kind.__name__}()" for kind in LAYER_TYPES.values())


def test_dispatch_ends_in_an_error():
    for place, function in DISPATCH:
        (body,) = (
            node
            for node in ast.walk(trees()[place])
            if isinstance(node, ast.FunctionDef) and node.name == function
        )
        (match,) = (node for node in ast.walk(body) if isinstance(node, ast.Match))
        last = match.cases[-1]
        assert ast.unparse(last.pattern) == "_"
        assert [ast.unparse(line) for line in last.body] == [
            f"assert_never({ast.unparse(match.subject)})"
        ]


@pytest.mark.parametrize(
    "text",
    [
        "isinstance(layer, LinearSpec | LstmSpec)",
        "isinstance(layer, (AddSpec, int))",
        "type(layer) is FlattenSpec",
        "type(layer) == type(other)",
        "hasattr(layer, 'output')",
        "getattr(layer, 'output', None)",
        "layer.type == 'linear'",
        "spec.layers[0].type in ('linear', 'lstm')",
        "letters[type(layer)]",
        "{ConvolutionSpec: 'C'}",
        "match layer:\n    case AddSpec(shortcut=start):\n        pass",
    ],
)
def test_questions_are_found(text):
    assert list(questions(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "isinstance(value, dict)",
        "getattr(part, name)",
        "optimizer.type not in types",
        "arg is not type(None)",
        "type(value).__name__",
    ],
)
def test_other_questions_may_be_asked(text):
    assert not list(questions(ast.parse(text)))
