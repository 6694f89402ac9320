"""Names that users choose never meet the generator's own: all of them make sound Verilog."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fxsim.errors import SpecError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.hw.emit import accelerator_verilog, memory_files
from fxsim.names import check_identifier
from fxsim.network import QuantizedNetwork
from fxsim.quantizer import quantize
from fxsim.spec import parse_spec
from fxsim.testbenches.bench.lint import WAIVERS, lint

COUNT = 8
USUAL = ("net", "left", "right", "one", "two", "sum", "cells", "scores")
OWN = (
    "memory_check last_cells last_m_axis_scores last_m_axis fxsim_rom fxsim_ram net_rom net_ram rom"
    " ram storage words fork queue unit registers top clk rst clock reset sync comb std work"
)
"""Names that the generator has, or had, for itself."""
CPP = "bool char double float friend long main namespace operator short template vlSelf Vtop"
"""Names that mean something in the C++ that Verilator writes."""


def network_of(names: tuple[str, ...]) -> QuantizedNetwork:
    """Two inputs, two outputs, weights in files, a sum, a fork and an LSTM: all helper modules."""
    name, left, right, one, two, total, cells, scores = names
    out = {"output": {"bits": 8, "signed": True}}
    block = {"hardware": {"rows": 1, "simd": 1, "memory": "block"}}
    spec = parse_spec(
        {
            "name": name,
            "data": "none",
            "inputs": {left: {"shape": [3], "bits": 8}, right: {"shape": [2], "bits": 8}},
            "layers": [
                {"type": "linear", "name": one, "sources": [left], "units": 2} | out | block,
                {"type": "linear", "name": two, "sources": [right], "units": 2} | out,
                {"type": "add", "name": total, "sources": [one, two]} | out,
                {"type": "lstm", "name": cells, "cells": 2, "output": {"bits": 8}},
                {"type": "linear", "name": scores, "units": 2},
            ],
            "outputs": [one, scores],
        },
        "names.yaml",
    )
    generator = np.random.default_rng(5)
    parameters = {
        product.name: LinearParameters(
            weight=generator.normal(size=(product.outputs, product.inputs)),
            bias=generator.normal(size=product.outputs),
        )
        for product in spec.products
    }
    samples = {name: generator.random((5, 3, *spec.inputs[name].shape)) for name in (left, right)}
    return quantize(spec, Checkpoint(parent=parameters), samples)


def is_name(word: str) -> bool:
    try:
        return check_identifier(word, "name") == word
    except SpecError:
        return False


@cache
def words() -> list[str]:
    """Each word of the Verilog itself that may be a name, but for numbers; those above as well."""
    verilog = accelerator_verilog(network_of(USUAL))
    found = {word for word in re.findall(r"[A-Za-z]\w*", verilog) if is_name(word)}
    found -= {word for word in found if re.fullmatch("[dh][0-9a-f]+", word)}
    return sorted(found.union(filter(is_name, [*OWN.split(), *CPP.split()])))


def check(names: tuple[str, ...], folder: Path) -> None:
    network = network_of(names)
    # A signal inside may have the name of the top module; Verilog tells them apart.
    waivers = [*WAIVERS, "VARHIDDEN"]
    assert lint(accelerator_verilog(network), network.name, folder, waivers=waivers) == []
    assert list(memory_files(network)) == [f"{network.name}.{names[3]}_weights.hex"]


@pytest.mark.parametrize(
    "names",
    [
        USUAL,
        ("net", "left", "right", "memory_check", "last_m_axis", "storage", "cells", "last_cells"),
        ("fxsim_rom", "aclk", "clk", "frame_error", "s_axis", "m_axis", "memory_error", "rst"),
        ("net", "left", "right", "one", "two", "sum", "cells", "m_axis_one_last"),
        ("template", "bool", "friend", "namespace", "double", "operator", "vlSelf", "short"),
    ],
    ids=lambda names: names[0] + "-" + names[-1],
)
def test_names_of_the_generator(names: tuple[str, ...], tmp_path: Path) -> None:
    check(names, tmp_path)


@settings(max_examples=6, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_any_word_of_the_verilog_may_be_a_name(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = st.lists(st.sampled_from(words()), min_size=COUNT, max_size=COUNT, unique_by=str.lower)
    check(tuple(data.draw(names)), tmp_path_factory.mktemp("names"))


def test_words_are_many() -> None:
    """Else the test above tries nothing."""
    assert len(words()) > 200
    assert {"memory_check", "storage", "m_axis_one_tdata", "clk"} <= set(words())
