"""What is said where nextpnr is missing."""

import pytest

from fxsim.errors import MissingToolError
from hw import pnr


def test_missing(monkeypatch):
    monkeypatch.setattr(pnr, "TOOLS", ("no-such-nextpnr",))
    with pytest.raises(MissingToolError, match=r"pip install 'fxsim\[pnr\]'"):
        pnr.clocks_mhz("module top; endmodule", "top")
