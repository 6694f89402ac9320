import pytest

from fxsim.errors import SpecError
from fxsim.explorer.space import load_space, parse_space
from fxsim.files import write_yaml
from fxsim.spec import parse_spec
from fxsim.spec.scale import Percentile
from tests.explorer.small import SPACE, make_space
from tests.two_layers import make_spec


def one(key, *values):
    return {"variables": {"v": {"set": [key], "to": list(values)}}}


def test_numbers_count_the_grid_with_the_last_variable_fastest():
    space = make_space()
    assert space.size == 3 * 3 * 3 * 2
    assert [space.number(choices) for choices in space] == list(range(space.size))
    assert space.choices(1) == (0, 0, 0, 1)
    assert space.values((1, 2, 0, 1)) == {
        **{"input_bits": 4, "weights0": 255},
        **{"bits0": 2, "weights1": 255},
    }
    with pytest.raises(SpecError, match=r"^point must be from 0 to 53, not 54$"):
        space.choices(54)


def test_a_point_overrides_exactly_its_keys():
    space = make_space()
    spec = space.apply((0, 1, 2, 0))
    layers = [
        {
            **{"type": "linear", "units": 12, "nonlinearity": "relu"},
            **{"output": {"bits": 8}, "weights": {"levels": 15}},
        },
        {"type": "linear", "units": 5, "weights": {"levels": 3}},
    ]
    value = {"name": "n", "data": "d", "input": {"shape": [8], "bits": 2}, "layers": layers}
    assert spec == parse_spec(value, "t")


def test_tied_keys_take_one_value_and_a_star_is_every_layer_that_has_the_key():
    spec = make_spec()
    tied = parse_space(spec, one("layers[*].weights.levels", 3, 7), "t").apply((1,))
    assert [layer.weights.levels for layer in tied.layers] == [7, 7]
    listed = {"v": {"set": ["input.bits", "layers[0].output.bits"], "to": [3]}}
    both = parse_space(spec, {"variables": listed}, "t").apply((0,))
    assert (both.input.bits, both.layers[0].output.bits) == (3, 3)


def test_a_point_may_have_another_scale_or_nonlinearity():
    """Whose output is signed then, unless the specification says otherwise."""
    choices = ["power_of_two", 0.5, {"percentile": 99.0}, "calibrated"]
    space = parse_space(make_spec(), one("layers[0].output.scale", *choices), "t")
    found = [space.apply((i,)).layers[0].output.scale for i in range(4)]
    assert found == ["power_of_two", 0.5, Percentile(99.0), "calibrated"]
    relu = one("layers[0].nonlinearity", "none", "relu")
    for output, formats in (({}, ["int8", "uint8"]), ({"signed": True}, ["int8", "int8"])):
        space = parse_space(make_spec({"output": output}), relu, "t")
        assert [str(space.apply((i,)).layers[0].output.format) for i in range(2)] == formats


def test_a_layer_starts_from_the_folding_of_the_network():
    spec = make_spec(hardware={"rows": 1, "simd": 4})
    varied = parse_space(spec, one("layers[0].hardware.rows", 2, 3), "t").apply((1,))
    assert (varied.layers[0].hardware.rows, varied.layers[0].hardware.simd) == (3, 4)
    assert varied.layers[1].hardware is None


def test_values_may_be_mappings_for_keys_that_go_together():
    wrap = {"overflow": "wrap", "bits": 12}
    space = parse_space(make_spec(), one("layers[0].accumulator", {"overflow": "wide"}, wrap), "t")
    assert space.apply((1,)).layers[0].accumulator.bits == 12
    assert space.apply((0,)).layers[0].accumulator.bits is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"must be a mapping, not list \(x\)"),
        ({}, r"variables is missing \(x: variables\)"),
        ({"variable": {}} | SPACE, r"unknown key 'variable'; did you mean 'variables'\? \(x: var"),
        (SPACE | {"objectives": ["luts"]}, r"unknown value 'luts'; did you mean 'lut'\?"),
        (SPACE | {"objectives": ["error", "error"]}, r"'error' twice \(x: objectives\)"),
        (SPACE | {"target": "xc6"}, r"unknown target 'xc6'; did you mean 'xc7'\? \(x: target\)"),
        (
            SPACE | {"target": "gowim"},
            r"unknown target 'gowim'; did you mean 'gowin'\? \(x: target\)",
        ),
        (SPACE | {"target": 7}, r"target must be a valid string, not 7 \(x: target\)"),
        (
            SPACE | {"target": "virtex"},
            r"unknown target 'virtex'; known targets: xc7, ecp5, ice40, gowin \(x: target\)",
        ),
        (SPACE | {"constraints": {"luts": 4}}, r"'luts'; did you mean 'lut'\? \(x: constraints"),
        (SPACE | {"constraints": {"part": "xc7a35"}}, r"'xc7a35t'\? \(x: constraints\.part\)"),
        (SPACE | {"constraints": {"part": "ice40up5k"}}, r"target must be 'ice40' for ice40up5k"),
        (one("layers[0].weight.levels", 3), r"'weight'; did you mean 'weights'\? .*variables\.v\."),
        (one("layers[0].weights.level", 3), r"'level'; did you mean 'levels'\?"),
        (one("layers[2].weights.levels", 3), r"layer must be from 0 to 1, not 2"),
        (
            one("layers[1].requantize.multiplier_bits", 8),
            "requantize must be left out for layer 1, which has no output",
        ),
        (one("layers.weights.levels", 3), r"layers must have an index, as in layers\[0\]"),
        (one("layers.requantize.rounding", "floor"), r"layers must have an index"),
        (one("layers[*].cell.bits", 3), r"unknown key 'cell'; did you mean|known keys: type"),
        (one("inputs.bits", 3), r"'inputs'; did you mean 'input'\?"),
        (one("input[0]", 3), r"only layers have an index, not 'input'"),
        (one("layers", 3), r"a variable must set a key of a layer"),
        (one("layers[0]", 3), r"a variable must set a key of a layer"),
        (one("layers[0]..weights", 3), r"keys must look like layers\[0\]"),
        (one("input.bits", 3, 3), r"values must differ \(x: variables\.v\.to\)"),
        (
            one("input.bits", 4, 99),
            r"bits must be less .* to 16, not 99 \(x: variables\.v\.to\[1\]",
        ),
        (one("input.scale.percentile", 9), r"unknown key 'percentile'; it has no keys"),
        (
            one("layers[0].output.scale", "power"),
            r"scale must be a positive number, .*, not 'power' \(x: variables\.v\.to\[0\]\)",
        ),
        (
            one("input.bits", "4"),
            r"bits must be a valid integer, not '4' \(x: variables\.v\.to\[0\]",
        ),
        (
            one("layers[*].requantize.overflow", "wrp", "saturate"),
            r"overflow must be 'wrap' or 'saturate', not 'wrp' \(x: variables\.v\.to\[0\]\)",
        ),
        (one("layers[0].weights", {"level": 3}), r"weights has no key 'level' \(x: variables"),
        (
            {"variables": {v: {"set": ["input.bits"], "to": [2]} for v in "ab"}},
            r"input\.bits is set by 'a' too",
        ),
        ({"variables": {"v": {"set": [], "to": [1]}}}, r"at least 1 item"),
    ],
)
def test_errors_name_the_nearest_match_and_the_place(value, message):
    with pytest.raises(SpecError, match=message):
        parse_space(make_spec(), value, "x")


def test_a_space_is_in_the_specification_or_in_a_file_of_its_own(tmp_path):
    spec = make_spec(explore=SPACE)
    assert load_space(spec, "s").wanted == make_space().wanted
    path = tmp_path / "space.yaml"
    write_yaml(path, SPACE | {"target": "ice40"})
    assert load_space(spec, "s", path).wanted.target == "ice40"
    with pytest.raises(SpecError, match=r"explore is missing; write it, or give --space FILE \(s"):
        load_space(make_spec(), "s")


def test_synthesis_is_needed_for_cells_only():
    assert not make_space().synthesis
    assert make_space(objectives=["error", "lut"]).synthesis
    assert make_space(constraints={"dsp": 3}).synthesis
    assert make_space(constraints={"part": "xc7a35t"}).synthesis
