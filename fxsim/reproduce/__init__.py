"""Experiments of the papers, done again on data that need no download."""
