"""What `fxsim info` says of weights."""

import pytest

from fxsim.cli.info import describe
from fxsim.quantizer import quantize
from tests.quantizer.test_lstm import make_checkpoint, make_spec, samples


@pytest.mark.parametrize(
    ("weights", "levels", "fmt"),
    [
        ({"levels": 3}, 3, "int2n"),
        ({"levels": 7, "per": "tensor"}, 7, "int3n"),
        ({"levels": 255}, 255, "int8n"),
        ({"levels": 511}, 511, "int9n"),
        ({"levels": 256, "scheme": "asymmetric"}, 256, "int9n"),
        ({"levels": 16, "scheme": "asymmetric", "per": "tensor"}, 16, "int5n"),
    ],
)
def test_levels_do_not_count_the_bit_of_a_zero_point(weights, levels, fmt):
    spec = make_spec({"weights": weights})
    facts = describe(quantize(spec, make_checkpoint(spec), samples()))
    for layer in facts["layers"][:2]:
        assert (layer["levels"], layer["weights"]) == (levels, fmt)
