"""Random specifications whose layers form a graph, and parameters and samples for them."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from fxsim.floats.checkpoint import LinearParameters
from fxsim.spec import parse_spec

OUT = {"output": {"bits": 12, "signed": True}}
UNITS = (2, 3)
"""Few widths, so that there is something to add."""


class Sketch:
    """Plain values of a specification as it grows, a layer at a time."""

    def __init__(self, inputs):
        self.inputs, self.layers = inputs, []
        self.shapes = {name: tuple(source["shape"]) for name, source in inputs.items()}
        self.open = list(inputs)
        """What nobody has taken yet."""
        self.flat = {}
        """Names of images as vectors, by that of the image."""

    def put(self, layer, sources, shape):
        """Add a layer and return its name."""
        name = f"n{len(self.layers)}"
        self.layers.append(layer | {"name": name, "sources": list(sources)})
        self.shapes[name] = shape
        self.open = [*(left for left in self.open if left not in sources), name]
        if layer["type"] == "flatten":
            self.flat[sources[0]] = name
        return name

    def alike(self, name):
        """Everything else with the shape of ``name``."""
        shape = self.shapes[name]
        return [other for other, found in self.shapes.items() if found == shape and other != name]

    def beside(self, name):
        """Everything else that can stand next to ``name``, if not too wide."""
        channels, *size = self.shapes[name]
        return [
            other
            for other, (wide, *found) in self.shapes.items()
            if found == size and other != name and channels + wide <= 8
        ]

    def vector(self, name):
        """Name of ``name`` as a vector."""
        if len(self.shapes[name]) == 1:
            return name
        if name in self.flat:
            return self.flat[name]
        return self.put({"type": "flatten"}, [name], (math.prod(self.shapes[name]),))

    def close(self):
        """Lead every end to one output: linear layers and a sum of them."""
        ends = []
        for name in list(self.open):
            ends.append(self.put(_linear(3), [self.vector(name)], (3,)))
        if len(ends) > 1:
            self.put({"type": "add"} | OUT, ends, (3,))


def _linear(units):
    return {"type": "linear", "units": units} | OUT


@st.composite
def graph_specs(draw, *, max_layers=40, recurrent=None, several=True, batch_norm=True):
    """Plain values: layers that take what any earlier one yields, sums and pairs of it.

    Branches start anywhere, so their lengths differ and joins follow joins. Every end is an output
    (of at most three, and only with ``several``) or goes into a last sum. ``recurrent`` is whether
    there are LSTM layers; it is drawn if left out.
    """
    recurrent = draw(st.booleans()) if recurrent is None else recurrent
    shapes = st.sampled_from([[2], [3], [2, 3, 3], [3, 4, 3]])
    names = ["left", "right"] if several and draw(st.integers(0, 3)) == 0 else ["input"]
    sketch = Sketch({name: {"shape": draw(shapes), "bits": 12, "signed": True} for name in names})
    wanted = draw(st.integers(1, max_layers))
    while len(sketch.layers) < wanted or set(sketch.open) & set(names):
        source = draw(st.sampled_from([*sketch.open, *sketch.open, *sketch.shapes]))
        if (others := sketch.beside(source)) and draw(st.integers(0, 9)) == 0:
            pair = draw(st.permutations([source, draw(st.sampled_from(others))]))
            first, second = map(sketch.shapes.__getitem__, pair)
            keys = OUT if draw(st.booleans()) else {}
            shape = (first[0] + second[0], *first[1:])
            sketch.put({"type": "concat"} | keys, pair, shape)
        elif (others := sketch.alike(source)) and draw(st.integers(0, 2)) == 0:
            count = draw(st.integers(1, min(3, len(others))))
            sources = draw(st.permutations([source, *draw(st.permutations(others))[:count]]))
            relu = draw(st.sampled_from(["none", "relu", "relu6"]))
            sketch.put({"type": "add", "nonlinearity": relu} | OUT, sources, sketch.shapes[source])
        else:
            sketch.put(*draw(_after(sketch, source, recurrent=recurrent, batch_norm=batch_norm)))
    if recurrent and not any(layer["type"] == "lstm" for layer in sketch.layers):
        last = sketch.vector(sketch.open[-1])
        sketch.put({"type": "lstm", "cells": 2, "output": {"bits": 12}}, [last], (2,))
    for name in set(sketch.open).intersection(sketch.flat.values()):  # no layer in hardware
        sketch.put(_linear(2), [name], (2,))
    if not several or len(sketch.open) > 3 or draw(st.booleans()):
        sketch.close()
    return draw(_written(sketch))


@st.composite
def _after(draw, sketch, source, *, recurrent, batch_norm):
    """A layer that takes ``source``, and the shape of what it yields."""
    shape, units = sketch.shapes[source], draw(st.sampled_from(UNITS))
    relu = {"nonlinearity": draw(st.sampled_from(["none", "relu", "relu6"]))}
    norm = {"batch_norm": batch_norm and draw(st.integers(0, 3)) == 0}
    if draw(st.integers(0, 9)) == 0:
        return {"type": "rescale"} | relu | OUT, [source], shape
    if len(shape) == 1:
        if recurrent and draw(st.booleans()):
            return {"type": "lstm", "cells": units, "output": {"bits": 12}}, [source], (units,)
        return _linear(units) | relu | norm, [source], (units,)
    channels, height, width = shape
    small = min(height, width) == 1
    match draw(st.integers(0, 6)):
        case 0 if source not in sketch.flat:
            return {"type": "flatten"}, [source], (math.prod(shape),)
        case 1:
            return {"type": "average_pool"}, [source], (channels, 1, 1)
        case 6 if height * width <= 6:
            larger = (channels, 2 * height, width)
            return {"type": "resize", "factor": [2, 1]}, [source], larger
        case 2 if not small:
            return {"type": "max_pool", "kernel": 3, "stride": 1, "padding": 1}, [source], shape
    kernel = 1 if small else draw(st.sampled_from([1, 3]))
    layer = {"type": "convolution", "units": units, "kernel": kernel, "padding": kernel // 2}
    return layer | relu | norm | OUT, [source], (units, height, width)


@st.composite
def _written(draw, sketch):
    """The specification, with what may be left out left out more often than not."""
    value = {"name": "drawn", "data": "none", "layers": []}
    before = "input" if "input" in sketch.inputs else None
    for layer in sketch.layers:
        sources, short = layer["sources"], dict(layer)
        del short["sources"]
        if draw(st.integers(0, 3)) and sources[0] == before:
            if len(sources) == 1:
                layer = short
            elif len(sources) == 2 and layer["type"] == "add":
                layer = short | {"shortcut": sources[1]}
        value["layers"].append(layer)
        before = layer["name"]
    if "input" in sketch.inputs:
        value["input"] = sketch.inputs["input"]
    else:
        value["inputs"] = sketch.inputs
    if sketch.open != [before] or draw(st.booleans()):
        value["outputs"] = draw(st.permutations(sketch.open))
    return value


def case(value, seed=0, count=6, steps=3):
    """Specification of plain values, random parameters for it, and samples of each input."""
    spec, rng = parse_spec(value, "x.yaml"), np.random.default_rng(seed)
    parameters = {
        product.name: LinearParameters(
            weight=rng.normal(size=(product.outputs, product.inputs)) * product.inputs**-0.5,
            bias=rng.normal(size=product.outputs) * 0.3,
            gain=rng.uniform(0.5, 1.5, product.outputs) if product.gain else None,
        )
        for product in spec.products
    }
    leading = (count, steps) if spec.recurrent else (count,)
    samples = {
        name: rng.normal(size=(*leading, *source.shape)) for name, source in spec.inputs.items()
    }
    return spec, parameters, samples
