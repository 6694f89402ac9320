"""Every table and example of docs/arithmetic.md, computed anew."""

from __future__ import annotations

import doctest
from fractions import Fraction
from math import floor

import numpy as np
import pytest

from fxsim import reference
from fxsim.arithmetic.codes import parse_code
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.arithmetic.integers import accumulate, overflow, requantize, saturate, shift_round, wrap
from fxsim.arithmetic.windows import Padding, Windows
from fxsim.network import Activation, QuantizedAdd, Tail
from fxsim.quantizer.activation import precision
from fxsim.quantizer.weight import quantize_asymmetric, range_scale
from fxsim.spec.sides import padding_of
from tests.places import ROOT

DOCUMENT = ROOT / "docs" / "arithmetic.md"


def tables():
    """Rows of each table as dictionaries, by the table's header."""
    found: dict[tuple[str, ...], list[dict[str, str]]] = {}
    header = None
    for line in DOCUMENT.read_text().splitlines():
        if not line.startswith("|"):
            header = None
            continue
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if header is None:
            header = cells
            assert header not in found
            found[header] = []
        elif set(line) - set("|-"):
            assert len(cells) == len(header), line
            found[header].append(dict(zip(header, cells, strict=True)))
    return found


def integers(text):
    return [int(part) for part in text.split(",")]


def check_formats(row):
    fmt = IntFormat.parse(row["format"])
    assert (fmt.min, fmt.max) == (int(row["smallest"]), int(row["largest"]))


def check_weights(row):
    real = Fraction(row["w / scale"])
    shift = real.denominator.bit_length() - 1
    for levels in (3, 7):
        fmt = IntFormat.for_levels(levels)
        q = saturate(shift_round(real.numerator, shift, Rounding.TIES_AWAY), fmt)
        assert q == int(row[f"q for M = {levels}"])


def check_codes(row):
    ratio = np.array([float(row["w / scale"])])
    for code, key in (("binary", "q, binary"), ("po2_2", "q, 2 exponents")):
        assert parse_code(code).nearest(ratio).tolist() == [int(row[key])]
    assert parse_code("po2_4").nearest(ratio).tolist() == [int(row["q, 4 exponents"])]


def check_words(row):
    code, weight, word = parse_code(row["code"]), int(row["weight"]), row["word"]
    assert code.bits == int(row["bits"]) == len(word)
    assert code.stored(np.array([weight])).tolist() == [int(word, 2)]
    assert code.restored(np.array([int(word, 2)])).tolist() == [weight]


def check_asymmetric(row):
    ratios = [Fraction(part.strip()) for part in row["w / scale of a group, 256 levels"].split(",")]
    nearest = [floor(ratio + Fraction(1, 2)) for ratio in ratios]
    zero_point = -floor(min([Fraction(0), *ratios]) + Fraction(1, 2))
    assert zero_point == int(row["zero point"])
    levels = [min(max(value + zero_point, 0), 255) for value in nearest]
    assert levels == integers(row["V'"])
    assert [level - zero_point for level in levels] == integers(row["q"])
    weight = np.array([[float(ratio) for ratio in ratios]])
    assert quantize_asymmetric(weight, np.ones(1), 256, 1).tolist() == [integers(row["q"])]
    assert range_scale(weight, 256).tolist() == [1.0]


def check_precision(row):
    dtype = row["type of x"].split(",")[0]
    relative, least = (Fraction(float(part)) for part in precision(dtype))
    powers = (Fraction(1, 2 ** int(row[key].removeprefix("2^-"))) for key in ("e", "d"))
    assert [relative, least] == list(powers)


def check_accumulators(row):
    products, start = integers(row["products"]), int(row["bias"])
    common = {
        "start": start,
        "simd": int(row["simd"]),
        "fmt": IntFormat.parse(row["format"]),
        "mode": AccumulatorMode(row["mode"]),
    }
    ends = [*range(common["simd"], len(products), common["simd"]), len(products)]
    results = [accumulate(products[:end], **common) for end in ends]
    assert [value for value, _ in results] == integers(row["accumulator after each beat"])
    assert results[-1][1] == int(row["overflows"])


def check_requantize(row):
    assert row["relu"] in {"yes", "no"}
    result = requantize(
        int(row["accumulator"]),
        multiplier=int(row["multiplier"]),
        offset=int(row["offset"]),
        slack_bits=int(row["slack"]),
        shift=int(row["shift"]),
        zero_point=int(row["zero point"]),
        fmt=IntFormat.parse(row["format"]),
        rounding=Rounding(row["rounding"]),
        mode=Overflow(row["overflow"]),
        relu=row["relu"] == "yes",
    )
    assert result == int(row["result"])


def check_add(row):
    source = IntFormat(bits=8, signed=True)
    zero_points, multipliers = integers(row["zero points"]), integers(row["multipliers"])
    operands = [Activation(format=source, scale=1.0, zero_point=zero) for zero in zero_points]
    layer = QuantizedAdd(
        name="add",
        shape=(1,),
        summands=tuple(operands),
        tail=Tail(
            multiplier=np.array(multipliers),
            multiplier_bits=4,
            shift=int(row["shift"]),
            rounding=Rounding(row["rounding"]),
            overflow=Overflow(row["overflow"]),
            relu=row["relu"] == "yes",
        ),
        accumulator=IntFormat(bits=16, signed=True),
        output=Activation(
            format=IntFormat.parse(row["format"]), scale=1.0, zero_point=int(row["zero point"])
        ),
    )
    result = reference.run_add(layer, [int(row["x"])], [int(row["y"])])
    assert (result.accumulators, result.activations) == (
        [int(row["accumulator"])],
        [int(row["sum"])],
    )


def check_rounding(row):
    value, shift = int(row["value"]), int(row["shift"])
    assert Fraction(row["r"]) == Fraction(value, 2**shift)
    for mode in Rounding:
        assert shift_round(value, shift, mode) == int(row[mode.name]), mode


def check_overflow(row):
    value, fmt = int(row["value"]), IntFormat.parse(row["format"])
    assert wrap(value, fmt) == overflow(value, fmt, Overflow.WRAP) == int(row["wrap"])
    assert saturate(value, fmt) == int(row["saturate"])


def check_formulas(row):
    mode = Rounding[row["mode"]]
    code = compile(row["formula"].replace("2h", "2 * h"), "formula", "eval")
    for value in range(-70, 71):
        for shift in range(1, 7):
            names = {"value": value, "shift": shift, "h": 2 ** (shift - 1), "n": int(value < 0)}
            assert eval(code, names) == shift_round(value, shift, mode)


def check_below_and_clamp(row):
    clamp = None if row["clamp"] == "none" else tuple(integers(row["clamp"]))
    keys = ("accumulator", "multiplier", "offset", "below", "shift", "result")
    accumulator, multiplier, offset, below, shift, result = (int(row[key]) for key in keys)
    found = requantize(
        accumulator,
        multiplier=multiplier,
        offset=offset,
        below=below,
        shift=shift,
        zero_point=0,
        fmt=IntFormat.parse("int8"),
        rounding=Rounding.FLOOR,
        mode=Overflow.SATURATE,
        relu=False,
        clamp=clamp,
    )
    assert found == result


def check_windows(row):
    size, kernel, stride = (int(row[key]) for key in ("size", "kernel", "stride"))
    sides = row["padding"].removeprefix("same: ").split(",")
    before, after = (int(part.split()[0]) for part in sides)
    padding = Padding(before, 0, after, 0)
    if "same" in row["padding"]:
        assert padding_of("same", (size, 1), (kernel, 1), (stride, 1)) == padding
    windows = Windows(
        channels=1, height=size, width=1, kernel=(kernel, 1), stride=(stride, 1), padding=padding
    )
    starts = [row * stride - before for row in range(windows.rows)]
    assert starts == integers(row["windows start at"])


CHECKS = {
    ("accumulator", "multiplier", "offset", "below", "shift", "clamp", "result"): (
        check_below_and_clamp,
        8,
    ),
    ("size", "kernel", "stride", "padding", "windows start at"): (check_windows, 4),
    ("format", "smallest", "largest"): (check_formats, 7),
    ("w / scale", "q for M = 3", "q for M = 7"): (check_weights, 8),
    ("w / scale", "q, binary", "q, 2 exponents", "q, 4 exponents"): (check_codes, 10),
    ("code", "bits", "weight", "word"): (check_words, 10),
    ("w / scale of a group, 256 levels", "zero point", "V'", "q"): (check_asymmetric, 5),
    ("type of x", "e", "d"): (check_precision, 3),
    (
        "products",
        "bias",
        "simd",
        "format",
        "mode",
        "accumulator after each beat",
        "overflows",
    ): (check_accumulators, 9),
    (
        "accumulator",
        "multiplier",
        "offset",
        "slack",
        "shift",
        "rounding",
        "relu",
        "zero point",
        "format",
        "overflow",
        "result",
    ): (check_requantize, 23),
    (
        "x",
        "y",
        "zero points",
        "multipliers",
        "shift",
        "rounding",
        "relu",
        "zero point",
        "format",
        "overflow",
        "accumulator",
        "sum",
    ): (check_add, 10),
    ("value", "shift", "r", *(mode.name for mode in Rounding)): (check_rounding, 25),
    ("value", "format", "wrap", "saturate"): (check_overflow, 11),
    ("mode", "result", "formula"): (check_formulas, 5),
}
PROSE = {
    ("mode", "width", "after each beat"),
    ("here", "SystemC", "ac_fixed", "APyTypes", "QONNX", "ONNX", "numpy, C"),
    ("here", "SystemC", "ac_fixed", "APyTypes"),
}


@pytest.mark.parametrize("header", CHECKS, ids=lambda header: f"{header[0]} to {header[-1]}")
def test_table(header):
    check, count = CHECKS[header]
    rows = tables()[header]
    assert len(rows) == count
    for row in rows:
        check(row)


def test_no_table_is_left_out():
    assert set(tables()) == set(CHECKS) | PROSE


def test_names_are_those_of_the_modes():
    rows = tables()["here", "SystemC", "ac_fixed", "APyTypes", "QONNX", "ONNX", "numpy, C"]
    assert [row["here"] for row in rows] == [mode.name for mode in Rounding]


def test_examples():
    result = doctest.testfile(str(DOCUMENT), module_relative=False, encoding="utf-8")
    assert result.failed == 0
    assert result.attempted == 24
