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
