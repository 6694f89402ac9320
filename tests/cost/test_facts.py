"""What the cost model sees of a network's blocks, worked out by hand."""

from __future__ import annotations

from fxsim.cost.amounts import amounts
from fxsim.cost.facts import REST, blocks_of
from fxsim.network.storage import load_network
from fxsim.targets.registry import TARGETS
from fxsim.testbenches.cases.samples import encoder_decoder, residual
from tests.places import MODELS


def facts(network):
    """Kind and sizes of each block, by its path."""
    return {block.path: (block.kind, dict(block.facts)) for block in blocks_of(network)}


def test_blocks_of_a_residual_network():
    """Two channels of 6 x 6 pixels; a pixel, or both of its channels, at a time."""
    network = residual()
    first, _, _, add, *_ = network.layers
    found = facts(network)
    window, product = first.windows, first.product
    taps = product.folding.simd // window.lanes_in(product.folding.simd)
    kind, sizes = found["first.window"]
    assert kind == "window"
    assert (sizes["banks"], sizes["tap_rows"] * sizes["tap_columns"]) == (taps, taps)
    assert (sizes["places"], sizes["side"], sizes["stride"]) == (36, 6, 1)
    assert (sizes["size"], sizes["repeats"], sizes["groups"]) == (
        window.size // product.folding.simd,
        first.repeats,
        1,
    )
    assert found["sum.queue1"] == ("queue", {"width": 2 * 8, "depth": network.depths["sum"][1]})
    one, other = add.multipliers
    assert found["sum.sum"] == (
        "sum",
        {
            "lanes": 2,
            "bits": 16,
            "multipliers": one.bit_length() + other.bit_length(),
            "ones": one.bit_count() + other.bit_count(),
            "accumulator": add.accumulator.bits,
        },
    )
    kind, sizes = found[REST]
    assert kind == "rest"
    assert (sizes["layers"], sizes["forks"], sizes["recurrent"], sizes["files"]) == (
        len(network.layers),
        1,
        0,
        0,
    )


def test_blocks_of_an_encoder_and_decoder():
    """Pixels of two channels, 2 x 3 of them a row of the small image, are doubled and joined."""
    network = encoder_decoder(side=6)
    found = facts(network)
    coarse, both = network["coarse"].output.format.bits, network["both"].output.format.bits
    assert found["double.rows"] == ("buffer", {"width": 2 * coarse, "beats": 3, "tiles": 2})
    assert found["double.pixels"] == ("buffer", {"width": 2 * coarse, "beats": 1, "tiles": 2})
    assert found["both.concat"] == ("concat", {"bits": 2 * both, "streams": 2, "beats": 1})
    kind, sizes = found["both_fine.requantizer"]
    assert (kind, sizes["accumulator"], sizes["output"]) == ("requantizer", 8, both)
    for target in TARGETS:
        for kind, sizes in found.values():
            assert all(amount >= 0 for amount in amounts(kind, sizes, target))
            without = amounts(kind, sizes, target, dsp=False)
            assert len(without) == len(amounts(kind, sizes, target))
            assert all(amount >= 0 for amount in without)


def test_blocks_of_the_digits_network():
    """64 inputs to 64 outputs on 8 x 8 ternary cells, activations of 8 bits."""
    network = load_network(MODELS / "digits-mlp-ternary")
    found, layer = facts(network), network.linears[0]
    kind, sizes = found["layer0.mac_array"]
    assert kind == "mac_array"
    assert (sizes["rows"], sizes["simd"], sizes["tiles"], sizes["beats"]) == (8, 8, 8, 8)
    assert (sizes["weight"], sizes["source"], sizes["multiplies"]) == (2, 8, 0)
    assert (sizes["reach"], sizes["choices"]) == (1, 2)
    assert sizes["dsp"] == int(layer.folding.dsp)
    assert 0 < sizes["columns"] <= 8 * 8 * 2  # of the bits of a word
    assert 0 < sizes["bias_columns"] <= 8 * layer.accumulator.format.bits
    assert found["layer0.buffer"] == ("buffer", {"width": 64, "beats": 8, "tiles": 8})
    assert found["layer0.output_narrow"] == (
        "narrow",
        {
            "wide": 8 * layer.accumulator.format.bits,
            "slim": layer.accumulator.format.bits,
            "parts": 8,
            "beats": 64,
        },
    )
    kind, sizes = found["layer0.requantizer"]
    assert kind == "requantizer"
    assert (sizes["lanes"], sizes["beats"], sizes["saturate"]) == (1, 64, 1)
    assert sizes["accumulator"] == layer.accumulator.format.bits


def test_blocks_of_an_lstm_layer():
    """64 cells; three files of weights, those of W, of U and of the layer after it."""
    found = facts(load_network(MODELS / "charlm-lstm-ternary"))
    kind, sizes = found["layer0.lstm_cell"]
    assert kind == "lstm_cell"
    assert (sizes["cells"], sizes["multipliers"], sizes["step"] > 0) == (64, 3, False)
    assert found["layer0.fork"][0] == "fork"
    assert (found[REST][1]["files"], found[REST][1]["cells"], found[REST][1]["recurrent"]) == (
        3,
        64,
        1,
    )
