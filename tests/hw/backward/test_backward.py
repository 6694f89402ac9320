"""What the blocks of the backward pass refuse, and what they derive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.arithmetic.tensors import Activation
from fxsim.errors import ConfigError
from fxsim.hw.backward.block_order import BlockOrder
from fxsim.hw.backward.gate_gradient import GateGradient
from fxsim.hw.backward.lstm_backward import LstmBackwardConfig
from fxsim.hw.backward.outer_accumulator import OuterConfig
from fxsim.hw.backward.pair_scaler import PairScaler
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.testbenches.cases.backward_data import random_pass
from tests.messages import raises

INT8 = IntFormat(bits=8, signed=True)
SKIP = ZeroSkipConfig(gradient=INT8, items=10, lanes=4, issue=1)
OUTER = OuterConfig(
    skip=SKIP,
    inputs=7,
    columns=3,
    source=Activation(format=INT8, scale=1.0),
    accumulator=IntFormat(bits=20, signed=True),
)


def a_gradient(cells: int):
    return random_pass(1, Rounding.FLOOR, inputs=3, cells=cells, steps=2, count=1).gradient


@pytest.mark.parametrize(("cells", "lanes"), [(6, 1), (8, 4), (4, 0)])
def test_cells_must_fill_whole_beats(cells: int, lanes: int) -> None:
    message = f"cells ({cells}) must be a multiple of 4 * lanes, not {lanes}"
    with raises(ConfigError, message):
        GateGradient(a_gradient(cells), lanes=lanes)


@pytest.mark.parametrize("beats", [0, 2, 6])
def test_bad_block_order(beats: int) -> None:
    with raises(ConfigError, f"beats must be a multiple of 4, not {beats}"):
        BlockOrder(fmt=INT8, lanes=1, beats=beats)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": 0}, "inputs must be at least 1, not 0"),
        ({"columns": 0}, "columns must be at least 1, not 0"),
        ({"skip": replace(SKIP, issue=2)}, "issue must be 1, not 2"),
        (
            {"accumulator": IntFormat(bits=20, signed=False)},
            "accumulator must be signed, not uint20",
        ),
    ],
)
def test_bad_outer_product(change: dict[str, object], message: str) -> None:
    with raises(ConfigError, message):
        replace(OUTER, **change)


def test_memory_of_an_outer_product() -> None:
    assert (OUTER.tiles, OUTER.words) == (3, 30)


def test_bad_multipliers() -> None:
    with raises(ConfigError, "multipliers must have shape (10,), not (9,)"):
        PairScaler(SKIP, multipliers=np.ones(9, np.int64))


def test_scaled_pairs_are_as_wide_as_the_greatest_multiplier_needs() -> None:
    multipliers = np.arange(10) * 100
    assert PairScaler(SKIP, multipliers=multipliers).scaled.gradient.bits == 8 + 10


def test_bad_layer() -> None:
    with raises(ConfigError, "lanes must be at least 1, not 0"):
        LstmBackwardConfig(
            gradient=a_gradient(4), lanes=0, dh_rows=1, dx_rows=1, dU_columns=1, dW_columns=1
        )


def test_widths_of_a_layer_follow_from_its_contract() -> None:
    gradient = a_gradient(8)
    config = LstmBackwardConfig(
        gradient=gradient, lanes=2, dh_rows=4, dx_rows=2, dU_columns=4, dW_columns=3
    )
    assert (config.skip.items, config.skip.lanes, config.skip.gradient) == (
        32,
        8,
        gradient.dnet.format,
    )
    assert (config.dh.tiles, config.dx.tiles, config.dU.tiles, config.dW.tiles) == (2, 2, 2, 1)
    assert config.dW.accumulator == config.db.accumulator == gradient.accumulator
