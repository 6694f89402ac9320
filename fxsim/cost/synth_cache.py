"""Synthesised cells of blocks, kept on disk by content: no block is synthesised twice.

The key of a block is the hash of its Verilog without its place, the target, and the version of the
synthesiser. A network costs what its blocks cost together. Each file has a checksum; one that is
damaged is said, and its block synthesised again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fxsim.cache import damaged
from fxsim.cost.amounts import SYNTHESISED
from fxsim.cost.facts import blocks_of
from fxsim.files import remove, write_text
from fxsim.network import QuantizedNetwork

Cells = dict[str, float]
"""Cells by the names of `fxsim.cost.amounts.SYNTHESISED`."""


class Design(Protocol):
    """A generated network, as what synthesises it sees it."""

    def texts(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Verilog of each block, without its place."""

    def synthesise(
        self, target: str, missing: Sequence[str], known: Sequence[str], *, dsp: bool
    ) -> Mapping[str, Mapping[str, float]]:
        """Cells of the blocks ``missing``; those that are ``known`` may be left out of the work."""


_FORM = 2
"""Form of the files; another one has other keys, so that earlier files are not taken for damage."""

Generate = Callable[[QuantizedNetwork], Design]


@dataclass(frozen=True)
class SynthCache:
    """Synthesis for a target, with a memory.

    Parameters
    ----------
    generate : callable
        Makes the design of a network.
    dsp : bool
        Whether products may take DSP blocks.
    version : str
        All that the cells depend on next to the text of a block and the target.
    """

    target: str
    generate: Generate
    version: str
    folder: Path
    dsp: bool = True

    def path(self, text: str) -> Path:
        """File of the cells of a block's text."""
        digest = hashlib.sha256(
            f"{_FORM} {self.target} {self.dsp} {self.version} {text}".encode()
        ).hexdigest()
        return self.folder / digest[:2] / f"{digest}.json"

    def __call__(self, network: QuantizedNetwork) -> Cells:
        """Cells of a network: those of its blocks together."""
        found = self.blocks(network).values()
        return {name: sum(cells[name] for cells in found) for name in SYNTHESISED}

    def blocks(self, network: QuantizedNetwork) -> dict[str, Cells]:
        """Cells of each block by its path."""
        design = self.generate(network)
        wanted = [block.path for block in blocks_of(network)]
        files = {path: self.path(text) for path, text in design.texts(wanted).items()}
        found = {path: cells for path in wanted if (cells := _read(files[path])) is not None}
        missing = [path for path in wanted if path not in found]
        if missing:
            counted = design.synthesise(self.target, missing, list(found), dsp=self.dsp)
            for path in missing:
                cells = {name: float(counted[path][name]) for name in SYNTHESISED}
                _write(files[path], cells)
                found[path] = cells
        return {path: found[path] for path in wanted}


def _read(path: Path) -> Cells | None:
    if not os.path.lexists(path):
        return None
    try:
        digest, text = path.read_text().split("\n", 1)
        if digest == _digest(text):
            return {name: float(json.loads(text)[name]) for name in SYNTHESISED}
    except (OSError, ValueError):
        pass
    damaged(path, "the block is synthesized again")
    remove(path)
    return None


def _write(path: Path, cells: Cells) -> None:
    text = json.dumps(cells) + "\n"
    write_text(path, f"{_digest(text)}\n{text}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
