"""The bench in Verilog: sources, sinks and monitors next to the device, around any `Job`.

The text depends on which streams there are, never on their words, which come from a file; so each
design is built once for all of its jobs. cocotb starts it, waits, and reads what it found
(`cocotb_harness.py`). The modules that it is made of are plain Verilog files in `verilog/`.

Names with two underscores in a row are free: no network, layer or unit may have one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.job import PATIENCE, QUIET, Device, Job
from fxsim.testbenches.bench.packed import bytes_of

TOP = "fxsim__bench"

_PARTS = ("pauses", "words", "source", "sink", "monitor", "watch", "run")
_MASTER = {
    **{"awaddr": 32, "awprot": 3, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1},
    **{"araddr": 32, "arprot": 3, "arvalid": 1, "rready": 1},
}
_SLAVE = {
    **{"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1},
    **{"arready": 1, "rdata": 32, "rresp": 2, "rvalid": 1},
}
_CONTROL = {"go": 1, "play": 1, "seed": 32, "limit": 32, "idle": 1, "slow": 1, "turn": 2}


def harness(job: Job, top: str) -> str:
    """Verilog of the bench around the module ``top``, to be compiled together with it."""
    lines = [
        "reg clk /*verilator public_flat_rd*/ = 0;",
        "// While words pass, a cycle is one step of time and not two, for speed: nothing but the",
        "// file of times looks at the falling edge then. Registers are accessed at it.",
        "always begin",
        "  #5 clk = 1;",
        "  if (step) clk <= 0;",
        "  else #5 clk = 0;",
        "end",
        *(_register(name, width) for name, width in _CONTROL.items()),
        "wire reset, start, load_drive, load_step, drive, step;",
        "wire [31:0] cycle;",
        "integer times = 0;",
        "always @(posedge clk) if (start) begin",
        "  if (times != 0) $fclose(times);",
        '  times = $fopen("times.bin", "wb");',
        "end",
        "always @(negedge clk) if (run.done & times != 0) begin $fclose(times); times = 0; end",
    ]
    streams = [_Stream(k, channel) for k, channel in enumerate(job.channels)]
    loads, rest = streams[: len(job.preload)], streams[len(job.preload) :]
    for load in loads:
        lines += _load(load, f"load{load.number}", [f"load{k}" for k in range(load.number)])
    for k, device in enumerate(job.devices):
        own, rest = rest[: len(device.channels)], rest[len(device.channels) :]
        lines += _device(device, own, 2 * k, f"device{k}")
    lines += [_run(job), *_under_test(job, top, streams)]
    body = "\n".join(f"  {line}" for line in lines)
    return "\n".join([*_modules(), f"module {TOP};", body, "endmodule", ""])


@cache
def _modules() -> list[str]:
    folder = Path(__file__).parent / "verilog"
    return [(folder / f"{part}.v").read_text() for part in _PARTS]


@dataclass(frozen=True)
class _Stream:
    """A channel, by its place among those of the job."""

    number: int
    channel: Channel

    def __getitem__(self, part: str) -> str:
        """Name of a signal: data, valid, ready, last, taken, over, broken, passed and so on."""
        return f"c{self.number}_{part}"

    @property
    def wires(self) -> Iterator[str]:
        """Declarations."""
        yield f"wire [{self.channel.width - 1}:0] {self['data']};"
        flags = self._named("valid ready last taken over broken pause advance misframed")
        yield f"wire {', '.join(flags.values())};"
        yield f"wire [31:0] {self['passed']};"

    def monitor(self, step: str, *, compare: bool = True, timed: bool = False) -> str:
        """The monitor of it, in cycles of ``step``."""
        channel = self.channel
        return _instance(
            "monitor",
            f"monitor{self.number}",
            {
                **self._sizes,
                **{"BEATS": channel.beats, "COMPARE": int(compare), "TIMED": int(timed)},
            },
            {
                **{"clk": "clk", "start": "start", "step": step, "cycle": "cycle"},
                **{"times": "times"},
                **self._named("data valid ready last taken over broken passed"),
            },
        )

    def source(self, drive: str) -> str:
        """What gives its words, in cycles of ``drive``."""
        ports = self._named("pause advance data valid last misframed ready")
        return _instance(
            "source",
            f"source{self.number}",
            self._sizes,
            {"clk": "clk", "start": "start", "drive": drive, **ports},
        )

    def sink(self, drive: str, step: str) -> str:
        """What takes its words, in cycles of ``drive``."""
        return _instance(
            "sink",
            f"sink{self.number}",
            {},
            {
                **{"clk": "clk", "start": "start", "drive": drive, "patience": "slow"},
                **self._named("pause advance ready"),
                "valid": f"{self['valid']} & {step}",
            },
        )

    def pauses(self, enable: str, seed: int, waits: str | None) -> Iterator[str]:
        """When it pauses: at random or, in a run of turns, as long as ``waits`` holds."""
        random = self["random"]
        yield f"wire {random};"
        yield _instance(
            "pauses",
            f"pauses{self.number}",
            {},
            {
                **{"clk": "clk", "start": "start", "enable": enable, "seed": f"seed + 32'd{seed}"},
                **{"advance": self["advance"], "pause": random},
            },
        )
        choice = random if waits is None else f"turn == 0 ? {random} : {waits}"
        yield f"assign {self['pause']} = {choice};"

    @property
    def _sizes(self) -> dict[str, int]:
        channel = self.channel
        return {
            "CHANNEL": self.number,
            "WIDTH": channel.width,
            "BYTES": bytes_of(channel.width),
            "FRAMED": int(channel.framed),
        }

    def _named(self, parts: str) -> dict[str, str]:
        return {part: self[part] for part in parts.split()}


def _load(stream: _Stream, name: str, before: Sequence[str]) -> Iterator[str]:
    """What is loaded once all of ``before`` is."""
    drive, step = (
        f"({' & '.join([when, *(f'{other}_finished' for other in before)])})"
        for when in ("load_drive", "load_step")
    )
    yield _answers(name)
    yield from stream.wires
    yield from stream.pauses("idle", 7, None)
    yield stream.source(drive)
    yield stream.monitor(step)
    yield _watch(name, step, moving=[stream], leaving=[stream])


def _device(device: Device, streams: Sequence[_Stream], seed: int, name: str) -> Iterator[str]:
    """The bench of one device."""
    count = len(device.sources)
    sources, sinks = streams[:count], streams[count : count + len(device.sinks)]
    probes = streams[count + len(device.sinks) :]
    drive, step = f"(drive & {name}_on)", f"(step & {name}_on)"
    yield _answers(name)
    for stream in streams:
        yield from stream.wires
    for k, stream in enumerate(sources):
        yield from stream.pauses("idle", seed + 1000 * k, _turn(sources, k))
        yield stream.source(drive)
        yield stream.monitor(step, compare=False, timed=k == 0)
    for k, stream in enumerate(sinks):
        yield from stream.pauses("slow", seed + 1 + 1000 * k, _turn(sinks, k))
        yield stream.sink(drive, step)
        yield stream.monitor(step, timed=True)
    for stream in probes:
        channel = stream.channel
        for part, path in (
            ("data", channel.data),
            ("valid", channel.valid),
            ("ready", channel.ready),
            ("last", channel.last),
        ):
            yield f"assign {stream[part]} = {_inside(path) if path else '0'};"
        yield stream.monitor(step)
    misframed = " | ".join(f"{stream['taken']} & {stream['misframed']}" for stream in sources)
    yield _watch(
        name,
        step,
        moving=[*sources, *sinks],
        leaving=sinks,
        quiet=QUIET,
        flag=(_inside(device.flag), misframed) if device.flag else None,
    )


def _turn(streams: Sequence[_Stream], place: int) -> str | None:
    """Whether a stream must wait for another to pass a vector; None for a single one."""
    if len(streams) == 1:
        return None
    mine, terms = streams[place]["passed"], []
    for k, other in enumerate(streams):
        if k != place:
            first = 1 if k < place else 2  # the value of `turn` with which the other comes first
            bound = f"{other['passed']} < {mine} + (turn == {first} ? 32'd1 : 32'd0)"
            terms.append(f"({bound})")
    return f"({' | '.join(terms)})"


def _answers(name: str) -> str:
    """Declaration of what the `_watch` of this name says."""
    return f"wire {name}_on, {name}_finished, {name}_broken;"


def _watch(
    name: str,
    step: str,
    *,
    moving: Iterable[_Stream],
    leaving: Iterable[_Stream],
    quiet: int = 0,
    flag: tuple[str, str] | None = None,
) -> str:
    """What knows when all of ``leaving`` have given their words, and when nothing moves."""
    value, misframed = flag or ("0", "0")
    return _instance(
        "watch",
        name,
        {"QUIET": quiet, "PATIENCE": PATIENCE, "FLAGGED": int(flag is not None)},
        {
            **{"clk": "clk", "start": "start", "step": step, "cycle": "cycle"},
            "moved": " | ".join(stream["taken"] for stream in moving),
            "over": " & ".join(stream["over"] for stream in leaving),
            **{"flag": value, "misframed": misframed},
            **{part: f"{name}_{part}" for part in ("on", "finished", "broken")},
        },
    )


def _run(job: Job) -> str:
    """What leads through the phases of a run."""
    loads = [f"load{k}" for k in range(len(job.preload))]
    devices = [f"device{k}" for k in range(len(job.devices))]
    broken = [f"c{k}_broken" for k in range(len(job.channels))]
    return _instance(
        "run",
        "run",
        {"SETTLE": 1 + job.settle, "LOADS": int(bool(loads)), "ACTIVE": job.reset_active},
        {
            **{name: name for name in ("clk", "go", "play", "limit", "reset", "start")},
            **{name: name for name in ("load_drive", "load_step", "drive", "step", "cycle")},
            "loaded": " & ".join(f"{name}_finished" for name in loads) or "1",
            "finished": " & ".join(f"{name}_finished" for name in devices),
            "broken": " | ".join([*(f"{name}_broken" for name in (*loads, *devices)), *broken]),
        },
    )


def _under_test(job: Job, top: str, streams: Sequence[_Stream]) -> Iterator[str]:
    """The device, or devices, with all that is driven and all that leaves."""
    ports = {job.clock: "clk", job.reset: "reset"}
    inner = {id(channel) for device in job.devices for channel in device.probes}
    for stream in streams:
        channel = stream.channel
        if id(channel) not in inner:
            ports |= {channel.data: stream["data"], channel.valid: stream["valid"]}
            ports |= {channel.ready: stream["ready"]}
            if channel.last:
                ports[channel.last] = stream["last"]
            else:
                yield f"assign {stream['last']} = 0;"
    if job.registers is not None:
        prefix = job.registers.prefix
        for name, width in _MASTER.items():
            yield _register(f"{prefix}_{name}", width)
        for name, width in _SLAVE.items():
            yield f"wire [{width - 1}:0] {prefix}_{name} /*verilator public_flat_rd*/;"
        ports |= {f"{prefix}_{name}": f"{prefix}_{name}" for name in (*_MASTER, *_SLAVE)}
    connected = ", ".join(f".{_escaped(port)}({wire})" for port, wire in ports.items())
    yield f"{_escaped(top)}dut({connected});"


def _register(name: str, width: int) -> str:
    """Declaration of what cocotb drives."""
    return f"reg [{width - 1}:0] {name} /*verilator public_flat_rw*/ = 0;"


def _instance(part: str, name: str, parameters: Mapping[str, int], ports: Mapping[str, str]) -> str:
    sizes = ", ".join(f".{key}({value})" for key, value in parameters.items())
    wires = ", ".join(f".{key}({value})" for key, value in ports.items())
    return f"fxsim__{part} {f'#({sizes}) ' if sizes else ''}{name}({wires});"


def _inside(path: str) -> str:
    """A dotted path below the device, as Verilog has it."""
    return f"dut.{'.'.join(map(_escaped, path.split('.')))}"


def _escaped(name: str) -> str:
    return f"\\{name} "
