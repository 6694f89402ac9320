"""Cells of the blocks of a network, counted by synthesis or predicted."""
