"""Text by the fixed-point network: against whole sequences, and what cannot be."""

import json
from collections import Counter

import numpy as np
import pytest

from fxsim.data import alphabet
from fxsim.errors import SpecError
from fxsim.network.storage import load_network, save_network
from fxsim.quantizer import quantize
from fxsim.simulator import simulate
from fxsim.simulator.sample import _choose, sample
from tests.cli.test_errors import refused
from tests.commands import TERNARY, fxsim_cli, small_network
from tests.places import MODELS
from tests.quantizer.test_lstm import make_checkpoint, make_spec, samples

CHARLM = "charlm-lstm-ternary"
SYMBOLS = alphabet("pydoc")


@pytest.fixture(scope="module")
def network():
    return load_network(MODELS / CHARLM)


def text(network, **options):
    defaults = {"prompt": "The ", "length": 40, "temperature": 0.8, "seed": 3}
    return "".join(sample(network, SYMBOLS, **defaults | options))


def one_hot(text):
    return np.eye(len(SYMBOLS))[[SYMBOLS.index(symbol) for symbol in text]][None]


@pytest.mark.parametrize("prompt", ["The ", "\n"])
def test_the_likeliest_text_is_that_of_whole_sequences(network, prompt):
    written = text(network, prompt=prompt, temperature=0)
    assert len(written) == 40
    outputs = simulate(network, one_hot(prompt + written))[0]
    likeliest = outputs.argmax(axis=-1)[len(prompt) - 1 : -1]
    assert "".join(SYMBOLS[k] for k in likeliest) == written


def test_the_seed_decides(network):
    assert text(network) == text(network)
    assert text(network) != text(network, seed=4)
    assert text(network, temperature=0) == text(network, temperature=0, seed=4)
    # Draws of a very low temperature are the likeliest ones.
    assert text(network, temperature=1e-6) == text(network, temperature=0)
    assert text(network, length=3) == text(network)[:3]


def test_draws_follow_the_softmax():
    logits, scale, temperature = np.array([3, 1, -2, 2]), 0.4, 0.9
    generator = np.random.default_rng(1)
    drawn = Counter(_choose(logits, scale, temperature, generator) for _ in range(20_000))
    weights = np.exp(logits * scale / temperature)
    for place, share in enumerate(weights / weights.sum()):
        assert abs(drawn[place] / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": ""}, "prompt must have at least one character"),
        ({"prompt": "caf\xe9"}, "prompt[3] must be one of the characters, not '\xe9'"),
        ({"temperature": -0.5}, "temperature must be at least 0 and finite, not -0.5"),
        ({"temperature": float("nan")}, "temperature must be at least 0 and finite, not nan"),
    ],
)
def test_what_cannot_be_written(network, options, message):
    with pytest.raises(SpecError) as caught:
        text(network, **options)
    assert str(caught.value) == message


def test_other_sizes_are_refused(network):
    with pytest.raises(
        SpecError, match=r"^charlm_lstm_ternary must be a recurrent network from 5 "
    ):
        sample(network, "abcde", prompt="a", length=1)


def test_command():
    options = ("--length", 30, "--seed", 5, "--prompt", "A list")
    result = fxsim_cli("sample", CHARLM, *options)
    facts = json.loads(fxsim_cli("sample", CHARLM, *options, "--json").stdout)
    assert result.stdout == "A list" + facts["text"] + "\n"
    assert len(facts["text"]) == 30
    assert (facts["name"], facts["seed"], facts["prompt"]) == ("charlm_lstm_ternary", 5, "A list")


def test_command_refuses(tmp_path):
    refused(
        "sample",
        TERNARY,
        names=["data must have characters (pydoc, text8, enwik8), not be 'digits'"],
    )
    save_network(small_network(data="pydoc"), tmp_path / "net")
    refused("sample", tmp_path / "net", names=["little must be a recurrent network from 96"])
    spec = make_spec(data="pydoc")
    save_network(quantize(spec, make_checkpoint(spec), samples()), tmp_path / "n")
    refused("sample", tmp_path / "n", names=["n must be a recurrent network from 96", "/n)"])
    refused("sample", CHARLM, "--prompt", "\u20ac", names=["prompt[0]", "'\u20ac'", CHARLM])
    for option in (("--temperature", "-1"), ("--length", "0")):
        fxsim_cli("sample", CHARLM, *option, status=2)
