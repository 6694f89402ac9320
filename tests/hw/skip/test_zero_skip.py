"""What the configurations of the zero-skipping blocks refuse, and what they derive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.hw.skip.replay import ReplayBuffer
from fxsim.testbenches.cases.sparse import matvec_config

SKIP = ZeroSkipConfig(gradient=IntFormat(bits=8, signed=True), items=10, lanes=4, issue=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"issue": 8}, "issue must be at most lanes (4), not 8"),
        ({"issue": 0}, "issue must be at least 1, not 0"),
        ({"items": 0}, "items must be at least 1, not 0"),
        ({"depth": 0}, "depth must be at least 1, not 0"),
    ],
)
def test_bad_skipper(change: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        replace(SKIP, **change)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "rows must be at least 1, not 0"),
        ({"weights": np.ones((9, 5))}, "weights must have shape (10, outputs), not (9, 5)"),
        ({"weights": np.ones((10, 0))}, "weights must have shape (10, outputs), not (10, 0)"),
        ({"weights": np.full((10, 5), 128)}, "weights must be in int8n"),
    ],
)
def test_bad_matvec(change: dict[str, object], message: str) -> None:
    config = matvec_config(SKIP, outputs=5, rows=2, seed=1)
    with pytest.raises(ConfigError) as error:
        replace(config, **change)
    assert str(error.value) == message


def test_bad_tiles() -> None:
    with pytest.raises(ConfigError, match="tiles must be at least 1, not 0"):
        ReplayBuffer(SKIP, tiles=0)


def test_accumulator_is_as_wide_as_the_weights_need_and_no_wider() -> None:
    config = matvec_config(SKIP, outputs=5, rows=2, seed=1)
    # The first column is all 127, and gradients reach -128.
    assert config.accumulator == IntFormat.spanning(-128 * 127 * 10, 0, signed=True)


def test_weights_are_stored_tile_by_tile() -> None:
    config = matvec_config(SKIP, outputs=5, rows=2, seed=1)
    words = config.weight_words
    assert len(words) == 3 * 10
    for index in range(10):
        row = [*config.weights[index].tolist(), 0]
        assert [words[tile * 10 + index] for tile in range(3)] == [row[:2], row[2:4], row[4:]]


def test_a_file_holds_the_weights_tile_by_tile() -> None:
    config = replace(matvec_config(SKIP, outputs=5, rows=2, seed=1), loadable=True)
    lines = config.content.text.splitlines()
    found = [[int(line[2:], 16), int(line[:2], 16)] for line in lines]
    assert found == [[weight % 256 for weight in word] for word in config.weight_words]
    assert config.content.file("unit") == "unit.sparse_mac_weights.hex"
