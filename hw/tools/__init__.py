"""Yosys, place and route."""
