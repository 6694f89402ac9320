"""Compiled loops of the cycle models."""
