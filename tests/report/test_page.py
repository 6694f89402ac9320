import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fxsim.errors import FileError
from fxsim.network.storage import load_network, network_hash
from fxsim.report.page import render, write_report
from fxsim.report.results import Accuracy, Area, Mismatch
from fxsim.report.summarise import summarise
from fxsim.simulator.simulator import simulate_ranges
from fxsim.targets.registry import TARGETS
from tests.places import MODELS
from tests.report.cases import (
    CYCLES,
    MISMATCH,
    NETWORK,
    TRACE,
    Page,
    integers,
    make_area,
    make_results,
    make_run,
)


@pytest.fixture(scope="module")
def html():
    """The page of `make_results` as it is."""
    return render(make_results())


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_verdict_counts_the_words(page):
    assert page.verdict.strip() == "bit-exact: 125,952 words compared, 0 mismatches"
    assert ("class", "verdict exact") in page.attributes


def test_a_mismatch_is_red_and_complete():
    results = make_results(regressions=[make_run(), make_run(wrong=3, failed=1, mismatch=MISMATCH)])
    page = Page(render(results))
    assert ("class", "verdict failed") in page.attributes
    line, _, words = page.verdict.partition(" differ ")
    assert line.strip() == "not bit-exact: 3 of 15,744 words"
    assert words.split() == [text for item in MISMATCH.items() for text in map(str, item)]
    assert page.attributes.count(("class", "bad")) == 1
    assert results.verdict.mismatch == Mismatch(**MISMATCH)


def test_accuracies_stand_side_by_side(page):
    assert page.body("accuracy-table") == [
        ["Accuracy", "98.61 %", "94.72 %", "98.06 %"],
        ["Change, in points", "0.00", "-3.89", "-0.55"],
    ]


def test_the_sweep_is_shown_as_numbers(page):
    assert page.tables["sweep-table"] == [
        ["Weights", "2 bits", "8 bits", "Weight memory (bits)"],
        ["3 levels", "50.11", "75.33", "3,000"],
        ["7 levels", "61.23", "87.65", "7,000"],
        ["3 levels, retrained", "81.11", "92.22", "3,000"],
    ]


def test_ranges_and_counts_are_those_of_the_trace(page):
    first, last = TRACE.layers
    counts = first.counts
    assert counts["overflows"] > 0
    rows = page.body("ranges-table")
    assert [row[:2] for row in rows] == [
        ["input", "uint8"],
        ["layer0 accumulator", "int9"],
        ["layer0 output", "uint8"],
        ["layer1 accumulator", str(NETWORK.layers[1].accumulator.format)],
    ]
    assert integers(rows[1][2:6]) == [-256, *first.accumulator_range, 255]
    assert integers(rows[2][2:6]) == [0, *first.activation_range, 255]
    assert integers(rows[3][3:5]) == list(last.accumulator_range)
    assert rows[1][6] == f"{counts['overflows']:,} overflows"
    assert rows[2][6] == f"{counts['clipped']:,} clipped"
    assert page.body("zeros-table")[0] == [
        "layer0",
        f"{counts['products']:,}",
        f"{100 * counts['zero_activations'] / counts['products']:.2f} %",
        f"{100 * counts['zero_products'] / counts['products']:.2f} %",
    ]
    assert page.body("layers-table")[0] == [
        *("layer0", "8", "12", "int2n", "int9", "wrap", "uint8", "1 × 2")
    ]


def test_area_is_that_of_each_target(page):
    rows = page.body("area-table")
    assert [row[0] for row in rows] == ["ecp5", "xc7"]
    assert integers(rows[0][1:]) == list(range(3510, 3517))
    assert integers(rows[1][1:]) == list(range(2890, 2897))


def test_devices_are_compared_in_percent(page):
    rows = {row[0]: row[1:] for row in page.body("device-table")}
    assert list(rows) == [*TARGETS["ecp5"].parts, *TARGETS["xc7"].parts]
    assert rows["lfe5u-25"][0] == "3,510 of 24,288 (14%)"
    assert rows["lfe5u-25"][2] == "3,515 of 28 (12554%)"
    assert rows["lfe5u-25"][4:] == ["3,517 of 197 (1785%)", "no"]


def test_a_design_that_fits_in_everything_but_pins_fits():
    counts = {"dsp": 9, "block_ram": 9, "pins": 9999}
    area = SimpleNamespace(**vars(make_area("xc7", 1)) | counts)
    rows = Page(render(make_results(areas=[area]))).body("device-table")
    assert rows[0][-2:] == ["9,999 of 250 (4000%)", "yes"]


def test_blocks_add_up_by_layer(html):
    layers = Area.of(make_area("xc7", 1)).by_layer()
    assert layers == {
        "": {"": 41},
        "layer0": {"": 7, "mac_array": 845},
        "layer1": {"requantizer": 455},
    }
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", html)
    assert {"852", "455", "41", "mac_array", "top level", "LUTs on xc7"} <= set(texts)


def test_figures_with_many_blocks_keep_their_colours():
    """Beyond the colours there are hatches, patterns that bars refer to by their ids."""
    blocks = {f"layer0.block{k}": {"lut": 10 + k} for k in range(9)}
    area = SimpleNamespace(**vars(make_area("xc7", 1)) | {"blocks": blocks})
    text = render(make_results(areas=[area]))
    assert "<pattern" in text
    known = set(re.findall(r' id="([^"]+)"', text))
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= known
    assert "#f1c0" not in text


def test_cycles_are_predicted_and_measured():
    page = Page(render(make_results(regressions=[make_run(), make_run(interval_measured=99)])))
    rows = page.body("cycles-table")
    assert [row[0] for row in rows] == ["layer0", "layer1"]
    assert rows[0][1] == "1 × 2"
    assert [int(row[3]) for row in rows] == [layer.interval for layer in CYCLES.layers]
    assert [row[4] for row in rows] == [f"{100 * x.utilisation:.1f} %" for x in CYCLES.layers]
    latency = str(CYCLES.latency)
    assert page.body("measured-table") == [
        ["predicted", latency, str(CYCLES.interval), ""],
        ["icarus", latency, str(CYCLES.interval), "equal"],
        ["icarus", latency, "99", "differs"],
    ]


def test_memories_of_weights(page):
    """8 x 12 ternary weights, 2 a word; the second layer has no block of its own here."""
    rows = {(row[0], row[1]): row[2:] for row in page.body("memory-table")}
    assert rows["layer0.mac_array", "weights"] == [*("1 × 48 × 4", "192", "constant", "3")]
    assert rows["layer1.mac_array", "weights"][-1] == ""


def test_memories_and_pools_of_images():
    network = load_network(MODELS / "handwriting-lenet-ternary")
    images = np.zeros((1, *network.input.shape))
    accuracy = Accuracy(parent=None, direct=None, fixed=1.0, samples=1)
    results = summarise(network, simulate_ranges(network, images), accuracy=accuracy)
    page = Page(render(results))
    rows = {(row[0], row[1]): row[2:] for row in page.body("memory-table")}
    # Ten rows of 28 pixels of 8 bits, in 5 x 5 banks of whole lines;
    # 120 outputs of 256 inputs, 8 x 8 ternary weights a word.
    assert rows["layer0.window", "pixel rows"] == ["25 × 12 × 8", "2,400", "run time"]
    assert rows["layer5.mac_array", "weights"] == [
        *("1 × 480 × 128", "61,440", "handwriting_lenet_ternary.layer5_weights.hex, block RAM")
    ]
    assert page.body("pools-table")[0][:4] == ["layer1", "2 × 2", "2 × 2", "6"]


def test_regression_versions_times_and_commands_are_listed(html, page):
    assert page.body("regression-table") == [
        ["icarus 12.0", "none, both", "24", "7,872", "0", "0 of 2", "38 s", "9,984", "260"],
        ["verilator 12.0", "none, both", "24", "118,080", "0", "0 of 2", "38 s", "9,984", "260"],
    ]
    assert page.body("versions-table") == [["amaranth", "0.5.10"]]
    assert page.body("seconds-table") == [["sweep", "8.12 s"], ["synthesis", "14 s"]]
    assert "<code>fxsim sweep models/n</code>" in html
    assert network_hash(NETWORK) in html


def test_the_figure_of_the_sweep_is_drawn_from_its_rows(html):
    """Each marker's height is a linear function of the accuracy it stands for."""
    figure = html[html.index("<svg") : html.index("</svg>")]
    markers = re.findall(r'<use href="#[^"]*" x="([0-9.]+)" y="([0-9.]+)"[^>]*series-', figure)
    heights = [float(y) for _, y in markers[:4]]
    (a, b), (c, d) = heights[:2], heights[2:]
    slope = (b - a) / (0.7533 - 0.5011)
    assert slope < -100  # higher is up
    assert (c - a) / (0.6123 - 0.5011) == pytest.approx(slope, rel=1e-4)
    assert (d - a) / (0.8765 - 0.5011) == pytest.approx(slope, rel=1e-4)
    assert markers[0][0] == markers[2][0] != markers[1][0] == markers[3][0]


HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y> $\\frac$ "


def test_hostile_text_stays_text(page):
    harmless = page
    results = make_results(
        regressions=[
            make_run(
                simulator=HOSTILE,
                version=HOSTILE,
                patterns=[HOSTILE],
                messages=[HOSTILE],
                failed=1,
                mismatch=MISMATCH | {"layer": HOSTILE, "actual": HOSTILE},
            )
        ],
        areas=[SimpleNamespace(**vars(make_area(HOSTILE, 1)) | {"blocks": {HOSTILE: {"lut": 5}}})],
        versions={HOSTILE: HOSTILE},
        seconds={HOSTILE: 1.0},
        commands={HOSTILE: HOSTILE},
    )
    results = replace(results, name=HOSTILE, data=HOSTILE, hash=HOSTILE)
    html = render(results)
    page = Page(html)
    assert set(page.tags) <= set(harmless.tags) | {"dl", "dt", "dd"}
    assert not {"script", "img", "link", "iframe", "object", "base", "form"} & set(page.tags)
    assert not any(name.startswith("on") or name == "src" for name, _ in page.attributes)
    assert page.body("versions-table") == [[HOSTILE.strip()] * 2]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_page_stands_alone(html, page):
    assert not re.search(r"http|src=|url\((?!#)|@import|//|<script|<link", html)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = [value for name, value in page.attributes if name.endswith("href")]
    targets += [f"#{name}" for name in re.findall(r"url\(#([^)]*)\)", html)]
    assert targets
    assert {target.removeprefix("#") for target in targets} <= set(ids)


def test_figures_take_their_colours_from_the_page(html):
    figures = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(figures) == 3
    for figure in figures:
        assert not re.search(r"#[0-9a-f]{6}\b|rgb|font-family", figure)
        known = set(re.findall(r"--([a-z0-9-]+):", html))
        assert set(re.findall(r"var\(--([^)]*)\)", figure)) <= known


def test_what_was_not_done_is_left_out():
    results = make_results(regressions=[], areas=[], sweep=[], versions={}, seconds={}, commands={})
    page = Page(render(results))
    assert page.tables.keys() == {
        *("accuracy-table", "layers-table", "ranges-table", "zeros-table", "cycles-table"),
        "memory-table",
    }


def test_the_page_is_repeatable_and_replaces_its_file_whole(tmp_path, html):
    path = tmp_path / "out" / "report.html"
    write_report(make_results(), path)
    assert path.read_text() == html
    write_report(make_results(sweep=[]), path)
    assert "sweep-table" not in path.read_text()
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_a_failed_write_keeps_the_old_page(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    write_report(make_results(), path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(FileError, match="No space left on device"):
        write_report(make_results(sweep=[]), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_without_float_parameters_their_columns_are_left_out() -> None:
    unknown = Accuracy(parent=None, direct=None, fixed=0.9806, samples=360)
    html = render(make_results(accuracy=unknown, sweep=[]))
    assert "98.06" in html
    assert "loat parent" not in html
    assert "Direct quantization" not in html
