"""Synthesised cells of networks, kept on disk by content: nothing is synthesised twice.

The key is the hash of the network's integers, the target, and the version of generator and tools.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fxsim.errors import FileError
from fxsim.explore.metrics import SYNTHESISED
from fxsim.files import write_text
from fxsim.network import QuantizedNetwork
from fxsim.storage import network_hash

Synthesise = Callable[[QuantizedNetwork, str], Mapping[str, float]]
"""Cells of a network on a target, by the names of `fxsim.explore.metrics.SYNTHESISED`."""


def cache_folder() -> Path:
    """Where costs are kept: ``$FXSIM_CACHE``, else ``~/.cache/fxsim``; folder ``synthesis``."""
    base = os.environ.get("FXSIM_CACHE")
    return (Path(base) if base else Path.home() / ".cache" / "fxsim") / "synthesis"


@dataclass(frozen=True)
class SynthCache:
    """Synthesis for a target, with a memory.

    Parameters
    ----------
    synthesise : callable
        Does the work.
    version : str
        Of whatever the cells depend on beside network and target.
    """

    target: str
    synthesise: Synthesise
    version: str
    folder: Path

    def path(self, network: QuantizedNetwork) -> Path:
        """File of a network's cells."""
        text = f"{network_hash(network)} {self.target} {self.version}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / digest[:2] / f"{digest}.json"

    def __call__(self, network: QuantizedNetwork) -> dict[str, float]:
        """Cells of a network; a file that is cut short or foreign counts as none."""
        path = self.path(network)
        try:
            found = json.loads(path.read_text())
            return {name: float(found[name]) for name in SYNTHESISED}
        except (OSError, ValueError, KeyError, TypeError):
            pass
        counted = self.synthesise(network, self.target)
        cells = {name: float(counted[name]) for name in SYNTHESISED}
        try:
            write_text(path, json.dumps(cells) + "\n")
        except OSError as error:
            raise FileError(f"{path}: cannot be written ({error.strerror})") from error
        return cells
