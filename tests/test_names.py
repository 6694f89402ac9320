"""Names that are safe in Verilog, SystemVerilog, VHDL, files and shells."""

from __future__ import annotations

import pytest

from fxsim.errors import SpecError
from fxsim.names import check_identifier
from tests.messages import raises

GOOD = ["a", "A", "x1", "layer0", "digits_mlp_ternary", "a_b_c", "x" * 63, "regs", "Wires"]
BAD = [
    "",
    "a;b",
    "a\n",
    "\na",
    "a\nend",
    "a b",
    "../x",
    "a/b",
    "a.b",
    "a-b",
    "a$b",
    "$a",
    "\\a",
    "`a",
    "a'b",
    'a"b',
    "0a",
    "_a",
    "-a",
    "a\x00",
    "é",
    "aé",
    "ａ",
    "a١",
    "ſ",
    "x" * 64,
    "$(reboot)",
    "rtlil\nwrite_file x",
]
KEYWORDS = [
    "module", "endmodule", "reg", "wire", "always", "input", "output", "initial", "signed",
    "uwire", "pulsestyle_onevent", "logic", "bit", "interface", "priority", "checker",
    "always_ff", "nettype", "soft", "entity", "architecture", "signal", "process", "downto",
    "std", "rol", "next", "vunit", "assume_guarantee",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good(name):
    assert check_identifier(name, "name") == name


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_bad(name):
    message = (
        "top must start with a letter and hold at most 63 letters, digits or underscores,"
        f" not {name!r}"
    )
    with raises(SpecError, message):
        check_identifier(name, "top")


@pytest.mark.parametrize("name", ["a_", "a__b", "a__", "a_b__c_d"])
def test_underscores(name):
    message = f"name must not end with an underscore or hold two in a row, not {name!r}"
    with raises(SpecError, message):
        check_identifier(name, "name")


@pytest.mark.parametrize("word", KEYWORDS)
def test_keywords(word):
    for name in (word, word.upper(), word.title()):
        message = f"name must not be the keyword {name!r} of Verilog or VHDL"
        with raises(SpecError, message):
            check_identifier(name, "name")
