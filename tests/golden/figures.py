"""Figures of what is shipped: the hash of its Verilog, its cycles, multipliers, DSP blocks, memory.

They are pinned in ``figures.json``, so that a change of the hardware is seen where it is made.
``python -m tests.golden.figures`` pins them anew and prints what changed.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.declared import declared_memories
from tests.places import MODELS

PINNED = Path(__file__).with_name("figures.json")

_HASH_LINE = re.compile(r"^// .*content hash [0-9a-f]{64}\.\n", re.MULTILINE)
_MULTIPLICATION = re.compile(r" = .* \* .*;$", re.MULTILINE)

Figures = dict[str, Any]


def names() -> list[str]:
    """Shipped networks, by their folders, and units, by their files."""
    models = MODELS
    networks = [path.parent.name for path in models.glob("*/network.yaml")]
    return sorted([*networks, *(path.stem for path in models.glob("*.yaml"))])


def figures_of(name: str) -> Figures:
    """Figures of a network or a unit.

    ``verilog`` is the SHA-256 of the text without the line of the network's own hash, and of the
    files of its memories; ``multiplications`` counts the operators in the text, ``dsp`` the DSP
    blocks that they take by the rules of Yosys, ``memory_bits`` what its memories hold, whatever
    they are made of.
    """
    from fxsim.cost.amounts import dsp_blocks
    from fxsim.cost.facts import blocks_of
    from fxsim.hw import emit
    from fxsim.network.storage import load_network
    from fxsim.spec.units import load_unit
    from fxsim.targets.registry import TARGETS
    from fxsim.timing.cycles import predict

    folder = MODELS / name
    cycles: Figures = {}
    files: Mapping[str, str] = {}
    if folder.is_dir():
        network = load_network(folder)
        text, files = emit.accelerator_verilog(network), emit.memory_files(network)
        predicted = predict(network)
        cycles = {"latency": predicted.latency, "interval": predicted.interval}
        cycles["cells"] = sum(p.folding.rows * p.folding.simd for p in network.linears)
        blocks = blocks_of(network)
        cycles["dsp"] = {
            target: sum(dsp_blocks(block.kind, block.facts, target) for block in blocks)
            for target in TARGETS
        }
    else:
        unit = load_unit(folder.with_suffix(".yaml"))
        assert unit is not None
        text, files = emit.unit_verilog(unit), emit.unit_memory_files(unit)
    digest = hashlib.sha256(_HASH_LINE.sub("", text).encode())
    for file in sorted(files):
        digest.update(f"{file}\n{files[file]}".encode())
    memories = declared_memories(text)
    return {
        "verilog": digest.hexdigest(),
        "lines": text.count("\n"),
        **cycles,
        "multiplications": len(_MULTIPLICATION.findall(text)),
        "memory_bits": sum(width * depth * count for (width, depth), count in memories.items()),
    }


def pinned() -> dict[str, Figures]:
    """Figures as they were pinned."""
    found: dict[str, Figures] = json.loads(PINNED.read_text())
    return found


def main() -> None:
    """Pin all figures, and print what changed of each network and unit."""
    before, after = (pinned() if PINNED.exists() else {}), {}
    for name in names():
        after[name] = figures_of(name)
        old = before.get(name, {})
        changes = [
            f"{key} {old.get(key)} -> {value}"
            for key, value in after[name].items()
            if old.get(key) != value and key != "verilog"
        ]
        if old.get("verilog") != after[name]["verilog"]:
            changes.append("another Verilog")
        print(f"{name}: {', '.join(changes) or 'unchanged'}", flush=True)
    for name in before.keys() - after.keys():
        print(f"{name}: no longer shipped")
    PINNED.write_text(json.dumps(after, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
