"""Rules that a stream can break, and the words in which that is told."""

from __future__ import annotations

from enum import IntEnum

from fxsim.testbenches.bench.channel import Channel


class Fault(IntEnum):
    """A rule that was broken; the numbers are those of `verilog/monitor.v`."""

    VALID = 1
    FELL = 2
    LAST = 3
    CHANGED = 4
    READY = 5
    MORE = 6
    WRONG_LAST = 7


_WORDS = {
    Fault.VALID: "{0.valid} is {1} at cycle {2}",
    Fault.FELL: "{0.name}: valid fell before ready at cycle {2}",
    Fault.LAST: "{0.last} is {1} at cycle {2}",
    Fault.CHANGED: "{0.name}: payload changed while waiting, cycle {2}",
    Fault.READY: "{0.ready} is {1} at cycle {2}",
    Fault.MORE: "{0.name}: more words than expected at cycle {2}",
    Fault.WRONG_LAST: "{0.name}: last must be {3} at cycle {2}",
}


def told(fault: Fault, channel: Channel, cycle: int, bit: object = "") -> str:
    """The fault as a message; ``bit`` is what was seen of valid, ready or last."""
    return _WORDS[fault].format(channel, bit, cycle, {"0": "1", "1": "0"}.get(str(bit)))
