"""Compiled loops behind `fxsim.simulator`: int64 in, int64 out, wrap wherever hardware wraps.

Callers have validated everything: a `QuantizedNetwork` proves that no intermediate passes 62 bits.
"""
