"""Pages from templates: text of users is escaped for HTML and shown, not obeyed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from fxsim.names import printable


def template(name: str, filters: Mapping[str, Any]) -> Template:
    """Template of this folder; ``filters`` are functions by name."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters
    return environment.get_template(name)


def _shown(value: object) -> object:
    """Value of an expression, text without control characters; figures and CSS as they are."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value, keep="\n")
    return value
