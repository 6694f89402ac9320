"""Units: hardware of its own, without a network around it."""

from __future__ import annotations

from fxsim.network.mac_unit import MacUnit
from fxsim.network.skip_unit import SkipUnit

AnyUnit = SkipUnit | MacUnit
"""Every kind of unit, for a ``match`` that leaves none out."""
