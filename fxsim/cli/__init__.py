"""The command line: thin commands that parse, call one function and print.

Everything heavy is imported inside the commands, so that ``fxsim --help`` is quick.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from fxsim.cli.cache import app as cache
from fxsim.cli.codesign import codesign
from fxsim.cli.explore import explore
from fxsim.cli.fold import fold
from fxsim.cli.front import front
from fxsim.cli.generate import generate
from fxsim.cli.info import info
from fxsim.cli.noise import noise
from fxsim.cli.output import print_error, warnings_as_lines
from fxsim.cli.quantize import quantize
from fxsim.cli.reproduce import reproduce
from fxsim.cli.sample import sample
from fxsim.cli.simulate import simulate
from fxsim.cli.skip_study import skip_study
from fxsim.cli.synth import synth
from fxsim.cli.train import train
from fxsim.cli.verify import verify
from fxsim.environment import check_threads, start_safely
from fxsim.errors import FxsimError
from fxsim.processes import Ended, ending_together

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """Turns what a user can cause into one line on stderr, and errors into exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            check_threads()
            with warnings_as_lines():
                result = super().invoke(ctx)
            if sys.stdout is not None:  # None when the caller closed it
                sys.stdout.flush()
            return result
        except FxsimError as error:
            print_error(str(error))
        except BrokenPipeError:
            raise  # Typer ends quietly
        except OSError as error:
            where = f"{error.filename}: " if error.filename is not None else ""
            print_error(f"{where}{error.strerror or error}")
        except MemoryError:
            print_error("out of memory")
        raise typer.Exit(1)


app = typer.Typer(
    name="fxsim",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from fxsim import __version__

        typer.echo(f"fxsim {__version__}")
        raise typer.Exit()


@app.callback()
def _fxsim(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", is_eager=True, callback=_version
    ),
) -> None:
    """From a trained neural network to verified fixed-point hardware, bit for bit.

    NETWORK is a folder, or a name from models/, such as digits-mlp-ternary.
    """


for _panel, _commands in {
    "The whole way": (codesign,),
    "From training to integers": (train, quantize),
    "Look at a network": (info, simulate, sample, noise),
    "Word lengths": (explore, front),
    "Hardware": (fold, generate, verify, synth, skip_study),
    "Papers": (reproduce,),
}.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
app.add_typer(cache, name="cache", rich_help_panel="Housekeeping")


def main() -> None:
    """Run the command line; what ``fxsim`` calls."""
    start_safely()
    if isinstance(sys.stdout, io.TextIOWrapper):  # paths may hold what a terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with ending_together():
            app()
    except Ended as ended:
        print_error(f"ended by {ended}")
        sys.exit(128 + ended.signal)
