"""Exploration of word lengths: what each choice costs and what it keeps."""
