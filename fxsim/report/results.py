"""Results of a co-design run as frozen plain data: all that the report knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

from fxsim.arithmetic.formats import IntFormat
from fxsim.explorer.sweep import SweepRow
from fxsim.plan.memories import Memory
from fxsim.targets.device import Use, uses_of
from fxsim.targets.registry import TARGETS
from fxsim.timing.cycles import NetworkCycles

SCHEMA = "fxsim-results/1"


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Share of right answers among ``samples``.

    ``parent`` is the float network, ``direct`` its direct quantization to the same formats, and
    ``fixed`` the network itself (after retraining, where there was any). The first two are None
    where the float parameters are not at hand.
    """

    parent: float | None
    direct: float | None
    fixed: float
    samples: int


@dataclass(frozen=True, kw_only=True)
class Values:
    """Integers at one point of the network: format, its limits, and the range that was seen."""

    format: str
    limits: tuple[int, int]
    seen: tuple[int, int]

    @classmethod
    def of(cls, fmt: IntFormat, seen: tuple[int, int]) -> Self:
        """Range of a tensor in ``fmt`` whose least and greatest integer are ``seen``."""
        return cls(format=str(fmt), limits=(fmt.min, fmt.max), seen=seen)


@dataclass(frozen=True, kw_only=True)
class LayerSummary:
    """One layer; ``output`` is None where it yields raw accumulators, others as in `LayerTrace`."""

    name: str
    inputs: int
    outputs: int
    weight_format: str
    rows: int
    simd: int
    accumulator: Values
    accumulator_mode: str
    output: Values | None
    overflows: int
    clipped: int
    products: int
    zero_activations: int
    zero_products: int


@dataclass(frozen=True, kw_only=True)
class PoolSummary:
    """One max pooling: its windows, its folding, and cycles as in `LayerCycles`."""

    name: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    lanes: int
    interval: int
    utilisation: float


@dataclass(frozen=True, kw_only=True)
class AddSummary:
    """One add; ``depths`` are the words of its queues, 0 for a wire, ``queue_bits`` their bits."""

    name: str
    sources: tuple[str, ...]
    items: int
    lanes: int
    multipliers: tuple[int, ...]
    shift: int
    accumulator: Values
    output: Values
    clipped: int
    depths: tuple[int, ...]
    queue_bits: int


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """First word that differed: item ``index`` of ``vector`` in ``lane``.

    ``actual`` is text, highest bit first, when bits of it are unknown.
    """

    layer: str
    vector: int
    lane: int
    index: int
    cycle: int
    expected: int
    actual: int | str


@dataclass(frozen=True, kw_only=True)
class Regression:
    """Comparison by a simulator: ``words`` in all, and ``wrong``, those that differed."""

    simulator: str
    version: str
    patterns: tuple[str, ...]
    vectors: int
    tests: int
    failed: int
    words: int
    wrong: int
    seconds: float
    mismatch: Mismatch | None
    cycles: int = 0
    messages: tuple[str, ...] = ()
    latency_measured: int | None = None
    interval_measured: int | None = None

    @property
    def ok(self) -> bool:
        """True if words were compared and none differed, and no test failed."""
        compared = self.tests > 0 and self.words > 0
        return compared and not (self.failed or self.wrong or self.mismatch)

    @classmethod
    def of(cls, run: Any) -> Self:
        """Take the attributes of a result such as ``fxsim.testbenches.verify.NetworkRun``."""
        values = _attributes(cls, run)
        values["patterns"] = tuple(values["patterns"])
        values["messages"] = tuple(values.get("messages", ()))
        if (mismatch := values["mismatch"]) is not None and not isinstance(mismatch, Mismatch):
            values["mismatch"] = Mismatch(**mismatch)
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Area:
    """Cells of one target; ``blocks`` has the same counts by path (``layer0.mac_array``).

    ``logic`` is what they fill once they are packed, ``pins`` the bits of all ports.
    """

    target: str
    logic: int
    pins: int
    lut: int
    lut_ram: int
    ff: int
    carry: int
    dsp: int
    block_ram: int
    blocks: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, result: Any) -> Self:
        """Take the attributes of a result such as ``fxsim.hw.tools.synth.SynthResult``."""
        return cls(**_attributes(cls, result))

    def uses(self) -> list[Use]:
        """What it takes of each part of the family; none of one that is not known."""
        target = TARGETS.get(self.target)
        return [] if target is None else uses_of(target, self)

    def by_layer(self, kind: str = "lut") -> dict[str, dict[str, int]]:
        """Counts other than 0 by layer and block; deeper paths count for their block.

        A layer's own logic is its block ``""``, that of the top module the layer ``""``.
        """
        layers: dict[str, dict[str, int]] = {}
        for path, counts in self.blocks.items():
            layer, _, rest = path.partition(".")
            block = rest.partition(".")[0]
            if count := counts.get(kind, 0):
                found = layers.setdefault(layer, {})
                found[block] = found.get(block, 0) + count
        return layers


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer in one line: is the hardware bit-exact?"""

    status: Literal["exact", "failed", "unverified"]
    text: str
    mismatch: Mismatch | None = None


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything about one network; `fxsim.report.summarise` makes it.

    Parameters
    ----------
    vectors : int
        Vectors that gave the ranges and counts of ``layers``.
    versions, seconds, commands : mapping
        Tool to version; step to the seconds that it took, next to others maybe; part of the page to
        the command that reproduces it.
    """

    schema: str = field(default=SCHEMA, init=False)
    name: str
    hash: str
    data: str
    accuracy: Accuracy
    weight_memory_bits: int
    vectors: int
    inputs: Mapping[str, Values]
    layers: tuple[LayerSummary, ...]
    adds: tuple[AddSummary, ...] = ()
    cycles: NetworkCycles
    memories: tuple[Memory, ...] = ()
    pools: tuple[PoolSummary, ...] = ()
    regressions: tuple[Regression, ...] = ()
    areas: tuple[Area, ...] = ()
    sweep: tuple[SweepRow, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Exact only if something was compared, every simulator agreed and nothing failed."""
        if not self.regressions:
            return Verdict(status="unverified", text="not verified: no simulator was run")
        words = sum(run.words for run in self.regressions)
        wrong = sum(run.wrong for run in self.regressions)
        bad = [r for r in self.regressions if not r.ok or self.cycles_agree(r) is False]
        if not bad:
            text = f"bit-exact: {words:,} words compared, 0 mismatches"
            return Verdict(status="exact", text=text)
        first = next((run.mismatch for run in bad if run.mismatch), None)
        if wrong or first:
            text = f"not bit-exact: {wrong:,} of {words:,} words differ"
            return Verdict(status="failed", text=text, mismatch=first)
        run = bad[0]
        if run.messages:
            reason = run.messages[0]
        elif run.failed:
            reason = f"{run.failed} of {run.tests} tests failed"
        else:
            reason = "cycles differ from the prediction" if run.ok else "no words were compared"
        return Verdict(status="failed", text=f"failed on {run.simulator}: {reason}")

    def cycles_agree(self, run: Regression) -> bool | None:
        """True if the cycles measured are those predicted; None when none were measured."""
        pairs = (
            (run.latency_measured, self.cycles.latency),
            (run.interval_measured, self.cycles.interval),
        )
        known = [measured == predicted for measured, predicted in pairs if measured is not None]
        return all(known) if known else None

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: the fields, and the verdict in words."""
        verdict = {"status": self.verdict.status, "text": self.verdict.text}
        value: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return {**value, "verdict": verdict}


def _attributes(cls: type, source: Any) -> dict[str, Any]:
    return {f.name: getattr(source, f.name) for f in fields(cls) if hasattr(source, f.name)}
