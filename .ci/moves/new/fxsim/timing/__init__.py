"""Cycles: in which each block of a network takes and yields its words."""
