"""Layers without state, as stream blocks."""
