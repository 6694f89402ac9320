"""``fxsim cache``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fxsim.cli.options import JsonOption
from fxsim.cli.output import print_json, print_line, print_table

app = typer.Typer(no_args_is_help=False, invoke_without_command=True)


@app.callback()
def cache(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show what is kept for later runs, and where."""
    if context.invoked_subcommand is not None:
        return
    from fxsim.cache import KINDS, root, sizes

    seen = {kind: sizes(kind) for kind in KINDS}
    if as_json:
        kinds = {kind: {"entries": n, "bytes": size} for kind, (n, size) in seen.items()}
        print_json({"folder": str(root()), "kinds": kinds})
        return
    rows = [[kind, n, _megabytes(size), KINDS[kind]] for kind, (n, size) in seen.items()]
    total = sum(size for _, size in seen.values())
    rows.append(["all", sum(n for n, _ in seen.values()), _megabytes(total), ""])
    print_line(f"Cache: {root()}")
    print_table("", ["kind", "entries", "MB", "what"], rows)


@app.command()
def clear(
    kinds: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND]...", help="Kinds; default: all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what is kept, but for what another command is using or fxsim has not made."""
    from fxsim.cache import KINDS, root, sizes
    from fxsim.cache import clear as remove_all

    for kind in kinds or []:
        if kind not in KINDS:
            raise typer.BadParameter(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    kept: dict[Path, str] = {}
    before = sum(sizes(kind)[1] for kind in KINDS)
    for kind in kinds or KINDS:
        kept |= remove_all(kind)
    freed = before - sum(sizes(kind)[1] for kind in KINDS)
    if as_json:
        stays = {str(path): reason for path, reason in kept.items()}
        print_json({"folder": str(root()), "freed_bytes": freed, "kept": stays})
        return
    print_line(f"{root()}: {_megabytes(freed)} MB freed")
    for path, reason in kept.items():
        print_line(f"{path}: stays, for {reason}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}"
