"""Let a fixed-point character network write text: each character is the next step's input."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fxsim.errors import SpecError
from fxsim.network import FloatArray, IntArray, QuantizedNetwork
from fxsim.simulator.simulator import simulate_trace


def sample(
    network: QuantizedNetwork,
    symbols: str,
    *,
    prompt: str,
    length: int,
    temperature: float = 1.0,
    seed: int = 1,
) -> Iterator[str]:
    """Write ``length`` characters after a prompt, one at a time, from the carried state.

    The network is run in integers; only the choice among its outputs is not its own.

    Parameters
    ----------
    symbols : str
        The alphabet: input and output k of the network stand for ``symbols[k]``.
    prompt : str
        Text that the network reads first, one character or more.
    length : int
    temperature : float
        Characters are drawn with probabilities softmax(logits / temperature), the logits being the
        real values of the outputs. 0 takes the greatest output, the first of equals.
    seed : int
        Seed of the draws.

    Raises
    ------
    SpecError
        If the network is not one of characters, the prompt is empty or holds a foreign character,
        or the temperature is negative.
    """
    sizes = {network.input.tensor.items, network.last.outputs}
    if not network.recurrent or sizes != {len(symbols)}:
        raise SpecError(
            f"{network.name} must be a recurrent network from {len(symbols)} characters to as many"
        )
    if not prompt:
        raise SpecError("prompt must have at least one character")
    for place, symbol in enumerate(prompt):
        if symbol not in symbols:
            raise SpecError(f"prompt[{place}] must be one of the characters, not {symbol!r}")
    if not 0 <= temperature < float("inf"):
        raise SpecError(f"temperature must be at least 0 and finite, not {temperature}")
    return _write(network, symbols, prompt, length, temperature, seed)


def _write(
    network: QuantizedNetwork, symbols: str, prompt: str, length: int, temperature: float, seed: int
) -> Iterator[str]:
    generator = np.random.Generator(np.random.PCG64(seed))
    one_hot = np.eye(len(symbols))
    read, state = [symbols.index(symbol) for symbol in prompt], None
    for _ in range(length):
        trace = simulate_trace(network, one_hot[read][None], state)
        state = trace.state
        read = [_choose(trace.output[0, -1], network.output.scale, temperature, generator)]
        yield symbols[read[0]]


def _choose(
    logits: IntArray, scale: float, temperature: float, generator: np.random.Generator
) -> int:
    """Place of one output, drawn from the softmax at ``temperature``."""
    best = int(logits.argmax())
    if temperature == 0:
        return best
    with np.errstate(over="ignore"):  # to minus infinity, where the probability is 0
        real: FloatArray = (logits - logits[best]) * scale / temperature
    shares = np.cumsum(np.exp(real))
    return int(np.searchsorted(shares, generator.random() * shares[-1], side="right"))
