"""Families of FPGAs: each is whole, found by its name, and known nowhere else."""

from __future__ import annotations

import ast
import re

import pytest

from fxsim.errors import ConfigError, SpecError
from fxsim.targets.registry import DEFAULT, TARGETS, find_part, find_target
from fxsim.targets.target import KINDS, Fabric, Multiplier, Part, Placement, Target
from fxsim.targets.xc7 import XC7
from tests.test_layering import parsed

NAMED = {
    "benchmarks/area.py": "sentences of docs/area.md",
    "benchmarks/cost_model.py": "the cases whose errors docs/exploration.md has",
    "benchmarks/skip_area.py": "the families of the tables of docs/zero-skipping.md",
}
"""Files outside of fxsim/targets that name a family, and why."""


def test_a_family_is_found_by_its_name():
    assert list(TARGETS) == ["xc7", "ecp5", "ice40", "gowin"]
    assert DEFAULT == "xc7"
    for name, target in TARGETS.items():
        assert find_target(name) is target
        assert target.name == name


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_family_is_whole(target):
    assert set(target.cells) >= set(KINDS) - {"lut_ram"}
    assert ("lut_ram" in target.cells) == (target.fabric.lut_ram is not None)
    for cell in target.luts:
        assert target.kind_of(cell) in ("lut_ram", "carry")
    sizes = target.fabric.multipliers
    assert list(sizes) == sorted(sizes, key=lambda size: (size.wide, size.slim), reverse=True)
    assert all(size.wide >= size.slim for size in sizes)
    for part in target.parts.values():
        assert min(part.logic, part.ff, part.block_ram) > 0
        assert part.logic <= target.largest.logic


def test_no_cell_is_of_two_kinds():
    for target in TARGETS.values():
        names = [name for names in target.cells.values() for name in names if "*" not in name]
        assert len(names) == len(set(names))


def test_parts_are_found_with_their_family():
    assert find_part("xc7a35t") == (TARGETS["xc7"], Part(20800, 41600, 90, 50, pins=250))
    assert find_part("gw1nr-9") == (TARGETS["gowin"], Part(8640, 6480, 20, 26))
    names = [name for target in TARGETS.values() for name in target.parts]
    assert len(names) == len(set(names))


def test_unknown_names_are_refused_with_the_nearest_or_all():
    with pytest.raises(ConfigError, match=r"^unknown target 'gowim'; did you mean 'gowin'\?$"):
        find_target("gowim")
    text = r"^unknown target 'stratix'; known targets: xc7, ecp5, ice40, gowin$"
    with pytest.raises(ConfigError, match=text):
        find_target("stratix")
    with pytest.raises(SpecError, match=r"^unknown part 'gw1nr9'; did you mean 'gw1nr-9'\?$"):
        find_part("gw1nr9")
    with pytest.raises(SpecError, match=r"^unknown part '\?'; known parts: xc7a35t, .*gw2a-55$"):
        find_part("?")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": {"luts": ("LUT4",)}}, r"^cells must be lut, lut_ram, .*, not 'luts' \(mine\)$"),
        ({"shares": {"MULT": 2}}, r"^MULT must be a cell of a kind to have a share \(mine\)$"),
        (
            {"placement": Placement("two", "")},
            r"^placement must be on one of one, not 'two' \(mine\)$",
        ),
    ],
)
def test_a_record_is_checked(changes, message):
    whole = {
        "name": "mine",
        "title": "Mine",
        "command": "synth",
        "cells": {"lut": ("LUT4",)},
        "fabric": XC7.fabric,
        "parts": {"one": Part(1, 1, 1, 1)},
    }
    Target(**whole)
    with pytest.raises(ConfigError, match=message):
        Target(**(whole | changes))


def test_commands_with_and_without_dsp_blocks():
    commands = {
        name: [t.synthesis(dsp=dsp) for dsp in (True, False)] for name, t in TARGETS.items()
    }
    assert commands == {
        "xc7": ["synth_xilinx -family xc7 -flatten", "synth_xilinx -family xc7 -flatten -nodsp"],
        "ecp5": ["synth_ecp5", "synth_ecp5 -nodsp"],
        "ice40": ["synth_ice40 -dsp", "synth_ice40"],
        "gowin": ["synth_gowin -family gw2a", "synth_gowin -family gw2a -nodsp"],
    }


@pytest.mark.parametrize(
    ("name", "cells", "counts", "luts"),
    [
        (
            "xc7",
            {"LUT2": 3, "LUT6": 4, "RAM32M": 2, "SRL16E": 1, "FDRE": 9, "CARRY4": 5}
            | {"DSP48E1": 1, "RAMB18E1": 1, "RAMB36E1": 2, "IBUF": 8, "MUXF7": 2, "INV": 1},
            {"lut": 7, "lut_ram": 3, "ff": 9, "carry": 5, "dsp": 1, "block_ram": 3},
            7 + 2 * 4 + 1,
        ),
        (
            "ecp5",
            {"LUT4": 10, "PFUMX": 3, "L6MUX21": 1, "TRELLIS_DPR16X4": 2, "TRELLIS_FF": 4}
            | {"CCU2C": 6, "MULT18X18D": 2, "DP16KD": 1, "PDPW16KD": 1},
            {"lut": 10, "lut_ram": 2, "ff": 4, "carry": 6, "dsp": 2, "block_ram": 2},
            10 + 2 * 6 + 6 * 2,
        ),
        (
            "ice40",
            {"SB_LUT4": 8, "SB_DFF": 1, "SB_DFFESR": 2, "SB_DFFN": 3, "SB_CARRY": 7}
            | {"SB_MAC16": 1, "SB_RAM40_4K": 2, "SB_IO": 4},
            {"lut": 8, "lut_ram": 0, "ff": 6, "carry": 7, "dsp": 1, "block_ram": 2},
            8,
        ),
        (
            "gowin",
            {"LUT1": 1, "LUT4": 9, "MUX2_LUT5": 4, "MUX2_LUT8": 1, "ALU": 6, "RAM16SDP4": 2}
            | {"DFF": 1, "DFFRE": 2, "DFFNSE": 3, "SPX9": 1, "SDPB": 2, "GND": 1, "OBUF": 5},
            {"lut": 10, "lut_ram": 2, "ff": 6, "carry": 6, "dsp": 0, "block_ram": 3},
            10 + 6 + 2 * 8,
        ),
    ],
)
def test_cells_count_as_what_they_are(name, cells, counts, luts):
    assert TARGETS[name].count(cells) == counts
    assert TARGETS[name].count_luts(cells) == luts


@pytest.mark.parametrize(
    ("cells", "dsp"),
    [
        ({"MULT9X9": 1}, 1),  # half of one, but nothing else may have the other half
        ({"MULT9X9": 4}, 2),
        ({"MULT9X9": 3, "MULT18X18": 2}, 4),
        ({"MULT36X36": 2}, 8),
        ({"MULT18X18": 5}, 5),
    ],
)
def test_gowin_counts_multipliers_of_18_by_18_bits(cells, dsp):
    assert TARGETS["gowin"].count(cells)["dsp"] == dsp


def family_names(tree: ast.AST) -> list[str]:
    """Families that string literals name; those that only document may."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    pattern = re.compile(rf"\b({'|'.join(TARGETS)})\b")
    return [
        found
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
        for found in pattern.findall(node.value)
    ]


def test_no_other_file_names_a_family():
    found = {place for place, tree in parsed().items() if family_names(tree)}
    assert {place for place in found if not place.startswith("fxsim/targets/")} == set(NAMED)


def test_names_in_literals_are_seen():
    code = '"""Of ice40."""\ntargets = ("xc7", "parts of ecp5")\nf"{name} on gowin"'
    assert family_names(ast.parse(code)) == ["xc7", "ecp5", "gowin"]


def test_targets_import_nothing_above_the_ground():
    for place, tree in parsed().items():
        if place.startswith("fxsim/targets/"):
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module.startswith("fxsim."):
                    assert node.module.startswith(("fxsim.errors", "fxsim.targets")), place


def test_multipliers_take_products_by_both_words():
    size = Multiplier(18, 18, least_wide=10, least_slim=4)
    assert [size.takes(*words) for words in ((10, 4), (9, 9), (18, 3))] == [True, False, False]
    assert Multiplier(16, 16, least_sum=11).takes(8, 3)
    assert not Multiplier(16, 16, least_sum=11).takes(7, 3)
    assert isinstance(TARGETS["gowin"].fabric, Fabric)
