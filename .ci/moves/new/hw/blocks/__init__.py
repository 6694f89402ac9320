"""Blocks that layers are made of."""
