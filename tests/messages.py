"""Error messages word for word."""

from __future__ import annotations

import re

import pytest


def raises(error: type[Exception], message: str):
    """``pytest.raises`` for exactly this class with exactly this message."""
    return pytest.raises(
        error,
        match=rf"\A{re.escape(message)}\Z",
        check=lambda raised: type(raised) is error,
    )


def refusal(error: type[Exception], function, *arguments) -> str | None:
    """Message of the error that a call raises; None if it returns. Other errors pass through."""
    try:
        function(*arguments)
    except error as raised:
        return str(raised)
    return None
