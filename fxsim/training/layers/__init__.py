"""Layers as torch modules, a file a kind."""
