"""Compiled loops of `fxsim.simulator`: integers in, integers out, wrapped where hardware wraps.

Activations have the narrowest type that holds their format, or int64; sums are int32 where their
bounds allow that, else int64. Callers have validated everything: a `QuantizedNetwork` proves that
no intermediate passes 62 bits.
"""
