"""Results to report, and the page as tables."""

from html.parser import HTMLParser
from types import SimpleNamespace

from fxsim.explorer.sweep import SweepRow
from fxsim.quantizer import quantize
from fxsim.report.results import Accuracy
from fxsim.report.summarise import summarise
from fxsim.simulator.simulator import simulate_trace
from fxsim.timing.cycles import predict
from tests.two_layers import make_checkpoint, make_spec, samples

SPEC = make_spec(
    first={"accumulator": {"overflow": "wrap", "bits": 9}, "weights": {"levels": 3}},
    hardware={"rows": 1, "simd": 2},
)
NETWORK = quantize(SPEC, make_checkpoint(SPEC), samples(SPEC))
TRACE = simulate_trace(NETWORK, samples(SPEC, n=30, seed=4))
CYCLES = predict(NETWORK)
MISMATCH = {
    "layer": "layer1",
    "vector": 71,
    "lane": 3,
    "index": 19,
    "cycle": 1204,
    "expected": -177,
    "actual": 611,
}
BLOCKS = {
    "": {"lut": 41},
    "layer0": {"lut": 7},
    "layer0.mac_array": {"lut": 812, "ff": 400, "block_ram": 3},
    "layer0.mac_array.weights": {"lut": 33},
    "layer1.requantizer": {"lut": 455},
    "layer1.buffer": {"lut": 0, "ff": 80},
}
SWEEP = [
    SweepRow(
        levels=levels,
        activation_bits=bits,
        retrained=retrained,
        accuracy=accuracy,
        weight_memory_bits=1000 * levels,
    )
    for levels, bits, retrained, accuracy in (
        *((3, 2, False, 0.5011), (3, 8, False, 0.7533), (7, 2, False, 0.6123)),
        *((7, 8, False, 0.8765), (3, 2, True, 0.8111), (3, 8, True, 0.9222)),
    )
]


def make_run(**changes):
    values = {
        "simulator": "icarus",
        "version": "12.0",
        "patterns": ["none", "both"],
        "vectors": 24,
        "tests": 2,
        "failed": 0,
        "words": 7872,
        "wrong": 0,
        "seconds": 38.4,
        "cycles": 9984,
        "mismatch": None,
        "messages": [],
        "latency_measured": CYCLES.latency,
        "interval_measured": CYCLES.interval,
    }
    return SimpleNamespace(**values | changes)


def make_area(target, first):
    kinds = ("logic", "lut", "lut_ram", "ff", "carry", "dsp", "block_ram", "pins")
    counts = {kind: first + i for i, kind in enumerate(kinds)}
    return SimpleNamespace(target=target, blocks=BLOCKS, seconds=1.0, **counts)


def make_results(**changes):
    values = {
        "accuracy": Accuracy(parent=0.9861, direct=0.9472, fixed=0.9806, samples=360),
        "regressions": [make_run(), make_run(simulator="verilator", words=118_080)],
        "areas": [make_area("ecp5", 3510), make_area("xc7", 2890)],
        "sweep": SWEEP,
        "versions": {"amaranth": "0.5.10"},
        "seconds": {"sweep": 8.125, "synthesis": 14.2},
        "commands": {"Sweep": "fxsim sweep models/n"},
    }
    return summarise(NETWORK, TRACE, **values | changes)


class Page(HTMLParser):
    """Cells of each table by its id, the text of the verdict, all tags and all attributes."""

    def __init__(self, html):
        super().__init__()
        self.tables, self.tags, self.attributes, self.verdict = {}, [], [], ""
        self._rows, self._path = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "br"}:
            self._path.append((tag, dict(attrs)))
        if tag == "table":
            self._rows = self.tables[dict(attrs)["id"]] = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"}:
            self._rows[-1].append("")

    def handle_endtag(self, tag):
        assert self._path.pop()[0] == tag

    def handle_data(self, data):
        tags = [tag for tag, _ in self._path]
        if {"td", "th"} & set(tags):
            self._rows[-1][-1] += data.strip()
        if any("verdict" in (attrs.get("class") or "") for _, attrs in self._path):
            self.verdict += f" {data}"

    def body(self, table):
        return self.tables[table][1:]


def integers(cells):
    return [int(cell.replace(",", "")) for cell in cells]
