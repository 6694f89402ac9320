"""Text of files on the terminal and on pages: shown, never obeyed."""

from __future__ import annotations

import io

import pytest
from rich.progress import Progress, TextColumn
from rich.table import Table

from fxsim.cli import output
from fxsim.cli.screen import Screen
from fxsim.explorer.outcome import Outcome
from fxsim.explorer.run import Settings, facts_of
from fxsim.explorer.store import open_store, read_store
from fxsim.names import printable
from fxsim.report.exploration import render
from tests.commands import fxsim_cli
from tests.explorer.small import SPACE, make

HOSTILE = "\x1b]0;title\x07\x1b[31mred\x9b2J\u202egnp\n[bold]x[/y]"
SHOWN = r"\x1b]0;title\x07\x1b[31mred\x9b2J\u202egnp"
OBEYED = "\x1b\x07\x9b\u202e"


@pytest.mark.parametrize(
    ("text", "keep", "shown"),
    [
        ("héllo ℤ 字", "", "héllo ℤ 字"),
        (HOSTILE, "", SHOWN + r"\n[bold]x[/y]"),
        ("a\nb\tc\r", "\n", "a\nb\\tc\\r"),
        ("\ud800\u2028\u2066", "", r"\ud800\u2028\u2066"),
    ],
)
def test_printable(text, keep, shown):
    assert printable(text, keep) == shown


@pytest.mark.parametrize("terminal", [True, False])
def test_all_that_rich_prints(terminal):
    stream = io.StringIO()
    screen = Screen(
        file=stream,
        force_terminal=terminal,
        color_system=None,
        width=200,
        markup=False,
        emoji=False,
    )
    table = Table(title=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    screen.print(table)
    screen.print(HOSTILE)
    with Progress(TextColumn("{task.description}", markup=False), console=screen) as progress:
        progress.add_task(HOSTILE, total=1)
    text = stream.getvalue()
    assert text.count(r"\x1b]0;title") >= 5  # rich drops the bell
    assert not {"\x07", "\x9b", "\u202e"} & set(text)
    for piece in text.split("\x1b")[1:]:  # those of rich hide the cursor and move it
        assert piece[0] == "[", piece
        assert piece[1:].lstrip("?0123456789;")[0] in "hlKAGm", piece
        assert not piece.startswith("[31m")


def test_steps_have_no_markup(capsys):
    steps = output.Steps()
    with steps.step(HOSTILE) as show:
        show(HOSTILE)
    steps.say(HOSTILE)
    output.print_line(HOSTILE)
    output.print_table(HOSTILE, ["a"], [[HOSTILE]])
    output.print_text(HOSTILE)
    found = capsys.readouterr()
    assert not set(OBEYED) & set(found.out + found.err)
    assert SHOWN in found.out
    assert SHOWN in found.err
    assert "[bold]x[/y]" in found.err


def test_a_store_of_hostile_names(tmp_path):
    variables = {HOSTILE if name == "bits0" else name: v for name, v in SPACE["variables"].items()}
    job = make(variables=variables)
    path = tmp_path / "s.sqlite"
    facts = facts_of(job, Settings(), HOSTILE, HOSTILE) | {"name": HOSTILE, "data": HOSTILE}
    with open_store(path, facts, resume=False) as store:
        for k in range(3):
            metrics = {"loss": 1.0 / (k + 1), "weight_memory_bits": 100.0 + k, "error": 0.5}
            store.add(Outcome((k, 0, 0, 0), k, metrics), 0.5)
    for options in ((), ("--format", "csv"), ("--all",), ("--json",)):
        result = fxsim_cli("front", path, *options)
        assert not set(OBEYED) & set(result.stdout + result.stderr)
        assert "title" in result.stdout
    with read_store(path) as store:
        page = render(store, HOSTILE)
    assert not set(OBEYED) & set(page)
    assert SHOWN in page
