"""Records that are made from layers and units: what they cannot come from is refused."""

from dataclasses import replace

import numpy as np

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError
from fxsim.hw.skip.sparse_matvec import SparseMatVecConfig
from fxsim.network.skip_unit import SkipUnit
from fxsim.plan.requantizer import RequantizerConfig
from tests.commands import small_network
from tests.messages import raises


def test_a_layer_without_a_tail_is_refused() -> None:
    (layer,) = small_network().linears
    bare = replace(
        layer,
        tail=None,
        output=replace(layer.output, format=IntFormat.parse("int9")),
    )
    with raises(ConfigError, "first: tail must not be None"):
        RequantizerConfig.from_layer(bare)
    assert np.array_equal(RequantizerConfig.from_layer(layer).multiplier, [3])


def test_a_unit_without_a_product_is_refused() -> None:
    unit = SkipUnit(
        name="skipper",
        gradient=IntFormat(bits=8, signed=True),
        items=8,
        lanes=4,
        issue=1,
        depth=2,
        product=None,
    )
    with raises(ConfigError, "skipper: product must not be None"):
        SparseMatVecConfig.from_unit(unit)
