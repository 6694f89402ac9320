"""``fxsim sample``."""

from __future__ import annotations

from typing import Annotated

import typer

from fxsim.cli.lookup import blamed_on, read_network
from fxsim.cli.options import JsonOption, NetworkArgument, SeedOption
from fxsim.cli.output import print_json


def sample(
    network: NetworkArgument,
    length: Annotated[int, typer.Option("--length", min=1, help="Characters to write.")] = 300,
    temperature: Annotated[
        float,
        typer.Option("--temperature", min=0.0, help="Of the draws; 0 takes the likeliest."),
    ] = 0.7,
    seed: SeedOption = 1,
    prompt: Annotated[
        str, typer.Option("--prompt", metavar="TEXT", help="What the network reads first.")
    ] = "The ",
    as_json: JsonOption = False,
) -> None:
    """Let a fixed-point character network write text."""
    from fxsim import data
    from fxsim.simulator.sample import sample as write

    quantized = read_network(network)
    with blamed_on(network):
        text = write(
            quantized,
            data.alphabet(quantized.data),
            prompt=prompt,
            length=length,
            temperature=temperature,
            seed=seed,
        )
    if as_json:
        facts = {"name": quantized.name, "seed": seed, "temperature": temperature}
        print_json(facts | {"prompt": prompt, "text": "".join(text)})
        return
    typer.echo(prompt, nl=False)
    for symbol in text:
        typer.echo(symbol, nl=False)
    typer.echo()
