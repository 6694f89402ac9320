"""Manifests of before networks were graphs: what the second schema has in their place.

A layer took what the layer before yielded, an add also what a shortcut brought, and sizes of the
hardware stood among what a layer computes.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fxsim.network.graph import INPUT

SCHEMA = "fxsim-network/1"

_LANES = ("max_pool", "add", "argmax")


def convert(value: dict[str, Any]) -> dict[str, Any]:
    """Manifest of the second schema; raises what Python does on odd values."""
    value = deepcopy(value)
    sizes, depths = dict[str, Any](), dict[str, list[int]]()

    def fold(product: dict[str, Any]) -> str:
        """Move the folding of a matrix product; its name is returned."""
        name, folding = product["name"], product.pop("folding")
        sizes[name] = folding
        if product["accumulator"]["overflow"] == "saturate":
            product["accumulator"]["beat"] = folding["simd"]
        return str(name)

    before = INPUT
    for layer in value["layers"]:
        kind = layer["type"]
        if kind == "linear":
            name = fold(layer)
        elif kind == "convolution":
            name = fold(layer["product"])
        else:
            name = layer["name"]
        if kind in _LANES:
            sizes[name] = {"lanes": layer.pop("lanes")}
        if kind == "lstm":
            products = layer["input_product"], layer["hidden_product"], layer["projection"]
            for product in products:
                if product is not None:
                    fold(product)
            sizes[name] = {"multipliers": layer.pop("multipliers")}
        if kind == "add":
            layer["sources"] = [before, layer.pop("shortcut")]
            depths[name] = [0, layer.pop("depth")]
        before = name
    return {
        "schema": value["schema"],
        "name": value["name"],
        "data": value["data"],
        "inputs": {INPUT: value["input"]},
        "layers": value["layers"],
        "hardware": {"layers": sizes, "depths": depths, "output_depths": {}},
    }
